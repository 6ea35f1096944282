/// This compares the newest values of a sliding window with all its older ones.
///
/// Formula: D the Kolmogorov–Smirnov distance of the newest r values from the w − r older ones; drift when
/// its p-value is at most α and D > 0.1; then only the newest r are kept. The p-value is that of one sample
/// of round(r (w − r) / w) values, as SciPy's asymptotic form.
/// Source: C. Raab, M. Heusinger, F.-M. Schleif, "Reactive soft prototype computing for concept drift
/// streams", Neurocomputing 416, 2020; without its random draw from the older values, so that a replay
/// gives the same.
///
/// The level is for each look, not for all together: no promise of false alarms over time.
public struct KSWIN: Equatable, Sendable {
    /// Distances up to this are no drift, however sure.
    static let distanceMin = 0.1

    /// α.
    public let alpha: Double
    /// w.
    public let windowCount: Int
    /// r.
    public let newestCount: Int
    /// The least distance whose p-value is at most α.
    public let criticalDistance: Double
    /// Oldest first, at most `windowCount`.
    public private(set) var window: [Double] = []

    /// Starts without values.
    ///
    /// - Precondition: `newestCount` is positive and less than `windowCount`, which is at most 2,000.
    public init(alpha: Double = 0.005, windowCount: Int = 100, newestCount: Int = 30) {
        precondition(alpha > 0 && alpha < 1, "alpha \(alpha)")
        precondition(newestCount > 0 && newestCount < windowCount, "\(newestCount) newest values")
        precondition(windowCount <= 2_000, "windowCount \(windowCount)")
        self.alpha = alpha
        self.windowCount = windowCount
        self.newestCount = newestCount
        let older = Double(windowCount - newestCount)
        let effective = Double(newestCount) * older / Double(windowCount)
        criticalDistance = Self.criticalDistance(
            alpha: alpha, count: max(1, Int(effective.rounded(.toNearestOrEven))))
    }

    /// Adds a value.
    ///
    /// - Precondition: `value` is not NaN.
    public mutating func absorb(_ value: Double) -> DetectorStatus {
        precondition(!value.isNaN, "a value that is no number")
        if window.count == windowCount { window.removeFirst() }
        window.append(value)
        guard window.count == windowCount else { return .stable }
        let distance = Self.distance(
            window[..<(windowCount - newestCount)].sorted(), window.suffix(newestCount).sorted())
        guard distance >= criticalDistance, distance > Self.distanceMin else { return .stable }
        window.removeFirst(windowCount - newestCount)
        return .drift
    }

    /// These are all its changing numbers, to be stored.
    public var numbers: [Double] { window }

    /// Goes on from stored numbers of a detector with the same settings.
    ///
    /// - Returns: False, and nothing changed, when no detector can have them.
    public mutating func restore(_ numbers: [Double]) -> Bool {
        guard numbers.count <= windowCount, !numbers.contains(where: \.isNaN) else { return false }
        window = numbers
        return true
    }

    /// The distance of two sorted samples.
    private static func distance(_ one: [Double], _ two: [Double]) -> Double {
        var (i, j) = (0, 0)
        var largest = 0.0
        while i < one.count, j < two.count {
            let value = min(one[i], two[j])
            while i < one.count, one[i] == value { i += 1 }
            while j < two.count, two[j] == value { j += 1 }
            largest = max(
                largest, abs(Double(i) / Double(one.count) - Double(j) / Double(two.count)))
        }
        return largest
    }

    private static func criticalDistance(alpha: Double, count: Int) -> Double {
        var (low, high) = (0.5 / Double(count), 1.0)
        for _ in 0..<60 {
            let middle = (low + high) / 2
            if 1 - kolmogorovDistribution(middle, count: count) > alpha {
                low = middle
            } else {
                high = middle
            }
        }
        return high
    }
}

/// This is the chance that the Kolmogorov distance of `count` values from their own law is below `distance`.
///
/// Formula: n!/nⁿ times an entry of the n-th power of a matrix, by products with a vector.
/// Source: J. Durbin, 1973; G. Marsaglia, W. W. Tsang, J. Wang, J. Stat. Software 8(18), 2003.
///
/// - Parameters:
///   - distance: Above ½/n; at 1 and beyond the chance is 1.
///   - count: n, positive.
/// - Returns: Within 0...1.
/// - Accuracy: About 1e-13 absolute for n up to 1,000.
func kolmogorovDistribution(_ distance: Double, count: Int) -> Double {
    precondition(count > 0, "count \(count)")
    let n = Double(count)
    guard distance > 0.5 / n else { return 0 }
    guard distance < 1 else { return 1 }
    let k = Int((n * distance).rounded(.down)) + 1
    let size = 2 * k - 1
    let h = Double(k) - n * distance
    var step = Matrix(size: size)
    for row in 0..<size {
        for column in 0..<size where row - column + 1 >= 0 { step[row, column] = 1 }
    }
    for row in 0..<size {
        step[row, 0] -= power(h, row + 1)
        step[size - 1, row] -= power(h, size - row)
    }
    if 2 * h - 1 > 0 { step[size - 1, 0] += power(2 * h - 1, size) }
    for row in 0..<size {
        for column in 0..<size where row - column + 1 > 0 {
            for divisor in 1...(row - column + 1) { step[row, column] /= Double(divisor) }
        }
    }
    // n!/nⁿ is shared out over the n factors, so that nothing overflows.
    var vector = [Double](repeating: 0, count: size)
    vector[k - 1] = 1
    for factor in 1...count {
        vector = step.product(vector).map { $0 * Double(factor) / n }
    }
    return min(1, max(0, vector[k - 1]))
}

private func power(_ base: Double, _ exponent: Int) -> Double {
    (0..<exponent).reduce(1) { product, _ in product * base }
}

/// A square matrix, row by row.
private struct Matrix {
    let size: Int
    private var entries: [Double]

    init(size: Int) {
        self.size = size
        entries = Array(repeating: 0, count: size * size)
    }

    subscript(row: Int, column: Int) -> Double {
        get { entries[row * size + column] }
        set { entries[row * size + column] = newValue }
    }

    func product(_ vector: [Double]) -> [Double] {
        (0..<size).map { row in
            (0..<size).reduce(0) { $0 + self[row, $1] * vector[$1] }
        }
    }
}
