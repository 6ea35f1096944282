internal import CChecksum

/// This is CRC-32C (Castagnoli, reflected polynomial 0x82F63B78) of `bytes`.
///
/// Source: RFC 3720, appendix B.4. The check value of "123456789" is 0xE3069283.
/// - Complexity: O(bytes), four times eight bytes a step; allocates nothing.
public func crc32c(_ bytes: [UInt8]) -> UInt32 { bytes.withUnsafeBytes { crc32c($0) } }

/// This is CRC-32C of bytes in memory; `continuing` is the checksum of the bytes before them.
///
/// With the processor's instruction where it has one, else by tables.
public func crc32c(_ raw: UnsafeRawBufferPointer, continuing before: UInt32 = 0) -> UInt32 {
    guard hasInstruction else { return crc32cByTables(raw, continuing: before) }
    guard let start = raw.baseAddress else { return before }
    return ~crc32c_by_instruction(~before, start, raw.count)
}

private let hasInstruction = crc32c_has_instruction() != 0

/// This is CRC-32C without an instruction of the processor.
func crc32cByTables(_ raw: UnsafeRawBufferPointer, continuing before: UInt32 = 0) -> UInt32 {
    guard let start = raw.baseAddress else { return before }
    return crcTables.withUnsafeBufferPointer { tables in
        guard let table = tables.baseAddress else { return before }
        var crc = ~before
        var offset = 0
        // A step waits for the one before. So each block is four lanes, whose steps do not.
        while offset + 4 * laneSizeBytes <= raw.count {
            crc = crcOfBlock(start + offset, crc, table)
            offset += 4 * laneSizeBytes
        }
        while offset + 8 <= raw.count {
            crc = crcStep(start + offset, crc, table)
            offset += 8
        }
        while offset < raw.count {
            crc = table[Int((crc ^ UInt32(raw[offset])) & 0xFF)] ^ (crc >> 8)
            offset += 1
        }
        return ~crc
    }
}

private let laneSizeBytes = 64

/// This is the register after four lanes, one behind the other.
///
/// The register is linear in what it begins with and in the bytes: so three lanes begin with zero, and
/// what came before each is put through as many zero bytes as the lane has.
@inline(__always)
private func crcOfBlock(
    _ start: UnsafeRawPointer, _ before: UInt32, _ table: UnsafePointer<UInt32>
) -> UInt32 {
    var lanes = (before, UInt32(0), UInt32(0), UInt32(0))
    for offset in stride(from: 0, to: laneSizeBytes, by: 8) {
        lanes.0 = crcStep(start + offset, lanes.0, table)
        lanes.1 = crcStep(start + (offset + laneSizeBytes), lanes.1, table)
        lanes.2 = crcStep(start + (offset + 2 * laneSizeBytes), lanes.2, table)
        lanes.3 = crcStep(start + (offset + 3 * laneSizeBytes), lanes.3, table)
    }
    let two = crcBehindLane(lanes.0, table) ^ lanes.1
    let three = crcBehindLane(two, table) ^ lanes.2
    return crcBehindLane(three, table) ^ lanes.3
}

/// This is the register after eight bytes.
///
/// Source: M. E. Kounavis, F. L. Berry, "A Systematic Approach to Building High Performance
/// Software-Based CRC Generators", ISCC 2005 (slicing by eight).
@inline(__always)
private func crcStep(
    _ place: UnsafeRawPointer, _ crc: UInt32, _ table: UnsafePointer<UInt32>
) -> UInt32 {
    let word = UInt64(littleEndian: place.loadUnaligned(as: UInt64.self)) ^ UInt64(crc)
    @inline(__always) func entry(_ lane: Int) -> UInt32 {
        table[(7 - lane) * 256 + Int(truncatingIfNeeded: word >> UInt64(lane * 8) & 0xFF)]
    }
    return (entry(0) ^ entry(1)) ^ (entry(2) ^ entry(3))
        ^ ((entry(4) ^ entry(5)) ^ (entry(6) ^ entry(7)))
}

/// This is the register after a lane of zero bytes.
@inline(__always)
private func crcBehindLane(_ crc: UInt32, _ table: UnsafePointer<UInt32>) -> UInt32 {
    @inline(__always) func entry(_ byte: Int) -> UInt32 {
        table[(8 + byte) * 256 + Int(crc >> UInt32(byte * 8) & 0xFF)]
    }
    return entry(0) ^ entry(1) ^ entry(2) ^ entry(3)
}

/// [12 × 256]: of the first eight, table k holds the effect of a byte that k more bytes follow; of the
/// last four, table k that of byte k of the register after a lane of zero bytes.
private let crcTables: [UInt32] = {
    var tables = [UInt32](repeating: 0, count: 12 * 256)
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
    for byte in 0..<4 {
        for index in 0..<256 {
            tables[(8 + byte) * 256 + index] = (0..<laneSizeBytes).reduce(
                UInt32(index) << UInt32(byte * 8)
            ) { value, _ in value >> 8 ^ tables[Int(value & 0xFF)] }
        }
    }
    return tables
}()
