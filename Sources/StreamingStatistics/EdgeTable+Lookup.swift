extension EdgeTable {
    /// Writes the bin of each value, `UInt16.max` for NaN.
    ///
    /// - Precondition: `bins` is as long as `values`.
    func bins(of values: Span<Scalar>, into bins: inout [UInt16]) {
        precondition(bins.count == values.count, "\(bins.count) bins, \(values.count) values")
        values.withUnsafeBufferPointer { input in
            bins.withUnsafeMutableBufferPointer { output in
                guard let source = input.baseAddress, let target = output.baseAddress else {
                    return
                }
                Self.withBlocks(input.count) { start, count, cells in
                    find(source + start, count, missing: .max, cells, target + start)
                }
            }
        }
    }

    /// Adds the values to two counts of each bin, because a value that repeats would wait for its own
    /// count to be written; the last two are of NaN.
    ///
    /// - Precondition: `lanes` is [(binCount + 1) · 2].
    func count(_ values: Span<Scalar>, into lanes: inout [UInt32]) {
        let binCount = edges.count + 1
        precondition(lanes.count == 2 * (binCount + 1), "\(lanes.count) counts, \(binCount) bins")
        values.withUnsafeBufferPointer { input in
            lanes.withUnsafeMutableBufferPointer { lanes in
                guard let source = input.baseAddress, let counts = lanes.baseAddress else { return }
                withUnsafeTemporaryAllocation(of: UInt16.self, capacity: Self.blockCount) {
                    buffer in
                    guard let bins = buffer.baseAddress else { return }
                    Self.withBlocks(input.count) { start, count, cells in
                        find(source + start, count, missing: UInt16(binCount), cells, bins)
                        Self.add(bins, count, to: counts)
                    }
                }
            }
        }
    }

    @inline(__always)
    private static func withBlocks(
        _ total: Int, _ body: (_ start: Int, _ count: Int, UnsafeMutablePointer<Int32>) -> Void
    ) {
        withUnsafeTemporaryAllocation(of: Int32.self, capacity: blockCount) { buffer in
            guard let cells = buffer.baseAddress else { return }
            for start in stride(from: 0, to: total, by: blockCount) {
                body(start, min(blockCount, total - start), cells)
            }
        }
    }

    /// Writes the bins of one block.
    private func find(
        _ source: UnsafePointer<Scalar>, _ count: Int, missing: UInt16,
        _ cells: UnsafeMutablePointer<Int32>, _ bins: UnsafeMutablePointer<UInt16>
    ) {
        guard let core else {
            search(source, count, bins)
            for index in 0..<count where source[index].isNaN { bins[index] = missing }
            return
        }
        // The work is split in loops that do one thing: the first then runs on vectors, and the second
        // keeps all that it needs in registers.
        let hasMissing = core.findCells(source, count, cells)
        switch core.fix {
        case 1: core.lookUp(source, count, cells, fix: 1, bins)
        case 2: core.lookUp(source, count, cells, fix: 2, bins)
        case 3: core.lookUp(source, count, cells, fix: 3, bins)
        default: core.lookUp(source, count, cells, fix: 4, bins)
        }
        guard hasMissing else { return }
        for index in 0..<count where source[index].isNaN { bins[index] = missing }
    }

    @inline(__always)
    private static func add(
        _ bins: UnsafePointer<UInt16>, _ count: Int, to counts: UnsafeMutablePointer<UInt32>
    ) {
        var index = 0
        while index &+ 4 <= count {
            counts[2 &* Int(bins[index])] &+= 1
            counts[2 &* Int(bins[index &+ 1]) &+ 1] &+= 1
            counts[2 &* Int(bins[index &+ 2])] &+= 1
            counts[2 &* Int(bins[index &+ 3]) &+ 1] &+= 1
            index &+= 4
        }
        while index < count {
            counts[2 &* Int(bins[index])] &+= 1
            index &+= 1
        }
    }

    /// Halves the edges in the same steps for four values at once.
    ///
    /// So nothing is mispredicted, and the loads of the four overlap. They are compared as a vector,
    /// because LLVM makes branches of scalar masks.
    private func search(
        _ source: UnsafePointer<Scalar>, _ count: Int, _ bins: UnsafeMutablePointer<UInt16>
    ) {
        let cuts = edges.span
        for index in stride(from: 0, to: count, by: 4) {
            let last = count &- 1
            let places = (
                index, min(index &+ 1, last), min(index &+ 2, last), min(index &+ 3, last)
            )
            let four = SIMD4(
                Double(source[places.0]), Double(source[places.1]), Double(source[places.2]),
                Double(source[places.3]))
            var found = SIMD4<Int64>.zero
            var left = cuts.count
            while left > 0 {
                let half = (left &+ 1) / 2
                let probe = found &+ Int64(half &- 1)
                let cut = SIMD4(
                    cuts[Int(probe.x)], cuts[Int(probe.y)], cuts[Int(probe.z)],
                    cuts[Int(probe.w)])
                found &+= unsafeBitCast(cut .< four, to: SIMD4<Int64>.self) & Int64(half)
                left &-= half
            }
            bins[places.0] = UInt16(truncatingIfNeeded: found.x)
            bins[places.1] = UInt16(truncatingIfNeeded: found.y)
            bins[places.2] = UInt16(truncatingIfNeeded: found.z)
            bins[places.3] = UInt16(truncatingIfNeeded: found.w)
        }
    }
}

extension EdgeTable.Core {
    /// Writes the cells of a block; true when there is a NaN.
    @inline(__always)
    fileprivate func findCells(
        _ source: UnsafePointer<Scalar>, _ count: Int, _ cells: UnsafeMutablePointer<Int32>
    ) -> Bool {
        // As wide as a cell, so that a vector's lanes fit.
        var missing: Int32 = 0
        for index in 0..<count {
            let value = source[index]
            missing |= Int32(truncatingIfNeeded: (value != value).bit)
            cells[index] = cell(value)
        }
        return missing != 0
    }

    @inline(__always)
    fileprivate func lookUp(
        _ source: UnsafePointer<Scalar>, _ count: Int, _ cells: UnsafePointer<Int32>, fix: Int,
        _ bins: UnsafeMutablePointer<UInt16>
    ) {
        below.withUnsafeBufferPointer { below in
            cuts.withUnsafeBufferPointer { cuts in
                guard let first = below.baseAddress, let cuts = cuts.baseAddress else { return }
                let table = first + (reach + 1)
                var index = 0
                // Four at once, because the loop's own instructions are a third of the work.
                while index &+ 4 <= count {
                    for place in index..<index &+ 4 {
                        bins[place] = Self.bin(source[place], cells[place], table, cuts, fix)
                    }
                    index &+= 4
                }
                while index < count {
                    bins[index] = Self.bin(source[index], cells[index], table, cuts, fix)
                    index &+= 1
                }
            }
        }
    }

    @inline(__always)
    private static func bin(
        _ value: Scalar, _ cell: Int32, _ table: UnsafePointer<UInt16>,
        _ cuts: UnsafePointer<Scalar>, _ fix: Int
    ) -> UInt16 {
        let start = Int(table[Int(cell)])
        var bin = start
        // The negation is one instruction less than `<`.
        for step in 0..<fix { bin &+= (!(cuts[start &+ step] >= value)).bit }
        return UInt16(truncatingIfNeeded: bin)
    }
}

extension Bool {
    /// LLVM turns `condition ? 1 : 0` in loops into branches; this stays arithmetic.
    @inline(__always) var bit: Int { Int(unsafeBitCast(self, to: UInt8.self)) }
}
