/// This is why bytes could not be read: never a trap, whatever they are.
public enum ByteReadingError: Error, Equatable, CustomStringConvertible {
    case truncated(offset: Int, needed: Int)
    case invalid(offset: Int, reason: String)
    case checksumMismatch(found: UInt32, expected: UInt32)

    /// This is the place in bytes from 0, and what was expected there.
    public var description: String {
        switch self {
        case .truncated(let offset, let needed): "byte \(offset): \(needed) more bytes expected"
        case .invalid(let offset, let reason): "byte \(offset): \(reason)"
        case .checksumMismatch(let found, let expected):
            "checksum \(found) found, \(expected) expected"
        }
    }
}

/// This is a bounded cursor over bytes that `ByteWriter` wrote, or that somebody claims it did.
public struct ByteReader: Sendable {
    /// These are all bytes, read or not.
    public let bytes: [UInt8]
    /// This is the place of the next byte, from 0.
    public private(set) var offset = 0

    /// Makes a cursor before the first byte.
    public init(_ bytes: [UInt8]) { self.bytes = bytes }

    /// This is true when every byte was read.
    public var isAtEnd: Bool { offset == bytes.count }
    /// This is the count of bytes that were not read.
    public var remaining: Int { bytes.count - offset }

    /// Reads one byte.
    public mutating func readByte() throws(ByteReadingError) -> UInt8 {
        guard offset < bytes.count else { throw .truncated(offset: offset, needed: 1) }
        defer { offset += 1 }
        return bytes[offset]
    }

    /// Reads one byte that must be 0 or 1: any other is a flipped bit, not "true".
    public mutating func readBool() throws(ByteReadingError) -> Bool {
        switch try readByte() {
        case 0: return false
        case 1: return true
        case let other: throw .invalid(offset: offset - 1, reason: "\(other) is not a boolean")
        }
    }

    /// Reads a fixed-width integer, little-endian.
    public mutating func read<Integer: FixedWidthInteger>(
        _ type: Integer.Type = Integer.self
    ) throws(ByteReadingError) -> Integer {
        let size = Integer.bitWidth / 8
        guard remaining >= size else { throw .truncated(offset: offset, needed: size - remaining) }
        let start = offset
        offset += size
        return bytes.withUnsafeBytes {
            Integer(littleEndian: $0.loadUnaligned(fromByteOffset: start, as: Integer.self))
        }
    }

    /// Reads a bit pattern, so that NaN payloads and the sign of zero survive.
    public mutating func readDouble() throws(ByteReadingError) -> Double {
        Double(bitPattern: try read(UInt64.self))
    }

    /// Reads an unsigned number of one to ten bytes (LEB128).
    public mutating func readVarint() throws(ByteReadingError) -> UInt64 {
        var value: UInt64 = 0
        for shift in stride(from: UInt64(0), through: 63, by: 7) {
            let byte = try readByte()
            if shift == 63, byte > 1 {
                throw .invalid(offset: offset - 1, reason: "a number over 64 bits")
            }
            value |= UInt64(byte & 0x7F) << shift
            if byte < 0x80 { return value }
        }
        throw .invalid(offset: offset, reason: "a number over ten bytes")
    }

    /// This is a count of elements of at least `size` bytes each, which the rest can hold: so a corrupt
    /// count cannot make anybody reserve more memory than there are bytes.
    public mutating func readCount(elementSize size: Int = 1) throws(ByteReadingError) -> Int {
        let start = offset
        let value = try readVarint()
        guard let count = Int(exactly: value), count <= remaining / max(size, 1) else {
            throw .invalid(offset: start, reason: "count \(value) is over what follows")
        }
        return count
    }

    /// Reads a count of bytes and as many bytes, which must be UTF-8.
    public mutating func readText() throws(ByteReadingError) -> String {
        let count = try readCount()
        let start = offset
        offset += count
        guard let text = String(validating: bytes[start..<offset], as: UTF8.self) else {
            throw .invalid(offset: start, reason: "invalid UTF-8")
        }
        return text
    }

    /// Reads a count and as many numbers.
    public mutating func readDoubles() throws(ByteReadingError) -> [Double] {
        try readArray(UInt64.self).map { Double(bitPattern: $0) }
    }

    /// Reads a count and as many fixed-width integers, little-endian.
    public mutating func readArray<Integer: FixedWidthInteger>(
        _ type: Integer.Type = Integer.self
    ) throws(ByteReadingError) -> [Integer] {
        let size = Integer.bitWidth / 8
        let count = try readCount(elementSize: size)
        let start = offset
        offset += count * size
        return bytes.withUnsafeBytes { raw in
            [Integer](unsafeUninitializedCapacity: count) { values, initialized in
                UnsafeMutableRawBufferPointer(values).copyMemory(
                    from: UnsafeRawBufferPointer(rebasing: raw[start..<start + count * size]))
                initialized = count
                guard Integer(littleEndian: 1) != 1 else { return }
                for index in values.indices { values[index] = Integer(littleEndian: values[index]) }
            }
        }
    }

    /// Reads a count and as many texts.
    public mutating func readTexts() throws(ByteReadingError) -> [String] {
        let count = try readCount()
        var texts: [String] = []
        texts.reserveCapacity(count)
        for _ in 0..<count { texts.append(try readText()) }
        return texts
    }

    /// Reads a presence byte, and the number where there is one.
    public mutating func readOptionalDouble() throws(ByteReadingError) -> Double? {
        try readBool() ? try readDouble() : nil
    }

    /// Reads a presence byte, and the text where there is one.
    public mutating func readOptionalText() throws(ByteReadingError) -> String? {
        try readBool() ? try readText() : nil
    }

    /// Reads `count` bytes where they lie.
    ///
    /// - Throws: `truncated` where there are fewer.
    public mutating func readRaw<Result>(
        count: Int, _ body: (UnsafeRawBufferPointer) -> Result
    ) throws(ByteReadingError) -> Result {
        guard count >= 0, count <= remaining else {
            throw .truncated(offset: offset, needed: count - remaining)
        }
        let start = offset
        offset += count
        return bytes.withUnsafeBytes {
            body(UnsafeRawBufferPointer(rebasing: $0[start..<start + count]))
        }
    }

    /// Reads `count` bytes as they are.
    public mutating func readSlice(count: Int) throws(ByteReadingError) -> [UInt8] {
        guard count >= 0, count <= remaining else {
            throw .truncated(offset: offset, needed: count - remaining)
        }
        defer { offset += count }
        return Array(bytes[offset..<offset + count])
    }
}
