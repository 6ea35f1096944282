import Glibc

/// This is a boundary that a sum of bounded, centred rows crosses at any time with a small chance only.
///
/// Formula: ln M(s, v) = K(ρ/c²) + ln Γ(w) + ln P(w, y) − w ln y + (cs + v)/c², w = (v + ρ)/c²,
/// y = (cs + v + ρ)/c², K(z) = z ln z − ln Γ(z) − ln P(z, z), P the regularised lower incomplete gamma
/// function, ρ = v_opt / (2 ln(1/(2α₀)) + ln(1 + 2 ln(1/(2α₀)))).
/// Source: S. R. Howard, A. Ramdas, J. McAuliffe, J. Sekhon, Annals of Statistics 49(2), 2021,
/// proposition 8 and theorem 4.
public struct GammaExponentialMixture: Hashable, Sendable {
    /// c: rows deviate by at most this from their guess, downwards.
    public let scale: Double
    /// ρ, from the variance at which the boundary should be tightest.
    public let rho: Double

    /// Tunes the boundary.
    ///
    /// - Parameters:
    ///   - scale: c, positive; 1 for rows in 0...1.
    ///   - optimalVariance: v_opt, positive; to be chosen before the data.
    ///   - tuningAlpha: α₀, the one-sided level at which it is tightest, below ½.
    public init(scale: Double = 1, optimalVariance: Double, tuningAlpha: Double = 0.05) {
        precondition(scale > 0, "scale \(scale)")
        precondition(optimalVariance > 0, "optimalVariance \(optimalVariance)")
        precondition(tuningAlpha > 0 && tuningAlpha < 0.5, "tuningAlpha \(tuningAlpha)")
        self.scale = scale
        let tuning = 2 * log(1 / (2 * tuningAlpha))
        rho = optimalVariance / (tuning + log(1 + tuning))
    }

    /// This is ln M(s, v), a supermartingale's logarithm.
    ///
    /// - Precondition: `sum` and `variance` are at least 0.
    public func logValue(sum: Double, variance: Double) -> Double {
        precondition(sum >= 0, "sum \(sum)")
        precondition(variance >= 0, "variance \(variance)")
        let square = scale * scale
        let w = (variance + rho) / square
        let y = (scale * sum + variance + rho) / square
        let z = rho / square
        return z * log(z) - logGamma(z) - log(regularizedLowerGamma(z, z)) + logGamma(w)
            + log(regularizedLowerGamma(w, y)) - w * log(y) + (scale * sum + variance) / square
    }

    /// This is the sum u at which ln M(u, v) = ln(1/α).
    ///
    /// - Accuracy: 1e-12 relative.
    public func bound(variance: Double, alpha: Double) -> Double {
        precondition(alpha > 0 && alpha < 1, "alpha \(alpha)")
        let target = log(1 / alpha)
        var (low, high) = (0.0, max(1, variance.squareRoot()))
        while logValue(sum: high, variance: variance) < target { high *= 2 }
        while high - low > 1e-13 * high {
            let middle = (low + high) / 2
            // The next double above is the end of any bisection.
            if middle <= low || middle >= high { break }
            if logValue(sum: middle, variance: variance) < target {
                low = middle
            } else {
                high = middle
            }
        }
        return high
    }
}

/// This is the same kind of boundary in closed form, somewhat wider.
///
/// Formula: u(v) = √(k₁² v ℓ + (k₂ c ℓ)²) + k₂ c ℓ, ℓ = 1.4 ln ln(2 v / v_min) + ln(5.187791 / α),
/// k₁ = (η^¼ + η^−¼)/√2, k₂ = (√η + 1)/2, with s = 1.4 and η = 2.
/// Source: as `GammaExponentialMixture`, theorem 1.
///
/// - Parameters:
///   - variance: v; below `varianceMin` it counts as that.
///   - varianceMin: Positive; to be chosen before the data.
///   - scale: c, at least 0.
///   - alpha: The chance of ever crossing, above 0 and below 1.
/// - Returns: u(v), positive.
public func stitchedBound(
    variance: Double, varianceMin: Double, scale: Double, alpha: Double
) -> Double {
    precondition(varianceMin > 0, "varianceMin \(varianceMin)")
    precondition(scale >= 0, "scale \(scale)")
    precondition(alpha > 0 && alpha < 1, "alpha \(alpha)")
    let v = max(variance, varianceMin)
    let root = pow(2.0, 0.25)
    let k1 = (root + 1 / root) / 2.0.squareRoot()
    let k2 = (2.0.squareRoot() + 1) / 2
    let level = 1.4 * log(log(2 * v / varianceMin)) + log(5.187791 / alpha)
    let linear = k2 * scale * level
    return (k1 * k1 * v * level + linear * linear).squareRoot() + linear
}

/// This is what one window adds to a mean's interval: three sums, free to merge inside the window.
public struct MomentSums: Equatable, Sendable {
    /// The number of rows.
    public private(set) var count: UInt64 = 0
    /// Σx.
    public private(set) var sum = CompensatedSum()
    /// Σx².
    public private(set) var squares = CompensatedSum()

    /// Starts without rows.
    public init() {}

    /// Adds a row.
    ///
    /// - Precondition: `value` is in 0...1.
    public mutating func absorb(_ value: Double) {
        precondition((0...1).contains(value), "value \(value)")
        count += 1
        sum.add(value)
        squares.add(value * value)
    }

    /// Adds the rows of another part of the window.
    public mutating func merge(_ other: Self) {
        count += other.count
        sum.merge(other.sum)
        squares.merge(other.squares)
    }
}

/// This is a mean over windows of values in 0...1 with an interval that holds after every window at once.
///
/// Formula: S/n ± u/n, u the bound at V = Σ_w (Σx² − 2 x̂_w Σx + n_w x̂_w²), x̂_w the mean of all *earlier*
/// windows (½ before the first); each side at α/2.
/// Source: `GammaExponentialMixture`, scale 1.
///
/// Inside a window the order is free; the windows' order matters: after a late row it is replayed from the
/// first window touched, and is bit-identical then.
public struct GammaExponentialSequence: Equatable, Sendable {
    /// The boundary.
    public let mixture: GammaExponentialMixture
    /// The number of rows.
    public private(set) var count: UInt64 = 0
    /// Σx.
    public private(set) var sum = 0.0
    /// V.
    public private(set) var variance = 0.0

    /// Starts without windows.
    public init(mixture: GammaExponentialMixture) { self.mixture = mixture }

    /// Adds a window.
    public mutating func absorb(_ window: MomentSums) {
        guard window.count > 0 else { return }
        let guess = count == 0 ? 0.5 : sum / Double(count)
        let part =
            window.squares.value - 2 * guess * window.sum.value
            + Double(window.count) * guess * guess
        // A rounded sum of squares may come out below 0 by an ulp.
        variance += max(0, part)
        sum += window.sum.value
        count += window.count
    }

    /// This is the interval for which the chance that it ever misses is at most `alpha`; (0, 1) without rows.
    public func interval(alpha: Double) -> (lower: Double, upper: Double) {
        guard count > 0 else { return (0, 1) }
        let n = Double(count)
        let width = mixture.bound(variance: variance, alpha: alpha / 2) / n
        return (max(0, sum / n - width), min(1, sum / n + width))
    }
}
