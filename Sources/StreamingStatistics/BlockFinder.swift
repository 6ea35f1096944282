internal import CPrefetch

/// This is a table at hand, with the memory to find the bins of a block of values.
///
/// A loop does one thing, or things that do not wait for each other.
struct BlockFinder<Scalar: EdgeScalar> {
    /// Nil where edges are searched.
    private let cells: EdgeTable<Scalar>.Cells?
    private let table: Table
    private let edgeCount: Int
    /// Of two blocks, one behind the other: [blockCount] cells, then [blockCount] bins.
    ///
    /// So what is read of one block and what is written of another lie one and a half pages apart: a
    /// processor that knows places by their address in the page would wait, at whole pages, for each write.
    private let blocks: (UnsafeMutableRawPointer, UnsafeMutableRawPointer)

    private struct Table {
        /// The entry of cell 0.
        let below: UnsafePointer<UInt16>
        let cuts: UnsafePointer<Scalar>
    }

    private static var size: Int { EdgeTable<Scalar>.blockCount }
    /// Of the memory that is needed.
    static var byteCount: Int { 12 * size }

    /// Nil when a buffer is empty.
    ///
    /// - Precondition: the memory is at least `byteCount` long.
    @inline(__always)
    init?(
        _ table: EdgeTable<Scalar>, _ below: UnsafeBufferPointer<UInt16>,
        _ cuts: UnsafeBufferPointer<Scalar>, _ memory: UnsafeMutableRawBufferPointer
    ) {
        guard let below = below.baseAddress, let cuts = cuts.baseAddress,
            let base = memory.baseAddress
        else { return nil }
        cells = table.cells
        self.table = Table(below: below + (table.cells.map { $0.reach + 1 } ?? 0), cuts: cuts)
        edgeCount = table.edges.count
        blocks = (base, base + 6 * Self.size)
    }

    /// Writes the bins of at most a block; of NaN, one above all bins.
    func find(
        _ source: UnsafePointer<Scalar>, _ count: Int, _ bins: UnsafeMutablePointer<UInt16>
    ) {
        guard let cells else { return search(source, count, bins) }
        Self.findCells(source, count, cells, blocks.0)
        let bins = UnsafeMutableRawPointer(bins)
        switch cells.fix {
        case 1: Self.lookUp(source, count, blocks.0, table, fix: 1, bins)
        case 2: Self.lookUp(source, count, blocks.0, table, fix: 2, bins)
        case 3: Self.lookUp(source, count, blocks.0, table, fix: 3, bins)
        default: Self.lookUp(source, count, blocks.0, table, fix: 4, bins)
        }
    }

    /// Counts values in four lanes of each bin.
    func count(
        _ source: UnsafePointer<Scalar>, _ total: Int, into lanes: UnsafeMutablePointer<UInt16>
    ) {
        let size = Self.size
        var start = 0
        // More comparisons would need more registers than there are for all work at once.
        if let cells, cells.fix <= 2, total >= size {
            start = total / size * size
            let spare = UInt16(edgeCount + 3)
            switch cells.fix {
            case 1:
                Self.countBlocks(source, total / size, cells, table, fix: 1, blocks, spare, lanes)
            default:
                Self.countBlocks(source, total / size, cells, table, fix: 2, blocks, spare, lanes)
            }
        }
        let bins = blocks.0 + 4 * size
        while start < total {
            let count = min(size, total - start)
            find(source + start, count, bins.bindMemory(to: UInt16.self, capacity: size))
            Self.add(bins, count, to: lanes)
            start += count
        }
    }
}

extension BlockFinder {
    /// Counts whole blocks.
    ///
    /// Three are under way: of the next one cells are computed, of this one bins are found, and of the one
    /// before they are counted. So nothing waits for what has just been written, nor for a count whose
    /// place is not known yet, and work on vectors fills the time of the loads.
    @inline(__always)
    private static func countBlocks(
        _ source: UnsafePointer<Scalar>, _ blockCount: Int, _ cells: EdgeTable<Scalar>.Cells,
        _ table: Table, fix: Int, _ blocks: (UnsafeMutableRawPointer, UnsafeMutableRawPointer),
        _ spare: UInt16, _ lanes: UnsafeMutablePointer<UInt16>
    ) {
        let size = Self.size
        var (this, other) = blocks
        // Before the first block there is none: its bins are one that nobody reads.
        for index in 0..<size {
            other.storeBytes(of: spare, toByteOffset: 4 * size + 2 * index, as: UInt16.self)
        }
        findCells(source, size, cells, this)
        for block in 0..<blockCount - 1 {
            let values = source + block * size
            var index = 0
            while index < size {
                // The processor's own prefetching ends with a page, and a block often is one.
                prefetch(values + (index &+ 2 &* size))
                four(values, index, this, table, fix: fix, this + 4 * size)
                addFour(other + 4 * size, index, to: lanes)
                storeCells(values + size, index, cells, other)
                let half = index &+ 4
                four(values, half, this, table, fix: fix, this + 4 * size)
                addFour(other + 4 * size, half, to: lanes)
                storeCells(values + size, half, cells, other)
                index &+= 8
            }
            swap(&this, &other)
        }
        add(other + 4 * size, size, to: lanes)
        lookUp(
            source + (blockCount - 1) * size, size, this, table, fix: fix, this + 4 * size)
        add(this + 4 * size, size, to: lanes)
    }

    @inline(__always)
    private static func findCells(
        _ source: UnsafePointer<Scalar>, _ count: Int, _ cells: EdgeTable<Scalar>.Cells,
        _ places: UnsafeMutableRawPointer
    ) {
        var index = 0
        while index &+ 4 <= count {
            storeCells(source, index, cells, places)
            index &+= 4
        }
        while index < count {
            places.storeBytes(
                of: cells.cell(of: source[index]), toByteOffset: 4 &* index, as: Int32.self)
            index &+= 1
        }
    }

    @inline(__always)
    private static func storeCells(
        _ source: UnsafePointer<Scalar>, _ index: Int, _ cells: EdgeTable<Scalar>.Cells,
        _ places: UnsafeMutableRawPointer
    ) {
        let values = UnsafeRawPointer(source + index).loadUnaligned(as: SIMD4<Scalar>.self)
        places.storeBytes(
            of: cells.cells(of: values), toByteOffset: 4 &* index, as: SIMD4<Int32>.self)
    }

    @inline(__always)
    private static func lookUp(
        _ source: UnsafePointer<Scalar>, _ count: Int, _ places: UnsafeMutableRawPointer,
        _ table: Table, fix: Int, _ bins: UnsafeMutableRawPointer
    ) {
        var index = 0
        while index &+ 4 <= count {
            four(source, index, places, table, fix: fix, bins)
            index &+= 4
        }
        while index < count {
            let cell = places.load(fromByteOffset: 4 &* index, as: Int32.self)
            let start = Int(table.below[Int(cell)])
            var bin = start
            // In this form NaN passes.
            for step in 0..<fix { bin &+= (!(table.cuts[start &+ step] >= source[index])).bit }
            bins.storeBytes(
                of: UInt16(truncatingIfNeeded: bin), toByteOffset: 2 &* index, as: UInt16.self)
            index &+= 1
        }
    }

    /// Writes the bins of four values.
    ///
    /// What takes the time is the number of loads: so cells are loaded in pairs, values and bins in fours.
    @inline(__always)
    private static func four(
        _ source: UnsafePointer<Scalar>, _ index: Int, _ places: UnsafeMutableRawPointer,
        _ table: Table, fix: Int, _ bins: UnsafeMutableRawPointer
    ) {
        let first = places.loadUnaligned(fromByteOffset: 4 &* index, as: Int64.self)
        let second = places.loadUnaligned(fromByteOffset: 4 &* index &+ 8, as: Int64.self)
        let (below, cuts) = (table.below, table.cuts)
        let a = Int(below[Int(Int32(truncatingIfNeeded: first))])
        let b = Int(below[Int(first &>> 32)])
        let c = Int(below[Int(Int32(truncatingIfNeeded: second))])
        let d = Int(below[Int(second &>> 32)])
        let values = UnsafeRawPointer(source + index).loadUnaligned(as: SIMD4<Scalar>.self)
        let starts = UInt64(truncatingIfNeeded: a | b &<< 16 | c &<< 32 | d &<< 48)
        var found = unsafeBitCast(starts, to: SIMD4<UInt16>.self)
        for step in 0..<fix {
            let cut = SIMD4(
                cuts[a &+ step], cuts[b &+ step], cuts[c &+ step], cuts[d &+ step])
            found &-= Scalar.masks(cut, notAtLeast: values)
        }
        bins.storeBytes(of: found, toByteOffset: 2 &* index, as: SIMD4<UInt16>.self)
    }

    @inline(__always)
    private static func add(
        _ bins: UnsafeMutableRawPointer, _ count: Int, to lanes: UnsafeMutablePointer<UInt16>
    ) {
        var index = 0
        while index &+ 4 <= count {
            addFour(bins, index, to: lanes)
            index &+= 4
        }
        while index < count {
            lanes[4 &* Int(bins.load(fromByteOffset: 2 &* index, as: UInt16.self))] &+= 1
            index &+= 1
        }
    }

    /// Counts four, each in a lane of its own, because a value that repeats would wait for its own count to be
    /// written.
    @inline(__always)
    private static func addFour(
        _ bins: UnsafeMutableRawPointer, _ index: Int, to lanes: UnsafeMutablePointer<UInt16>
    ) {
        let bins = bins + 2 &* index
        lanes[4 &* Int(bins.load(as: UInt16.self))] &+= 1
        lanes[4 &* Int(bins.load(fromByteOffset: 2, as: UInt16.self)) &+ 1] &+= 1
        lanes[4 &* Int(bins.load(fromByteOffset: 4, as: UInt16.self)) &+ 2] &+= 1
        lanes[4 &* Int(bins.load(fromByteOffset: 6, as: UInt16.self)) &+ 3] &+= 1
    }

    /// Halves the edges in the same steps for four values at once.
    ///
    /// So nothing is mispredicted, and the loads of the four overlap. They are compared as a vector,
    /// because LLVM makes branches of scalar masks.
    private func search(
        _ source: UnsafePointer<Scalar>, _ count: Int, _ bins: UnsafeMutablePointer<UInt16>
    ) {
        for index in stride(from: 0, to: count, by: 4) {
            let last = count &- 1
            let places = SIMD4(
                index, min(index &+ 1, last), min(index &+ 2, last), min(index &+ 3, last))
            let four = SIMD4(
                source[places.x], source[places.y], source[places.z], source[places.w])
            var found = SIMD4<Int>.zero
            var left = edgeCount
            while left > 0 {
                let half = (left &+ 1) / 2
                let probe = found &+ (half &- 1)
                let cut = SIMD4(
                    table.cuts[probe.x], table.cuts[probe.y], table.cuts[probe.z],
                    table.cuts[probe.w])
                let masks = SIMD4<Int>(truncatingIfNeeded: Scalar.masks(cut, notAtLeast: four))
                found &+= (0 &- (masks & 1)) & half
                left &-= half
            }
            for lane in 0..<4 {
                let place = places[lane]
                bins[place] = UInt16(
                    truncatingIfNeeded: source[place].isNaN ? edgeCount &+ 1 : found[lane])
            }
        }
    }
}

extension Bool {
    /// LLVM turns `condition ? 1 : 0` in loops into branches; this stays arithmetic.
    @inline(__always) var bit: Int { Int(unsafeBitCast(self, to: UInt8.self)) }
}
