import Glibc

/// This is evidence that bin counts do not come from known shares, valid at all sample sizes at once.
///
/// Formula: ln E_n = ln Γ(κ) − ln Γ(κ + n) + Σ_k (ln Γ(κ p_k + c_k) − ln Γ(κ p_k)) − Σ_k c_k ln p_k, averaged
/// over concentrations κ.
/// Source: M. Lindon and A. Malek, "Anytime-valid inference for multinomial count data", NeurIPS 2022.
///
/// P(∃ n : E_n ≥ 1/α) ≤ α for independent rows with shares p. The null is *exactly these* shares: with
/// shares p̂ of a reference of m rows it holds for the stored p̂, not for what p̂ estimates, so m must be
/// much larger than n; `CumulativeShareDetector` accounts for the reference. Counts are order-free and add:
/// late rows and shards just add.
public struct DirichletMultinomial: Equatable, Sendable {
    /// Small changes and large ones; the larger κ, the smaller the change it is tuned to.
    public static let usualConcentrations = [100.0, 1_000, 10_000]

    /// p, [binCount], each positive, sum 1.
    public let shares: [Double]
    /// κ, each positive, of equal weights.
    public let concentrations: [Double]
    private let logShares: [Double]
    /// ln Γ(κ) − Σ ln Γ(κ p_k), one per κ.
    private let constants: [Double]

    /// Nil unless there are bins, all shares are positive, and they sum to 1 within 1e-9.
    ///
    /// - Precondition: there are concentrations, all positive; to be chosen before the data.
    public init?(shares: [Double], concentrations: [Double] = usualConcentrations) {
        precondition(!concentrations.isEmpty, "no concentrations")
        precondition(concentrations.allSatisfy { $0 > 0 }, "concentrations \(concentrations)")
        guard !shares.isEmpty, shares.allSatisfy({ $0 > 0 && $0 <= 1 }),
            abs(shares.reduce(0, +) - 1) <= 1e-9
        else { return nil }
        self.shares = shares
        self.concentrations = concentrations
        logShares = shares.map { log($0) }
        constants = concentrations.map { kappa in
            logGamma(kappa) - shares.reduce(0) { $0 + logGamma(kappa * $1) }
        }
    }

    /// Takes a reference's counts with half a count added to every bin, so that none is empty.
    ///
    /// - Precondition: there are counts, and concentrations.
    public init(
        referenceCounts: [UInt64], concentrations: [Double] = usualConcentrations
    ) {
        let total = referenceCounts.reduce(0) { $0 + Double($1) + 0.5 }
        let shares = referenceCounts.map { (Double($0) + 0.5) / total }
        guard let made = Self(shares: shares, concentrations: concentrations) else {
            preconditionFailure("\(referenceCounts.count) bins")
        }
        self = made
    }

    /// This is ln E of the counts; 0 without rows.
    ///
    /// - Precondition: `counts` has the shares' bins.
    /// - Complexity: O(bins × concentrations) logarithms of Γ.
    public func logEValue(_ counts: [UInt64]) -> Double {
        logMean(logEValuePerConcentration(counts))
    }

    /// This is ln E for each κ alone.
    func logEValuePerConcentration(_ counts: [UInt64]) -> [Double] {
        precondition(counts.count == shares.count, "\(counts.count) counts of \(shares.count) bins")
        var n = 0.0
        var null = 0.0
        for (count, logShare) in zip(counts, logShares) where count > 0 {
            n += Double(count)
            null += Double(count) * logShare
        }
        guard n > 0 else { return concentrations.map { _ in 0 } }
        return zip(concentrations, constants).map { kappa, constant in
            var sum = constant - logGamma(kappa + n)
            for (count, share) in zip(counts, shares) {
                sum += logGamma(kappa * share + Double(count))
            }
            return sum - null
        }
    }
}

/// This is a detector of a change in bin counts, a window a step, against known shares.
///
/// Formula: for each concentration M_w = L_w (M_{w−1} + 1), L_w the e-value of the window's own counts; the
/// average over concentrations.
/// Source: `EDetector` with the e-values of `DirichletMultinomial`.
public struct BinCountDetector: Equatable, Sendable {
    /// The null.
    public let null: DirichletMultinomial
    /// One per concentration.
    public private(set) var detectors: [EDetector]

    /// Starts at 0.
    public init(null: DirichletMultinomial, form: EDetector.Form = .shiryaevRoberts) {
        self.null = null
        detectors = Array(repeating: EDetector(form), count: null.concentrations.count)
    }

    /// Goes on from stored values, one per concentration.
    init(null: DirichletMultinomial, values: [Double]) {
        precondition(values.count == null.concentrations.count, "\(values.count) values")
        self.null = null
        detectors = values.map { EDetector(value: $0) }
    }

    /// This is the average over the concentrations, an e-detector itself.
    public var value: Double {
        detectors.reduce(0) { $0 + $1.value / Double(detectors.count) }
    }

    /// Adds a window; one without rows is no step.
    public mutating func absorb(_ counts: [UInt64]) {
        guard counts.contains(where: { $0 > 0 }) else { return }
        for (index, factor) in null.logEValuePerConcentration(counts).enumerated() {
            detectors[index].absorb(logFactor: factor)
        }
    }

    /// Starts again from 0.
    public mutating func reset() {
        for index in detectors.indices { detectors[index].reset() }
    }
}

/// This is the same detector with more power: it keeps counts since several start windows and sums their
/// evidence, each of which learns over all its windows what the new shares are.
///
/// Formula: M_w = Σ_s E(c_s + … + c_w) over the kept starts s ≤ w, E averaged over the concentrations.
/// Source: as `EDetector`; a part of a sum of Shiryaev–Roberts terms is an e-detector too. Here the null is
/// that all rows since the start come from the shares.
///
/// Starts are thinned with age by their number alone, never by what they show: at most 2 of each
/// power-of-two age are kept, so memory grows with the logarithm of time.
public struct StaggeredBinCountDetector: Equatable, Sendable {
    /// What is known since one start.
    public struct Start: Equatable, Sendable {
        /// The step at which it began, from 0.
        public let step: UInt64
        /// All counts since, [binCount].
        public fileprivate(set) var counts: [UInt64]
        /// Their e-value, at most 1e300.
        public fileprivate(set) var value: Double
    }

    /// The null.
    public let null: DirichletMultinomial
    /// The kept starts, oldest first.
    public private(set) var starts: [Start] = []
    /// The number of windows with rows.
    public private(set) var stepCount: UInt64 = 0

    /// Starts without windows.
    public init(null: DirichletMultinomial) { self.null = null }

    /// This is the sum over the starts.
    public var value: Double {
        min(starts.reduce(0) { $0 + $1.value }, EDetector.valueMax)
    }

    /// Adds a window; one without rows is no step.
    public mutating func absorb(_ counts: [UInt64]) {
        guard counts.contains(where: { $0 > 0 }) else { return }
        let empty = [UInt64](repeating: 0, count: counts.count)
        starts.append(Start(step: stepCount, counts: empty, value: 1))
        for index in starts.indices {
            for bin in counts.indices { starts[index].counts[bin] &+= counts[bin] }
            starts[index].value = min(
                exp(null.logEValue(starts[index].counts)), EDetector.valueMax)
        }
        stepCount += 1
        thin()
    }

    /// Starts again without windows.
    public mutating func reset() {
        starts = []
        stepCount = 0
    }

    private mutating func thin() {
        var kept: [Start] = []
        var perOctave: [Int: Int] = [:]
        // From the oldest: of an octave the oldest ones stay, or none would ever grow old.
        for start in starts {
            let age = stepCount - start.step
            let octave = UInt64.bitWidth - age.leadingZeroBitCount
            guard perOctave[octave, default: 0] < 2 else { continue }
            perOctave[octave, default: 0] += 1
            kept.append(start)
        }
        starts = kept
    }
}
