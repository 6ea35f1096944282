import MonitoringDomain

/// This is a reader of RFC 3339 times that remembers the day of the last one.
///
/// It accepts what `EventTime(rfc3339:)` accepts, with the same meaning: anything but a time of the
/// remembered day in UTC goes there.
struct TimeReader {
    /// The range of RFC 3339, years 0000 to 9999, in milliseconds since the epoch.
    static let first: Int64 = -62_167_219_200_000
    static let last: Int64 = 253_402_300_799_999

    /// The ten bytes of the remembered date; at first bytes that no UTF-8 has.
    private var dateHead = UInt64.max
    private var dateTail = UInt64.max
    private var startOfDay: Int64 = 0

    /// This is `text` in milliseconds, nil where it is no time.
    mutating func milliseconds(_ text: ByteText) -> Int64? {
        let bytes = text.start
        guard text.count >= 20, loadWord(bytes) == dateHead,
            loadWord(bytes + 8) & 0xFFFF == dateTail,
            bytes[10] == UInt8(ascii: "T"), bytes[13] == UInt8(ascii: ":"),
            bytes[16] == UInt8(ascii: ":"), bytes[text.count - 1] == UInt8(ascii: "Z"),
            let hour = twoDigits(bytes + 11), let minute = twoDigits(bytes + 14),
            let second = twoDigits(bytes + 17), hour < 24, minute < 60, second < 60
        else { return slowMilliseconds(text) }
        let whole = startOfDay + hour * 3_600_000 + minute * 60_000 + second * 1_000
        if text.count == 20 { return whole }
        if text.count == 24, bytes[19] == UInt8(ascii: "."), let tens = twoDigits(bytes + 20),
            bytes[22] >= 0x30, bytes[22] <= 0x39
        {
            return whole + tens * 10 + Int64(bytes[22] - 0x30)
        }
        return slowMilliseconds(text)
    }

    @inline(never)
    private mutating func slowMilliseconds(_ text: ByteText) -> Int64? {
        guard let time = EventTime(rfc3339: text.buffer) else { return nil }
        // With an offset, or in a leap second, the day of the text is not the day of the time.
        let last = text.start[text.count - 1]
        if last == UInt8(ascii: "Z"), text.start[17] != UInt8(ascii: "6") {
            dateHead = loadWord(text.start)
            dateTail = loadWord(text.start + 8) & 0xFFFF
            startOfDay = time.dayNumber * WindowSpan.day
        }
        return time.milliseconds
    }

    @inline(__always)
    private func twoDigits(_ bytes: UnsafePointer<UInt8>) -> Int64? {
        let tens = bytes[0] &- 0x30
        let ones = bytes[1] &- 0x30
        return tens <= 9 && ones <= 9 ? Int64(tens) * 10 + Int64(ones) : nil
    }
}
