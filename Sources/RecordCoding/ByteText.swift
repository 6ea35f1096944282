/// This is a text in memory that somebody else owns, with at least eight readable bytes after it.
///
/// It is UTF-8, because the body was validated as a whole.
struct ByteText {
    let start: UnsafePointer<UInt8>
    let count: Int

    var buffer: UnsafeBufferPointer<UInt8> { UnsafeBufferPointer(start: start, count: count) }
    var string: String { String(decoding: buffer, as: UTF8.self) }

    /// This is the text shortened and made printable, for error details.
    var excerpt: String {
        let shown = buffer.prefix(60).map { (0x20..<0x7F).contains($0) ? $0 : UInt8(ascii: "?") }
        return String(decoding: shown, as: UTF8.self) + (count > 60 ? "..." : "")
    }

    @inline(__always)
    func equals(_ other: UnsafePointer<UInt8>) -> Bool {
        var offset = 0
        while offset + 8 <= count {
            if loadWord(start + offset) != loadWord(other + offset) { return false }
            offset += 8
        }
        let rest = count - offset
        if rest == 0 { return true }
        return (loadWord(start + offset) ^ loadWord(other + offset)) & lowBytesMask(rest) == 0
    }

    /// This is a hash for tables in memory: fast, and unpredictable for a secret seed.
    @inline(__always)
    func hash(seed: UInt64) -> UInt64 {
        var state = seed ^ (UInt64(truncatingIfNeeded: count) &* 0x9E37_79B9_7F4A_7C15)
        var offset = 0
        while offset + 8 <= count {
            state = folded(state ^ loadWord(start + offset), 0xD6E8_FEB8_6659_FD93)
            offset += 8
        }
        let rest = count - offset
        if rest > 0 {
            state = folded(
                state ^ (loadWord(start + offset) & lowBytesMask(rest)), 0xA076_1D64_78BD_642F)
        }
        return folded(state ^ 0xE703_7ED1_A0B4_28DB, seed | 1)
    }
}

@inline(__always)
func loadWord(_ pointer: UnsafePointer<UInt8>) -> UInt64 {
    UInt64(littleEndian: UnsafeRawPointer(pointer).loadUnaligned(as: UInt64.self))
}

/// This is the mask of the `count` bytes that come first in memory, for 1...8.
@inline(__always)
func lowBytesMask(_ count: Int) -> UInt64 { .max >> UInt64(truncatingIfNeeded: 64 - count * 8) }

@inline(__always)
private func folded(_ left: UInt64, _ right: UInt64) -> UInt64 {
    let product = left.multipliedFullWidth(by: right)
    return product.high ^ product.low
}

/// This is an index of distinct texts, numbered in order of first appearance.
struct ByteIndex {
    private struct Entry {
        let hash: UInt64
        let start: Int
        let count: Int
    }

    private let seed: UInt64
    private var entries: [Entry] = []
    /// The texts one after another, each followed by eight zero bytes, so that words can be
    /// compared.
    private var bytes: [UInt8] = []
    /// Numbers of entries, or -1; a power of two long, at most half full.
    private var buckets: [Int32] = []

    init(seed: UInt64) { self.seed = seed }

    var count: Int { entries.count }

    /// True when the text with `number` is `text`.
    @inline(__always)
    func holds(_ text: ByteText, at number: Int) -> Bool {
        let entry = entries[number]
        guard entry.count == text.count else { return false }
        return bytes.withUnsafeBufferPointer { stored in
            guard let base = stored.baseAddress else { return text.count == 0 }
            return text.equals(base + entry.start)
        }
    }

    /// This is the number of `text`, nil where it is not in the index.
    func find(_ text: ByteText) -> Int? {
        if buckets.isEmpty { return nil }
        let hash = text.hash(seed: seed)
        let found = buckets[bucket(of: text, hash: hash)]
        return found < 0 ? nil : Int(found)
    }

    /// This is the number of `text`, and whether it has just been added.
    mutating func insert(_ text: ByteText) -> (number: Int, isNew: Bool) {
        if entries.count * 2 >= buckets.count { grow() }
        let hash = text.hash(seed: seed)
        let place = bucket(of: text, hash: hash)
        if buckets[place] >= 0 { return (Int(buckets[place]), false) }
        buckets[place] = Int32(entries.count)
        entries.append(Entry(hash: hash, start: bytes.count, count: text.count))
        bytes.append(contentsOf: text.buffer)
        bytes.append(contentsOf: repeatElement(0, count: 8))
        return (entries.count - 1, true)
    }

    private func bucket(of text: ByteText, hash: UInt64) -> Int {
        let mask = buckets.count - 1
        var place = Int(truncatingIfNeeded: hash) & mask
        while buckets[place] >= 0 {
            let number = Int(buckets[place])
            if entries[number].hash == hash, holds(text, at: number) { return place }
            place = (place + 1) & mask
        }
        return place
    }

    private mutating func grow() {
        let size = max(16, buckets.count * 2)
        buckets = [Int32](repeating: -1, count: size)
        for (number, entry) in entries.enumerated() {
            var place = Int(truncatingIfNeeded: entry.hash) & (size - 1)
            while buckets[place] >= 0 { place = (place + 1) & (size - 1) }
            buckets[place] = Int32(number)
        }
    }
}
