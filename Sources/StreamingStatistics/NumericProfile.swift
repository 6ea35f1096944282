/// This is one numeric quantity of one pane: counts over fixed edges, count, missing, range, moments.
public struct NumericProfile: Equatable, Sendable {
    /// Subtracted before squaring, so that a large offset costs no digits; the reference's mean.
    public let shift: Double
    /// Values that are not missing.
    public private(set) var count: UInt64 = 0
    /// Values that are missing.
    public private(set) var missing: UInt64 = 0
    /// The smallest value; nil when nothing was counted.
    public private(set) var minimum: Double?
    /// The largest value; nil when nothing was counted.
    public private(set) var maximum: Double?
    /// How many values each bin holds.
    public private(set) var counts: BinCounts
    /// Σ(x − shift).
    public private(set) var sum = CompensatedSum()
    /// Σ(x − shift)².
    public private(set) var sumOfSquares = CompensatedSum()

    /// Starts empty.
    ///
    /// - Precondition: `shift` is finite.
    public init(binCount: Int, shift: Double) {
        precondition(shift.isFinite, "shift \(shift)")
        self.shift = shift
        counts = BinCounts(binCount: binCount)
    }

    /// Puts a stored profile together again; nil where the parts contradict each other.
    public init?(
        shift: Double, missing: UInt64, minimum: Double?, maximum: Double?, counts: BinCounts,
        sum: CompensatedSum, sumOfSquares: CompensatedSum
    ) {
        guard (minimum == nil) == (counts.total == 0), (maximum == nil) == (counts.total == 0)
        else {
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
    ///
    /// - Accuracy: Relative error of the variance about 2⁻⁵² (1 + (mean − shift)² / variance).
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
        var low = SIMD4(repeating: minimum ?? .infinity)
        var high = SIMD4(repeating: maximum ?? -.infinity)
        var sums = CompensatedLanes()
        var squares = CompensatedLanes()
        var presentLanes = SIMD4<Int64>.zero
        var index = 0
        while index < values.count {
            // What is missing, and what lies past the end, adds nothing.
            var four = SIMD4(repeating: Double.nan)
            if index &+ 4 <= values.count {
                four = SIMD4(
                    values[index], values[index &+ 1], values[index &+ 2], values[index &+ 3])
            } else {
                for lane in 0..<values.count - index { four[lane] = values[index + lane] }
            }
            let isPresent = four .== four
            presentLanes.replace(with: presentLanes &+ 1, where: isPresent)
            low.replace(with: four, where: four .< low)
            high.replace(with: four, where: four .> high)
            let shifted = (four - shift).replacing(with: 0, where: .!isPresent)
            sums.add(shifted)
            squares.add(shifted * shifted)
            index &+= 4
        }
        let present = UInt64(presentLanes.wrappedSum())
        count += present
        missing += UInt64(values.count) - present
        guard present > 0 else { return }
        sums.fold(into: &sum)
        squares.fold(into: &sumOfSquares)
        minimum = low.min()
        maximum = high.max()
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

    /// Counts what another profile has counted.
    ///
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
