extension EdgeTable {
    /// The bin that stands for NaN, which no comparison stops; above all bins.
    private var missingBin: Int { edges.count + (cells?.fix ?? 1) }
    /// So many more counts than bins take what has no bin.
    static var spareCount: Int { 5 }
    /// Values counted before 16-bit counts in four lanes could overflow, whatever repeats: whole blocks.
    private static var spanCount: Int { 255 * blockCount }

    /// Writes the bin of each value, `UInt16.max` for NaN.
    ///
    /// - Precondition: `bins` is as long as `values`.
    func bins(of values: Span<Scalar>, into bins: inout [UInt16]) {
        precondition(bins.count == values.count, "\(bins.count) bins, \(values.count) values")
        let last = UInt16(edges.count)
        values.withUnsafeBufferPointer { input in
            bins.withUnsafeMutableBufferPointer { output in
                guard let source = input.baseAddress, let bins = output.baseAddress else { return }
                withFinder { finder, _ in
                    for start in stride(from: 0, to: input.count, by: Self.blockCount) {
                        let end = start + min(Self.blockCount, input.count - start)
                        finder.find(source + start, end - start, bins + start)
                        for index in start..<end { bins[index] |= bins[index] > last ? .max : 0 }
                    }
                }
            }
        }
    }

    /// Adds the values to the count of each bin; returns how many were NaN.
    ///
    /// - Precondition: `counts` is [binCount + spareCount].
    func count(_ values: Span<Scalar>, into counts: inout [UInt64]) -> UInt64 {
        precondition(counts.count == edges.count + 1 + Self.spareCount, "\(counts.count) counts")
        values.withUnsafeBufferPointer { input in
            guard let source = input.baseAddress else { return }
            withFinder(laneCount: 4 * counts.count) { finder, lanes in
                guard let target = lanes.baseAddress else { return }
                lanes.initialize(repeating: 0)
                for start in stride(from: 0, to: input.count, by: Self.spanCount) {
                    let total = min(Self.spanCount, input.count - start)
                    finder.count(source + start, total, into: target)
                    Self.flush(lanes, into: &counts)
                }
            }
        }
        defer { counts[missingBin] = 0 }
        return counts[missingBin]
    }

    private static func flush(
        _ lanes: UnsafeMutableBufferPointer<UInt16>, into counts: inout [UInt64]
    ) {
        var lane = 0
        for bin in counts.indices {
            let sum = UInt32(lanes[lane]) &+ UInt32(lanes[lane &+ 1])
            counts[bin] += UInt64(sum &+ UInt32(lanes[lane &+ 2]) &+ UInt32(lanes[lane &+ 3]))
            lane &+= 4
        }
        lanes.update(repeating: 0)
    }

    /// Gives what finds bins, and behind its memory, in one piece with it, a place for counts.
    @inline(__always)
    private func withFinder(
        laneCount: Int = 0,
        _ body: (BlockFinder<Scalar>, UnsafeMutableBufferPointer<UInt16>) -> Void
    ) {
        let byteCount = BlockFinder<Scalar>.byteCount
        withUnsafeTemporaryAllocation(byteCount: byteCount + 2 * laneCount, alignment: 64) {
            memory in
            below.withUnsafeBufferPointer { below in
                cuts.withUnsafeBufferPointer { cuts in
                    guard let finder = BlockFinder(self, below, cuts, memory) else { return }
                    let lanes = UnsafeMutableRawBufferPointer(rebasing: memory[byteCount...])
                    body(finder, lanes.bindMemory(to: UInt16.self))
                }
            }
        }
    }
}
