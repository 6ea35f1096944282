public import MonitoringDomain

/// This is one CloudEvent (specification 1.0.2), whichever way it came.
///
/// Its attributes are checked as the specification says; version 0.3 is taken too, because its
/// attributes have the same names. What the data means is not known here.
public struct CloudEvent: Equatable, Sendable {
    /// By lower-case name, with `datacontenttype`; none is empty.
    public let attributes: [String: String]
    /// What the event is about.
    public let payload: Payload

    /// This is the event's data.
    public enum Payload: Equatable, Sendable {
        case none
        /// Of a structured event: the value itself.
        case value(WireValue)
        /// The body of a binary event, or what was base64.
        case bytes([UInt8])
    }

    /// Not empty.
    public var id: String { attributes["id"] ?? "" }
    /// A reference to who sends it; with the id it should be unique, and with some senders is not.
    public var source: String { attributes["source"] ?? "" }
    /// What has happened, in the words of the sender.
    public var type: String { attributes["type"] ?? "" }
    /// The time of occurrence, checked when the event was read.
    public var time: EventTime? {
        attributes["time"].flatMap { EventTime(rfc3339: $0.utf8) }
    }

    private static let required = ["id", "source", "specversion", "type"]

    /// Checks the attributes; `number` is the event's place in its batch, from 1.
    init(
        attributes: [String: String], payload: Payload, number: Int
    ) throws(RecordDecodingError) {
        func refusal(_ name: String, _ detail: String) -> RecordDecodingError {
            .items([
                ItemError(
                    line: number, pointer: pointer("", name), code: ItemError.invalidField,
                    detail: detail)
            ])
        }
        for name in Self.required where attributes[name, default: ""].isEmpty {
            throw refusal(name, "a CloudEvent needs \(name)")
        }
        guard let version = attributes["specversion"], ["1.0", "0.3"].contains(version) else {
            throw refusal("specversion", "1.0 expected")
        }
        if let time = attributes["time"], EventTime(rfc3339: time.utf8) == nil {
            throw refusal("time", "no RFC 3339 time")
        }
        self.attributes = attributes.filter { !$0.value.isEmpty }
        self.payload = payload
    }
}

/// This is how a request carries events.
public enum CloudEventMode: Equatable, Sendable {
    case binary, structured, batch

    /// This is the mode that `contentType` says, in any case of letters.
    public init(contentType: String) {
        let type = contentType.lowercased()
        // The longer name first: it begins with the shorter one.
        if type.hasPrefix("application/cloudevents-batch") {
            self = .batch
        } else if type.hasPrefix("application/cloudevents") {
            self = .structured
        } else {
            self = .binary
        }
    }

    /// True where events are written in another format than JSON, like XML or Avro.
    ///
    /// - Parameter contentType: In any case of letters; its parameters say nothing here.
    /// - Returns: False also for what is no event.
    public static func isForeignFormat(contentType: String) -> Bool {
        let type = contentType.lowercased().prefix { $0 != ";" && $0 != " " }
        guard type.hasPrefix("application/cloudevents"), let plus = type.firstIndex(of: "+") else {
            return false
        }
        return type[plus...] != "+json"
    }
}

extension CloudEvent {
    /// Attributes of one event; further ones are refused.
    private static let attributeCountMax = 64
    /// The size of an attribute's value.
    private static let attributeSizeBytesMax = 64 << 10

    /// This is the event of binary mode, nil where the headers are those of no event.
    ///
    /// - Parameters:
    ///   - headers: Names in any case of letters and values, as they stand on the wire.
    ///   - body: The data.
    /// - Returns: Nil where no header is an attribute of an event.
    /// - Throws: `items` for missing, repeated or malformed attributes.
    public static func binary(
        headers: [(name: String, value: String)], body: [UInt8]
    ) throws(RecordDecodingError) -> CloudEvent? {
        var attributes: [String: String] = [:]
        for (name, value) in headers {
            let name = name.lowercased()
            if name == "content-type" {
                attributes["datacontenttype"] = value
                continue
            }
            guard name.hasPrefix("ce-") else { continue }
            let attribute = String(name.dropFirst(3))
            guard attribute != "datacontenttype", attribute != "data",
                attribute.utf8.allSatisfy(isNameByte), !attribute.isEmpty
            else { continue }
            guard attributes[attribute] == nil else {
                throw refusal(attribute, "the attribute is there twice")
            }
            guard attributes.count < attributeCountMax, value.utf8.count <= attributeSizeBytesMax
            else { throw refusal(attribute, "too many or too long attributes") }
            guard let decoded = headerValue(value) else {
                throw refusal(attribute, "percent-encoded bytes that are not UTF-8")
            }
            attributes[attribute] = decoded
        }
        guard attributes.keys.contains(where: { $0 != "datacontenttype" }) else { return nil }
        return try CloudEvent(
            attributes: attributes, payload: body.isEmpty ? .none : .bytes(body), number: 1)
    }

    /// These are the events of a structured body, or of a batch.
    ///
    /// - Throws: `malformed` where the body is no JSON, `items` for an event that breaks the
    ///   specification, `batchTooLarge` over the rows of the limits.
    public static func decode(
        _ body: [UInt8], mode: CloudEventMode, limits: DecodingLimits = DecodingLimits()
    ) throws(RecordDecodingError) -> [CloudEvent] {
        let value = try WireValue.parse(body, limits: limits)
        guard mode == .batch else { return [try event(value, number: 1)] }
        guard let elements = value.array else {
            throw refusal("", "a batch of CloudEvents is an array")
        }
        guard elements.count <= limits.rowCountMax else {
            throw .batchTooLarge(limit: limits.rowCountMax)
        }
        var events: [CloudEvent] = []
        for (index, element) in elements.enumerated() {
            events.append(try event(element, number: index + 1))
        }
        return events
    }

    /// This is the event of JSON format: `data` or `data_base64`, everything else an attribute.
    static func event(
        _ value: WireValue, number: Int
    ) throws(RecordDecodingError) -> CloudEvent {
        guard let members = value.object else {
            throw refusal("", "a CloudEvent is an object", number: number)
        }
        var attributes: [String: String] = [:]
        var data: WireValue?
        var encoded: WireValue?
        for member in members where member.value != .null {
            switch member.key {
            case "data": data = member.value
            case "data_base64": encoded = member.value
            default:
                // A name that is none is not an attribute; nothing here looks for it.
                guard !member.key.isEmpty, member.key.utf8.allSatisfy(isNameByte) else { continue }
                let isText = !required.contains(member.key) || member.value.string != nil
                guard isText, let text = attributeText(member.value) else {
                    throw refusal(member.key, "an attribute is a string", number: number)
                }
                guard attributes.count < attributeCountMax,
                    text.utf8.count <= attributeSizeBytesMax
                else {
                    throw refusal(member.key, "too many or too long attributes", number: number)
                }
                attributes[member.key] = text
            }
        }
        let payload: Payload
        switch (data, encoded) {
        case (nil, nil): payload = .none
        case (let data?, nil):
            if isJSON(attributes["datacontenttype"]) {
                payload = .value(data)
            } else if let text = data.string {
                payload = .bytes(Array(text.utf8))
            } else {
                throw refusal("data", "a string is expected by datacontenttype", number: number)
            }
        case (nil, let encoded?):
            guard let text = encoded.string, let bytes = Base64.decode(Array(text.utf8)) else {
                throw refusal("data_base64", "base64 is expected", number: number)
            }
            payload = .bytes(bytes)
        case (.some, .some):
            throw refusal("data_base64", "data and data_base64 exclude each other", number: number)
        }
        return try CloudEvent(attributes: attributes, payload: payload, number: number)
    }

    private static func attributeText(_ value: WireValue) -> String? {
        switch value {
        case .string(let text): text
        case .bool(let flag): flag ? "true" : "false"
        case .integer(let number): String(number)
        case .null, .number, .bytes, .array, .object: nil
        }
    }

    /// True for no type, `…/json` and `…/…+json`, whatever parameters follow.
    static func isJSON(_ contentType: String?) -> Bool {
        guard let contentType else { return true }
        let type = contentType.lowercased().prefix { $0 != ";" && $0 != " " }
        return type.hasSuffix("/json") || type.hasSuffix("+json")
    }

    private static func refusal(
        _ name: String, _ detail: String, number: Int = 1
    ) -> RecordDecodingError {
        .items([
            ItemError(
                line: number, pointer: name.isEmpty ? "" : pointer("", name),
                code: ItemError.invalidField, detail: detail)
        ])
    }

    private static func isNameByte(_ byte: UInt8) -> Bool {
        (UInt8(ascii: "a")...UInt8(ascii: "z")).contains(byte)
            || (UInt8(ascii: "0")...UInt8(ascii: "9")).contains(byte)
    }

    /// This is the attribute of a header's value: unquoted where it is quoted, then percent-decoded
    /// once; nil where the decoded bytes are not UTF-8.
    ///
    /// Not all senders encode (the Go SDK does not, the Python SDK does), so a `%` without two
    /// hexadecimal digits means that nothing is encoded, and the value is what stands there.
    static func headerValue(_ value: String) -> String? {
        let text = unquoted(Array(value.utf8))
        guard text.contains(UInt8(ascii: "%")) else {
            return String(validating: text, as: UTF8.self)
        }
        var decoded: [UInt8] = []
        decoded.reserveCapacity(text.count)
        var index = 0
        while index < text.count {
            guard text[index] == UInt8(ascii: "%") else {
                decoded.append(text[index])
                index += 1
                continue
            }
            guard index + 2 < text.count, let high = hexDigit(text[index + 1]),
                let low = hexDigit(text[index + 2])
            else { return String(validating: text, as: UTF8.self) }
            decoded.append(high << 4 | low)
            index += 3
        }
        return String(validating: decoded, as: UTF8.self)
    }

    private static func unquoted(_ text: [UInt8]) -> [UInt8] {
        guard text.count >= 2, text.first == UInt8(ascii: "\""), text.last == UInt8(ascii: "\"")
        else { return text }
        var bytes: [UInt8] = []
        var isEscaped = false
        for byte in text.dropFirst().dropLast() {
            if !isEscaped, byte == UInt8(ascii: "\\") {
                isEscaped = true
                continue
            }
            bytes.append(byte)
            isEscaped = false
        }
        return bytes
    }
}

/// This is the value of a hexadecimal digit, nil for other bytes.
func hexDigit(_ byte: UInt8) -> UInt8? {
    switch byte {
    case UInt8(ascii: "0")...UInt8(ascii: "9"): byte - UInt8(ascii: "0")
    case UInt8(ascii: "a")...UInt8(ascii: "f"): byte - UInt8(ascii: "a") + 10
    case UInt8(ascii: "A")...UInt8(ascii: "F"): byte - UInt8(ascii: "A") + 10
    default: nil
    }
}
