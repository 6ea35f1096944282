/// This finds bins by a table over equal cells of the edges' core, then a bounded count of the edges that
/// share the value's cell; values outside the core are searched.
///
/// A cell's number is computed in the same way for an edge and for a value, and is monotone, so the result
/// is exact: the table gives the number of edges in lower cells, and at most `fixMax` edges lie in one.
struct EdgeTable: Sendable {
    /// More edges in one cell than this, and the table is not used.
    static let fixMax = 4
    /// The sizes tried, smallest first: up to 128 KiB, which a second-level cache holds.
    static let cellCounts = [1 << 12, 1 << 14, 1 << 16]
    /// Edges left out on each side, tried in turn, so that far tails do not stretch the cells.
    static let tailCounts = [0, 17, 34, 68]

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
                guard let found = Self.core(edges, tail: tail, cellCount: cellCount) else { continue }
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

    func bins(of values: Span<Double>, into bins: inout [UInt16]) {
        var output = bins.mutableSpan
        guard let core else {
            for index in 0..<values.count { output[index] = searched(values[index]) }
            return
        }
        let below = core.below.span
        let cuts = core.padded.span
        let (low, high, scale, fix) = (core.low, core.high, core.scale, core.fix)
        let last = below.count - 1
        for index in 0..<values.count {
            let value = values[index]
            guard value > low, value <= high else {
                output[index] = searched(value)
                continue
            }
            let cell = min(last, Int(truncatingIfNeeded: Int32((value - low) * scale)))
            let start = Int(below[cell])
            var bin = start
            for step in 0..<fix { bin &+= (cuts[start &+ step] < value).bit }
            output[index] = UInt16(truncatingIfNeeded: bin)
        }
    }

    private func searched(_ value: Double) -> UInt16 {
        if value.isNaN { return .max }
        var low = 0
        var high = edges.count
        while low < high {
            let middle = (low + high) / 2
            if edges[middle] < value { low = middle + 1 } else { high = middle }
        }
        return UInt16(low)
    }
}

extension Bool {
    /// LLVM turns `condition ? 1 : 0` in loops into branches; this stays arithmetic.
    @inline(__always) var bit: Int { Int(unsafeBitCast(self, to: UInt8.self)) }
}
