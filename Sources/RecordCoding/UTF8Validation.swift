/// This is the offset of the first byte that is not UTF-8 (RFC 3629), nil where all are.
///
/// Overlong forms, surrogates and code points over U+10FFFF are not UTF-8. At least eight more
/// bytes must be readable after the last.
func offsetOfInvalidUTF8(_ start: UnsafePointer<UInt8>, count: Int) -> Int? {
    var offset = 0
    while offset < count {
        if offset + 32 <= count {
            let words =
                loadWord(start + offset) | loadWord(start + offset + 8)
                | loadWord(start + offset + 16) | loadWord(start + offset + 24)
            if words & 0x8080_8080_8080_8080 == 0 {
                offset += 32
                continue
            }
        }
        // Up to the end of this block, byte by byte.
        let blockEnd = min(offset + 32, count)
        while offset < blockEnd {
            let size = sizeOfScalar(at: start + offset, available: count - offset)
            if size == 0 { return offset }
            offset += size
        }
    }
    return nil
}

/// This is the size of the scalar at `place` in bytes, 0 where there is none.
///
/// Source: The Unicode Standard, table 3-7, "Well-Formed UTF-8 Byte Sequences".
@inline(__always)
private func sizeOfScalar(at place: UnsafePointer<UInt8>, available: Int) -> Int {
    let lead = place[0]
    if lead < 0x80 { return 1 }
    let size: Int
    var second: ClosedRange<UInt8> = 0x80...0xBF
    switch lead {
    case 0xC2...0xDF: size = 2
    case 0xE0: (size, second) = (3, 0xA0...0xBF)
    case 0xED: (size, second) = (3, 0x80...0x9F)
    case 0xE1...0xEF: size = 3
    case 0xF0: (size, second) = (4, 0x90...0xBF)
    case 0xF1...0xF3: size = 4
    case 0xF4: (size, second) = (4, 0x80...0x8F)
    default: return 0
    }
    guard available >= size, second.contains(place[1]) else { return 0 }
    for offset in 2..<max(size, 2) where place[offset] & 0xC0 != 0x80 { return 0 }
    return size
}
