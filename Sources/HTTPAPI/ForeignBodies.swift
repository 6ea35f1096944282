import HTTPTypes
import MonitorService
import MonitoringDomain
import RecordCoding

/// This is what the routes of foreign formats share: bounds, the way into the log, and statuses that
/// every sender understands.
///
/// To those, 400 means that no repetition will be taken; 422 they do not know.
struct ForeignBodies: Sendable {
    let runner: MonitorRunner
    /// Where what is refused is kept.
    let rejects: RejectLog
    /// The event times that are taken now.
    let times: @Sendable () -> ClosedRange<Int64>

    /// The bounds of a body that comes now.
    var limits: DecodingLimits {
        var limits = DecodingLimits()
        limits.times = times()
        return limits
    }

    /// Waits until the inputs are durable; none are durable at once.
    func submit(_ inputs: [Input]) async throws {
        if inputs.isEmpty { return }
        do {
            _ = try await runner.submit(inputs)
        } catch {
            throw Self.final(Problem(error))
        }
    }

    /// Keeps a copy of a body that no repetition will make right: whoever sent it may not look at the answer.
    func keep(_ body: [UInt8], of route: String, refusedWith problem: Problem) {
        guard (400..<429).contains(problem.status.code) else { return }
        rejects.keep(
            RejectLog.Copy(
                time: WallClock.now(), route: route, code: problem.type, detail: problem.detail,
                body: body))
    }

    /// Refuses with 400 what no repetition will make right.
    static func decoding<Value>(
        _ body: () throws(RecordDecodingError) -> Value
    ) throws -> Value {
        do {
            return try body()
        } catch {
            throw final(Problem(error))
        }
    }

    static func final(_ problem: Problem) -> Problem {
        guard problem.status == .unprocessableContent else { return problem }
        return Problem(
            .badRequest, problem.type, problem.title, detail: problem.detail,
            errors: problem.errors, outcome: problem.outcome, headers: problem.headers)
    }
}

extension DecodedRecords {
    /// These are the batches as inputs, predictions first.
    var inputs: [Input] {
        predictions.map { .predictions($0) } + groundTruth.map { .groundTruth($0) }
    }
}
