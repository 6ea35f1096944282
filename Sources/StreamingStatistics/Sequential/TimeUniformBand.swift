import Glibc

/// This is a band around an empirical distribution function that holds at all sample sizes at once.
///
/// Formula: P(∃ t ≥ t_min : sup_x |F̂_t(x) − F(x)| > b_t) ≤ α with
/// b_t = A √((ln(1 + ln(t / t_min)) + C) / t); C solves min over η of
/// 4 exp(−γ² C) (1 + 1 / ((γ² − 1) ln η)) = α, γ² = (2/η) (A − √(2 (η − 1) / C))² > 1.
/// Source: S. R. Howard and A. Ramdas, "Sequential estimation of quantiles with applications to A/B
/// testing and best-arm identification", Bernoulli 28(3), 2022, theorem 2.
///
/// The rows must be independent and of one distribution: this is a row-level null. One may look after
/// every row, for ever; the price against a band for one size is about a factor 2 in width. A distance
/// over fewer points, as over the edges of bins, is not larger, so the band stays valid for it.
public struct TimeUniformBand: Hashable, Sendable {
    /// The chance that the band is ever left, in 0..<1 and above 0.
    public let alpha: Double
    /// The number of rows from which on the band holds; to be chosen before the data.
    public let countMin: UInt64
    /// The factor A, above 1/√2: smaller is tighter in the long run, and later.
    public let amplitude: Double
    /// The solved constant C.
    public let constant: Double

    /// Solves for the constant.
    ///
    /// - Precondition: `alpha` is in 1e-200..<1, `countMin` is positive, `amplitude` above 1/√2.
    /// - Complexity: About 30,000 elementary functions; make it once per level.
    /// - Accuracy: `constant` to 1e-9.
    public init(alpha: Double, countMin: UInt64, amplitude: Double = 0.85) {
        precondition(alpha >= 1e-200 && alpha < 1, "alpha \(alpha)")
        precondition(countMin > 0, "countMin \(countMin)")
        precondition(amplitude > 0.5.squareRoot() && amplitude < 100, "amplitude \(amplitude)")
        self.alpha = alpha
        self.countMin = countMin
        self.amplitude = amplitude
        constant = Self.constant(alpha: alpha, amplitude: amplitude)
    }

    /// This is the half-width b_t after `count` rows: 1, which says nothing, below `countMin`.
    ///
    /// - Returns: Above 0, at most 1.
    public func width(at count: UInt64) -> Double {
        guard count >= countMin else { return 1 }
        let t = Double(count)
        let growth = log(1 + log(t / Double(countMin)))
        return min(1, amplitude * ((growth + constant) / t).squareRoot())
    }

    private static func constant(alpha: Double, amplitude: Double) -> Double {
        var (low, high) = (0.5, 8.0)
        while logCrossing(constant: high, amplitude: amplitude) > log(alpha) { high *= 2 }
        while high - low > 1e-11 * high {
            let middle = (low + high) / 2
            if logCrossing(constant: middle, amplitude: amplitude) > log(alpha) {
                low = middle
            } else {
                high = middle
            }
        }
        return high
    }

    /// This is the logarithm of the crossing probability's bound, at the best η.
    private static func logCrossing(constant: Double, amplitude: Double) -> Double {
        /// As a function of ln(η − 1), in which the minimum is smooth and single.
        func bound(_ logExcess: Double) -> Double {
            let excess = exp(logExcess)
            let reach = amplitude - (2 * excess / constant).squareRoot()
            guard reach > 0 else { return .infinity }
            let square = 2 / (1 + excess) * reach * reach
            guard square > 1 else { return .infinity }
            return log(4) - square * constant
                + log(1 + 1 / ((square - 1) * log1p(excess)))
        }
        let grid = stride(from: -40.0, through: 8, by: 0.5)
        let best = grid.min { bound($0) < bound($1) } ?? 0
        guard bound(best).isFinite else { return .infinity }
        let ratio = (5.0.squareRoot() - 1) / 2
        var (left, right) = (best - 0.5, best + 0.5)
        for _ in 0..<60 {
            let (one, two) = (right - ratio * (right - left), left + ratio * (right - left))
            if bound(one) < bound(two) { right = two } else { left = one }
        }
        return bound((left + right) / 2)
    }
}

/// This is the half-width of the band around the distribution function of a sample of one fixed size.
///
/// Formula: d = √(ln(2/α) / (2m)).
/// Source: P. Massart, "The tight constant in the Dvoretzky–Kiefer–Wolfowitz inequality", Annals of
/// Probability 18(3), 1990.
///
/// - Precondition: `alpha` is above 0 and at most 1.
/// - Returns: Above 0, at most 1; 1 when `count` is 0.
public func massartWidth(count: UInt64, alpha: Double) -> Double {
    precondition(alpha > 0 && alpha <= 1, "alpha \(alpha)")
    guard count > 0 else { return 1 }
    return min(1, (log(2 / alpha) / (2 * Double(count))).squareRoot())
}

/// This is a lower bound of the distance of production from a stored reference, true at all times.
///
/// Formula: LCB_t = max(0, D_t − b_t(α₁) − d_m), D_t the Kolmogorov–Smirnov distance of all rows since the
/// start from the reference's m rows.
/// Source: union of `TimeUniformBand` and `massartWidth`, by the triangle inequality.
///
/// An alarm when LCB_t > δ is ever raised with probability at most α₁ + α₂ while the true distance is at
/// most δ: however many rows there are, a difference below the tolerance raises none.
public struct DistanceLowerBound: Hashable, Sendable {
    /// Of the production rows, with its share α₁ of the level.
    public let band: TimeUniformBand
    /// The half-width d_m for the reference, with its share α₂ of the level.
    public let referenceWidth: Double

    /// Splits a level evenly between the rows of production and those of the reference.
    ///
    /// - Parameters:
    ///   - alpha: α₁ + α₂, above 0 and below 1.
    ///   - referenceCount: m; the reference's rows are independent too.
    ///   - countMin: From which number of production rows on the bound is wanted.
    public init(alpha: Double, referenceCount: UInt64, countMin: UInt64) {
        self.init(
            band: TimeUniformBand(alpha: alpha / 2, countMin: countMin),
            referenceWidth: massartWidth(count: referenceCount, alpha: alpha / 2))
    }

    /// Puts a bound together from its two parts.
    public init(band: TimeUniformBand, referenceWidth: Double) {
        self.band = band
        self.referenceWidth = referenceWidth
    }

    /// This is the bound after `count` rows at the observed distance, 0...1.
    public func lowerBound(distance: Double, count: UInt64) -> Double {
        max(0, distance - band.width(at: count) - referenceWidth)
    }
}
