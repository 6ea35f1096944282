import StreamingStatistics

/// This names streams that it takes for drifted, a window a step.
protocol AlarmMethod {
    mutating func named(in window: DriftWindow) -> [Int]
}

/// This is what methods learn from before they watch: sixteen quiet weeks of windows of a day.
struct QuietHistory {
    static let windowCount: UInt64 = 112
    /// The windows that make the centre of the window-level null; the rest are calibration.
    static let centreCount: UInt64 = 28

    /// All windows' counts per stream.
    let totals: [[UInt64]]
    /// The streams with centres and scores by season class.
    let seasonal: [DriftStream]
    /// The true chances.
    let chances: [Double]

    init(_ streams: inout StationaryStreams) {
        let classCount = streams.traffic.classCount
        let windows = (0..<Self.windowCount).map { streams.window($0) }
        chances = streams.averageChances
        var totals: [[UInt64]] = []
        var seasonal: [DriftStream] = []
        for stream in 0..<streams.traffic.streamCount {
            let empty = [UInt64](repeating: 0, count: StationaryStreams.binCount)
            var (total, centres) = (empty, Array(repeating: empty, count: classCount))
            for window in windows {
                guard let counts = window.counts[stream] else { continue }
                total = zip(total, counts).map(+)
                guard window.index < Self.centreCount else { continue }
                centres[window.seasonClass] = zip(centres[window.seasonClass], counts).map(+)
            }
            let plain = DriftStream(referenceCounts: centres, isOrdered: true)
            var scores = [[Double]](repeating: [], count: classCount)
            for window in windows where window.index >= Self.centreCount {
                let score = window.counts[stream].flatMap {
                    plain.score($0, seasonClass: window.seasonClass)
                }
                if let score { scores[window.seasonClass].append(score) }
            }
            totals.append(total)
            seasonal.append(
                DriftStream(
                    referenceCounts: centres, isOrdered: true, calibrationScores: scores))
        }
        self.totals = totals
        self.seasonal = seasonal
    }

    var pooled: [DriftStream] {
        totals.map { DriftStream(referenceCounts: [$0], isOrdered: true) }
    }

    /// Each slice beside the shares of its feature's whole traffic: the mistake to be seen in the table.
    func againstWhole(sliceCount: Int) -> [DriftStream] {
        totals.indices.map {
            DriftStream(referenceCounts: [totals[$0 - $0 % sliceCount]], isOrdered: true)
        }
    }
}

/// The dummies: a table in which these two do not stand out proves nothing.
struct ConstantMethod: AlarmMethod {
    let isFiring: Bool

    mutating func named(in window: DriftWindow) -> [Int] {
        isFiring ? Array(window.counts.indices) : []
    }
}

/// The customary rule.
struct FixedIndexMethod: AlarmMethod {
    let reference: [[UInt64]]
    let limit: Double

    mutating func named(in window: DriftWindow) -> [Int] {
        window.counts.indices.filter { stream in
            guard let counts = window.counts[stream] else { return false }
            let index = populationStabilityIndexFloored(
                window: counts, reference: reference[stream])
            return (index ?? 0) > limit
        }
    }
}

/// The index' p-value in each window, corrected for the streams, uncorrected for time.
struct IndexTestMethod: AlarmMethod {
    let reference: [[UInt64]]
    let alpha: Double

    mutating func named(in window: DriftWindow) -> [Int] {
        let pValues = window.counts.enumerated().map { stream, counts in
            counts.flatMap {
                populationStabilityIndex(window: $0, reference: reference[stream])?.pValue
            }
        }
        let decisions = benjaminiHochberg(pValues, alpha: alpha)
        return decisions.indices.filter { decisions[$0]?.isRejected == true }
    }
}

/// The time-uniform band on all rows since the start, one level per stream; a stream is named once.
struct TimeUniformMethod: AlarmMethod {
    let reference: [[UInt64]]
    let bound: DistanceLowerBound
    private var counts: [[UInt64]]
    private var isNamed: [Bool]

    init(reference: [[UInt64]], alpha: Double, rowCount: Int) {
        self.reference = reference
        let referenceCount = reference[0].reduce(0, +)
        bound = DistanceLowerBound(
            alpha: alpha / Double(reference.count), referenceCount: referenceCount,
            countMin: UInt64(rowCount))
        counts = reference.map { $0.map { _ in 0 } }
        isNamed = reference.map { _ in false }
    }

    mutating func named(in window: DriftWindow) -> [Int] {
        window.counts.indices.filter { stream in
            guard let fresh = window.counts[stream], !isNamed[stream] else { return false }
            counts[stream] = zip(counts[stream], fresh).map(+)
            let distance = CumulativeShareDetector.distance(
                counts[stream], reference[stream], isOrdered: true)
            let count = counts[stream].reduce(0, +)
            isNamed[stream] = bound.lowerBound(distance: distance ?? 0, count: count) > 0
            return isNamed[stream]
        }
    }
}

/// A restarting detector of one stream.
protocol EvidenceDetector {
    var value: Double { get }
    mutating func absorb(_ counts: [UInt64])
    mutating func reset()
}

extension BinCountDetector: EvidenceDetector {}
extension StaggeredBinCountDetector: EvidenceDetector {}

/// One detector per stream, named by e-BH.
struct EvidenceMethod<Detector: EvidenceDetector>: AlarmMethod {
    var detectors: [Detector]
    let alpha: Double

    mutating func named(in window: DriftWindow) -> [Int] {
        for (stream, counts) in window.counts.enumerated() {
            if let counts { detectors[stream].absorb(counts) }
        }
        let named = eBenjaminiHochberg(detectors.map(\.value), alpha: alpha)
        for stream in named { detectors[stream].reset() }
        return named
    }
}

/// The product's own.
struct BudgetedMethod: AlarmMethod {
    var detector: BudgetedDetector

    mutating func named(in window: DriftWindow) -> [Int] { detector.absorb(window).named }
}

/// The product's own beside an earlier window: the one before, or the same day of last week.
struct MovingMethod: AlarmMethod {
    var detector: BudgetedDetector
    /// Windows back to the one that a window is compared with.
    let distance: Int
    private var earlier: [DriftWindow] = []

    init(detector: BudgetedDetector, distance: Int) {
        self.detector = detector
        self.distance = distance
    }

    mutating func named(in window: DriftWindow) -> [Int] {
        earlier.append(window)
        let counts =
            earlier.count > distance ? earlier[0].counts : window.counts.map { _ in nil }
        if earlier.count > distance { earlier.removeFirst() }
        return detector.absorb(
            DriftWindow(
                index: window.index, counts: window.counts, seasonClass: window.seasonClass,
                moving: DriftWindow.Moving(
                    counts: counts, phase: Int(window.index) / distance % 2))
        ).named
    }
}
