import MonitoringDomain
import StreamingStatistics

/// This is how predictions were served in one pane: how many, when the newest, how slow, how many failed.
struct ServingProfile: Sendable, Equatable {
    /// The bins of latencies in milliseconds: 5 % wide from a microsecond to a week, and one for 0.
    ///
    /// Plain arithmetic, so that every machine makes the same ones.
    static let latencyEdges: BinEdges = {
        var edges: [Double] = [0]
        var edge = 1e-3
        while edge < Double(WindowSpan.week) {
            edges.append(edge)
            edge *= 1.05
        }
        edges.append(edge)
        return BinEdges(edges: edges, decileEdges: []) ?? BinEdges(reference: [])
    }()

    /// Beyond a million million calls a row stands for no more.
    private static let thousandthsMax = 1e15

    /// The calls that rows stand for beyond themselves.
    var unloggedCount: Double { Double(unloggedThousandths) / 1_000 }

    /// Rows whose id was known already.
    var duplicateCount: UInt64 = 0
    /// Rows that say what went wrong.
    var errorCount: UInt64 = 0
    /// The calls that rows stand for beyond themselves, in thousandths: whole, so that no order of the rows
    /// changes it.
    var unloggedThousandths: UInt64 = 0
    /// The newest event time, in milliseconds; nil without rows.
    var newest: Int64?
    /// In milliseconds; nil while no row had one.
    var latencies: NumericProfile?

    static var emptyLatencies: NumericProfile {
        NumericProfile(binCount: latencyEdges.binCount, shift: 0)
    }

    mutating func absorb(_ batch: PredictionBatch, rows: [Int]) {
        for row in rows { newest = max(newest ?? batch.times[row], batch.times[row]) }
        if !batch.errors.codes.isEmpty {
            for row in rows where batch.errors.codes[row] != TextColumn.missing { errorCount += 1 }
        }
        if !batch.weights.isEmpty {
            for row in rows {
                let thousandths = ((batch.weights[row] - 1) * 1_000).rounded()
                unloggedThousandths &+= UInt64(min(max(thousandths, 0), Self.thousandthsMax))
            }
        }
        guard !batch.latencies.isEmpty else { return }
        for row in rows where !batch.latencies[row].isNaN {
            if latencies == nil { latencies = Self.emptyLatencies }
            latencies?.absorb(batch.latencies[row], edges: Self.latencyEdges)
        }
    }

    mutating func merge(_ other: Self) {
        duplicateCount += other.duplicateCount
        errorCount += other.errorCount
        unloggedThousandths &+= other.unloggedThousandths
        if let time = other.newest { newest = max(newest ?? time, time) }
        guard let others = other.latencies else { return }
        if latencies == nil { latencies = others } else { latencies?.merge(others) }
    }
}

/// This is until when windows had been judged when late rows last changed a pane, in milliseconds.
///
/// A window that ends no later had been judged without them: its measurements are revised.
struct PaneRevision: Sendable, Equatable {
    /// By late predictions.
    var rows: Int64?
    /// By ground truth that replaced other, or that belongs to late predictions.
    var outcomes: Int64?

    mutating func mark(at time: EventTime, isOutcome: Bool) {
        if !isOutcome { rows = max(rows ?? .min, time.milliseconds) }
        outcomes = max(outcomes ?? .min, time.milliseconds)
    }

    mutating func merge(_ other: Self) {
        if let time = other.rows { rows = max(rows ?? time, time) }
        if let time = other.outcomes { outcomes = max(outcomes ?? time, time) }
    }
}
