/// This is a count per bin: sparse while few bins are touched, dense beyond; mergeable in any order.
public struct BinCounts: Equatable, Sendable {
    /// Touched bins above which counts are kept densely.
    static let sparseCountMax = 48

    /// The number of bins, touched or not.
    public let binCount: Int
    /// The sum over all bins.
    public private(set) var total: UInt64 = 0
    private var storage: Storage = .sparse([])

    private enum Storage: Sendable {
        /// (bin, count), sorted by bin.
        case sparse([Entry])
        /// [binCount]
        case dense([UInt64])
    }

    private struct Entry: Sendable {
        var bin: UInt32
        var count: UInt64
    }

    /// Starts with zeros, and allocates nothing.
    ///
    /// - Precondition: `binCount` is positive.
    public init(binCount: Int) {
        precondition(binCount > 0, "binCount \(binCount)")
        self.binCount = binCount
    }

    /// True when both have the same counts, however they are kept.
    public static func == (left: Self, right: Self) -> Bool {
        left.binCount == right.binCount && left.total == right.total
            && left.dense() == right.dense()
    }

    /// Counts one bin.
    ///
    /// - Precondition: `bin` is in 0..<binCount.
    public mutating func add(_ bin: Int, count: UInt64 = 1) {
        precondition(bin >= 0 && bin < binCount, "bin \(bin) of \(binCount)")
        guard count > 0 else { return }
        total += count
        switch storage {
        case .dense(var counts):
            storage = .sparse([])
            counts[bin] += count
            storage = .dense(counts)
        case .sparse(var entries):
            storage = .sparse([])
            let place = entries.partitioningIndex { $0.bin >= UInt32(bin) }
            if place < entries.count, entries[place].bin == UInt32(bin) {
                entries[place].count += count
            } else {
                entries.insert(Entry(bin: UInt32(bin), count: count), at: place)
            }
            storage = .sparse(entries)
            if entries.count > Self.sparseCountMax { densify() }
        }
    }

    /// Adds one to each bin named; `UInt16.max` stands for a missing value and is passed over.
    ///
    /// - Precondition: every other entry is in 0..<binCount.
    public mutating func add(bins: Span<UInt16>) {
        if bins.count > Self.sparseCountMax { densify() }
        guard case .dense(var counts) = storage else {
            for index in 0..<bins.count where bins[index] != .max { add(Int(bins[index])) }
            return
        }
        storage = .sparse([])
        var added: UInt64 = 0
        var output = counts.mutableSpan
        for index in 0..<bins.count where bins[index] != .max {
            output[Int(bins[index])] += 1
            added += 1
        }
        total += added
        storage = .dense(counts)
    }

    /// Counts values themselves; returns how many were NaN, which have no bin.
    ///
    /// - Precondition: `edges` have these bins.
    /// - Complexity: O(values + binCount); for a few values `bins(of:into:)` is cheaper.
    public mutating func add(_ values: Span<Double>, edges: BinEdges) -> UInt64 {
        precondition(edges.binCount == binCount, "\(edges.binCount) and \(binCount) bins")
        return add { edges.count(values, into: &$0) }
    }

    /// The same for values of single precision.
    ///
    /// - Precondition: `edges` have these bins.
    public mutating func add(_ values: Span<Float>, edges: NarrowBinEdges) -> UInt64 {
        precondition(edges.edges.binCount == binCount, "\(edges.edges.binCount), \(binCount) bins")
        return add { edges.count(values, into: &$0) }
    }

    private mutating func add(_ count: (inout [UInt64]) -> UInt64) -> UInt64 {
        var counts = [UInt64](repeating: 0, count: binCount + BinEdges.spareCount)
        let missing = count(&counts)
        counts.removeLast(BinEdges.spareCount)
        merge(counts)
        return missing
    }

    /// Takes one back.
    ///
    /// - Precondition: The bin's count is positive.
    public mutating func remove(_ bin: Int) {
        precondition(self[bin] > 0, "bin \(bin) is empty")
        total -= 1
        switch storage {
        case .dense(var counts):
            storage = .sparse([])
            counts[bin] -= 1
            storage = .dense(counts)
        case .sparse(var entries):
            storage = .sparse([])
            let place = entries.partitioningIndex { $0.bin >= UInt32(bin) }
            entries[place].count -= 1
            if entries[place].count == 0 { entries.remove(at: place) }
            storage = .sparse(entries)
        }
    }

    /// Adds what another one has counted.
    ///
    /// - Precondition: both have the same bins.
    public mutating func merge(_ other: Self) {
        precondition(binCount == other.binCount, "\(binCount) and \(other.binCount) bins")
        if case .dense(let counts) = other.storage {
            densify()
            merge(counts)
        } else {
            other.forEachNonZero { add($0, count: $1) }
        }
    }

    /// Adds [binCount] counts; they stay sparse where few bins are touched.
    private mutating func merge(_ counts: [UInt64]) {
        let touched = counts.count { $0 > 0 }
        if touched > Self.sparseCountMax { densify() }
        guard case .dense(var own) = storage else {
            for bin in counts.indices { add(bin, count: counts[bin]) }
            return
        }
        storage = .sparse([])
        for bin in counts.indices {
            own[bin] += counts[bin]
            total += counts[bin]
        }
        storage = .dense(own)
    }

    /// This is the count of one bin.
    ///
    /// - Precondition: `bin` is in 0..<binCount.
    public subscript(bin: Int) -> UInt64 {
        precondition(bin >= 0 && bin < binCount, "bin \(bin) of \(binCount)")
        switch storage {
        case .dense(let counts): return counts[bin]
        case .sparse(let entries):
            let place = entries.partitioningIndex { $0.bin >= UInt32(bin) }
            return place < entries.count && entries[place].bin == UInt32(bin)
                ? entries[place].count : 0
        }
    }

    /// Visits the touched bins in order.
    public func forEachNonZero(_ body: (Int, UInt64) -> Void) {
        switch storage {
        case .dense(let counts):
            for bin in 0..<binCount where counts[bin] > 0 { body(bin, counts[bin]) }
        case .sparse(let entries):
            for entry in entries { body(Int(entry.bin), entry.count) }
        }
    }

    /// This is every bin's count, [binCount], where many bins are touched, without a copy; nil else.
    public var denseCounts: [UInt64]? {
        if case .dense(let counts) = storage { counts } else { nil }
    }

    /// This is every bin's count, [binCount].
    public func dense() -> [UInt64] {
        if let denseCounts { return denseCounts }
        var counts = [UInt64](repeating: 0, count: binCount)
        forEachNonZero { counts[$0] = $1 }
        return counts
    }

    private mutating func densify() {
        guard case .sparse = storage else { return }
        storage = .dense(dense())
    }
}

extension Array {
    /// This is the first index whose element satisfies a predicate that is false, then true.
    fileprivate func partitioningIndex(_ predicate: (Element) -> Bool) -> Int {
        var low = 0
        var high = count
        while low < high {
            let middle = (low + high) / 2
            if predicate(self[middle]) { high = middle } else { low = middle + 1 }
        }
        return low
    }
}
