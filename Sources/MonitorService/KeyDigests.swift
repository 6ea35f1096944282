/// This is the digests of the keys that a server knows, by id, for a search that takes the same time
/// whatever is found.
///
/// Every entry is looked at, whole and without a branch, so that neither the time tells whether an id is
/// known nor the place where a digest first differs. An id that nobody has is compared with a digest of
/// zeros.
struct KeyDigests {
    /// Bytes of an id, and of a digest.
    static let (idSize, digestSize) = (12, 32)

    private struct Entry {
        let id: SIMD2<UInt64>
        let digest: SIMD4<UInt64>
    }

    private var entries: [Entry] = []

    /// Adds a key; false where its id or its digest has another size, or the id is there already.
    mutating func add(id: some Collection<UInt8>, digest: [UInt8]) -> Bool {
        guard id.count == Self.idSize, digest.count == Self.digestSize else { return false }
        let id = Self.words(ofID: id)
        guard !entries.contains(where: { $0.id == id }) else { return false }
        entries.append(Entry(id: id, digest: Self.words(ofDigest: digest)))
        return true
    }

    /// This is the place, in the order of adding, of the key with this id and this digest; nil without one.
    ///
    /// - Precondition: the id and the digest have their sizes.
    /// - Complexity: O(keys), whatever is found.
    func place(ofID id: some Collection<UInt8>, digest: [UInt8]) -> Int? {
        let wanted = Self.words(ofID: id)
        var known = SIMD4<UInt64>.zero
        var number: UInt64 = 0
        for (index, entry) in entries.enumerated() {
            let difference = entry.id ^ wanted
            let mask = Self.onesWhereZero(difference[0] | difference[1])
            known |= entry.digest & SIMD4(repeating: mask)
            number |= UInt64(truncatingIfNeeded: index + 1) & mask
        }
        let difference = known ^ Self.words(ofDigest: digest)
        let isFound = Self.onesWhereZero(
            difference[0] | difference[1] | difference[2] | difference[3])
        let found = number & isFound
        return found == 0 ? nil : Int(truncatingIfNeeded: found) - 1
    }

    /// All ones where `word` is zero, else zero.
    private static func onesWhereZero(_ word: UInt64) -> UInt64 {
        ((word | (0 &- word)) >> 63) &- 1
    }

    private static func words(ofID id: some Collection<UInt8>) -> SIMD2<UInt64> {
        var words = SIMD2<UInt64>.zero
        for (index, byte) in id.enumerated() {
            words[index / 8] |= UInt64(byte) << UInt64(index % 8 * 8)
        }
        return words
    }

    private static func words(ofDigest digest: [UInt8]) -> SIMD4<UInt64> {
        var words = SIMD4<UInt64>.zero
        for (index, byte) in digest.enumerated() {
            words[index / 8] |= UInt64(byte) << UInt64(index % 8 * 8)
        }
        return words
    }
}
