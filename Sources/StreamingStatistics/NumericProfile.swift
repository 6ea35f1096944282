/// This is one numeric quantity of one pane: counts over fixed edges, count, missing, range, moments.
public struct NumericProfile: Equatable, Sendable {
    /// Subtracted before squaring, so that a large offset costs no digits; the reference's mean.
    public let shift: Double
    /// Values that are not missing.
    public private(set) var count: UInt64 = 0
    public private(set) var missing: UInt64 = 0
    public private(set) var minimum: Double?
    public private(set) var maximum: Double?
    public private(set) var counts: BinCounts
    /// Σ(x − shift)
    public private(set) var sum = CompensatedSum()
    /// Σ(x − shift)²
    public private(set) var sumOfSquares = CompensatedSum()

    public init(binCount: Int, shift: Double) {
        self.shift = shift
        counts = BinCounts(binCount: binCount)
    }

    /// Puts a stored profile together again; nil where the parts contradict each other.
    public init?(
        shift: Double, missing: UInt64, minimum: Double?, maximum: Double?, counts: BinCounts,
        sum: CompensatedSum, sumOfSquares: CompensatedSum
    ) {
        guard (minimum == nil) == (counts.total == 0), (maximum == nil) == (counts.total == 0) else {
            return nil
        }
        self.shift = shift
        count = counts.total
        self.missing = missing
        self.minimum = minimum
        self.maximum = maximum
        self.counts = counts
        self.sum = sum
        self.sumOfSquares = sumOfSquares
    }

    /// Nil when nothing was counted, or when the sum is beyond a double's range.
    public var mean: Double? {
        guard count > 0 else { return nil }
        let mean = shift + sum.value / Double(count)
        return mean.isFinite ? mean : nil
    }

    /// With divisor n; nil when nothing was counted or a square is beyond a double's range.
    public var standardDeviation: Double? {
        guard count > 0, let minimum, let maximum else { return nil }
        // A constant has no deviation, whatever the rounding says.
        if minimum == maximum { return 0 }
        let mean = sum.value / Double(count)
        let variance = sumOfSquares.value / Double(count) - mean * mean
        return variance.isFinite ? max(0, variance).squareRoot() : nil
    }

    /// Counts one value; NaN is missing.
    public mutating func absorb(_ value: Double, edges: BinEdges) {
        guard !value.isNaN else {
            missing += 1
            return
        }
        counts.add(edges.bin(of: value))
        include(value)
    }

    /// Counts a block whose bins are known: `UInt16.max` where the value is NaN.
    ///
    /// - Precondition: both have the same length.
    public mutating func absorb(_ values: Span<Double>, bins: Span<UInt16>) {
        precondition(values.count == bins.count, "\(values.count) values, \(bins.count) bins")
        counts.add(bins: bins)
        var low = minimum ?? .infinity
        var high = maximum ?? -.infinity
        var sum = sum
        var squares = sumOfSquares
        var present: UInt64 = 0
        for index in 0..<values.count {
            let value = values[index]
            guard value == value else { continue }
            present += 1
            low = value < low ? value : low
            high = value > high ? value : high
            let shifted = value - shift
            sum.add(shifted)
            squares.add(shifted * shifted)
        }
        count += present
        missing += UInt64(values.count) - present
        guard present > 0 else { return }
        self.sum = sum
        sumOfSquares = squares
        minimum = low
        maximum = high
    }

    /// Counts missing values.
    public mutating func absorbMissing(_ times: UInt64) { missing += times }

    private mutating func include(_ value: Double) {
        count += 1
        minimum = min(minimum ?? value, value)
        maximum = max(maximum ?? value, value)
        let shifted = value - shift
        sum.add(shifted)
        sumOfSquares.add(shifted * shifted)
    }

    /// - Precondition: both have the same edges and shift.
    public mutating func merge(_ other: Self) {
        precondition(shift == other.shift, "shifts \(shift) and \(other.shift)")
        count += other.count
        missing += other.missing
        counts.merge(other.counts)
        sum.merge(other.sum)
        sumOfSquares.merge(other.sumOfSquares)
        if let value = other.minimum { minimum = min(minimum ?? value, value) }
        if let value = other.maximum { maximum = max(maximum ?? value, value) }
    }
}
