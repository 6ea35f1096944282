/// This is places of records in the order of their identities.
///
/// A sort moves words of eight bytes and no record. The memory is kept for the next one: fresh pages
/// would cost as much as the sort.
struct IdentityOrder: Sendable {
    /// So many records can be sorted: a place has 24 bits beside 40 of the identity.
    static let countMax = 1 << 24
    private static let placeMask: UInt64 = 1 << 24 - 1
    /// Identities that are spread evenly leave no more in a bucket; others are sorted by comparing.
    private static let bucketCountMax = 64

    /// How many places there are.
    private(set) var count = 0
    /// The first `count` are sorted: 40 bits of an identity, then its record's place.
    private var keys: [UInt64] = []
    /// Where each bucket ends, while sorting.
    private var ends: [UInt32] = []

    /// The place of a record, by its key.
    @inline(__always)
    static func place(_ key: UInt64) -> Int { Int(truncatingIfNeeded: key & placeMask) }

    /// Shows the keys in order.
    func withKeys<Result>(_ body: (UnsafeBufferPointer<UInt64>) -> Result) -> Result {
        keys.withUnsafeBufferPointer { body(UnsafeBufferPointer(rebasing: $0[..<count])) }
    }

    /// Sorts the places that are taken: into buckets by the top bits, then each bucket by itself.
    ///
    /// Of equal identities the earlier place comes first.
    /// - Precondition: at most `countMax` records, whose identities have the same first `prefixBits` bits.
    @inline(__always)
    mutating func sort(
        _ cores: UnsafeBufferPointer<JoinRecord.Core>, behind prefixBits: UInt64 = 0,
        where isTaken: (_ place: Int) -> Bool
    ) {
        precondition(cores.count <= Self.countMax, "\(cores.count) records to sort")
        let bits = max(1, Int.bitWidth - 1 - (cores.count / 2).leadingZeroBitCount)
        let shift = UInt64(64 - bits)
        if ends.count < 1 << bits { ends = [UInt32](repeating: 0, count: 1 << bits) }
        let most = ends.withUnsafeMutableBufferPointer { ends in
            ends[..<(1 << bits)].update(repeating: 0)
            for place in cores.indices where isTaken(place) {
                ends[Int((cores[place].high &<< prefixBits) &>> shift)] &+= 1
            }
            return Self.sum(ends[..<(1 << bits)])
        }
        count = most.total
        if keys.count < count { keys = [UInt64](repeating: 0, count: count) }
        keys.withUnsafeMutableBufferPointer { keys in
            ends.withUnsafeMutableBufferPointer { ends in
                for place in cores.indices where isTaken(place) {
                    let high = cores[place].high &<< prefixBits
                    let bucket = Int(high &>> shift)
                    keys[Int(ends[bucket])] = high & ~Self.placeMask | UInt64(place)
                    ends[bucket] &+= 1
                }
            }
            Self.sortBuckets(keys[..<count], cores, isSkewed: most.inBucket > Self.bucketCountMax)
        }
    }

    /// Drops the places that are not kept; `isKept` is shown a key and the one behind it.
    @inline(__always)
    mutating func keep(where isKept: (_ key: UInt64, _ next: UInt64?) -> Bool) {
        var keptCount = 0
        keys.withUnsafeMutableBufferPointer { keys in
            for place in 0..<count {
                let key = keys[place]
                guard isKept(key, place + 1 < count ? keys[place + 1] : nil) else { continue }
                keys[keptCount] = key
                keptCount += 1
            }
        }
        count = keptCount
    }

    /// Turns counts into places where buckets begin.
    private static func sum(
        _ counts: Slice<UnsafeMutableBufferPointer<UInt32>>
    ) -> (total: Int, inBucket: UInt32) {
        var sum: UInt32 = 0
        var most: UInt32 = 0
        for bucket in counts.indices {
            let count = counts.base[bucket]
            most = max(most, count)
            counts.base[bucket] = sum
            sum &+= count
        }
        return (Int(sum), most)
    }

    private static func sortBuckets(
        _ slice: Slice<UnsafeMutableBufferPointer<UInt64>>,
        _ cores: UnsafeBufferPointer<JoinRecord.Core>, isSkewed: Bool
    ) {
        var keys = UnsafeMutableBufferPointer(rebasing: slice)
        if isSkewed { return keys.sort { precedes($0, $1, cores) } }
        guard keys.count > 1 else { return }
        // Buckets lie behind one another, and an insertion goes no further back than its own.
        for place in 1..<keys.count {
            let key = keys[place]
            var hole = place
            while hole > 0, precedes(key, keys[hole &- 1], cores) {
                keys[hole] = keys[hole &- 1]
                hole &-= 1
            }
            keys[hole] = key
        }
    }

    @inline(__always)
    private static func precedes(
        _ left: UInt64, _ right: UInt64, _ cores: UnsafeBufferPointer<JoinRecord.Core>
    ) -> Bool {
        if (left ^ right) & ~placeMask != 0 { return left < right }
        let (first, second) = (cores[place(left)], cores[place(right)])
        if first.high != second.high { return first.high < second.high }
        return first.low != second.low ? first.low < second.low : left < right
    }
}
