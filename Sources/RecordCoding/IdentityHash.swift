public import MonitoringDomain

/// This is the identity of the record `id` of `model`: never `.none`, the same on every machine
/// and in every version, because stored batches hold it.
///
/// Formula: SipHash-2-4 with 128 bits of output and the key 00 01 … 0F, over the size of the
/// model's name as a word, the name padded with zeros to whole words, and the id. The key is
/// public: the hash spreads well, but whoever writes a model's records can, with 2^64 work, make
/// two ids collide.
/// Source: J.-P. Aumasson, D. J. Bernstein, "SipHash: a fast short-input PRF", 2012.
public func identity(model: ModelID, id: some Sequence<UInt8>) -> RecordIdentity {
    IdentityHash(model: model).identity(ofBytes: id)
}

/// This is the state of the hash after a model's name, from which the identities of its ids are
/// made.
struct IdentityHash {
    private var v0: UInt64 = 0x736F_6D65_7073_6575 ^ 0x0706_0504_0302_0100
    private var v1: UInt64 = 0x646F_7261_6E64_6F6D ^ 0x0F0E_0D0C_0B0A_0908 ^ 0xEE
    private var v2: UInt64 = 0x6C79_6765_6E65_7261 ^ 0x0706_0504_0302_0100
    private var v3: UInt64 = 0x7465_6462_7974_6573 ^ 0x0F0E_0D0C_0B0A_0908
    private var sizeBytes = 0

    /// The bare hash, without a model; what the published test values are of.
    init() {}

    init(model: ModelID) {
        let name = Array(model.rawValue.utf8)
        absorb(UInt64(name.count))
        for start in stride(from: 0, to: name.count, by: 8) {
            var word: UInt64 = 0
            for offset in start..<min(start + 8, name.count) {
                word |= UInt64(name[offset]) << UInt64((offset - start) * 8)
            }
            absorb(word)
        }
        sizeBytes = (name.count + 7) / 8 * 8 + 8
    }

    @inline(__always)
    mutating func absorb(_ word: UInt64) {
        v3 ^= word
        mix()
        mix()
        v0 ^= word
    }

    /// This is the identity of `text`, after what has been absorbed.
    func identity(of text: ByteText) -> RecordIdentity {
        var hash = self
        var offset = 0
        while offset + 8 <= text.count {
            hash.absorb(loadWord(text.start + offset))
            offset += 8
        }
        let rest = text.count - offset
        let word = rest == 0 ? 0 : loadWord(text.start + offset) & lowBytesMask(rest)
        return hash.identity(lastWord: word, count: text.count)
    }

    /// This is the identity of `bytes`, after what has been absorbed.
    func identity(ofBytes bytes: some Sequence<UInt8>) -> RecordIdentity {
        var hash = self
        var word: UInt64 = 0
        var count = 0
        for byte in bytes {
            word |= UInt64(byte) << UInt64((count & 7) * 8)
            count += 1
            if count & 7 == 0 {
                hash.absorb(word)
                word = 0
            }
        }
        return hash.identity(lastWord: word, count: count)
    }

    /// This is the identity after the absorbed words and the last, incomplete one, of an id of
    /// `count` bytes.
    consuming func identity(lastWord: UInt64, count: Int) -> RecordIdentity {
        absorb(lastWord | UInt64(truncatingIfNeeded: sizeBytes + count) << 56)
        v2 ^= 0xEE
        for _ in 0..<4 { mix() }
        let low = v0 ^ v1 ^ v2 ^ v3
        v1 ^= 0xDD
        for _ in 0..<4 { mix() }
        let high = v0 ^ v1 ^ v2 ^ v3
        let isNone = high | low == 0
        return RecordIdentity(high: high, low: isNone ? 1 : low)
    }

    @inline(__always)
    private mutating func mix() {
        v0 &+= v1
        v2 &+= v3
        v1 = rotated(v1, 13) ^ v0
        v3 = rotated(v3, 16) ^ v2
        v0 = rotated(v0, 32)
        v2 &+= v1
        v0 &+= v3
        v1 = rotated(v1, 17) ^ v2
        v3 = rotated(v3, 21) ^ v0
        v2 = rotated(v2, 32)
    }
}

@inline(__always)
private func rotated(_ word: UInt64, _ count: UInt64) -> UInt64 {
    word << count | word >> (64 - count)
}
