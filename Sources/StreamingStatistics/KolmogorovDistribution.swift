import Glibc

/// This is the chance that the empirical distribution of `n` values is `d` or more away from their continuous
/// distribution.
///
/// Formula: exact for few values and for the tail, Durbin's matrix and Smirnov's one-sided sum; between them
/// the first four terms of an expansion in 1/√n.
/// Source: J. Durbin, Distribution Theory for Tests Based on the Sample Distribution Function, 1973;
/// G. Marsaglia, W. W. Tsang, J. Wang, J. Stat. Software 8(18), 2003; N. Smirnov, 1944; W. Pelz, I. Good,
/// J. R. Stat. Soc. B 38(2), 1976; where each is used: R. Simard, P. L'Ecuyer, J. Stat. Software 39(11), 2011.
///
/// - Parameters:
///   - d: A distance, 0...1.
///   - n: The number of values.
/// - Returns: 0...1; 1 when there are no values.
/// - Accuracy: 1e-9 relative to SciPy's `kstwo.sf` up to 10,000 values, 1e-7 beyond, and in the tail 3e-4 beyond
///   20,000.
/// - Complexity: At most some 100,000 steps.
public func kolmogorovSurvival(d: Double, n: UInt64) -> Double {
    guard n > 0 else { return 1 }
    let count = Double(n)
    let square = count * d * d
    guard d > 0.5 / count else { return 1 }
    guard d < 1 else { return 0 }
    if square >= (n <= 140 ? 4 : 2.2) {
        // Both sides are that far off with a chance below the accuracy of a double.
        return n <= 20_000 ? min(1, 2 * oneSidedSurvival(d, Int(n))) : limitSurvival(d, count)
    }
    if n <= 140 || (n <= 1_000 && count * pow(d, 1.5) <= 1.4) {
        return min(1, max(0, 1 - exactDistribution(d, Int(n))))
    }
    return min(1, max(0, 1 - expandedDistribution(d, count)))
}

/// Formula: d Σ_j C(n, j) (d + j/n)^(j−1) (1 − d − j/n)^(n−j), j = 0...⌊n (1 − d)⌋.
private func oneSidedSurvival(_ d: Double, _ n: Int) -> Double {
    let count = Double(n)
    var choices = 0.0
    var sum = 0.0
    for j in 0...Int(count * (1 - d)) {
        let place = Double(j)
        let base = d + place / count
        guard base < 1 else { break }
        sum += exp(choices + (place - 1) * log(base) + (count - place) * log1p(-base))
        choices += log((count - place) / (place + 1))
    }
    return d * sum
}

/// The limit of many values at a corrected argument.
///
/// Source: J. Vrbik, Small-Sample Corrections to Kolmogorov–Smirnov Test Statistic, Pioneer J. Theor. Appl.
/// Stat. 15, 2018.
private func limitSurvival(_ d: Double, _ n: Double) -> Double {
    let lambda = d * n.squareRoot()
    return kolmogorovSurvival(lambda + 1 / (6 * n.squareRoot()) + (lambda - 1) / (4 * n))
}

/// Formula: n!/nⁿ times the middle element of Hⁿ, H of k = ⌈n d⌉ as in the source; as many products of a row
/// with H, each divided by its share of nⁿ/n!, so that nothing overflows.
private func exactDistribution(_ d: Double, _ n: Int) -> Double {
    let count = Double(n)
    let k = Int((count * d).rounded(.up))
    let h = Double(k) - count * d
    let size = 2 * k - 1
    var inverse = [1.0]
    for index in 1...size + 1 { inverse.append(inverse[index - 1] / Double(index)) }
    // What columns of the matrix hold below, on and one above the diagonal; the corners are apart.
    var first = (0..<size).map { (1 - pow(h, Double($0 + 1))) * inverse[$0 + 1] }
    let last = (0..<size).map { column in
        (1 - pow(h, Double(size - column))) * inverse[size - column]
    }
    first[size - 1] =
        (1 - 2 * pow(h, Double(size)) + (h > 0.5 ? pow(2 * h - 1, Double(size)) : 0))
        * inverse[size]
    var row = [Double](repeating: 0, count: size)
    row[k - 1] = 1
    for step in 1...n {
        var next = [Double](repeating: 0, count: size)
        let scale = Double(step) / count
        for column in 0..<size {
            var sum = row[size - 1] * (column == 0 ? first[size - 1] : last[column])
            if column == 0 {
                for place in 0..<size - 1 { sum += row[place] * first[place] }
            } else {
                for place in column - 1..<max(column - 1, size - 1) {
                    sum += row[place] * inverse[place - column + 1]
                }
            }
            next[column] = sum * scale
        }
        row = next
    }
    return row[k - 1]
}

/// Formula: K₀(z) + K₁(z)/√n + K₂(z)/n + K₃(z)/n^1.5, z = d √n, as in the source.
private func expandedDistribution(_ d: Double, _ n: Double) -> Double {
    let z2 = n * d * d
    let z = z2.squareRoot()
    let (z4, z6, z8) = (z2 * z2, z2 * z2 * z2, z2 * z2 * z2 * z2)
    let square = Double.pi * Double.pi
    var terms = (0.0, 0.0, 0.0, 0.0)
    var corrections = (0.0, 0.0)
    for index in 0..<20 {
        let half = Double(index) + 0.5
        let (a, b) = (square * half * half, square * Double(index * index))
        let (weight, whole) = (exp(-a / (2 * z2)), exp(-b / (2 * z2)))
        terms.0 += 2 * weight
        terms.1 += (a - z2) * weight
        terms.2 += (6 * z6 + 2 * z4 + (2 * z4 - 5 * z2) * a + (1 - 2 * z2) * a * a) * weight
        let low = -30 * z6 - 90 * z8 + (135 * z4 - 96 * z6) * a
        terms.3 += (low + (212 * z4 - 60 * z2) * a * a + (5 - 30 * z2) * a * a * a) * weight
        corrections.0 += b * whole
        corrections.1 += (3 * z2 - b) * b * whole
    }
    let second = terms.2 / (36 * z6 * z) - corrections.0 / (18 * z2 * z)
    let third = terms.3 / (3_240 * z8 * z2) + corrections.1 / (108 * z6)
    let sum =
        terms.0 / z + terms.1 / (3 * n.squareRoot() * z4) + second / n
        + third / (n * n.squareRoot())
    return (Double.pi / 2).squareRoot() * sum
}
