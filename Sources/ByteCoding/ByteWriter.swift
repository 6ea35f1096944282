/// This is an append-only buffer of little-endian values; what `ByteReader` reads.
public struct ByteWriter: Sendable {
    /// These are the bytes written so far.
    public private(set) var bytes: [UInt8] = []

    /// Makes an empty buffer.
    public init() {}

    /// Makes room for so many bytes more.
    public mutating func reserve(_ sizeBytes: Int) {
        bytes.reserveCapacity(bytes.count + max(0, sizeBytes))
    }

    /// Appends one byte.
    public mutating func write(_ value: UInt8) { bytes.append(value) }
    /// Appends one byte: 0 or 1.
    public mutating func write(_ value: Bool) { bytes.append(value ? 1 : 0) }

    /// Appends any integer of up to 64 bits, little-endian.
    @inlinable
    public mutating func write<Integer: FixedWidthInteger>(_ value: Integer) {
        // So that the caller's module knows the size: a generic call costs more than the bytes.
        append(UInt64(truncatingIfNeeded: value), sizeBytes: Integer.bitWidth / 8)
    }

    /// Appends the lowest bytes of a word, little-endian.
    ///
    /// - Precondition: `sizeBytes` is in 1...8.
    public mutating func append(_ word: UInt64, sizeBytes: Int) {
        precondition(sizeBytes >= 1 && sizeBytes <= 8, "\(sizeBytes) bytes of a word")
        withUnsafeBytes(of: word.littleEndian) {
            bytes.append(contentsOf: UnsafeRawBufferPointer(rebasing: $0[..<sizeBytes]))
        }
    }

    /// Appends the bit pattern, so that NaN payloads and the sign of zero survive.
    public mutating func write(_ value: Double) { write(value.bitPattern) }

    /// Appends an unsigned number in one to ten bytes, seven bits each (LEB128).
    public mutating func writeVarint(_ value: UInt64) {
        var rest = value
        while rest >= 0x80 {
            bytes.append(UInt8(truncatingIfNeeded: rest) | 0x80)
            rest >>= 7
        }
        bytes.append(UInt8(rest))
    }

    /// Appends a count as `writeVarint` does.
    ///
    /// - Precondition: `value >= 0`.
    public mutating func writeCount(_ value: Int) { writeVarint(UInt64(value)) }

    /// Appends the count of UTF-8 bytes and the bytes.
    public mutating func write(_ text: String) {
        writeCount(text.utf8.count)
        bytes.append(contentsOf: text.utf8)
    }

    /// Appends a count and the elements, little-endian.
    public mutating func write(_ values: [Double]) {
        write(values.map(\.bitPattern))
    }

    /// Appends a count and the elements, little-endian.
    public mutating func write<Integer: FixedWidthInteger>(_ values: [Integer]) {
        writeCount(values.count)
        if Integer(littleEndian: 1) == 1 {
            values.withUnsafeBytes { bytes.append(contentsOf: $0) }
        } else {
            for value in values { write(value) }
        }
    }

    /// Appends a count and each text with its own count.
    public mutating func write(_ values: [String]) {
        writeCount(values.count)
        for value in values { write(value) }
    }

    /// Appends a presence byte, then the value.
    public mutating func write(_ value: Double?) {
        write(value != nil)
        if let value { write(value) }
    }

    /// Appends a presence byte, then the text.
    public mutating func write(_ value: String?) {
        write(value != nil)
        if let value { write(value) }
    }

    /// Appends bytes in memory as they are, without a count.
    public mutating func append(contentsOf raw: UnsafeRawBufferPointer) {
        bytes.append(contentsOf: raw)
    }

    /// Appends bytes as they are, without a count.
    public mutating func append(contentsOf other: [UInt8]) { bytes.append(contentsOf: other) }
}
