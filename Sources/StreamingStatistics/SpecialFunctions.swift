import Glibc

// The functions that tests and intervals are made of. Every one is total on its stated domain: an argument
// outside is a programmer's error and traps; the ends of the domain have their limits as values.

/// This is the natural logarithm of the gamma function.
///
/// - Precondition: `x` is positive.
/// - Returns: +∞ at +∞.
/// - Accuracy: About 1e-15, relative above 1 and absolute below.
public func logGamma(_ x: Double) -> Double {
    precondition(x > 0, "logGamma of \(x)")
    var sign: Int32 = 0
    return lgamma_r(x, &sign)
}

/// This is the natural logarithm of the beta function.
///
/// Formula: ln Γ(a) + ln Γ(b) − ln Γ(a + b); with the leading terms of Stirling's series cancelled by hand
/// where an argument is at least 10, because the plain difference of large logarithms has no digits left.
/// Source: A. DiDonato, A. Morris, ACM TOMS 18(3), 1992, section 7.
///
/// - Precondition: both are positive and finite.
/// - Accuracy: About 1e-14, relative above 1 and absolute below.
public func logBeta(_ a: Double, _ b: Double) -> Double {
    precondition(a > 0 && b > 0 && a.isFinite && b.isFinite, "logBeta of \(a) and \(b)")
    let (small, large) = (min(a, b), max(a, b))
    guard large >= 10 else { return logGamma(a) + logGamma(b) - logGamma(a + b) }
    let share = small / (small + large)
    let rest = (large - 0.5) * log1p(-share)
    guard small >= 10 else {
        return logGamma(small) + stirlingRest(large) - stirlingRest(small + large) + small
            - small * log(small + large) + rest
    }
    return stirlingRest(small) + stirlingRest(large) - stirlingRest(small + large)
        + 0.5 * log(2 * Double.pi) - 0.5 * log(large) + (small - 0.5) * log(share)
        + large * log1p(-share)
}

/// What Stirling's formula lacks: ln Γ(x) = (x − ½) ln x − x + ½ ln 2π + stirlingRest(x), x ≥ 10.
///
/// Source: NIST DLMF 5.11.1. Accuracy: 1e-16 absolute.
func stirlingRest(_ x: Double) -> Double {
    let y = 1 / (x * x)
    let high = 1.0 / 1_188 + y * (-691.0 / 360_360 + y * (1.0 / 156 - y * 3_617.0 / 122_400))
    return (1.0 / 12 + y * (-1.0 / 360 + y * (1.0 / 1_260 + y * (-1.0 / 1_680 + y * high)))) / x
}

/// This is the regularised lower incomplete gamma function P(a, x).
///
/// Formula: γ(a, x) / Γ(a), by its series below a + 1, and from Q by its continued fraction above; by the
/// uniform asymptotic expansion where a is at least 10⁶.
/// Source: NIST DLMF 8.11.4, 8.9.2 and 8.12.
///
/// - Precondition: `a` is positive and finite, `x` is at least 0; +∞ is allowed.
/// - Returns: Within 0...1.
/// - Accuracy: About 1e-12 relative, also in the lower tail.
public func regularizedLowerGamma(_ a: Double, _ x: Double) -> Double {
    incompleteGamma(a, x).lower
}

/// This is the regularised upper incomplete gamma function Q(a, x) = 1 − P(a, x).
///
/// - Precondition: `a` is positive and finite, `x` is at least 0; +∞ is allowed.
/// - Returns: Within 0...1.
/// - Accuracy: About 1e-12 relative, also in the upper tail.
public func regularizedUpperGamma(_ a: Double, _ x: Double) -> Double {
    incompleteGamma(a, x).upper
}

private func incompleteGamma(_ a: Double, _ x: Double) -> (lower: Double, upper: Double) {
    precondition(a > 0 && a.isFinite && x >= 0, "incomplete gamma of \(a) and \(x)")
    guard x > 0 else { return (0, 1) }
    guard x.isFinite else { return (1, 0) }
    if a >= 1e6 { return uniformGamma(a, x) }
    let scale = gammaDensity(a, x)
    if x < a + 1 {
        var term = 1 / a
        var sum = term
        var next = a
        // Ten standard deviations of a gamma variable, at a = 10⁶, are 10,000 terms.
        for _ in 0..<20_000 {
            next += 1
            term *= x / next
            sum += term
            if term < sum * 1e-17 { break }
        }
        let lower = min(1, sum * scale)
        return (lower, 1 - lower)
    }
    let fraction = continuedFraction(start: x + 1 - a) { i in
        (-Double(i) * (Double(i) - a), x + 1 - a + 2 * Double(i))
    }
    let upper = min(1, scale * fraction)
    return (1 - upper, upper)
}

/// xᵃ e⁻ˣ / Γ(a), without the difference of large logarithms.
private func gammaDensity(_ a: Double, _ x: Double) -> Double {
    guard a >= 10 else { return exp(a * log(x) - x - logGamma(a)) }
    return (a / (2 * Double.pi)).squareRoot() * exp(-a * excess(x, over: a) - stirlingRest(a))
}

/// μ − ln(1 + μ), μ = (x − a) / a: of second order in μ, hence the series.
private func excess(_ x: Double, over a: Double) -> Double {
    let mu = (x - a) / a
    guard abs(mu) < 0.125 else { return mu - log(x / a) }
    var power = mu * mu
    var sum = power / 2
    for k in 3..<24 {
        power *= -mu
        sum += power / Double(k)
    }
    return sum
}

private func uniformGamma(_ a: Double, _ x: Double) -> (lower: Double, upper: Double) {
    let half = excess(x, over: a)
    let eta = (x < a ? -1 : 1) * (2 * half).squareRoot()
    let scale = exp(-a * half) / (2 * Double.pi * a).squareRoot()
    // Where η is not small the scale is 0, so few terms of the coefficients' Taylor series suffice.
    let first =
        -1.0 / 3
        + eta * (1.0 / 12 + eta * (-2.0 / 135 + eta * (1.0 / 864 + eta * (1.0 / 2_835))))
    let second = -1.0 / 540 - eta / 288
    let rest = scale == 0 ? 0 : scale * (first + second / a)
    let z = eta * (a / 2).squareRoot()
    // DLMF 8.12.3 and 8.12.4; the sign of the rest is that of Q.
    return (
        min(1, max(0, 0.5 * erfc(-z) - rest)), min(1, max(0, 0.5 * erfc(z) + rest))
    )
}

/// This is a continued fraction by Lentz's method; `terms(i)` is (aᵢ, bᵢ), i ≥ 1.
///
/// Formula: 1 / (b₀ + a₁ / (b₁ + a₂ / …)).
private func continuedFraction(
    start: Double, _ terms: (Int) -> (numerator: Double, denominator: Double)
) -> Double {
    let tiny = 1e-300
    var c = 1 / tiny
    var d = 1 / (abs(start) < tiny ? tiny : start)
    var value = d
    for i in 1..<100_000 {
        let (numerator, denominator) = terms(i)
        d = numerator * d + denominator
        if abs(d) < tiny { d = tiny }
        c = denominator + numerator / c
        if abs(c) < tiny { c = tiny }
        d = 1 / d
        let factor = d * c
        value *= factor
        if abs(factor - 1) < 1e-16 { break }
    }
    return value
}

/// This is the regularised incomplete beta function I_x(a, b).
///
/// Formula: xᵃ (1 − x)ᵇ / (a B(a, b)) times a continued fraction, on the side of the mean where it
/// converges fast.
/// Source: NIST DLMF 8.17.22.
///
/// - Precondition: `a` and `b` are positive and finite, `x` is in 0...1.
/// - Returns: Within 0...1.
/// - Accuracy: About 1e-12 relative for a + b up to 10⁶.
public func regularizedBeta(_ x: Double, _ a: Double, _ b: Double) -> Double {
    precondition((0...1).contains(x), "regularizedBeta at \(x)")
    guard x > 0 else { return 0 }
    guard x < 1 else { return 1 }
    guard x <= (a + 1) / (a + b + 2) else { return 1 - regularizedBeta(1 - x, b, a) }
    let scale = exp(a * log(x) + b * log1p(-x) - logBeta(a, b)) / a
    let fraction = continuedFraction(start: 1) { i in
        let m = Double(i / 2)
        let term =
            i.isMultiple(of: 2)
            ? m * (b - m) * x / ((a + 2 * m - 1) * (a + 2 * m))
            : -(a + m) * (a + b + m) * x / ((a + 2 * m) * (a + 2 * m + 1))
        return (term, 1)
    }
    return min(1, max(0, scale * fraction))
}

/// This is the standard normal distribution function Φ(x).
///
/// - Returns: Within 0...1, also at ±∞.
/// - Accuracy: About 1e-15 relative, also in the lower tail.
public func normalDistribution(_ x: Double) -> Double { 0.5 * erfc(-x / 2.0.squareRoot()) }

/// This is the standard normal quantile Φ⁻¹(p).
///
/// Formula: the start of M. Abramowitz, I. Stegun, 26.2.23 (error below 4.5e-4), then Halley's method on Φ.
///
/// - Precondition: `p` is in 0...1.
/// - Returns: −∞ at 0 and +∞ at 1.
/// - Accuracy: About 1e-15 relative to the larger of 1 and the result, for p as given.
public func normalQuantile(_ p: Double) -> Double {
    precondition((0...1).contains(p), "normalQuantile of \(p)")
    guard p > 0 else { return -.infinity }
    guard p < 1 else { return .infinity }
    guard p <= 0.5 else { return -normalQuantile(1 - p) }
    guard p < 0.5 else { return 0 }
    let t = (-2 * log(p)).squareRoot()
    let numerator = 2.515517 + t * (0.802853 + t * 0.010328)
    let denominator = 1 + t * (1.432788 + t * (0.189269 + t * 0.001308))
    var x = numerator / denominator - t
    for _ in 0..<3 {
        // (Φ(x) − p) / φ(x), through logarithms because both ends underflow in the tail.
        let mass = normalDistribution(x)
        let step = (mass - p) / mass * exp(log(mass) + x * x / 2) * (2 * Double.pi).squareRoot()
        x -= step / (1 + x * step / 2)
    }
    return x
}

/// This is the upper tail of the chi-square distribution: P(X ≥ x) = Q(k/2, x/2).
///
/// - Parameters:
///   - x: The statistic; below 0 the answer is 1.
///   - degreesOfFreedom: At least 1.
/// - Returns: Within 0...1.
/// - Accuracy: About 1e-12 relative.
public func chiSquareSurvival(_ x: Double, degreesOfFreedom: Int) -> Double {
    precondition(degreesOfFreedom >= 1, "degreesOfFreedom \(degreesOfFreedom)")
    guard x > 0 else { return 1 }
    return regularizedUpperGamma(Double(degreesOfFreedom) / 2, x / 2)
}

/// This is the upper tail of the Kolmogorov distribution, the limit law of √n D.
///
/// Formula: 2 Σ_{k≥1} (−1)^{k−1} exp(−2k²λ²); below 1 its theta-transformed twin, which converges there:
/// 1 − √(2π)/λ Σ_{k≥1} exp(−(2k−1)²π²/(8λ²)).
/// Source: N. Smirnov, 1939; W. Feller, 1948.
///
/// - Returns: Within 0...1; 1 at 0 and below.
/// - Accuracy: About 1e-15, relative for λ ≥ 1.
public func kolmogorovSurvival(_ lambda: Double) -> Double {
    guard lambda > 0.04 else { return 1 }
    var sum = 0.0
    if lambda < 1 {
        let unit = Double.pi * Double.pi / (8 * lambda * lambda)
        for k in stride(from: 1.0, through: 9, by: 2) { sum += exp(-k * k * unit) }
        return max(0, 1 - (2 * Double.pi).squareRoot() / lambda * sum)
    }
    var sign = 1.0
    for k in 1...6 {
        sum += sign * exp(-2 * Double(k * k) * lambda * lambda)
        sign = -sign
    }
    return min(1, 2 * sum)
}
