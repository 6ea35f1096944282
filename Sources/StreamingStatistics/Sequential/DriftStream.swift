/// This is one stream of a budgeted detector: a feature of a model, on all rows or on a segment's.
public struct DriftStream: Equatable, Sendable {
    /// Bin counts of the reference, one per season class or a single one for all, [classes][binCount].
    public let referenceCounts: [[UInt64]]
    /// Whether the bins have an order.
    public let isOrdered: Bool
    /// Scores of quiet windows by season class, for the window-level null; empty for the others.
    public let calibrationScores: [[Double]]

    /// Describes a stream.
    ///
    /// - Precondition: there are reference counts, all of the same bins; not more than 100 bins, which is
    ///   what evidence can be shared among.
    public init(
        referenceCounts: [[UInt64]], isOrdered: Bool, calibrationScores: [[Double]] = []
    ) {
        precondition(!referenceCounts.isEmpty, "no reference")
        let binCount = referenceCounts[0].count
        precondition((1...100).contains(binCount), "\(binCount) bins")
        precondition(referenceCounts.allSatisfy { $0.count == binCount }, "different bins")
        self.referenceCounts = referenceCounts
        self.isOrdered = isOrdered
        self.calibrationScores = calibrationScores
    }

    /// This is the reference of a season class.
    public func reference(ofClass seasonClass: Int) -> [UInt64] {
        referenceCounts[referenceCounts.count == 1 ? 0 : seasonClass]
    }

    /// These are all the reference's counts.
    public var allReferenceCounts: [UInt64] {
        referenceCounts.dropFirst().reduce(referenceCounts[0]) { zip($0, $1).map(+) }
    }

    /// This is how far a window is from its season's reference, for the window-level null.
    ///
    /// Formula: PSI / (1/n + 1/m) with ½ added to every count, so that windows of different sizes compare.
    ///
    /// - Returns: Nil when either side is empty.
    public func score(_ counts: [UInt64], seasonClass: Int) -> Double? {
        Self.score(counts, against: reference(ofClass: seasonClass))
    }

    /// This is the same score against other counts than the stream's own.
    public static func score(_ counts: [UInt64], against reference: [UInt64]) -> Double? {
        guard let psi = populationStabilityIndex(window: counts, reference: reference) else {
            return nil
        }
        let n = counts.reduce(0) { $0 + Double($1) }
        let m = reference.reduce(0) { $0 + Double($1) }
        return psi.value / (1 / n + 1 / m)
    }
}

/// This is one window of all streams.
public struct DriftWindow: Equatable, Sendable {
    /// Its number, from which its random numbers come; ascending.
    public let index: UInt64
    /// Bin counts per stream; nil where the stream has no rows.
    public let counts: [[UInt64]?]
    /// The season class, 0 where there are none.
    public let seasonClass: Int
    /// What a window is compared with where the reference moves: an earlier window of each stream.
    public let moving: Moving?

    /// This is the earlier window that stands in for a reference.
    public struct Moving: Equatable, Sendable {
        /// Bin counts per stream; nil where the stream has no rows there.
        public let counts: [[UInt64]?]
        /// 0 or 1: windows of one phase, with what they are compared with, are pairs that do not overlap.
        public let phase: Int

        /// Describes an earlier window.
        ///
        /// - Precondition: `phase` is 0 or 1.
        public init(counts: [[UInt64]?], phase: Int) {
            precondition(phase == 0 || phase == 1, "phase \(phase)")
            self.counts = counts
            self.phase = phase
        }
    }

    /// Describes a window.
    public init(
        index: UInt64, counts: [[UInt64]?], seasonClass: Int = 0, moving: Moving? = nil
    ) {
        self.index = index
        self.counts = counts
        self.seasonClass = seasonClass
        self.moving = moving
    }
}

/// This is what a budgeted detector says after a window.
public struct BudgetVerdict: Equatable, Sendable {
    /// This is what it says of one stream.
    public struct Stream: Equatable, Sendable {
        /// The evidence of a change, before any reset; alone it raises an alarm at K/α.
        public let evidence: Double
        /// How far this window's shares are from the reference; nil without rows.
        public let distance: Double?
        /// A lower bound of the true distance, of this window alone, at 95 %; nil without rows.
        public let distanceLowerBound: Double?
        /// Whether it is named by this window's alarm.
        public let isNamed: Bool
    }

    /// The window's number.
    public let index: UInt64
    /// One per stream.
    public let streams: [Stream]

    /// These are the streams that the alarm names; empty without one.
    public var named: [Int] { streams.indices.filter { streams[$0].isNamed } }
    /// True when the window raises an alarm.
    public var isAlarm: Bool { streams.contains { $0.isNamed } }
}
