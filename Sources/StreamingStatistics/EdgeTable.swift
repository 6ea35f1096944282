/// This finds bins by a table over equal cells of the edges' core, then a bounded count of the edges that
/// share the value's cell; blocks with many values outside the core are searched without branches.
///
/// A cell's number is computed in the same way for an edge and for a value, and is monotone, so the result
/// is exact: the table gives the number of edges in lower cells, and at most `fixMax` edges lie in one.
struct EdgeTable: Sendable {
    /// More edges in one cell than this, and the table is not used.
    static let fixMax = 4
    /// The sizes tried, smallest first: up to 128 KiB, which a second-level cache holds.
    static let cellCounts = [1 << 12, 1 << 14, 1 << 16]
    /// Edges left out on each side, tried in turn, so that far tails do not stretch the cells.
    ///
    /// The second keeps the nearest tail edge: then the reference's own range is inside.
    static let tailCounts = [0, BinEdges.tailBinCount - 1, 32, 64]
    /// Values treated alike: by the table when nearly all lie in the core, else by search.
    static let blockCount = 512
    /// One of so many values of a block may lie outside the core: more, and mispredicted branches
    /// cost more than searching the whole block.
    static let outsideShare = 16

    private let edges: [Double]
    private var core: Core?

    private struct Core: Sendable {
        var low: Double
        var high: Double
        var scale: Double
        var fix: Int
        /// Edges in lower cells, for each cell.
        var below: [UInt16]
        /// `edges`, then `fix` times NaN, which compares false.
        var padded: [Double]
    }

    init(edges: [Double]) {
        self.edges = edges
        for tail in Self.tailCounts where edges.count > 2 * tail + 1 {
            for cellCount in Self.cellCounts {
                guard let found = Self.core(edges, tail: tail, cellCount: cellCount) else {
                    continue
                }
                core = found
                return
            }
        }
    }

    private static func core(_ edges: [Double], tail: Int, cellCount: Int) -> Core? {
        let low = edges[tail]
        let high = edges[edges.count - 1 - tail]
        let scale = Double(cellCount - 1) / (high - low)
        guard scale.isFinite, scale > 0, (high - low).isFinite else { return nil }
        var counts = [Int](repeating: 0, count: cellCount)
        for edge in edges where edge > low && edge <= high {
            counts[min(cellCount - 1, Int((edge - low) * scale))] += 1
        }
        let fix = counts.max() ?? 0
        guard fix <= fixMax else { return nil }
        var below: [UInt16] = []
        below.reserveCapacity(cellCount)
        var sum = tail + 1
        for count in counts {
            below.append(UInt16(sum))
            sum += count
        }
        return Core(
            low: low, high: high, scale: scale, fix: fix, below: below,
            padded: edges + [Double](repeating: .nan, count: fix))
    }

    /// Writes the bin of each value, `UInt16.max` for NaN.
    ///
    /// - Precondition: `bins` is as long as `values`.
    func bins(of values: Span<Double>, into bins: inout [UInt16]) {
        precondition(bins.count == values.count, "\(bins.count) bins, \(values.count) values")
        var output = bins.mutableSpan
        guard let core else {
            search(values, 0..<values.count, &output)
            return
        }
        var start = 0
        while start < values.count {
            let block = start..<min(values.count, start + Self.blockCount)
            var outside = 0
            for index in block {
                let value = values[index]
                outside &+= 1 &- (value > core.low).bit & (value <= core.high).bit
            }
            if outside * Self.outsideShare > block.count {
                search(values, block, &output)
            } else if core.fix == 1 {
                lookUp(values, block, core, fix: 1, &output)
            } else {
                lookUp(values, block, core, fix: core.fix, &output)
            }
            start = block.upperBound
        }
    }

    // Inlined, so that the usual `fix` of 1 becomes a loop without an inner loop.
    @inline(__always)
    private func lookUp(
        _ values: Span<Double>, _ block: Range<Int>, _ core: borrowing Core, fix: Int,
        _ output: inout MutableSpan<UInt16>
    ) {
        let below = core.below.span
        let cuts = core.padded.span
        let (low, high, scale) = (core.low, core.high, core.scale)
        let last = below.count - 1
        for index in block {
            let value = values[index]
            guard value > low, value <= high else {
                search(values, index..<index + 1, &output)
                continue
            }
            let cell = min(last, Int(truncatingIfNeeded: Int32((value - low) * scale)))
            let start = Int(below[cell])
            var bin = start
            for step in 0..<fix { bin &+= (cuts[start &+ step] < value).bit }
            output[index] = UInt16(truncatingIfNeeded: bin)
        }
    }

    /// Halves the edges in the same steps for four values at once.
    ///
    /// So nothing is mispredicted, and the loads of the four overlap. They are compared as a vector,
    /// because LLVM makes branches of scalar masks.
    private func search(
        _ values: Span<Double>, _ block: Range<Int>, _ output: inout MutableSpan<UInt16>
    ) {
        let cuts = edges.span
        var index = block.lowerBound
        while index < block.upperBound {
            let last = block.upperBound &- 1
            let (i1, i2, i3) = (
                min(index &+ 1, last), min(index &+ 2, last), min(index &+ 3, last)
            )
            let four = SIMD4(values[index], values[i1], values[i2], values[i3])
            var bins = SIMD4<Int64>.zero
            var count = cuts.count
            while count > 0 {
                let half = (count &+ 1) / 2
                let probe = bins &+ Int64(half &- 1)
                let cut = SIMD4(
                    cuts[Int(probe.x)], cuts[Int(probe.y)], cuts[Int(probe.z)],
                    cuts[Int(probe.w)])
                let isBelow = unsafeBitCast(cut .< four, to: SIMD4<Int64>.self)
                bins &+= isBelow & Int64(half)
                count &-= half
            }
            // All ones for NaN.
            bins |= unsafeBitCast(four .!= four, to: SIMD4<Int64>.self)
            output[index] = UInt16(truncatingIfNeeded: bins.x)
            output[i1] = UInt16(truncatingIfNeeded: bins.y)
            output[i2] = UInt16(truncatingIfNeeded: bins.z)
            output[i3] = UInt16(truncatingIfNeeded: bins.w)
            index &+= 4
        }
    }
}

extension Bool {
    /// LLVM turns `condition ? 1 : 0` in loops into branches; this stays arithmetic.
    @inline(__always) var bit: Int { Int(unsafeBitCast(self, to: UInt8.self)) }
}
