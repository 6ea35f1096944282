/// This is a floating-point type whose values the table bins.
protocol EdgeScalar: BinaryFloatingPoint, Sendable {
    /// The upper 32 bits of the pattern; of positive values they never decrease with the value.
    var upperBits: Int32 { get }
    /// How many of them lie below the exponent.
    static var fractionBitCount: Int32 { get }
    /// The smallest magnitude with these upper bits.
    init(upperBits: Int32)
    /// The largest value that is at most `edge`: no value of this type lies between them.
    static func floor(_ edge: Double) -> Self
}

extension Double: EdgeScalar {
    @inline(__always) var upperBits: Int32 { Int32(truncatingIfNeeded: bitPattern &>> 32) }
    static var fractionBitCount: Int32 { 20 }
    init(upperBits: Int32) { self.init(bitPattern: UInt64(UInt32(bitPattern: upperBits)) << 32) }
    static func floor(_ edge: Double) -> Double { edge }
}

extension Float: EdgeScalar {
    @inline(__always) var upperBits: Int32 { Int32(bitPattern: bitPattern) }
    static var fractionBitCount: Int32 { 23 }
    init(upperBits: Int32) { self.init(bitPattern: UInt32(bitPattern: upperBits)) }
    static func floor(_ edge: Double) -> Float {
        let near = Float(edge)
        return Double(near) > edge ? near.nextDown : near
    }
}

/// This finds bins by a table over cells of the values' bit patterns, then a bounded count of the edges
/// that share the value's cell.
///
/// A cell is a range of bit patterns of |x − centre|, on either side of the centre: so cells are narrow near
/// the centre, where most edges lie, and as wide as the value is far outside, and no tail stretches them.
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
    /// Values treated at once: their bins stay in the first-level cache.
    static var blockCount: Int { 1_024 }

    let edges: [Double]
    /// Nil where no centre spreads the edges over the cells.
    let core: Core?

    struct Core: Sendable {
        var centre: Scalar
        /// Clamp |x − centre|: within `low` of it all is one cell.
        var low: Scalar
        var high: Scalar
        var lowBits: Int32
        var shift: Int32
        var reach: Int
        var fix: Int
        /// [2 · reach + 2]: edges in lower cells.
        var below: [UInt16]
        /// All edges, then `fix` times +∞, which no value exceeds.
        var cuts: [Scalar]

        /// −reach − 1...reach; −1 or 0, by its sign, for NaN.
        ///
        /// What is just below the centre has another cell than the centre, so one repeated value, for
        /// which there are two edges, costs no second comparison.
        @inline(__always)
        func cell(_ value: Scalar) -> Int32 {
            let distance = value - centre
            let size = distance.magnitude
            // In this form a comparison with NaN takes the bound, and each is one instruction.
            let raised = size > low ? size : low
            let clamped = raised < high ? raised : high
            // All ones for a negative distance: then the bounds of a cell belong to it on the upper side, on
            // either side of the centre.
            let sign = distance.upperBits &>> 31
            return ((clamped.upperBits &+ sign &- lowBits) &>> shift) ^ sign
        }
    }

    init(edges: [Double]) {
        self.edges = edges
        let cuts = edges.map(Scalar.floor)
        core = Self.core(cuts)
    }

    private static func core(_ cuts: [Scalar]) -> Core? {
        let centres = centres(cuts)
        var spreads: [Spread] = []
        for (fix, reachMax) in tries {
            for (place, centre) in centres.enumerated() {
                if place == spreads.count { spreads.append(Spread(cuts, around: centre)) }
                if let core = Core(cuts, spreads[place], fix: fix, reachMax: reachMax) {
                    return core
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

extension EdgeTable.Core {
    /// The coarsest cells around a centre that leave at most `fix` edges in each; nil where none do.
    fileprivate init?(
        _ cuts: [Scalar], _ spread: EdgeTable.Spread, fix: Int, reachMax: Int
    ) {
        let start = spread.start(fix: fix)
        guard start > 0, let shift = spread.shift(fix: fix, start: start) else { return nil }
        centre = spread.centre
        high = spread.highest
        self.fix = fix
        self.shift = shift
        // Cells end at round numbers: then an integer and what is just below it lie in two.
        lowBits = (start.upperBits >> shift) << shift
        low = Scalar(upperBits: lowBits + 1)
        reach = Int((high.upperBits - lowBits) >> shift)
        self.cuts = cuts + [Scalar](repeating: .infinity, count: fix)
        below = []
        guard reach <= reachMax, let below = edgesInLowerCells(cuts) else { return nil }
        self.below = below
    }

    /// [2 · reach + 2]; nil where more than `fix` edges share a cell.
    private func edgesInLowerCells(_ cuts: [Scalar]) -> [UInt16]? {
        let cells = cuts.map { Int(cell($0)) + reach + 1 }
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
