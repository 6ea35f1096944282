import MonitoringDomain

/// This is a value of a foreign wire format: a JSON value, or what a protobuf says in its place.
///
/// Native records never become one; they go from bytes to columns. A foreign body does, because what
/// it means is known only when all of it has been seen.
public enum WireValue: Equatable, Sendable {
    case null
    case bool(Bool)
    /// A number without fraction and exponent that fits into 64 bits.
    case integer(Int64)
    /// Never not-a-number; infinite only where the format has a word for it, which JSON has not.
    case number(Double)
    case string(String)
    case bytes([UInt8])
    case array([WireValue])
    /// Members in their order, with distinct keys.
    case object([Member])

    /// This is a key and its value.
    public struct Member: Equatable, Sendable {
        /// Distinct in its object.
        public var key: String
        /// What stands there.
        public var value: WireValue

        /// Makes a member.
        public init(_ key: String, _ value: WireValue) {
            self.key = key
            self.value = value
        }
    }

    /// Values in one body, which bounds the memory that a small body can take; a body with more is
    /// refused.
    public static let countMax = 1 << 20
}

extension WireValue {
    /// This is the body as one JSON text, as strict as records are read.
    ///
    /// - Throws: `malformed`, also for invalid UTF-8, repeated keys, lone surrogates, numbers over the
    ///   range of a double and too deep nesting; `batchTooLarge` over `countMax` values.
    public static func parse(
        _ body: [UInt8], limits: DecodingLimits = DecodingLimits()
    ) throws(RecordDecodingError) -> WireValue {
        let (value, end) = try parsePrefix(body, limits: limits)
        if let rest = body[end...].firstIndex(where: { !isSpace($0) }) {
            let end = rest
            let line = body[..<end].reduce(1) { $1 == 0x0A ? $0 + 1 : $0 }
            throw .malformed(line: line, offset: end, reason: "bytes behind the value")
        }
        return value
    }

    /// This is the first JSON value of a body, or of an array that it is the start of.
    ///
    /// - Throws: `malformed` where there is none.
    public static func firstRecord(
        in body: [UInt8]
    ) throws(RecordDecodingError) -> WireValue {
        var start = body.drop { isSpace($0) }
        if start.first == UInt8(ascii: "[") { start = start.dropFirst().drop { isSpace($0) } }
        return try parsePrefix(Array(start)).value
    }

    /// This is the JSON value at the start of `body`, and where what follows it begins.
    ///
    /// White space behind the value does not belong to it: raw bytes behind a header may look like it.
    static func parsePrefix(
        _ body: [UInt8], limits: DecodingLimits = DecodingLimits()
    ) throws(RecordDecodingError) -> (value: WireValue, end: Int) {
        var reader = WireValueReader(
            scanner: JSONScanner(body, limits: limits, seed: UInt64.random(in: .min ... .max)))
        defer { reader.scanner.deallocate() }
        reader.scanner.skipSpace()
        if reader.scanner.cursor >= reader.scanner.end {
            throw reader.scanner.malformed("an empty body")
        }
        let value = try reader.read(depth: 0)
        let end = reader.scanner.cursor - reader.scanner.start
        // Only what is JSON must be UTF-8; the strings are checked before anybody sees them.
        if let offset = offsetOfInvalidUTF8(reader.scanner.start, count: end) {
            throw reader.scanner.malformed("invalid UTF-8", at: reader.scanner.start + offset)
        }
        return (value, end)
    }

    /// This is the value of `key`, nil where this is no object, has no such key, or null there.
    public subscript(key: String) -> WireValue? {
        guard case .object(let members) = self,
            let member = members.first(where: { $0.key.isExactly(key) }), member.value != .null
        else { return nil }
        return member.value
    }

    /// This is the string, nil for other values.
    public var string: String? {
        if case .string(let text) = self { return text }
        return nil
    }

    /// These are the elements, nil for other values.
    public var array: [WireValue]? {
        if case .array(let elements) = self { return elements }
        return nil
    }

    /// These are the members, nil for other values.
    public var object: [Member]? {
        if case .object(let members) = self { return members }
        return nil
    }

    /// This is what names something: a string that is not empty, a whole number or a boolean, as text.
    public var name: String? {
        switch self {
        case .string(let text): text.isEmpty ? nil : text
        case .integer(let value): String(value)
        case .bool(let value): value ? "true" : "false"
        case .number(let value):
            // `1.0` and `1` name the same class, wherever they come from.
            Int64(exactly: value).map { String($0) }
        case .null, .bytes, .array, .object: nil
        }
    }

    /// True for null, and for an array of nothing else.
    var isMissing: Bool {
        if case .array(let elements) = self, !elements.isEmpty {
            return elements.allSatisfy(\.isMissing)
        }
        return self == .null
    }

    /// This is the number, nil for other values.
    public var double: Double? {
        switch self {
        case .integer(let value): Double(value)
        case .number(let value): value
        case .null, .bool, .string, .bytes, .array, .object: nil
        }
    }
}

/// This builds values from a scanner, and counts them.
private struct WireValueReader {
    var scanner: JSONScanner
    private var count = 0

    init(scanner: JSONScanner) { self.scanner = scanner }

    mutating func read(depth: Int) throws(RecordDecodingError) -> WireValue {
        count += 1
        guard count <= WireValue.countMax else {
            throw scanner.malformed("over \(WireValue.countMax) values in one body")
        }
        switch scanner.cursor.pointee {
        case UInt8(ascii: "\""): return .string(try scanner.readText().string)
        case UInt8(ascii: "-"), UInt8(ascii: "0")...UInt8(ascii: "9"): return try readNumber()
        case UInt8(ascii: "["): return .array(try readElements(depth: depth))
        case UInt8(ascii: "{"):
            var object = try scanner.openObject(depth: depth)
            var members: [WireValue.Member] = []
            while let key = try scanner.nextKey(of: &object) {
                members.append(WireValue.Member(key.string, try read(depth: depth + 1)))
            }
            return .object(members)
        default:
            switch try scanner.readLiteral().start.pointee {
            case UInt8(ascii: "t"): return .bool(true)
            case UInt8(ascii: "f"): return .bool(false)
            default: return .null
            }
        }
    }

    private mutating func readElements(
        depth: Int
    ) throws(RecordDecodingError) -> [WireValue] {
        var elements: [WireValue] = []
        try scanner.open(depth: depth)
        scanner.skipSpace()
        if scanner.take(UInt8(ascii: "]")) { return elements }
        repeat {
            scanner.skipSpace()
            elements.append(try read(depth: depth + 1))
            scanner.skipSpace()
        } while scanner.take(UInt8(ascii: ","))
        guard scanner.take(UInt8(ascii: "]")) else { throw scanner.unexpected("\",\" or \"]\"") }
        return elements
    }

    private mutating func readNumber() throws(RecordDecodingError) -> WireValue {
        let begin = scanner.cursor
        let number = try scanner.readNumber()
        let text = ByteText(start: begin, count: scanner.cursor - begin)
        let isPlain = !text.buffer.contains { $0 == UInt8(ascii: ".") || $0 | 0x20 == 0x65 }
        if isPlain, let whole = wholeNumber(text) { return .integer(whole.value) }
        return .number(number)
    }
}
