import Foundation
import StreamingStatistics

/// This is a kind of traffic in which nothing drifts.
enum Traffic: String, CaseIterable {
    /// Rows are independent.
    case independent = "independent rows"
    /// Each row remembers the one before: x = 0.9 x′ + √(1 − 0.81) z.
    case autoregressive = "AR(1) rows, 0.9"
    /// Rows are independent; a day's mean moves by up to 0.1 standard deviations over the week.
    case seasonal = "weekly season, 0.1 sd"
    /// Rows are independent, of five segments whose means are half a standard deviation apart; each feature is
    /// watched in the whole, which is their sum, and in each of them.
    case segmented = "independent rows, 5 segments"

    /// The number of season classes that a careful owner would declare.
    var classCount: Int { self == .seasonal ? 7 : 1 }
    /// What each feature is watched in: the whole traffic first, then its segments.
    var sliceCount: Int { self == .segmented ? StationaryStreams.segmentMeans.count + 1 : 1 }
    /// Features times slices, the slices of a feature side by side.
    var streamCount: Int { StationaryStreams.featureCount * sliceCount }
    /// The stream that a shift moves: the first feature, in its first segment where there are any.
    var shiftedStream: Int { sliceCount > 1 ? 1 : 0 }
}

/// This is what happens to the first stream when something does drift.
enum Shift: CaseIterable {
    case tenthOfDeviation, fivePoints
}

/// These are windows of streams of a standard normal variable in the ten bins between its deciles.
struct StationaryStreams {
    static let featureCount = 20
    static let segmentMeans = [-1, -0.5, 0, 0.5, 1]
    static let binCount = 10
    static let memory = 0.9
    static let seasonDeviation = 0.1
    static let weekLength: UInt64 = 7

    let traffic: Traffic
    let rowCount: Int
    private var random: Randomness
    private let edges: [Double]
    /// Chances of the bins by the weekday's mean, without and with the shifts.
    private let chances: [[[Double]]]
    /// The same by segment, where there are any.
    private let segmentChances: [[[Double]]]
    /// The last row of each stream, and of the shifted twins of the first.
    private var last: [Double]

    init(_ traffic: Traffic, rowCount: Int, seed: UInt64) {
        self.traffic = traffic
        self.rowCount = rowCount
        random = Randomness(seed: seed)
        let edges = (1..<Self.binCount).map { normalQuantile(Double($0) / Double(Self.binCount)) }
        self.edges = edges
        last = []
        chances = [nil, Shift.tenthOfDeviation, .fivePoints].map { shift in
            (0..<Int(Self.weekLength)).map { day in
                Self.chances(
                    edges, mean: traffic == .seasonal ? Self.seasonMean(day) : 0, shift: shift)
            }
        }
        segmentChances = [nil, Shift.tenthOfDeviation, .fivePoints].map { shift in
            traffic == .segmented
                ? Self.segmentMeans.map { Self.chances(edges, mean: $0, shift: shift) } : []
        }
        last = (0..<(Self.featureCount + Shift.allCases.count)).map { _ in random.normal() }
    }

    /// The true chances of the bins, on average over a week.
    var averageChances: [Double] {
        (0..<Self.binCount).map { bin in
            chances[0].reduce(0) { $0 + $1[bin] } / Double(Self.weekLength)
        }
    }

    /// All streams' counts in one window.
    mutating func window(_ index: UInt64) -> DriftWindow {
        var counts: [[UInt64]?] = []
        for feature in 0..<Self.featureCount {
            if traffic == .segmented {
                counts += drawSegments(shift: nil)
            } else {
                counts.append(draw(index, stream: feature, shift: nil))
            }
        }
        return DriftWindow(
            index: index, counts: counts,
            seasonClass: Int(index % UInt64(traffic.classCount)))
    }

    /// The same window with its first feature shifted, of segments in the first one only.
    mutating func shifted(_ window: DriftWindow, _ shift: Shift) -> DriftWindow {
        var counts = window.counts
        if traffic == .segmented {
            counts.replaceSubrange(0..<traffic.sliceCount, with: drawSegments(shift: shift))
        } else {
            counts[0] = draw(window.index, stream: 0, shift: shift)
        }
        return DriftWindow(index: window.index, counts: counts, seasonClass: window.seasonClass)
    }

    /// One feature in all slices: the whole is the sum of its segments.
    private mutating func drawSegments(shift: Shift?) -> [[UInt64]?] {
        let count = Self.segmentMeans.count
        let rows = random.multinomial(
            rowCount, [Double](repeating: 1 / Double(count), count: count))
        let moved = shift.map { $0 == .tenthOfDeviation ? 1 : 2 } ?? 0
        let segments = (0..<count).map { segment in
            random.multinomial(
                Int(rows[segment]), segmentChances[segment == 0 ? moved : 0][segment])
        }
        let whole = segments.dropFirst().reduce(segments[0]) { zip($0, $1).map(+) }
        return [whole] + segments
    }

    private mutating func draw(_ index: UInt64, stream: Int, shift: Shift?) -> [UInt64] {
        switch traffic {
        case .independent, .seasonal, .segmented:
            let kind = shift.map { $0 == .tenthOfDeviation ? 1 : 2 } ?? 0
            return random.multinomial(rowCount, chances[kind][Int(index % Self.weekLength)])
        case .autoregressive:
            let place =
                shift.map { Self.featureCount + ($0 == .tenthOfDeviation ? 0 : 1) } ?? stream
            return rows(place, shift: shift)
        }
    }

    /// Row by row, because each depends on the one before.
    private mutating func rows(_ place: Int, shift: Shift?) -> [UInt64] {
        var counts = [UInt64](repeating: 0, count: Self.binCount)
        let fresh = (1 - Self.memory * Self.memory).squareRoot()
        let mean = shift == .tenthOfDeviation ? 0.1 : 0
        var x = last[place]
        for _ in 0..<rowCount {
            x = Self.memory * x + fresh * random.normal()
            var bin = 0
            for edge in edges where x + mean > edge { bin += 1 }
            if shift == .fivePoints, bin == Self.binCount - 1, random.next() & 1 == 0 { bin = 0 }
            counts[bin] += 1
        }
        last[place] = x
        return counts
    }

    private static func seasonMean(_ day: Int) -> Double {
        seasonDeviation * sin(2 * Double.pi * Double(day) / Double(weekLength))
    }

    private static func chances(_ edges: [Double], mean: Double, shift: Shift?) -> [Double] {
        let moved = mean + (shift == .tenthOfDeviation ? 0.1 : 0)
        let below = edges.map { normalDistribution($0 - moved) }
        var chances = zip(below + [1], [0] + below).map { $0 - $1 }
        if shift == .fivePoints {
            chances[0] += 0.05
            chances[binCount - 1] -= 0.05
        }
        return chances
    }
}

/// This is SplitMix64 and what is drawn from it.
///
/// Source: G. Steele, D. Lea, C. Flood, OOPSLA 2014.
struct Randomness {
    private var state: UInt64
    private var spare: Double?

    init(seed: UInt64) { state = seed }

    mutating func next() -> UInt64 {
        state &+= 0x9E37_79B9_7F4A_7C15
        var z = state
        z = (z ^ (z >> 30)) &* 0xBF58_476D_1CE4_E5B9
        z = (z ^ (z >> 27)) &* 0x94D0_49BB_1331_11EB
        return z ^ (z >> 31)
    }

    /// Inside 0...1, never an end.
    mutating func uniform() -> Double { (Double(next() >> 12) + 0.5) / 4_503_599_627_370_496 }

    /// By the polar method of Marsaglia and Bray, 1964.
    mutating func normal() -> Double {
        if let ready = spare {
            spare = nil
            return ready
        }
        while true {
            let (x, y) = (2 * uniform() - 1, 2 * uniform() - 1)
            let square = x * x + y * y
            guard square < 1, square > 0 else { continue }
            let scale = (-2 * log(square) / square).squareRoot()
            spare = y * scale
            return x * scale
        }
    }

    /// Bin by bin, each a binomial of what is left.
    mutating func multinomial(_ count: Int, _ chances: [Double]) -> [UInt64] {
        var (left, mass) = (count, 1.0)
        return chances.enumerated().map { bin, chance in
            let isLast = bin == chances.count - 1
            let drawn = isLast ? left : binomial(left, min(1, chance / mass))
            left -= drawn
            mass = max(mass - chance, 1e-300)
            return UInt64(drawn)
        }
    }

    /// By inversion while few are expected, else by transformed rejection.
    ///
    /// Source: W. Hörmann, "The generation of binomial random variates", J. Stat. Comput. Simul. 46, 1993
    /// (BTRD without its squeeze).
    mutating func binomial(_ count: Int, _ chance: Double) -> Int {
        if chance > 0.5 { return count - binomial(count, 1 - chance) }
        let n = Double(count)
        guard n * chance >= 10 else { return smallBinomial(count, chance) }
        let deviation = (n * chance * (1 - chance)).squareRoot()
        let b = 1.15 + 2.53 * deviation
        let a = -0.0873 + 0.0248 * b + 0.01 * chance
        let c = n * chance + 0.5
        let height = 0.92 - 4.2 / b
        let alpha = (2.83 + 5.1 / b) * deviation
        let mode = ((n + 1) * chance).rounded(.down)
        let odds = log(chance / (1 - chance))
        let top = logGamma(mode + 1) + logGamma(n - mode + 1)
        while true {
            let u = uniform() - 0.5
            let v = uniform()
            let us = 0.5 - abs(u)
            let k = ((2 * a / us + b) * u + c).rounded(.down)
            guard k >= 0, k <= n else { continue }
            if us >= 0.07, v <= height { return Int(k) }
            let bound = top - logGamma(k + 1) - logGamma(n - k + 1) + (k - mode) * odds
            if log(v * alpha / (a / (us * us) + b)) <= bound { return Int(k) }
        }
    }

    private mutating func smallBinomial(_ count: Int, _ chance: Double) -> Int {
        guard chance > 0, count > 0 else { return 0 }
        // The gaps between successes are geometric.
        let scale = log1p(-chance)
        var (place, successes) = (0.0, 0)
        while true {
            place += (log(uniform()) / scale).rounded(.down) + 1
            if place > Double(count) { return successes }
            successes += 1
        }
    }
}
