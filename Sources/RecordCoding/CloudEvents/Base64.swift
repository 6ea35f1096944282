/// This is base64 (RFC 4648, section 4), strict: padded, without line breaks, and with no bits that
/// mean nothing.
enum Base64 {
    /// This is what `text` encodes, nil where it is no base64.
    static func decode(_ text: some Collection<UInt8>) -> [UInt8]? {
        guard text.count % 4 == 0 else { return nil }
        var bytes: [UInt8] = []
        bytes.reserveCapacity(text.count / 4 * 3)
        var word: UInt32 = 0
        var digitCount = 0
        var paddingCount = 0
        for byte in text {
            if byte == UInt8(ascii: "=") {
                paddingCount += 1
                continue
            }
            guard paddingCount == 0, let digit = digit(byte) else { return nil }
            word = word << 6 | UInt32(digit)
            digitCount += 1
            if digitCount % 4 == 0 {
                bytes.append(UInt8(truncatingIfNeeded: word >> 16))
                bytes.append(UInt8(truncatingIfNeeded: word >> 8))
                bytes.append(UInt8(truncatingIfNeeded: word))
                word = 0
            }
        }
        // `word` now holds the 12 or 18 bits of the last, incomplete group.
        switch (digitCount % 4, paddingCount) {
        case (0, 0): return bytes
        case (2, 2) where word & 0xF == 0:
            bytes.append(UInt8(truncatingIfNeeded: word >> 4))
            return bytes
        case (3, 1) where word & 0x3 == 0:
            bytes.append(UInt8(truncatingIfNeeded: word >> 10))
            bytes.append(UInt8(truncatingIfNeeded: word >> 2))
            return bytes
        default: return nil
        }
    }

    private static func digit(_ byte: UInt8) -> UInt8? {
        switch byte {
        case UInt8(ascii: "A")...UInt8(ascii: "Z"): byte - UInt8(ascii: "A")
        case UInt8(ascii: "a")...UInt8(ascii: "z"): byte - UInt8(ascii: "a") + 26
        case UInt8(ascii: "0")...UInt8(ascii: "9"): byte - UInt8(ascii: "0") + 52
        case UInt8(ascii: "+"): 62
        case UInt8(ascii: "/"): 63
        default: nil
        }
    }
}
