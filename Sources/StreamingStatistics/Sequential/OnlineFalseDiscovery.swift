import Glibc

/// This spends a level over hypotheses that come one after another, for ever.
public enum DiscountSequence {
    /// This is γ_j of LORD++, e-LOND and BatchBH.
    ///
    /// Formula: γ_j = 0.07720838 ln(max(j, 2)) / (j e^{√ln j}), sum 1.
    /// Source: A. Ramdas, F. Yang, M. Wainwright, M. Jordan, NeurIPS 2017.
    /// - Precondition: `index` is positive.
    public static func lord(_ index: Int) -> Double {
        precondition(index > 0, "index \(index)")
        let j = Double(index)
        return 0.07720838 * log(max(j, 2)) / (j * exp(log(j).squareRoot()))
    }

    /// This is γ_j of SAFFRON: 0.4374901658 j^−1.6, sum 1.
    ///
    /// - Precondition: `index` is positive.
    public static func saffron(_ index: Int) -> Double {
        precondition(index > 0, "index \(index)")
        return 0.4374901658 * pow(Double(index), -1.6)
    }
}

/// This is the decision on one hypothesis of a sequence.
public struct OnlineDecision: Equatable, Sendable {
    /// α_t, which did not depend on the hypothesis' own value.
    public let level: Double
    /// Whether it is rejected.
    public let isRejected: Bool
}

/// This decides on p-values as they come, with at most a share `alpha` of false rejections expected.
///
/// Formula: α_t = w₀ γ_t + (α − w₀) γ_{t−τ₁} + α Σ_{j≥2} γ_{t−τ_j}, τ_j the times of rejections, w₀ = α/10.
/// Source: A. Ramdas, F. Yang, M. Wainwright, M. Jordan, "Online control of the false discovery rate with
/// decaying memory", NeurIPS 2017 (LORD++).
///
/// Needs independent p-values, which features of one model are not. Memory and time grow with rejections.
public struct LORD: Equatable, Sendable {
    /// The false discovery rate.
    public let alpha: Double
    /// The number of hypotheses so far.
    public private(set) var count = 0
    /// The times of rejections, from 1.
    public private(set) var rejections: [Int] = []

    /// Starts without hypotheses.
    public init(alpha: Double) {
        precondition(alpha > 0 && alpha < 1, "alpha \(alpha)")
        self.alpha = alpha
    }

    /// Decides on the next one.
    public mutating func decide(_ pValue: Double) -> OnlineDecision {
        precondition((0...1).contains(pValue), "pValue \(pValue)")
        count += 1
        let wealth = alpha / 10
        var level = wealth * DiscountSequence.lord(count)
        for (index, time) in rejections.enumerated() {
            level += (index == 0 ? alpha - wealth : alpha) * DiscountSequence.lord(count - time)
        }
        let isRejected = pValue <= level
        if isRejected { rejections.append(count) }
        return OnlineDecision(level: level, isRejected: isRejected)
    }
}

/// This decides like `LORD`, and spends nothing on p-values that are no candidates.
///
/// Formula: α_t = min(λ, (1 − λ)(w₀ γ_{t−C₀} + (α − w₀) γ_{t−τ₁−C₁} + α Σ_{j≥2} γ_{t−τ_j−C_j})), λ = ½,
/// w₀ = α/2, C_j the number of candidates (p ≤ λ) after τ_j and before t, τ₀ = 0.
/// Source: A. Ramdas, T. Zrnic, M. Wainwright, M. Jordan, "SAFFRON", ICML 2018.
public struct SAFFRON: Equatable, Sendable {
    /// λ: p-values above are no candidates.
    static let candidateMax = 0.5

    /// The false discovery rate.
    public let alpha: Double
    /// The number of hypotheses so far.
    public private(set) var count = 0
    /// The number of candidates so far.
    public private(set) var candidateCount = 0
    /// The times of rejections, and the candidates up to and with each.
    public private(set) var rejections: [Rejection] = []

    /// This is when a hypothesis was rejected.
    public struct Rejection: Equatable, Sendable {
        /// From 1.
        public let time: Int
        /// Candidates so far, this one included.
        public let candidateCount: Int
    }

    /// Starts without hypotheses.
    public init(alpha: Double) {
        precondition(alpha > 0 && alpha < 1, "alpha \(alpha)")
        self.alpha = alpha
    }

    /// Decides on the next one.
    public mutating func decide(_ pValue: Double) -> OnlineDecision {
        precondition((0...1).contains(pValue), "pValue \(pValue)")
        count += 1
        let wealth = alpha / 2
        var sum = wealth * DiscountSequence.saffron(count - candidateCount)
        for (index, rejection) in rejections.enumerated() {
            let since = candidateCount - rejection.candidateCount
            sum +=
                (index == 0 ? alpha - wealth : alpha)
                * DiscountSequence.saffron(count - rejection.time - since)
        }
        let level = min(Self.candidateMax, (1 - Self.candidateMax) * sum)
        if pValue <= Self.candidateMax { candidateCount += 1 }
        let isRejected = pValue <= level
        if isRejected {
            rejections.append(Rejection(time: count, candidateCount: candidateCount))
        }
        return OnlineDecision(level: level, isRejected: isRejected)
    }
}

/// This decides on e-values as they come, under any dependence.
///
/// Formula: α_t = α γ_t (R_{t−1} + 1), R the number of rejections; reject when E_t ≥ 1/α_t.
/// Source: Z. Xu and A. Ramdas, "Online multiple testing with e-values", AISTATS 2024 (e-LOND).
public struct ELOND: Equatable, Sendable {
    /// The false discovery rate.
    public let alpha: Double
    /// The number of hypotheses so far.
    public private(set) var count = 0
    /// The number of rejections so far.
    public private(set) var rejectionCount = 0

    /// Starts without hypotheses.
    public init(alpha: Double) {
        precondition(alpha > 0 && alpha < 1, "alpha \(alpha)")
        self.alpha = alpha
    }

    /// Decides on the next one.
    public mutating func decide(_ eValue: Double) -> OnlineDecision {
        precondition(eValue >= 0, "eValue \(eValue)")
        count += 1
        let level = alpha * DiscountSequence.lord(count) * Double(rejectionCount + 1)
        let isRejected = eValue * level >= 1
        if isRejected { rejectionCount += 1 }
        return OnlineDecision(level: level, isRejected: isRejected)
    }
}

/// This decides on batches of p-values, a batch a tick, by Benjamini and Hochberg at a level that is earned.
///
/// Formula: α_{t+1} = (α Σ_{s≤t+1} γ_s − Σ_{s≤t} α_s R⁺_s / (R⁺_s + Σ_{r≠s} R_r)) (n_{t+1} + Σ_{s≤t} R_s) / n_{t+1},
/// R_s rejections of batch s, R⁺_s the most that it would have with one of its p-values set to 0.
/// Source: T. Zrnic, D. Jiang, A. Ramdas, M. Jordan, "The power of batching in multiple hypothesis
/// testing", AISTATS 2020 (BatchBH).
///
/// Needs independent p-values. Memory and time grow with the batches.
public struct BatchBH: Equatable, Sendable {
    /// The false discovery rate.
    public let alpha: Double
    /// The batches so far.
    public private(set) var batches: [Batch] = []

    /// This is what later batches need to know of one.
    public struct Batch: Equatable, Sendable {
        /// α_s.
        public let level: Double
        /// R_s.
        public let rejectionCount: Int
        /// R⁺_s.
        public let rejectionCountMax: Int
    }

    /// Starts without batches.
    public init(alpha: Double) {
        precondition(alpha > 0 && alpha < 1, "alpha \(alpha)")
        self.alpha = alpha
    }

    /// Decides on the next batch, which may be empty.
    ///
    /// - Returns: The level, and for each p-value whether it is rejected.
    public mutating func decide(_ pValues: [Double]) -> (level: Double, isRejected: [Bool]) {
        let level = level(for: pValues.count)
        let decisions = benjaminiHochberg(pValues, alpha: level).map { $0?.isRejected ?? false }
        let sorted = pValues.sorted()
        let most = sorted.indices.map { Self.count(sorted, zeroed: $0, alpha: level) }.max() ?? 0
        batches.append(
            Batch(
                level: level, rejectionCount: decisions.count { $0 }, rejectionCountMax: most))
        return (level, decisions)
    }

    private func level(for count: Int) -> Double {
        guard count > 0 else { return 0 }
        let earned = batches.reduce(0) { $0 + $1.rejectionCount }
        var wealth = 0.0
        for index in 1...(batches.count + 1) { wealth += alpha * DiscountSequence.lord(index) }
        for batch in batches where batch.rejectionCountMax > 0 {
            let others = earned - batch.rejectionCount
            wealth -=
                batch.level * Double(batch.rejectionCountMax)
                / Double(batch.rejectionCountMax + others)
        }
        let level = wealth * Double(count + earned) / Double(count)
        return min(1, max(0, level))
    }

    /// The rejections among sorted p-values when the one at `zeroed` is 0.
    private static func count(_ sorted: [Double], zeroed: Int, alpha: Double) -> Int {
        let n = Double(sorted.count)
        for rank in sorted.indices.reversed() {
            // Those before the zeroed one move up a rank.
            let p = rank > zeroed ? sorted[rank] : (rank == 0 ? 0 : sorted[rank - 1])
            if p <= alpha * Double(rank + 1) / n { return rank + 1 }
        }
        return 0
    }
}
