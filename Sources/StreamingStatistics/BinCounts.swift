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
        /// [binCount], while no count can be larger: the total is not.
        ///
        /// A pane of a minute holds a thousand rows or so, and there are many panes: most of what a
        /// monitor remembers is these.
        case narrow([UInt16])
        /// [binCount]
        case wide([UInt64])
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

    /// Starts with a count for each bin.
    ///
    /// - Precondition: There is one at least, and their sum is in the range of 64 bits.
    public init(_ counts: [UInt64]) {
        self.init(binCount: counts.count)
        merge(counts, total: counts.reduce(0, +))
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
        widen(for: count)
        total += count
        switch storage {
        case .narrow(var counts):
            storage = .sparse([])
            counts[bin] += UInt16(truncatingIfNeeded: count)
            storage = .narrow(counts)
        case .wide(var counts):
            storage = .sparse([])
            counts[bin] += count
            storage = .wide(counts)
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
        widen(for: UInt64(bins.count))
        switch storage {
        case .narrow(var counts):
            storage = .sparse([])
            total += Self.add(bins, to: &counts)
            storage = .narrow(counts)
        case .wide(var counts):
            storage = .sparse([])
            total += Self.add(bins, to: &counts)
            storage = .wide(counts)
        case .sparse:
            for index in 0..<bins.count where bins[index] != .max { add(Int(bins[index])) }
        }
    }

    private static func add<Count: FixedWidthInteger>(
        _ bins: Span<UInt16>, to counts: inout [Count]
    ) -> UInt64 {
        var added: UInt64 = 0
        var output = counts.mutableSpan
        for index in 0..<bins.count where bins[index] != .max {
            output[Int(bins[index])] += 1
            added += 1
        }
        return added
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
        merge(counts, total: counts.reduce(0, +))
        return missing
    }

    /// Takes one back.
    ///
    /// - Precondition: The bin's count is positive.
    public mutating func remove(_ bin: Int) {
        precondition(self[bin] > 0, "bin \(bin) is empty")
        total -= 1
        switch storage {
        case .narrow(var counts):
            storage = .sparse([])
            counts[bin] -= 1
            storage = .narrow(counts)
        case .wide(var counts):
            storage = .sparse([])
            counts[bin] -= 1
            storage = .wide(counts)
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
        switch other.storage {
        case .narrow(let counts):
            densify()
            merge(counts, total: other.total)
        case .wide(let counts):
            densify()
            merge(counts, total: other.total)
        case .sparse: other.forEachNonZero { add($0, count: $1) }
        }
    }

    /// Adds [binCount] counts; they stay sparse where few bins are touched.
    private mutating func merge<Count: FixedWidthInteger & UnsignedInteger>(
        _ counts: [Count], total added: UInt64
    ) {
        if counts.count(where: { $0 > 0 }) > Self.sparseCountMax { densify() }
        widen(for: added)
        switch storage {
        case .narrow(var own):
            storage = .sparse([])
            // The total fits, so every count does.
            for bin in counts.indices { own[bin] += UInt16(truncatingIfNeeded: counts[bin]) }
            storage = .narrow(own)
            total += added
        case .wide(var own):
            storage = .sparse([])
            for bin in counts.indices { own[bin] += UInt64(counts[bin]) }
            storage = .wide(own)
            total += added
        case .sparse:
            for bin in counts.indices { add(bin, count: UInt64(counts[bin])) }
        }
    }

    /// This is the count of one bin.
    ///
    /// - Precondition: `bin` is in 0..<binCount.
    public subscript(bin: Int) -> UInt64 {
        precondition(bin >= 0 && bin < binCount, "bin \(bin) of \(binCount)")
        switch storage {
        case .narrow(let counts): return UInt64(counts[bin])
        case .wide(let counts): return counts[bin]
        case .sparse(let entries):
            let place = entries.partitioningIndex { $0.bin >= UInt32(bin) }
            return place < entries.count && entries[place].bin == UInt32(bin)
                ? entries[place].count : 0
        }
    }

    /// Visits the touched bins in order.
    public func forEachNonZero(_ body: (Int, UInt64) -> Void) {
        switch storage {
        case .narrow(let counts):
            for bin in 0..<binCount where counts[bin] > 0 { body(bin, UInt64(counts[bin])) }
        case .wide(let counts):
            for bin in 0..<binCount where counts[bin] > 0 { body(bin, counts[bin]) }
        case .sparse(let entries):
            for entry in entries { body(Int(entry.bin), entry.count) }
        }
    }

    /// This is every bin's count, [binCount], where many bins are touched and the total is at most 65,535;
    /// nil else.
    public var narrowCounts: [UInt16]? {
        switch storage {
        case .narrow(let counts): counts
        case .wide(let counts) where total <= UInt64(UInt16.max):
            counts.map { UInt16(truncatingIfNeeded: $0) }
        case .wide, .sparse: nil
        }
    }

    /// This is every bin's count, [binCount].
    public func dense() -> [UInt64] {
        switch storage {
        case .wide(let counts): return counts
        case .narrow(let counts): return counts.map { UInt64($0) }
        case .sparse(let entries):
            var counts = [UInt64](repeating: 0, count: binCount)
            for entry in entries { counts[Int(entry.bin)] = entry.count }
            return counts
        }
    }

    private mutating func densify() {
        guard case .sparse(let entries) = storage else { return }
        guard total <= UInt64(UInt16.max) else {
            storage = .wide(dense())
            return
        }
        var counts = [UInt16](repeating: 0, count: binCount)
        for entry in entries { counts[Int(entry.bin)] = UInt16(truncatingIfNeeded: entry.count) }
        storage = .narrow(counts)
    }

    /// Makes room for a larger total.
    private mutating func widen(for added: UInt64) {
        guard case .narrow = storage, total + added > UInt64(UInt16.max) else { return }
        storage = .wide(dense())
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
