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

    private static func final(_ problem: Problem) -> Problem {
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
