import Glibc

/// This is where the shares lie that a row of counts is drawn from, at once for all bins, at every number of
/// rows: p with KL(p̂ ‖ p) ≤ κ, of which the chance is at least 1 − α whatever p is.
///
/// Formula: κ = x (K − 1) / n, with x > 1 the root of (K − 1)(x − 1 − ln x) = ln(1/α).
/// Source: R. Agrawal, Finite-Sample Concentration of the Multinomial in Relative Entropy, IEEE Trans. Inf.
/// Theory 66(10), 2020, theorem I.2. Rows are taken as independent.
struct ShareRegion {
    let rowCount: Double
    let binCount: Int
    let alpha: Double
    /// κ, in nats.
    let divergence: Double

    /// - Precondition: `rowCount` and `binCount` are positive, `alpha` in 0..<1 and not 0.
    init(rowCount: Double, binCount: Int, alpha: Double = 0.05) {
        precondition(rowCount > 0 && binCount > 0, "\(rowCount) rows, \(binCount) bins")
        self.rowCount = rowCount
        self.binCount = binCount
        self.alpha = alpha
        let degrees = Double(binCount - 1)
        guard degrees > 0 else {
            divergence = 0
            return
        }
        let target = log(1 / alpha) / degrees
        // x − 1 − ln x grows beyond 1, and is above x / 2 − 1 there.
        let root = bisect(from: 1, to: 2 * target + 4) { $0 - 1 - log($0) >= target }
        divergence = root * degrees / rowCount
    }

    /// The largest Hellinger distance of p from p̂: √(1 − e^(−κ/2)), because KL ≥ −2 ln(1 − H²).
    var hellinger: Double { (-expm1(-divergence / 2)).squareRoot() }

    /// The largest Jensen–Shannon distance, base 2.
    ///
    /// Formula: √2 H, because JSD ≤ ½ Δ bits and Δ = Σ (p − q)² / (p + q) ≤ 4 H².
    /// Source: F. Topsøe, IEEE Trans. Inf. Theory 46(4), 2000.
    var jensenShannon: Double { min(1, 2.0.squareRoot() * hellinger) }

    /// The largest total variation: √(κ / 2), by Pinsker's inequality.
    var totalVariation: Double { min(1, (divergence / 2).squareRoot()) }

    /// How far a 1/n-Lipschitz mean strays to one side with a chance of α/2: √(ln(2/α) / 2n).
    ///
    /// Source: C. McDiarmid, On the method of bounded differences, 1989.
    var deviation: Double { (log(2 / alpha) / (2 * rowCount)).squareRoot() }

    /// The most by which chance alone raises a total variation on average: ½ √((K − 1) / n).
    var bias: Double { 0.5 * (Double(binCount - 1) / rowCount).squareRoot() }

    /// The bounds of one bin's share: a part never diverges more than the whole.
    func bounds(of share: Double) -> (lower: Double, upper: Double) {
        func isWithin(_ p: Double) -> Bool {
            let own = share > 0 ? share * log(share / p) : 0
            let other = share < 1 ? (1 - share) * log((1 - share) / (1 - p)) : 0
            return own + other <= divergence
        }
        // Each end is the one outside, so that rounding never makes the region smaller.
        return (
            share > 0 ? share - bisect(from: 0, to: share) { !isWithin(share - $0) } : 0,
            share < 1 ? share + bisect(from: 0, to: 1 - share) { !isWithin(share + $0) } : 1
        )
    }
}

/// This is where a condition that is false at the lower end turns true, from above.
private func bisect(from low: Double, to high: Double, _ holds: (Double) -> Bool) -> Double {
    var (low, high) = (low, high)
    for _ in 0..<48 {
        let middle = (low + high) / 2
        if holds(middle) { high = middle } else { low = middle }
    }
    return high
}

extension ShareRegion {
    /// Between these lies the Kullback–Leibler divergence, in nats, of any shares in the region from positive
    /// ones.
    ///
    /// The divergence is a sum of convex terms: on a bin's bounds each is below its chord and above its tangent,
    /// so the sum is between two linear functions, which are followed to their ends in the region. The
    /// tangents touch at `near`, positive shares close to the window's.
    func divergences(
        of shares: [Double], near: [Double], from reference: [Double]
    ) -> (lower: Double, upper: Double) {
        func term(_ p: Double, _ q: Double) -> Double { p > 0 ? p * log(p / q) : 0 }
        let bounds = shares.map { self.bounds(of: $0) }
        var (sum, tangent) = (0.0, 0.0)
        var chords: [Double] = []
        for (bin, other) in reference.enumerated() {
            let (lower, upper) = bounds[bin]
            let slope =
                upper > lower ? (term(upper, other) - term(lower, other)) / (upper - lower) : 0
            sum += term(lower, other) + slope * (shares[bin] - lower)
            tangent += shares[bin] * log(near[bin] / other)
            chords.append(slope)
        }
        let falls = zip(near, reference).map { log($1 / $0) }
        return (
            tangent - rise(of: falls, from: shares, within: bounds),
            sum + rise(of: chords, from: shares, within: bounds)
        )
    }

    /// The most that a linear function rises from the window's shares: weight moves from the bins where it
    /// rises least to those where it rises most, within the bins' bounds and the total variation.
    private func rise(
        of slopes: [Double], from shares: [Double], within bounds: [(lower: Double, upper: Double)]
    ) -> Double {
        var bins = slopes.indices.map { bin in
            (
                slope: slopes[bin], below: shares[bin] - bounds[bin].lower,
                above: bounds[bin].upper - shares[bin]
            )
        }
        bins.sort { $0.slope < $1.slope }
        var (sum, left) = (0.0, totalVariation)
        var (giver, taker) = (0, bins.count - 1)
        while giver < taker, left > 0 {
            let moved = min(left, bins[giver].below, bins[taker].above)
            sum += moved * (bins[taker].slope - bins[giver].slope)
            left -= moved
            bins[giver].below -= moved
            bins[taker].above -= moved
            if bins[giver].below <= 0 { giver += 1 } else if bins[taker].above <= 0 { taker -= 1 }
        }
        return sum
    }
}
