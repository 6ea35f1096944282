/// OTLP in JSON: names in lowerCamelCase, 64-bit integers as strings or numbers, bytes in base64,
/// and unknown members ignored.
extension LogRequestReader {
    /// Reads the records of a request in JSON.
    static func read(
        json body: [UInt8], limits: DecodingLimits
    ) throws(RecordDecodingError) -> [LogRecord] {
        let request = try WireValue.parse(body, limits: limits)
        guard request.object != nil else {
            throw problem("an object is expected")
        }
        var records: [LogRecord] = []
        for resourceLogs in try elements(request, "resourceLogs") {
            var record = LogRecord()
            record.resource = try members(resourceLogs["resource"], "attributes")
            for scopeLogs in try elements(resourceLogs, "scopeLogs") {
                record.scopeName = scopeLogs["scope"]?["name"]?.string ?? ""
                for element in try elements(scopeLogs, "logRecords") {
                    guard records.count < limits.rowCountMax else {
                        throw .batchTooLarge(limit: limits.rowCountMax)
                    }
                    records.append(try Self.record(element, record))
                }
            }
        }
        return records
    }

    private static func record(
        _ element: WireValue, _ scope: LogRecord
    ) throws(RecordDecodingError) -> LogRecord {
        var record = scope
        let time = try unsigned(element, "timeUnixNano")
        let observed = try unsigned(element, "observedTimeUnixNano")
        record.nanoseconds = [time, observed].lazy.compactMap { $0 }.first { $0 > 0 }
        record.eventName = element["eventName"]?.string ?? ""
        record.attributes = try members(element, "attributes")
        if let body = element["body"] { record.body = try anyValue(body) }
        return record
    }

    private static func elements(
        _ value: WireValue?, _ name: String
    ) throws(RecordDecodingError) -> [WireValue] {
        guard let found = value?[name] else { return [] }
        guard let elements = found.array else { throw problem("\(name): an array is expected") }
        return elements
    }

    private static func members(
        _ value: WireValue?, _ name: String
    ) throws(RecordDecodingError) -> [WireValue.Member] {
        var members: [WireValue.Member] = []
        for element in try elements(value, name) {
            guard let key = element["key"]?.string else {
                throw problem("an attribute needs a key")
            }
            members.append(WireValue.Member(key, try anyValue(element["value"] ?? .null)))
        }
        return members
    }

    private static func anyValue(_ value: WireValue) throws(RecordDecodingError) -> WireValue {
        if let text = value["stringValue"] {
            guard case .string = text else { throw problem("stringValue: a string is expected") }
            return text
        }
        if let flag = value["boolValue"] {
            guard case .bool = flag else { throw problem("boolValue: a boolean is expected") }
            return flag
        }
        if let number = value["intValue"] {
            switch number {
            case .integer: return number
            case .string(let text):
                guard let integer = Int64(text) else { throw problem("intValue: no integer") }
                return .integer(integer)
            default: throw problem("intValue: an integer is expected")
            }
        }
        if let number = value["doubleValue"] {
            // JSON has no word for these; protobuf's mapping has.
            if number == .string("NaN") { return .null }
            if number == .string("Infinity") { return .number(.infinity) }
            if number == .string("-Infinity") { return .number(-.infinity) }
            guard let double = number.double else {
                throw problem("doubleValue: a number expected")
            }
            return .number(double)
        }
        if let array = value["arrayValue"] {
            var elements: [WireValue] = []
            for element in try Self.elements(array, "values") {
                elements.append(try anyValue(element))
            }
            return .array(elements)
        }
        if let list = value["kvlistValue"] { return .object(try members(list, "values")) }
        if let encoded = value["bytesValue"] {
            guard let text = encoded.string, let bytes = Base64.decode(Array(text.utf8)) else {
                throw problem("bytesValue: base64 is expected")
            }
            return .bytes(bytes)
        }
        return .null
    }

    private static func unsigned(
        _ value: WireValue, _ name: String
    ) throws(RecordDecodingError) -> UInt64? {
        switch value[name] {
        case nil: return nil
        case .integer(let number)?:
            guard let number = UInt64(exactly: number) else { throw problem("\(name): below 0") }
            return number
        case .string(let text)?:
            guard let number = UInt64(text) else { throw problem("\(name): no integer") }
            return number
        default: throw problem("\(name): an integer is expected")
        }
    }

    private static func problem(_ reason: String) -> RecordDecodingError {
        InferenceBody.refusal("/resourceLogs", reason)
    }
}
