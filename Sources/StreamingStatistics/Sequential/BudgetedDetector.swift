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
        let reference = reference(ofClass: seasonClass)
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

    /// Describes a window.
    public init(index: UInt64, counts: [[UInt64]?], seasonClass: Int = 0) {
        self.index = index
        self.counts = counts
        self.seasonClass = seasonClass
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

/// This watches all streams of a model within one alert budget, a window a step.
///
/// Every stream has a Shiryaev–Roberts value; e-BH at the budget's level names streams; those named start
/// again from 0. `AlertBudget` says what that promises and why. What the promise rests on is the null:
///
/// - `withinTolerance`: rows are independent (or each one's chances, given the past, stay within the
///   tolerance) and the reference's rows are independent: a row-level null; a finite reference is
///   accounted for.
/// - `storedShares`: rows are independent, with exactly the stored shares: row-level; only where the
///   reference is much larger than all windows of a change's delay together. The tolerance is not used.
/// - `exchangeableWindows`: windows of one season class are exchangeable; rows inside may depend on each
///   other: window-level. The tolerance is not used.
///
/// Windows must come in order and not overlap; a late row needs a replay: see `BudgetedHistory`.
public struct BudgetedDetector: Equatable, Sendable {
    /// What holds while nothing has drifted.
    public enum Null: String, Sendable, CaseIterable {
        case withinTolerance, storedShares, exchangeableWindows
    }

    /// The chance that a verdict's `distanceLowerBound` is above the true distance.
    static let boundAlpha = 0.05

    /// The streams, in the order of every window's counts.
    public let streams: [DriftStream]
    /// The level.
    public let level: BudgetLevel
    /// The null that every alarm of it must name.
    public let null: Null
    /// From which ties are broken at random, the same way at every replay.
    public let seed: UInt64
    private var detectors: [Detector]

    private enum Detector: Equatable, Sendable {
        case shares(CumulativeShareDetector)
        case counts(BinCountDetector)
        case windows(PowerDetector, ConformalCalibration)
    }

    /// Starts without windows.
    ///
    /// - Precondition: there are at most `level.streamCount` streams; for `exchangeableWindows` each has
    ///   calibration scores for every class.
    public init(streams: [DriftStream], level: BudgetLevel, null: Null, seed: UInt64 = 0) {
        precondition(
            streams.count <= level.streamCount, "\(streams.count) of \(level.streamCount) streams")
        self.streams = streams
        self.level = level
        self.null = null
        self.seed = seed
        detectors = streams.map { stream in
            let counts = stream.allReferenceCounts
            switch null {
            case .withinTolerance:
                let total = counts.reduce(0, +)
                let shares = counts.map { Double($0) / Double(max(1, total)) }
                let radius = level.radius(
                    referenceCount: total, binCount: counts.count, isOrdered: stream.isOrdered)
                return .shares(
                    CumulativeShareDetector(
                        shares: shares, radius: radius, isOrdered: stream.isOrdered))
            case .storedShares:
                return .counts(
                    BinCountDetector(null: DirichletMultinomial(referenceCounts: counts)))
            case .exchangeableWindows:
                return .windows(
                    PowerDetector(), ConformalCalibration(scores: stream.calibrationScores))
            }
        }
    }

    /// Adds a window of all streams.
    ///
    /// - Precondition: the window has the streams' number of counts, each of the stream's bins.
    /// - Returns: Each stream's evidence, and which are named.
    public mutating func absorb(_ window: DriftWindow) -> BudgetVerdict {
        precondition(
            window.counts.count == streams.count, "\(window.counts.count) of \(streams.count)")
        for (index, counts) in window.counts.enumerated() {
            guard let counts, counts.contains(where: { $0 > 0 }) else { continue }
            absorb(counts, window, stream: index)
        }
        let evidence = detectors.map(Self.value)
        let named = eBenjaminiHochberg(
            evidence, alpha: level.alpha, hypothesisCount: level.streamCount)
        for index in named { Self.reset(&detectors[index]) }
        let isNamed = Set(named)
        let verdicts = streams.indices.map { index in
            verdict(
                index, window, evidence: evidence[index], isNamed: isNamed.contains(index))
        }
        return BudgetVerdict(index: window.index, streams: verdicts)
    }

    private mutating func absorb(_ counts: [UInt64], _ window: DriftWindow, stream index: Int) {
        switch detectors[index] {
        case .shares(var detector):
            detector.absorb(counts)
            detectors[index] = .shares(detector)
        case .counts(var detector):
            detector.absorb(counts)
            detectors[index] = .counts(detector)
        case .windows(var detector, var calibration):
            let score = streams[index].score(counts, seasonClass: window.seasonClass)
            // Without a reference there is no score, and the window is no step.
            guard let score else { return }
            let uniform = seededUniform(
                seed: seed &+ UInt64(index) &* 0x2545_F491, index: window.index)
            detector.absorb(
                calibration.pValue(
                    score: score, seasonClass: window.seasonClass, uniform: uniform))
            detectors[index] = .windows(detector, calibration)
        }
    }

    private func verdict(
        _ index: Int, _ window: DriftWindow, evidence: Double, isNamed: Bool
    ) -> BudgetVerdict.Stream {
        let reference =
            null == .exchangeableWindows
            ? streams[index].reference(ofClass: window.seasonClass)
            : streams[index].allReferenceCounts
        let isOrdered = streams[index].isOrdered
        let distance = window.counts[index].flatMap {
            CumulativeShareDetector.distance($0, reference, isOrdered: isOrdered)
        }
        let alpha = Self.boundAlpha / 2 / (isOrdered ? 1 : Double(reference.count))
        let n = window.counts[index].map { $0.reduce(0, +) } ?? 0
        let width =
            massartWidth(count: n, alpha: alpha)
            + massartWidth(count: reference.reduce(0, +), alpha: alpha)
        return BudgetVerdict.Stream(
            evidence: evidence, distance: distance,
            distanceLowerBound: distance.map { max(0, $0 - width) }, isNamed: isNamed)
    }

    private static func value(_ detector: Detector) -> Double {
        switch detector {
        case .shares(let detector): detector.value
        case .counts(let detector): detector.value
        case .windows(let detector, _): detector.value
        }
    }

    private static func reset(_ detector: inout Detector) {
        switch detector {
        case .shares(var inner):
            inner.reset()
            detector = .shares(inner)
        case .counts(var inner):
            inner.reset()
            detector = .counts(inner)
        case .windows(var inner, let calibration):
            // The scores stay: they are of windows, whatever was said of them.
            inner.reset()
            detector = .windows(inner, calibration)
        }
    }
}

extension BudgetedDetector {
    /// This is all that changes in a detector, as plain values.
    public struct State: Equatable, Sendable {
        /// What has been gathered for each stream: one value per event, side and bet, or per
        /// concentration, or per strength of bet.
        public var values: [[Double]]
        /// The scores by season class for each stream; empty for row-level nulls.
        public var scores: [[[Double]]]

        /// Puts a stored state together.
        public init(values: [[Double]], scores: [[[Double]]]) {
            self.values = values
            self.scores = scores
        }
    }

    /// This is all that changes, to be stored.
    public var state: State {
        var state = State(values: [], scores: [])
        for detector in detectors {
            switch detector {
            case .shares(let detector):
                state.values.append(detector.values)
                state.scores.append([])
            case .counts(let detector):
                state.values.append(detector.detectors.map(\.value))
                state.scores.append([])
            case .windows(let detector, let calibration):
                state.values.append(detector.detectors.map(\.value))
                state.scores.append(calibration.scores)
            }
        }
        return state
    }

    /// Goes on from a stored state of the same streams, level and null.
    ///
    /// - Returns: False, and nothing changed, when the state has not their shape or holds what no detector
    ///   can have.
    public mutating func restore(_ state: State) -> Bool {
        guard state.values.count == detectors.count, state.scores.count == detectors.count else {
            return false
        }
        var restored = detectors
        for index in restored.indices {
            let (values, scores) = (state.values[index], state.scores[index])
            guard values.allSatisfy({ $0 >= 0 && $0 <= EDetector.valueMax }) else { return false }
            switch restored[index] {
            case .shares(var detector):
                guard scores.isEmpty, detector.restore(values) else { return false }
                restored[index] = .shares(detector)
            case .counts(let detector):
                guard scores.isEmpty, values.count == detector.detectors.count else { return false }
                restored[index] = .counts(BinCountDetector(null: detector.null, values: values))
            case .windows(let detector, let calibration):
                guard values.count == detector.detectors.count,
                    scores.count == calibration.scores.count,
                    scores.allSatisfy({ $0.count <= ConformalCalibration.scoreCountMax }),
                    scores.allSatisfy({ $0.allSatisfy { !$0.isNaN } })
                else { return false }
                restored[index] = .windows(
                    PowerDetector(values: values), ConformalCalibration(scores: scores))
            }
        }
        detectors = restored
        return true
    }
}
