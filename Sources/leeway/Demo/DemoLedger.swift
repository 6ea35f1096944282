import ByteCoding
import MonitoringDomain

/// This is what the demo counts with full knowledge: every outcome, with the loop and without it.
struct DemoLedger: Sendable {
    /// The score of a prediction, by the version in production and by version 1: 1 or 0 for right or
    /// wrong, or the absolute error.
    struct Outcome: Sendable {
        var time: Int64
        var version: Int
        var withLoop: Double
        var withoutLoop: Double
    }

    struct Request: Sendable {
        var id: String
        var time: Int64
    }

    struct Deployment: Sendable {
        var version: Int
        var time: Int64
    }

    /// Version 1's performance on the reference.
    var baseline = Double.nan
    var outcomes: [Outcome] = []
    var requests: [Request] = []
    var deployments: [Deployment] = []
    /// One per request, in their order; a request without a verdict yet says its state.
    var verdicts: [String] = []

    /// With fewer outcomes nothing is said about a version.
    private static let outcomeCountMin = 100

    func order(of id: String) -> Int { requests.firstIndex { $0.id == id } ?? requests.count }

    static func performance(
        of outcomes: some Collection<Outcome>
    ) -> (withLoop: Double, withoutLoop: Double) {
        let count = Double(outcomes.count)
        guard count > 0 else { return (.nan, .nan) }
        return (
            outcomes.reduce(0) { $0 + $1.withLoop } / count,
            outcomes.reduce(0) { $0 + $1.withoutLoop } / count
        )
    }

    /// This is how long it took from `drift` to the first request, and from there to the first new
    /// version that is as good as the reference allows.
    func response(to drift: WorldDrift, in world: World, pace: WorldPace) -> Response {
        let after = world.drifts.map(\.time).filter { $0 > drift.time }.min() ?? .max
        guard let request = requests.first(where: { $0.time > drift.time && $0.time <= after })
        else {
            return Response(drift: drift, detection: nil, recovery: nil)
        }
        let recovered = deployments.first { deployment in
            guard deployment.time >= request.time else { return false }
            let limit = deployment.time + pace.window
            let own = outcomes.filter { $0.version == deployment.version && $0.time < limit }
            guard own.count >= Self.outcomeCountMin else { return false }
            let value = Self.performance(of: own).withLoop
            switch world.task {
            case .binary, .multiclass: return value >= baseline - DemoRules.accuracyTolerance
            case .regression: return value <= baseline * DemoRules.errorFactor
            }
        }
        return Response(
            drift: drift, detection: request.time - drift.time,
            recovery: recovered.map { $0.time - request.time })
    }

    /// This is the answer to one drift, in milliseconds of event time; nil where it did not come.
    struct Response: Sendable {
        var drift: WorldDrift
        /// From the drift to the request.
        var detection: Int64?
        /// From the request to a version that recovered.
        var recovery: Int64?
    }
}

/// This is the demo's result, as a table for people and as an object for programs.
struct DemoResult: Sendable {
    let world: World
    let pace: WorldPace
    let ledger: DemoLedger

    private var responses: [DemoLedger.Response] {
        world.drifts.map { ledger.response(to: $0, in: world, pace: pace) }
    }

    /// The drift that the object speaks of: the first abrupt one, because only there is the onset a
    /// moment; else the first that was answered.
    private var headline: DemoLedger.Response? {
        responses.first { $0.drift.kind.contains("abrupt") }
            ?? responses.first { $0.detection != nil }
    }

    private var measure: String { world.task == .regression ? "mae" : "accuracy" }

    /// The object of `--json`; times are event time, null where there is none.
    var json: JSONValue {
        let total = DemoLedger.performance(of: ledger.outcomes)
        func performance(_ value: Double) -> JSONValue {
            .object([(measure, .double((value * 1e6).rounded() / 1e6))])
        }
        func seconds(_ milliseconds: Int64?) -> JSONValue {
            milliseconds.map { .int($0 / 1_000) } ?? .null
        }
        return .object([
            ("with_loop", performance(total.withLoop)),
            ("without_loop", performance(total.withoutLoop)),
            ("requests", .int(Int64(ledger.requests.count))),
            ("verdicts", .array(ledger.verdicts.map { .string($0) })),
            ("detection_delay_seconds", seconds(headline?.detection)),
            ("recovery_seconds", seconds(headline?.recovery)),
        ])
    }

    /// How often each verdict was given, in the order of their first.
    private var verdictCounts: String {
        var counts: [(verdict: String, count: Int)] = []
        for verdict in ledger.verdicts {
            if let index = counts.firstIndex(where: { $0.verdict == verdict }) {
                counts[index].count += 1
            } else {
                counts.append((verdict, 1))
            }
        }
        let words = counts.map { "\($0.count) \($0.verdict.replacing("_", with: " "))" }
        return words.isEmpty ? "–" : words.joined(separator: ", ")
    }

    /// The last table of the story.
    var table: String {
        let total = DemoLedger.performance(of: ledger.outcomes)
        let digits = world.task == .regression ? 1 : 3
        var rows = [
            ("", "with the loop", "without it"),
            (
                "\(measure), \(ledger.outcomes.count) outcomes", decimal(total.withLoop, digits),
                decimal(total.withoutLoop, digits)
            ),
            ("retraining requests", "\(ledger.requests.count)", "–"),
            ("verdicts", verdictCounts, "–"),
        ]
        for response in responses {
            let name = "\(response.drift.kind) change"
            guard let detection = response.detection else {
                rows.append((name, "no request", "–"))
                continue
            }
            rows.append(("\(name) → request", spoken(detection), "–"))
            rows.append(("  request → recovered", response.recovery.map(spoken) ?? "not", "–"))
        }
        let widths = (
            rows.map(\.0.count).max() ?? 0, rows.map(\.1.count).max() ?? 0
        )
        return rows.map { row in
            row.0 + String(repeating: " ", count: widths.0 - row.0.count + 2) + row.1
                + String(repeating: " ", count: widths.1 - row.1.count + 2) + row.2
        }.joined(separator: "\n")
    }
}
