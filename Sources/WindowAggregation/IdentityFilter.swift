import MonitoringDomain

/// This is a set of identities that may say yes wrongly and never no wrongly: a blocked Bloom filter.
///
/// Eight bits of an identity are set in one block of 32 bytes, so a question costs one cache line.
/// Source: F. Putze, P. Sanders, J. Singler, "Cache-, Hash- and Space-Efficient Bloom Filters", 2007.
/// - Accuracy: About one of 250 absent identities is taken for a present one at `bitsPerIdentity`.
struct IdentityFilter: Sendable, Equatable {
    /// Twelve bits: the filter of fifty million identities is 75 MB.
    static let bitsPerIdentity = 12
    static let blockSizeBytes = 32

    /// [blockCount × 4].
    private(set) var words: [UInt64]
    let blockCount: Int

    /// Starts empty, with room for `count` identities.
    init(count: Int) {
        blockCount = max(1, (count * Self.bitsPerIdentity + 255) / 256)
        words = [UInt64](repeating: 0, count: blockCount * 4)
    }

    /// - Precondition: the words are whole blocks, at least one.
    init(words: [UInt64]) {
        precondition(!words.isEmpty && words.count % 4 == 0, "\(words.count) words")
        self.words = words
        blockCount = words.count / 4
    }

    /// This is the bits that an identity sets in its block: two in each word.
    @inline(__always)
    static func mask(_ identity: RecordIdentity) -> SIMD4<UInt64> {
        let low = identity.low
        return SIMD4(two(low), two(low &>> 12), two(low &>> 24), two(low &>> 36))
    }

    @inline(__always)
    private static func two(_ bits: UInt64) -> UInt64 {
        1 &<< (bits & 63) | 1 &<< (bits &>> 6 & 63)
    }

    /// The high half spreads evenly over the blocks, and in its order: sorted identities are added
    /// to neighbouring blocks.
    @inline(__always)
    private static func start(_ identity: RecordIdentity, _ blockCount: UInt64) -> Int {
        4 &* Int(truncatingIfNeeded: identity.high.multipliedFullWidth(by: blockCount).high)
    }

    @inline(__always)
    private func start(_ identity: RecordIdentity) -> Int {
        Self.start(identity, UInt64(blockCount))
    }

    mutating func insert(_ identity: RecordIdentity) {
        let start = start(identity)
        let mask = Self.mask(identity)
        words.withUnsafeMutableBufferPointer { words in
            for lane in 0..<4 { words[start + lane] |= mask[lane] }
        }
    }

    /// Inserts the identities of records that lie behind one another, in order.
    ///
    /// Neighbours share a block, which is written when the next one begins.
    mutating func insert(_ records: UnsafeRawBufferPointer, stride: Int) {
        let blockCount = UInt64(blockCount)
        words.withUnsafeMutableBytes { words in
            var block = SIMD4<UInt64>.zero
            var place = 0
            for offset in Swift.stride(from: 0, to: records.count, by: stride) {
                let identity = records.loadUnaligned(
                    fromByteOffset: offset, as: RecordIdentity.self)
                let own = Self.start(identity, blockCount) &* 8
                if own != place {
                    Self.add(block, words, place)
                    block = .zero
                    place = own
                }
                block |= Self.mask(identity)
            }
            Self.add(block, words, place)
        }
    }

    @inline(__always)
    private static func add(
        _ block: SIMD4<UInt64>, _ words: UnsafeMutableRawBufferPointer, _ place: Int
    ) {
        let known = words.loadUnaligned(fromByteOffset: place, as: SIMD4<UInt64>.self)
        words.storeBytes(of: known | block, toByteOffset: place, as: SIMD4<UInt64>.self)
    }

    func mayContain(_ identity: RecordIdentity) -> Bool {
        let start = start(identity)
        let mask = Self.mask(identity)
        return words.withUnsafeBufferPointer { Self.holds($0, start, mask) }
    }

    @inline(__always)
    private static func holds(
        _ words: UnsafeBufferPointer<UInt64>, _ start: Int, _ mask: SIMD4<UInt64>
    ) -> Bool {
        let block = SIMD4(
            words[start], words[start &+ 1], words[start &+ 2], words[start &+ 3])
        let lacking = mask & ~block
        return lacking[0] | lacking[1] | lacking[2] | lacking[3] == 0
    }

    /// Marks the identities that may be present; `masks` are theirs.
    ///
    /// All of a batch at once: then the memory's answers overlap instead of being waited for.
    /// - Precondition: all have the same length.
    func mark(
        _ identities: [RecordIdentity], _ masks: [SIMD4<UInt64>], in marks: inout [Bool]
    ) {
        precondition(identities.count == marks.count, "\(marks.count) marks")
        precondition(masks.count == marks.count, "\(masks.count) masks")
        let blockCount = UInt64(blockCount)
        words.withUnsafeBufferPointer { words in
            for index in identities.indices {
                let start = Self.start(identities[index], blockCount)
                let isHeld = Self.holds(words, start, masks[index])
                marks[index] = marks[index] || isHeld
            }
        }
    }
}
