/// This is one numeric quantity of one pane: counts over fixed edges, count, missing, range, moments.
///
/// Missing (NaN) and infinite values are counted apart. An infinite value lies in the first or the last bin
/// and is counted there, because it has a place in the order; it has no part in range, sums and distances.
public struct NumericProfile: Equatable, Sendable {
    /// Subtracted before squaring, so that a large offset costs no digits; the reference's mean.
    public let shift: Double
    /// The reference's finite values lie here; nil when it has none, and then no distance is kept.
    public let range: ClosedRange<Double>?
    /// Values that are not missing, infinite ones included.
    public private(set) var count: UInt64 = 0
    /// The smallest finite value; nil when there is none.
    public private(set) var minimum: Double?
    /// The largest finite value; nil when there is none.
    public private(set) var maximum: Double?
    /// How many values each bin holds.
    public private(set) var counts: BinCounts
    /// What lies in no bin, or in one that is not its own.
    public private(set) var tallies = Tallies()
    /// Of the finite values.
    public private(set) var sums = Sums()

    /// This is what is not a number, by kind.
    public struct Tallies: Equatable, Sendable {
        /// Values that are missing; they are in no bin.
        public var missing: UInt64 = 0
        /// Values that are −∞; they are in the first bin.
        public var negativeInfinite: UInt64 = 0
        /// Values that are +∞; they are in the last bin.
        public var positiveInfinite: UInt64 = 0

        /// Starts with zeros.
        public init() {}
    }

    /// These are sums over the finite values x.
    public struct Sums: Equatable, Sendable {
        /// Σ(x − shift).
        public var linear = CompensatedSum()
        /// Σ(x − shift)².
        public var squared = CompensatedSum()
        /// Σ max(0, range.lowerBound − x): what makes Wasserstein exact below the reference.
        public var below = CompensatedSum()
        /// Σ max(0, x − range.upperBound): the same above.
        public var above = CompensatedSum()

        /// Starts with zeros.
        public init() {}
    }

    /// Starts empty.
    ///
    /// - Precondition: `shift` and the ends of `range` are finite.
    public init(binCount: Int, shift: Double, range: ClosedRange<Double>? = nil) {
        precondition(shift.isFinite, "shift \(shift)")
        if let range {
            precondition(range.lowerBound.isFinite && range.upperBound.isFinite, "range \(range)")
        }
        self.shift = shift
        self.range = range
        counts = BinCounts(binCount: binCount)
    }

    /// Puts a stored profile together again: `empty` has its shift and range; nil where the parts
    /// contradict each other.
    public init?(
        empty: Self, extremes: ClosedRange<Double>?, counts: BinCounts, tallies: Tallies, sums: Sums
    ) {
        let (infinite, isOverflow) = tallies.negativeInfinite.addingReportingOverflow(
            tallies.positiveInfinite)
        guard !isOverflow, infinite <= counts.total, counts.binCount == empty.counts.binCount,
            (extremes == nil) == (infinite == counts.total),
            tallies.negativeInfinite <= counts[0],
            tallies.positiveInfinite <= counts[counts.binCount - 1]
        else { return nil }
        self = empty
        count = counts.total
        minimum = extremes?.lowerBound
        maximum = extremes?.upperBound
        self.counts = counts
        self.tallies = tallies
        self.sums = sums
    }

    /// Values that are missing.
    public var missing: UInt64 { tallies.missing }
    /// Values that are infinite, of either sign.
    public var nonFinite: UInt64 { tallies.negativeInfinite + tallies.positiveInfinite }

    /// Nil when nothing was counted, when a value is infinite, or when the sum is beyond a double's range.
    public var mean: Double? {
        guard count > 0, nonFinite == 0 else { return nil }
        let mean = shift + sums.linear.value / Double(count)
        return mean.isFinite ? mean : nil
    }

    /// With divisor n; nil when nothing was counted, when a value is infinite, or when a square is beyond a
    /// double's range.
    ///
    /// - Accuracy: Relative error of the variance about 2⁻⁵² (1 + (mean − shift)² / variance).
    public var standardDeviation: Double? {
        guard count > 0, nonFinite == 0, let minimum, let maximum else { return nil }
        // A constant has no deviation, whatever the rounding says.
        if minimum == maximum { return 0 }
        let mean = sums.linear.value / Double(count)
        let variance = sums.squared.value / Double(count) - mean * mean
        return variance.isFinite ? max(0, variance).squareRoot() : nil
    }

    /// Counts one value; NaN is missing.
    public mutating func absorb(_ value: Double, edges: BinEdges) {
        guard !value.isNaN else {
            tallies.missing += 1
            return
        }
        counts.add(edges.bin(of: value))
        count += 1
        guard value.isFinite else {
            countInfinite(value)
            return
        }
        minimum = min(minimum ?? value, value)
        maximum = max(maximum ?? value, value)
        let shifted = value - shift
        sums.linear.add(shifted)
        sums.squared.add(shifted * shifted)
        addDistance(value)
    }

    /// Counts a block whose bins are known: `UInt16.max` where the value is NaN.
    ///
    /// - Precondition: both have the same length.
    public mutating func absorb(_ values: Span<Double>, bins: Span<UInt16>) {
        precondition(values.count == bins.count, "\(values.count) values, \(bins.count) bins")
        counts.add(bins: bins)
        let block = BlockMoments(of: values, shift: shift)
        count += block.present
        tallies.missing += UInt64(values.count) - block.present
        if block.finite > 0 {
            block.linear.fold(into: &sums.linear)
            block.squared.fold(into: &sums.squared)
            minimum = min(minimum ?? block.low, block.low)
            maximum = max(maximum ?? block.high, block.high)
        }
        // Both are rare, so the usual block is read once.
        if block.finite < block.present {
            for index in 0..<values.count where values[index].isInfinite {
                countInfinite(values[index])
            }
        }
        if let range, block.finite > 0,
            block.low < range.lowerBound || block.high > range.upperBound
        {
            for index in 0..<values.count where values[index].isFinite {
                addDistance(values[index])
            }
        }
    }

    /// Counts missing values.
    public mutating func absorbMissing(_ times: UInt64) { tallies.missing += times }

    private mutating func countInfinite(_ value: Double) {
        if value < 0 { tallies.negativeInfinite += 1 } else { tallies.positiveInfinite += 1 }
    }

    private mutating func addDistance(_ value: Double) {
        guard let range else { return }
        if value < range.lowerBound { sums.below.add(range.lowerBound - value) }
        if value > range.upperBound { sums.above.add(value - range.upperBound) }
    }

    /// Counts what another profile has counted.
    ///
    /// - Precondition: both have the same edges, shift and range.
    public mutating func merge(_ other: Self) {
        precondition(shift == other.shift, "shifts \(shift) and \(other.shift)")
        precondition(range == other.range, "profiles of different references")
        count += other.count
        tallies.missing += other.tallies.missing
        tallies.negativeInfinite += other.tallies.negativeInfinite
        tallies.positiveInfinite += other.tallies.positiveInfinite
        counts.merge(other.counts)
        sums.linear.merge(other.sums.linear)
        sums.squared.merge(other.sums.squared)
        sums.below.merge(other.sums.below)
        sums.above.merge(other.sums.above)
        if let value = other.minimum { minimum = min(minimum ?? value, value) }
        if let value = other.maximum { maximum = max(maximum ?? value, value) }
    }
}

/// These are a block's moments in four lanes.
private struct BlockMoments {
    var low = Double.infinity
    var high = -Double.infinity
    /// Values that are not NaN, and those that are finite.
    var present: UInt64 = 0
    var finite: UInt64 = 0
    var linear = CompensatedLanes()
    var squared = CompensatedLanes()

    private var lows: SIMD4<Double>
    private var highs: SIMD4<Double>

    /// Values that are looked at together for one that is not finite.
    private static let stretch = 64

    init(of values: Span<Double>, shift: Double) {
        lows = SIMD4(repeating: low)
        highs = SIMD4(repeating: high)
        let fours = values.count / 4
        values.withUnsafeBytes { values in
            var four = 0
            while four < fours {
                let end = min(four + Self.stretch / 4, fours)
                let before = self
                if !addFinite(values, four..<end, shift) {
                    self = before
                    for place in four..<end { addAny(Self.load(values, place), shift) }
                }
                four = end
            }
        }
        if values.count > 4 * fours {
            // What is missing, and what lies past the end, adds nothing.
            var rest = SIMD4(repeating: Double.nan)
            for lane in 0..<values.count - 4 * fours { rest[lane] = values[4 * fours + lane] }
            addAny(rest, shift)
        }
        (low, high) = (lows.min(), highs.max())
    }

    @inline(__always)
    private static func load(_ values: UnsafeRawBufferPointer, _ four: Int) -> SIMD4<Double> {
        values.loadUnaligned(fromByteOffset: 32 &* four, as: SIMD4<Double>.self)
    }

    /// Adds values, if all are finite; where it returns false, the moments are any.
    ///
    /// What chooses lane by lane costs as much as all sums do.
    @inline(__always)
    private mutating func addFinite(
        _ values: UnsafeRawBufferPointer, _ fours: Range<Int>, _ shift: Double
    ) -> Bool {
        // 0 for what is finite, NaN for what is not, and for all that is added to it.
        var test = SIMD4<Double>.zero
        for place in fours {
            let four = Self.load(values, place)
            test += four - four
            lows.replace(with: four, where: four .< lows)
            highs.replace(with: four, where: four .> highs)
            let shifted = four - shift
            linear.add(shifted)
            squared.add(shifted * shifted)
        }
        present += UInt64(4 * fours.count)
        finite += UInt64(4 * fours.count)
        return all(test .== 0)
    }

    @inline(__always)
    private mutating func addAny(_ four: SIMD4<Double>, _ shift: Double) {
        let isFinite = (four - four) .== 0
        for lane in 0..<4 {
            present += four[lane].isNaN ? 0 : 1
            finite += isFinite[lane] ? 1 : 0
        }
        lows.replace(with: four, where: isFinite .& (four .< lows))
        highs.replace(with: four, where: isFinite .& (four .> highs))
        let shifted = (four - shift).replacing(with: 0, where: .!isFinite)
        linear.add(shifted)
        squared.add(shifted * shifted)
    }
}
