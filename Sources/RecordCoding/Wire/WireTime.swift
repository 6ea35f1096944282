public import MonitoringDomain

extension EventTime {
    /// The last instant of the year 9999: what lies beyond is a slip of the unit.
    private static let millisecondsMax: Int64 = 253_402_300_799_999

    /// Reads a time as foreign formats write it; nil where it is none.
    ///
    /// A text is RFC 3339, also with a space for the `T` and without an offset, which then is UTC; or
    /// a date alone. A number counts from 1970: below 10^11 it is seconds, to 10^14 milliseconds, to
    /// 10^17 microseconds, else nanoseconds.
    public init?(wire value: WireValue) {
        switch value {
        case .string(let text): self.init(lenient: Array(text.utf8))
        case .integer(let number): self.init(count: Double(number))
        case .number(let number): self.init(count: number)
        case .null, .bool, .bytes, .array, .object: return nil
        }
    }

    /// Reads a text; digits alone are a number.
    init?(lenient text: [UInt8]) {
        if let time = EventTime(rfc3339: text) {
            self = time
            return
        }
        if text.count == 10, text.contains(UInt8(ascii: "-")) {
            guard let time = EventTime(rfc3339: text + Array("T00:00:00Z".utf8)) else { return nil }
            self = time
            return
        }
        if text.count >= 19, text[10] == UInt8(ascii: " ") || text[10] == UInt8(ascii: "T") {
            var full = text
            full[10] = UInt8(ascii: "T")
            if full.suffix(4) == Array(" UTC".utf8)[...] { full.removeLast(4) }
            let hasOffset =
                full.last == UInt8(ascii: "Z")
                || full.dropFirst(19).contains { $0 == 0x2B || $0 == 0x2D }
            guard let time = EventTime(rfc3339: hasOffset ? full : full + [UInt8(ascii: "Z")])
            else { return nil }
            self = time
            return
        }
        guard let number = wireNumber(text) else { return nil }
        self.init(count: number)
    }

    private init?(count: Double) {
        let scaled: Double
        switch abs(count) {
        case ..<1e11: scaled = count * 1_000
        case ..<1e14: scaled = count
        case ..<1e17: scaled = count / 1_000
        default: scaled = count / 1_000_000
        }
        guard let milliseconds = Int64(exactly: scaled.rounded(.down)),
            abs(milliseconds) <= Self.millisecondsMax
        else { return nil }
        self.init(milliseconds: milliseconds)
    }
}

/// This is the number that all of `text` is, as files write it; nil for others, and for what is not
/// finite.
func wireNumber(_ text: some Collection<UInt8>) -> Double? {
    var hasDigit = false
    for byte in text {
        switch byte {
        case UInt8(ascii: "0")...UInt8(ascii: "9"): hasDigit = true
        // Hexadecimal, infinity and NaN are numbers to the standard library, and none here.
        case UInt8(ascii: "+"), UInt8(ascii: "-"), UInt8(ascii: "."), UInt8(ascii: "e"),
            UInt8(ascii: "E"):
            continue
        default: return nil
        }
    }
    guard hasDigit, text.count <= 64,
        let number = Double(String(decoding: text, as: UTF8.self)), number.isFinite
    else { return nil }
    return number == 0 ? 0 : number
}

/// This is the infinity that all of `text` is, as data frames write it; nil for others.
func wireInfinity(_ text: some Collection<UInt8>) -> Double? {
    guard (3...9).contains(text.count) else { return nil }
    var name = Array(text).map { $0 | 0x20 }
    let sign = text.first
    if sign == UInt8(ascii: "-") || sign == UInt8(ascii: "+") { name.removeFirst() }
    guard name == Array("inf".utf8) || name == Array("infinity".utf8) else { return nil }
    return sign == UInt8(ascii: "-") ? -.infinity : .infinity
}
