import Glibc

/// This places windows' scores among those of quiet windows of the same season.
///
/// Formula: p = (#{s_i > s} + U · #{s_i = s}) / (number of windows, this one included); ties include itself.
/// Source: V. Vovk, A. Gammerman, G. Shafer, Algorithmic Learning in a Random World, 2nd ed., Springer 2022,
/// chapter 8 (conformal test martingales).
///
/// The null is that the windows of one class are exchangeable: the rows inside a window may depend on each
/// other, and the classes (hours of the week) may differ. Then the p are independent and uniform. No
/// single window can give a p below 1/(R + 1) with R windows of its class before it.
public struct ConformalCalibration: Equatable, Sendable {
    /// Scores kept per class; the oldest goes when another comes, and p stays within 1/1,024 of uniform.
    public static let scoreCountMax = 1_024

    /// The scores of each class, oldest first.
    public private(set) var scores: [[Double]]

    /// Starts with quiet windows' scores by class.
    ///
    /// - Precondition: there is a class, and no score is NaN.
    public init(scores: [[Double]]) {
        precondition(!scores.isEmpty, "no class")
        precondition(scores.allSatisfy { $0.allSatisfy { !$0.isNaN } }, "a score that is no number")
        self.scores = scores.map { Array($0.suffix(Self.scoreCountMax)) }
    }

    /// Places a window, and keeps its score for those to come.
    ///
    /// - Parameters:
    ///   - score: Any distance from a centre frozen before the windows; not NaN.
    ///   - seasonClass: In 0..<scores.count.
    ///   - uniform: U, in 0..<1; keep it, so that a replay gives the same.
    /// - Returns: In 0...1.
    public mutating func pValue(score: Double, seasonClass: Int, uniform: Double) -> Double {
        precondition(!score.isNaN, "a score that is no number")
        precondition(scores.indices.contains(seasonClass), "class \(seasonClass)")
        precondition((0..<1).contains(uniform), "uniform \(uniform)")
        var (above, equal) = (0.0, 1.0)
        for other in scores[seasonClass] {
            if other > score { above += 1 } else if other == score { equal += 1 }
        }
        let count = Double(scores[seasonClass].count) + 1
        scores[seasonClass].append(score)
        if scores[seasonClass].count > Self.scoreCountMax { scores[seasonClass].removeFirst() }
        return (above + uniform * equal) / count
    }
}

/// This bets that p-values are too small, over all strengths of the bet at once.
///
/// Formula: ∫₀¹ Π_w ε p_w^{ε−1} dε by the midpoints of a grid (power martingales, mixed).
/// Source: as `ConformalCalibration`.
public struct PowerMartingale: Equatable, Sendable {
    /// Points of the grid of ε.
    public static let usualGridCount = 100

    /// The midpoints' martingales as logarithms, [gridCount].
    public private(set) var logProducts: [Double]

    /// Starts at 1.
    ///
    /// - Precondition: `gridCount` is positive.
    public init(gridCount: Int = usualGridCount) {
        precondition(gridCount > 0, "gridCount \(gridCount)")
        logProducts = Array(repeating: 0, count: gridCount)
    }

    /// Adds a p-value; 0 counts as the smallest positive one.
    ///
    /// - Precondition: `pValue` is in 0...1.
    public mutating func absorb(_ pValue: Double) {
        for index in logProducts.indices {
            logProducts[index] += logPowerFactor(pValue, index, of: logProducts.count)
        }
    }

    /// This is the martingale: it ever reaches 1/α with probability at most α.
    ///
    /// - Returns: As a logarithm.
    public var logValue: Double { logMean(logProducts) }
}

/// This is the same bet as a detector: it forgets what was before the change.
///
/// Formula: M_w = ε p_w^{ε−1} (M_{w−1} + 1) for each midpoint ε of a grid, averaged.
/// Source: `EDetector` with the factors of `PowerMartingale`.
public struct PowerDetector: Equatable, Sendable {
    /// Points of the grid of ε: fewer than for the martingale, because evidence is only compared.
    public static let usualGridCount = 20

    /// One per midpoint.
    public private(set) var detectors: [EDetector]

    /// Starts at 0.
    ///
    /// - Precondition: `gridCount` is positive.
    public init(gridCount: Int = usualGridCount) {
        precondition(gridCount > 0, "gridCount \(gridCount)")
        detectors = Array(repeating: EDetector(), count: gridCount)
    }

    /// Goes on from stored values, one per midpoint.
    init(values: [Double]) {
        precondition(!values.isEmpty, "no midpoints")
        detectors = values.map { EDetector(value: $0) }
    }

    /// Adds a p-value; 0 counts as the smallest positive one.
    ///
    /// - Precondition: `pValue` is in 0...1.
    public mutating func absorb(_ pValue: Double) {
        for index in detectors.indices {
            detectors[index].absorb(logFactor: logPowerFactor(pValue, index, of: detectors.count))
        }
    }

    /// This is the average: without a change it is at least 1/α windows, on average, below 1/α.
    public var value: Double {
        detectors.reduce(0) { $0 + $1.value / Double(detectors.count) }
    }

    /// Starts again from 0.
    public mutating func reset() {
        for index in detectors.indices { detectors[index].reset() }
    }
}

/// This is ln(ε p^{ε−1}) at the midpoint ε of one cell of a grid on 0...1.
private func logPowerFactor(_ pValue: Double, _ index: Int, of gridCount: Int) -> Double {
    precondition((0...1).contains(pValue), "pValue \(pValue)")
    let epsilon = (Double(index) + 0.5) / Double(gridCount)
    return log(epsilon) + (epsilon - 1) * log(max(pValue, .leastNormalMagnitude))
}

/// These are numbers in 0..<1 that depend on nothing but a seed and a window: a replay draws the same.
///
/// Source: SplitMix64's finaliser (G. Steele, D. Lea, C. Flood, OOPSLA 2014).
public func seededUniform(seed: UInt64, index: UInt64) -> Double {
    var value = seed &+ (index &+ 1) &* 0x9E37_79B9_7F4A_7C15
    value = (value ^ (value >> 30)) &* 0xBF58_476D_1CE4_E5B9
    value = (value ^ (value >> 27)) &* 0x94D0_49BB_1331_11EB
    value ^= value >> 31
    return Double(value >> 11) / 9_007_199_254_740_992
}
