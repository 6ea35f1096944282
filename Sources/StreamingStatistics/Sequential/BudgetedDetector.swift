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
/// With a reference that moves, each window is compared with an earlier one, and what is promised is that a
/// change *between the two* is rarely named without being there. A window would be in two pairs, as the later
/// and as the earlier one; so pairs are of two phases, in each of which no window is in two. The phases are
/// detectors of their own, each at the whole level because it makes half of the steps. Under
/// `withinTolerance` a pair gives a two-sample p-value, under `exchangeableWindows` a score that is placed
/// among earlier pairs of its phase and season; both are bet against as `PowerDetector` does.
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
    /// True when windows are compared with earlier ones.
    public let isMoving: Bool
    /// By phase, then by stream.
    private var detectors: [Detector]

    private enum Detector: Equatable, Sendable {
        case shares(CumulativeShareDetector)
        case counts(BinCountDetector)
        case windows(PowerDetector, ConformalCalibration)
        case pairs(PowerDetector)
    }

    /// Starts without windows.
    ///
    /// - Precondition: there are at most `level.streamCount` streams; for `exchangeableWindows` each has
    ///   calibration scores for every class; a reference that moves is not one of `storedShares`.
    public init(
        streams: [DriftStream], level: BudgetLevel, null: Null, seed: UInt64 = 0,
        isMoving: Bool = false
    ) {
        precondition(
            streams.count <= level.streamCount, "\(streams.count) of \(level.streamCount) streams")
        precondition(!isMoving || null != .storedShares, "shares that are stored do not move")
        self.streams = streams
        self.level = level
        self.null = null
        self.seed = seed
        self.isMoving = isMoving
        let once = Self.detectors(streams, level, null, isMoving: isMoving)
        detectors = isMoving ? once + once : once
    }

    private static func detectors(
        _ streams: [DriftStream], _ level: BudgetLevel, _ null: Null, isMoving: Bool
    ) -> [Detector] {
        streams.map { stream in
            let counts = stream.allReferenceCounts
            switch null {
            case .withinTolerance where isMoving: return .pairs(PowerDetector())
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
    /// - Precondition: the window has the streams' number of counts, each of the stream's bins; and an
    ///   earlier window with it where the reference moves, and only there.
    /// - Returns: Each stream's evidence, and which are named.
    public mutating func absorb(_ window: DriftWindow) -> BudgetVerdict {
        precondition(
            window.counts.count == streams.count, "\(window.counts.count) of \(streams.count)")
        precondition((window.moving != nil) == isMoving, "a reference that moves, or none")
        let first = (window.moving?.phase ?? 0) * streams.count
        for (index, counts) in window.counts.enumerated() {
            guard let counts, counts.contains(where: { $0 > 0 }) else { continue }
            absorb(counts, window, stream: index, detector: first + index)
        }
        let evidence = detectors[first..<first + streams.count].map(Self.value)
        let named = eBenjaminiHochberg(
            evidence, alpha: level.alpha, hypothesisCount: level.streamCount)
        for index in named { Self.reset(&detectors[first + index]) }
        let isNamed = Set(named)
        let verdicts = streams.indices.map { index in
            verdict(
                index, window, evidence: evidence[index], isNamed: isNamed.contains(index))
        }
        return BudgetVerdict(index: window.index, streams: verdicts)
    }

    private mutating func absorb(
        _ counts: [UInt64], _ window: DriftWindow, stream index: Int, detector place: Int
    ) {
        // Without a reference there is no comparison, and the window is no step.
        guard let reference = reference(index, window) else { return }
        switch detectors[place] {
        case .shares(var detector):
            detector.absorb(counts)
            detectors[place] = .shares(detector)
        case .counts(var detector):
            detector.absorb(counts)
            detectors[place] = .counts(detector)
        case .pairs(var detector):
            let pValue = twoSampleSharePValue(
                counts, reference, isOrdered: streams[index].isOrdered, tolerance: level.tolerance)
            guard let pValue else { return }
            detector.absorb(pValue)
            detectors[place] = .pairs(detector)
        case .windows(var detector, var calibration):
            guard let score = DriftStream.score(counts, against: reference) else { return }
            let uniform = seededUniform(
                seed: seed &+ UInt64(index) &* 0x2545_F491, index: window.index)
            detector.absorb(
                calibration.pValue(
                    score: score, seasonClass: window.seasonClass, uniform: uniform))
            detectors[place] = .windows(detector, calibration)
        }
    }

    /// What a stream's window is compared with; nil where that has no rows.
    private func reference(_ index: Int, _ window: DriftWindow) -> [UInt64]? {
        if let moving = window.moving { return moving.counts[index] }
        return null == .exchangeableWindows
            ? streams[index].reference(ofClass: window.seasonClass)
            : streams[index].allReferenceCounts
    }

    private func verdict(
        _ index: Int, _ window: DriftWindow, evidence: Double, isNamed: Bool
    ) -> BudgetVerdict.Stream {
        let reference = reference(index, window)
        let isOrdered = streams[index].isOrdered
        let distance = window.counts[index].flatMap { counts in
            reference.flatMap {
                CumulativeShareDetector.distance(counts, $0, isOrdered: isOrdered)
            }
        }
        let binCount = streams[index].reference(ofClass: 0).count
        let alpha = Self.boundAlpha / 2 / (isOrdered ? 1 : Double(binCount))
        let n = window.counts[index].map { $0.reduce(0, +) } ?? 0
        let width =
            massartWidth(count: n, alpha: alpha)
            + massartWidth(count: reference?.reduce(0, +) ?? 0, alpha: alpha)
        return BudgetVerdict.Stream(
            evidence: evidence, distance: distance,
            distanceLowerBound: distance.map { max(0, $0 - width) }, isNamed: isNamed)
    }

    /// This is how many quiet windows of a season class a window is placed among, of the stream that has the
    /// fewest; nil for row-level nulls.
    public func calibrationCount(ofClass seasonClass: Int) -> Int? {
        guard null == .exchangeableWindows else { return nil }
        return detectors.compactMap { detector -> Int? in
            guard case .windows(_, let calibration) = detector else { return nil }
            return calibration.scores[seasonClass].count
        }.min()
    }

    private static func value(_ detector: Detector) -> Double {
        switch detector {
        case .shares(let detector): detector.value
        case .counts(let detector): detector.value
        case .windows(let detector, _), .pairs(let detector): detector.value
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
        case .pairs(var inner):
            inner.reset()
            detector = .pairs(inner)
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
        /// What has been gathered for each stream, and where the reference moves for each again in the other
        /// phase: one value per event, side and bet, or per
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
            case .pairs(let detector):
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
            case .pairs(let detector):
                guard scores.isEmpty, values.count == detector.detectors.count else { return false }
                restored[index] = .pairs(PowerDetector(values: values))
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
