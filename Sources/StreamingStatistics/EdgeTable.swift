/// This is a floating-point type whose values the table bins.
protocol EdgeScalar: BinaryFloatingPoint, Codable, SIMDScalar, Sendable {
    /// The upper 32 bits of the pattern; of positive values they never decrease with the value.
    var upperBits: Int32 { get }
    /// How many of them lie below the exponent.
    static var fractionBitCount: Int32 { get }
    /// The smallest magnitude with these upper bits.
    init(upperBits: Int32)
    /// The largest value that is at most `edge`: no value of this type lies between them.
    static func floor(_ edge: Double) -> Self
    static func upperBits(_ values: SIMD4<Self>) -> SIMD4<Int32>
    static func magnitudes(_ values: SIMD4<Self>) -> SIMD4<Self>
    /// All ones where a value is negative, not where it is −0 or NaN.
    static func negatives(_ values: SIMD4<Self>) -> SIMD4<Int32>
    /// All ones where a cut is below a value, or either is NaN.
    static func masks(_ cuts: SIMD4<Self>, notAtLeast values: SIMD4<Self>) -> SIMD4<UInt16>
}

extension Double: EdgeScalar {
    @inline(__always) var upperBits: Int32 { Int32(truncatingIfNeeded: bitPattern &>> 32) }
    static var fractionBitCount: Int32 { 20 }
    init(upperBits: Int32) { self.init(bitPattern: UInt64(UInt32(bitPattern: upperBits)) << 32) }
    static func floor(_ edge: Double) -> Double { edge }

    @inline(__always)
    static func upperBits(_ values: SIMD4<Double>) -> SIMD4<Int32> {
        unsafeBitCast(values, to: SIMD8<Int32>.self).oddHalf
    }
    @inline(__always)
    static func magnitudes(_ values: SIMD4<Double>) -> SIMD4<Double> {
        unsafeBitCast(unsafeBitCast(values, to: SIMD4<Int64>.self) & .max, to: SIMD4<Double>.self)
    }
    @inline(__always)
    static func negatives(_ values: SIMD4<Double>) -> SIMD4<Int32> {
        unsafeBitCast(values .< 0, to: SIMD8<Int32>.self).oddHalf
    }
    @inline(__always)
    static func masks(_ cuts: SIMD4<Double>, notAtLeast values: SIMD4<Double>) -> SIMD4<UInt16> {
        let masks = unsafeBitCast(.!(cuts .>= values), to: SIMD4<Int64>.self)
        return SIMD4<UInt16>(truncatingIfNeeded: masks)
    }
}

extension Float: EdgeScalar {
    @inline(__always) var upperBits: Int32 { Int32(bitPattern: bitPattern) }
    static var fractionBitCount: Int32 { 23 }
    init(upperBits: Int32) { self.init(bitPattern: UInt32(bitPattern: upperBits)) }
    static func floor(_ edge: Double) -> Float {
        let near = Float(edge)
        return Double(near) > edge ? near.nextDown : near
    }

    @inline(__always)
    static func upperBits(_ values: SIMD4<Float>) -> SIMD4<Int32> {
        unsafeBitCast(values, to: SIMD4<Int32>.self)
    }
    @inline(__always)
    static func magnitudes(_ values: SIMD4<Float>) -> SIMD4<Float> {
        unsafeBitCast(unsafeBitCast(values, to: SIMD4<Int32>.self) & .max, to: SIMD4<Float>.self)
    }
    @inline(__always)
    static func negatives(_ values: SIMD4<Float>) -> SIMD4<Int32> {
        unsafeBitCast(values .< 0, to: SIMD4<Int32>.self)
    }
    @inline(__always)
    static func masks(_ cuts: SIMD4<Float>, notAtLeast values: SIMD4<Float>) -> SIMD4<UInt16> {
        let masks = unsafeBitCast(.!(cuts .>= values), to: SIMD4<Int32>.self)
        return SIMD4<UInt16>(truncatingIfNeeded: masks)
    }
}

/// This finds bins by a table over cells of the values' bit patterns, then a bounded count of the edges
/// that share the value's cell.
///
/// A cell's number is computed in the same way for an edge and for a value, and is monotone, so the result
/// is exact: the table gives the number of edges in lower cells, and at most four edges lie in one.
/// Edges that no centre spreads over the cells are searched.
struct EdgeTable<Scalar: EdgeScalar>: Sendable {
    /// What is tried, in turn: edges in one cell, and cells on one side of the centre.
    ///
    /// Most cells are far out and never touched, so that a large table costs memory, at most 128 KiB, but
    /// hardly time: a second comparison costs more.
    private static var tries: [(fix: Int, reach: Int)] {
        [(1, 1 << 15), (2, 1 << 13), (2, 1 << 15), (3, 1 << 15), (4, 1 << 15)]
    }
    /// Values treated at once: what is kept of them stays in the first-level cache.
    static var blockCount: Int { 1_024 }

    let edges: [Double]
    /// Nil where no centre spreads the edges over the cells.
    let cells: Cells?
    /// [2 · reach + 2]: edges in lower cells; [1] without cells.
    let below: [UInt16]
    /// All edges, then +∞, which no value exceeds, `fix` times or once.
    let cuts: [Scalar]

    init(edges: [Double]) {
        self.edges = edges
        let cuts = edges.map(Scalar.floor)
        guard let (cells, below) = Self.spread(cuts) else {
            (cells, below, self.cuts) = (nil, [0], cuts + [.infinity])
            return
        }
        (self.cells, self.below) = (cells, below)
        self.cuts = cuts + [Scalar](repeating: .infinity, count: cells.fix)
    }

    private static func spread(_ cuts: [Scalar]) -> (Cells, [UInt16])? {
        // Beyond, what NaN finds would not be a bin of 16 bits.
        guard cuts.count <= 65_530 else { return nil }
        let centres = centres(cuts)
        var spreads: [Spread] = []
        for (fix, reachMax) in tries {
            for (place, centre) in centres.enumerated() {
                if place == spreads.count { spreads.append(Spread(cuts, around: centre)) }
                if let cells = Cells(spreads[place], fix: fix), cells.reach <= reachMax,
                    let below = cells.edgesInLowerCells(cuts)
                {
                    return (cells, below)
                }
            }
        }
        return nil
    }

    /// Zero for what spans magnitudes, then places among the edges from the middle outwards.
    private static func centres(_ cuts: [Scalar]) -> [Scalar] {
        guard cuts.count > 1 else { return [] }
        let places = [4, 3, 5, 2, 6, 1, 7].map { cuts[min(cuts.count - 1, cuts.count * $0 / 8)] }
        return [0] + places.filter(\.isFinite)
    }
}

extension EdgeTable {
    /// This numbers ranges of bit patterns of |x − centre|, on either side of the centre: so cells are narrow
    /// near the centre, where most edges lie, and as wide as the value is far outside, and no tail
    /// stretches them.
    struct Cells: Sendable {
        let centre: Scalar
        /// Clamp |x − centre|: within `low` of it all is one cell.
        let low: Scalar
        let high: Scalar
        let lowBits: Int32
        let shift: Int32
        /// The last cell on either side.
        let reach: Int
        /// At most so many edges lie in one cell.
        let fix: Int

        /// The coarsest cells around a centre that leave at most `fix` edges in each; nil where none do.
        init?(_ spread: Spread, fix: Int) {
            let start = spread.start(fix: fix)
            guard start > 0, let shift = spread.shift(fix: fix, start: start) else { return nil }
            centre = spread.centre
            self.fix = fix
            self.shift = shift
            // Cells end at round numbers: then an integer and what is just below it lie in two.
            lowBits = (start.upperBits >> shift) << shift
            low = Scalar(upperBits: lowBits + 1)
            // The highest cell holds no edge, because NaN goes there.
            let highBits = ((spread.highest.upperBits >> shift) + 1) << shift
            high = Scalar(upperBits: highBits)
            reach = Int((highBits - lowBits) >> shift)
        }

        /// −reach − 1...reach; `reach` for NaN.
        ///
        /// What is just below the centre has another cell than the centre, so one repeated value, for
        /// which there are two edges, costs no second comparison.
        @inline(__always)
        func cell(of value: Scalar) -> Int32 {
            let distance = value - centre
            let size = distance.magnitude
            // In this form NaN takes the bound, and each comparison is one instruction.
            let lowered = size < high ? size : high
            let clamped = lowered > low ? lowered : low
            // Negative numbers are rounded down too: then the bounds of a cell belong to it on the upper
            // side, on either side of the centre.
            let sign: Int32 = distance < 0 ? -1 : 0
            return (((clamped.upperBits &- lowBits) ^ sign) &- sign) &>> shift
        }

        @inline(__always)
        func cells(of values: SIMD4<Scalar>) -> SIMD4<Int32> {
            let distance = values - centre
            let size = Scalar.magnitudes(distance)
            let highs = SIMD4(repeating: high)
            let lows = SIMD4(repeating: low)
            let lowered = highs.replacing(with: size, where: size .< highs)
            let clamped = lows.replacing(with: lowered, where: lowered .> lows)
            let sign = Scalar.negatives(distance)
            return (((Scalar.upperBits(clamped) &- lowBits) ^ sign) &- sign) &>> shift
        }

        /// [2 · reach + 2]; nil where more than `fix` edges share a cell.
        func edgesInLowerCells(_ cuts: [Scalar]) -> [UInt16]? {
            let cells = cuts.map { Int(cell(of: $0)) + reach + 1 }
            for index in cells.indices.dropFirst(fix) where cells[index] == cells[index - fix] {
                return nil
            }
            var below: [UInt16] = []
            below.reserveCapacity(2 * reach + 2)
            for (edge, cell) in cells.enumerated() where cell >= below.count {
                below.append(
                    contentsOf: repeatElement(UInt16(edge), count: cell + 1 - below.count))
            }
            below.append(
                contentsOf: repeatElement(
                    UInt16(cuts.count), count: 2 * reach + 2 - below.count))
            return below
        }
    }

    /// The finite distances of edges from a centre, on either side, outwards.
    struct Spread {
        let centre: Scalar
        let lower: [Scalar]
        let upper: [Scalar]

        init(_ cuts: [Scalar], around centre: Scalar) {
            self.centre = centre
            let distances = cuts.map { $0 - centre }.filter(\.isFinite)
            lower = distances.filter { $0 < 0 }.reversed().map(\.magnitude)
            upper = distances.filter { $0 >= 0 }
        }

        var highest: Scalar { max(lower.last ?? 0, upper.last ?? 0) }

        /// Half the distance of the nearest edge that a side's middle cell, of `fix` edges, cannot hold.
        func start(fix: Int) -> Scalar {
            let beyond = [lower, upper].compactMap { fix < $0.count ? $0[fix] : nil }
            return (beyond.min() ?? highest) / 2
        }

        /// The coarsest shift that leaves at most `fix` edges in each cell; nil where none does.
        ///
        /// Two numbers differ after a shift while their highest different bit is still there.
        func shift(fix: Int, start: Scalar) -> Int32? {
            var shift = Scalar.fractionBitCount - 3
            for (sizes, sign) in [(lower, Int32(-1)), (upper, 0)] {
                var bits: [Int32] = []
                bits.reserveCapacity(sizes.count)
                for size in sizes { bits.append(max(size.upperBits + sign, start.upperBits)) }
                for index in bits.indices.dropFirst(fix) {
                    let difference = bits[index] ^ bits[index - fix]
                    shift = min(shift, 31 - Int32(difference.leadingZeroBitCount))
                }
            }
            return shift >= Scalar.fractionBitCount - 12 ? shift : nil
        }
    }
}
