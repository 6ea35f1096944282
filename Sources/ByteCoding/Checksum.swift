/// This is CRC-32C (Castagnoli, reflected polynomial 0x82F63B78) of `bytes`.
///
/// Source: RFC 3720, appendix B.4. The check value of "123456789" is 0xE3069283.
/// - Complexity: O(bytes), eight bytes a step; allocates nothing.
public func crc32c(_ bytes: [UInt8]) -> UInt32 { bytes.withUnsafeBytes { crc32c($0) } }

/// This is CRC-32C of bytes in memory; `continuing` is the checksum of the bytes before them.
public func crc32c(_ raw: UnsafeRawBufferPointer, continuing before: UInt32 = 0) -> UInt32 {
    let tables = crcTables
    return tables.withUnsafeBufferPointer { table in
        var crc = ~before
        var offset = 0
        // Slicing by eight: M. E. Kounavis, F. L. Berry, ISCC 2005.
        while offset + 8 <= raw.count {
            let word =
                UInt64(
                    littleEndian: raw.loadUnaligned(fromByteOffset: offset, as: UInt64.self))
                ^ UInt64(crc)
            var next: UInt32 = 0
            for lane in 0..<8 {
                let byte = Int(truncatingIfNeeded: word >> UInt64(lane * 8)) & 0xFF
                next ^= table[(7 - lane) * 256 + byte]
            }
            crc = next
            offset += 8
        }
        while offset < raw.count {
            crc = table[Int((crc ^ UInt32(raw[offset])) & 0xFF)] ^ (crc >> 8)
            offset += 1
        }
        return ~crc
    }
}

/// [8 × 256]: table k holds the effect of a byte that k more bytes follow.
private let crcTables: [UInt32] = {
    var tables = [UInt32](repeating: 0, count: 8 * 256)
    for index in 0..<256 {
        tables[index] = (0..<8).reduce(UInt32(index)) { value, _ in
            value & 1 == 1 ? (value >> 1) ^ 0x82F6_3B78 : value >> 1
        }
    }
    for table in 1..<8 {
        for index in 0..<256 {
            let earlier = tables[(table - 1) * 256 + index]
            tables[table * 256 + index] = (earlier >> 8) ^ tables[Int(earlier & 0xFF)]
        }
    }
    return tables
}()
