import Foundation
import StreamingStatistics

/// This simulates traffic in which nothing drifts, and traffic in which one stream of twenty does, and counts
/// what each method makes of it: false alarms per 90 windows against what the documentation promises, and
/// the windows until a real change is named.
///
/// Methods learn from 16 quiet weeks of day windows, then watch 90 quiet windows. A change begins at the
/// 46th of them in a copy of the world, so that nobody starts fresh with it.
public enum FalseAlarmBenchmark {
    /// Windows watched.
    static let windowCount = 90
    /// Quiet windows before a change; those that remain are where it can be seen.
    static let quietCount = 45
    /// Streams' independent worlds per kind of traffic, unless asked for otherwise: about a minute.
    public static let usualReplicationCount = 150

    /// This is one row of the table.
    public struct Row: Sendable {
        /// What kind of traffic.
        public let traffic: String
        /// Rows per window and stream.
        public let rowCount: Int
        /// The method.
        public let method: String
        /// False alarms per 90 windows that the documentation promises at most; nil without a promise.
        public let promised: Double?
        /// Windows with a false alarm, per 90.
        public let falseAlarms: Double
        /// The standard error of `falseAlarms`.
        public let standardError: Double
        /// The median number of windows until a shift by 0.1 standard deviations is named; nil beyond 45.
        public let delayOfDeviation: Double?
        /// The median number of windows until a move of 5 points is named; nil beyond 45.
        public let delayOfPoints: Double?
        /// The number of simulated worlds.
        public let replicationCount: Int

        /// Whether the promise holds, within three standard errors; nil without a promise.
        public var isKept: Bool? {
            promised.map { falseAlarms <= $0 + 3 * standardError }
        }

        /// The row as one JSON object, null where there is nothing.
        public var json: String {
            func number(_ value: Double?) -> String { value.map { "\($0)" } ?? "null" }
            let isKept = isKept.map { "\($0)" } ?? "null"
            return "{\"bench\":\"false-alarms\",\"traffic\":\"\(traffic)\",\"rows\":\(rowCount),"
                + "\"method\":\"\(method)\",\"promised\":\(number(promised)),"
                + "\"false_alarms_per_90\":\(falseAlarms),\"standard_error\":\(standardError),"
                + "\"kept\":\(isKept),\"delay_0.1_sd\":\(number(delayOfDeviation)),"
                + "\"delay_5_points\":\(number(delayOfPoints)),\"worlds\":\(replicationCount)}"
        }
    }

    /// Simulates every kind of traffic at 1,000 and 10,000 rows per window.
    ///
    /// Dependent rows are drawn one by one, so their worlds are fewer: a quarter, and a twentieth at 10,000. Of
    /// six times as many streams, a third.
    ///
    /// - Parameters:
    ///   - replicationCount: Worlds per kind, positive.
    ///   - seed: Of all random numbers.
    ///   - name: The beginning of one kind's name; nil: all kinds.
    /// - Returns: A row per traffic, size and method.
    public static func run(
        replicationCount: Int = usualReplicationCount, seed: UInt64 = 1, only name: String? = nil
    ) -> [Row] {
        precondition(replicationCount > 0, "replicationCount \(replicationCount)")
        var rows: [Row] = []
        for traffic in Traffic.allCases where name.map(traffic.rawValue.hasPrefix) ?? true {
            for rowCount in [1_000, 10_000] {
                let divisor =
                    switch traffic {
                    case .independent, .seasonal: 1
                    case .autoregressive: rowCount == 1_000 ? 4 : 20
                    case .segmented: 3
                    }
                rows += simulate(
                    traffic, rowCount: rowCount,
                    replicationCount: max(2, replicationCount / divisor), seed: seed)
            }
        }
        return rows
    }

    /// The table as text, with a heading; one line a row.
    public static func table(_ rows: [Row]) -> [String] {
        func cell(_ value: Double?, _ digits: Int) -> String {
            value.map { String(format: "%.\(digits)f", $0) } ?? "-"
        }
        func padded(_ text: String, _ width: Int) -> String {
            text + String(repeating: " ", count: max(0, width - text.count))
        }
        var lines: [String] = []
        var heading = ""
        for row in rows {
            let title = "\(row.traffic), \(row.rowCount) rows, \(row.replicationCount) worlds"
            if title != heading {
                heading = title
                lines += [
                    "", title,
                    padded("method", 46) + padded("promised", 10) + padded("false alarms/90", 18)
                        + padded("kept", 8) + padded("delay 0.1 sd", 14) + "delay 5 points",
                ]
            }
            let kept = row.isKept.map { $0 ? "yes" : "NO" } ?? "-"
            let alarms = cell(row.falseAlarms, 2) + " ± " + cell(row.standardError, 2)
            lines.append(
                padded(row.method, 46) + padded(cell(row.promised, 2), 10) + padded(alarms, 18)
                    + padded(kept, 8) + padded(cell(row.delayOfDeviation, 1), 14)
                    + cell(row.delayOfPoints, 1))
        }
        return lines
    }

    static func simulate(
        _ traffic: Traffic, rowCount: Int, replicationCount: Int, seed: UInt64
    ) -> [Row] {
        var tallies: [Tally] = []
        for replication in 0..<replicationCount {
            var streams = StationaryStreams(
                traffic, rowCount: rowCount, seed: seed &* 1_000_003 &+ UInt64(replication))
            let history = QuietHistory(&streams)
            let start = QuietHistory.windowCount
            let windows = (0..<UInt64(windowCount)).map { streams.window(start + $0) }
            let changed = Shift.allCases.map { shift in
                windows[quietCount...].map { streams.shifted($0, shift) }
            }
            for (index, candidate) in candidates(history, traffic, rowCount).enumerated() {
                if index == tallies.count { tallies.append(Tally(candidate)) }
                tallies[index].absorb(
                    candidate.method, windows, changed, traffic.shiftedStream)
            }
        }
        return tallies.map { $0.row(traffic, rowCount) }
    }
}

/// A method, and what the documentation promises for this traffic.
private struct Candidate {
    let name: String
    let promised: Double?
    let method: any AlarmMethod
}

/// Every method, made from the same history for the same budget: one false alarm in 90 windows.
private func candidates(
    _ history: QuietHistory, _ traffic: Traffic, _ rowCount: Int
) -> [Candidate] {
    let alpha = 1.0 / Double(FalseAlarmBenchmark.windowCount)
    let day = Duration.seconds(86_400)
    let isRowLevel = traffic == .independent || traffic == .segmented
    let knownShares =
        traffic == .segmented ? nil : DirichletMultinomial(shares: history.chances)
    func detector(
        _ null: BudgetedDetector.Null, _ streams: [DriftStream], ks: Double = 0,
        isMoving: Bool = false
    ) -> BudgetedDetector {
        let budget = AlertBudget(
            falseAlarmCount: 1, per: .seconds(86_400 * FalseAlarmBenchmark.windowCount),
            tolerance: DriftTolerance(ks: ks) ?? .none)
        guard let budget else { preconditionFailure("a budget of 1 in 90 days") }
        return BudgetedDetector(
            streams: streams, level: budget.level(window: day, streamCount: streams.count),
            null: null, seed: 7, isMoving: isMoving)
    }
    func budgeted(
        _ null: BudgetedDetector.Null, _ streams: [DriftStream], ks: Double = 0
    ) -> BudgetedMethod {
        BudgetedMethod(detector: detector(null, streams, ks: ks))
    }
    // Seasonal traffic is compared with the same day of last week, other with the day before.
    func moving(_ null: BudgetedDetector.Null, ks: Double = 0) -> MovingMethod {
        let streams = history.totals.map {
            DriftStream(
                referenceCounts: [$0], isOrdered: true,
                calibrationScores: Array(repeating: [], count: traffic.classCount))
        }
        return MovingMethod(
            detector: detector(null, streams, ks: ks, isMoving: true), distance: traffic.classCount)
    }
    var all = [
        Candidate(
            name: "always fires (dummy)", promised: nil, method: ConstantMethod(isFiring: true)),
        Candidate(
            name: "never fires (dummy)", promised: 0, method: ConstantMethod(isFiring: false)),
        Candidate(
            name: "PSI > 0.1", promised: nil,
            method: FixedIndexMethod(reference: history.totals, limit: 0.1)),
        Candidate(
            name: "PSI > 0.2", promised: nil,
            method: FixedIndexMethod(reference: history.totals, limit: 0.2)),
        Candidate(
            // The whole and its segments depend on each other as Benjamini and Hochberg do not allow.
            name: "PSI chi-square p, BH, one window in 90",
            promised: traffic == .independent ? 1 : nil,
            method: IndexTestMethod(reference: history.totals, alpha: alpha)),
        Candidate(
            name: "PSI chi-square p < 0.05, BH", promised: nil,
            method: IndexTestMethod(reference: history.totals, alpha: 0.05)),
        Candidate(
            name: "time-uniform DKW, union", promised: isRowLevel ? 1 : nil,
            method: TimeUniformMethod(reference: history.totals, alpha: 1, rowCount: rowCount)),
        Candidate(
            name: "budget: bin counts, stored shares", promised: nil,
            method: budgeted(.storedShares, history.pooled)),
        Candidate(
            name: "budget: cumulative shares, no tolerance", promised: isRowLevel ? 1 : nil,
            method: budgeted(.withinTolerance, history.pooled)),
        Candidate(
            name: "budget: cumulative shares, KS 0.02", promised: isRowLevel ? 1 : nil,
            method: budgeted(.withinTolerance, history.pooled, ks: 0.02)),
        Candidate(
            name: "budget: cumulative shares, KS 0.05",
            promised: traffic == .autoregressive ? nil : 1,
            method: budgeted(.withinTolerance, history.pooled, ks: 0.05)),
        Candidate(
            name: "budget: conformal windows", promised: 1,
            method: budgeted(.exchangeableWindows, history.seasonal)),
        Candidate(
            name: "budget: moving reference, rows",
            promised: traffic == .autoregressive ? nil : 1, method: moving(.withinTolerance)),
        Candidate(
            name: "budget: moving reference, windows", promised: 1,
            method: moving(.exchangeableWindows)),
    ]
    if traffic == .segmented {
        all.append(
            Candidate(
                name: "budget: KS 0.02, against the whole's shares", promised: nil,
                method: budgeted(
                    .withinTolerance, history.againstWhole(sliceCount: traffic.sliceCount),
                    ks: 0.02)))
    }
    if let known = knownShares {
        let bins = Array(repeating: BinCountDetector(null: known), count: history.totals.count)
        let staggered = Array(
            repeating: StaggeredBinCountDetector(null: known), count: history.totals.count)
        all += [
            Candidate(
                name: "bin counts, e-BH, shares known", promised: isRowLevel ? 1 : nil,
                method: EvidenceMethod(detectors: bins, alpha: alpha)),
            Candidate(
                name: "bin counts, staggered starts, shares known", promised: isRowLevel ? 1 : nil,
                method: EvidenceMethod(detectors: staggered, alpha: alpha)),
        ]
    }
    return all
}

/// What one method did over all worlds.
private struct Tally {
    let name: String
    let promised: Double?
    private var alarms: [Double] = []
    private var delays: [[Double]] = [[], []]

    init(_ candidate: Candidate) {
        name = candidate.name
        promised = candidate.promised
    }

    mutating func absorb(
        _ method: any AlarmMethod, _ windows: [DriftWindow], _ changed: [[DriftWindow]],
        _ shiftedStream: Int
    ) {
        var method = method
        var (atChange, count) = (method, 0.0)
        for (index, window) in windows.enumerated() {
            if index == FalseAlarmBenchmark.quietCount { atChange = method }
            if !method.named(in: window).isEmpty { count += 1 }
        }
        alarms.append(count * 90 / Double(windows.count))
        for (shift, windows) in changed.enumerated() {
            var watching = atChange
            let seen = windows.firstIndex { watching.named(in: $0).contains(shiftedStream) }
            delays[shift].append(seen.map { Double($0 - windows.startIndex + 1) } ?? .infinity)
        }
    }

    func row(_ traffic: Traffic, _ rowCount: Int) -> FalseAlarmBenchmark.Row {
        let n = Double(alarms.count)
        let mean = alarms.reduce(0, +) / n
        let squares = alarms.reduce(0) { $0 + ($1 - mean) * ($1 - mean) }
        func median(_ values: [Double]) -> Double? {
            let sorted = values.sorted()
            let middle = sorted[(sorted.count - 1) / 2]
            return middle.isFinite ? middle : nil
        }
        return FalseAlarmBenchmark.Row(
            traffic: traffic.rawValue, rowCount: rowCount, method: name, promised: promised,
            falseAlarms: mean, standardError: (squares / max(1, n - 1) / n).squareRoot(),
            delayOfDeviation: median(delays[0]), delayOfPoints: median(delays[1]),
            replicationCount: alarms.count)
    }
}
