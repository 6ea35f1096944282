import ByteCoding
import MonitoringDomain

/// This is one log record of OTLP with what its resource and scope say.
struct LogRecord: Equatable {
    /// When it happened, else when it was seen, in nanoseconds; nil where neither is told.
    var nanoseconds: UInt64?
    var eventName = ""
    var body = WireValue.null
    var attributes: [WireValue.Member] = []
    var resource: [WireValue.Member] = []
    var scopeName = ""
}

/// This reads an export request of logs in protobuf.
///
/// Source: opentelemetry-proto, `collector/logs/v1/logs_service.proto` and what it imports.
struct LogRequestReader {
    private let limits: DecodingLimits
    private var valueCount = 0
    private(set) var records: [LogRecord] = []

    init(limits: DecodingLimits) { self.limits = limits }

    /// Reads the records of `ExportLogsServiceRequest`.
    ///
    /// - Throws: `malformed` where the bytes are none, `batchTooLarge` over the rows of the limits.
    static func read(
        protobuf body: [UInt8], limits: DecodingLimits
    ) throws(RecordDecodingError) -> [LogRecord] {
        var reader = Self(limits: limits)
        do {
            try reader.readRequest(body)
        } catch {
            switch error {
            case .reading(let error):
                throw .malformed(line: 1, offset: 0, reason: "protobuf: \(error)")
            case .tooMany: throw .batchTooLarge(limit: limits.rowCountMax)
            }
        }
        return reader.records
    }

    private enum Failure: Error {
        case reading(ByteReadingError)
        case tooMany
    }

    /// Calls `body` with each field of a message.
    private mutating func fields(
        of message: [UInt8],
        _ body: (inout Self, UInt64, ProtobufReader.Value) throws(Failure) -> Void
    ) throws(Failure) {
        var reader = ProtobufReader(message)
        while true {
            let field: (number: UInt64, value: ProtobufReader.Value)?
            do { field = try reader.next() } catch { throw .reading(error) }
            guard let field else { return }
            try body(&self, field.number, field.value)
        }
    }

    private static func message(
        _ value: ProtobufReader.Value
    ) throws(Failure) -> [UInt8] {
        guard let bytes = value.bytes else {
            throw .reading(.invalid(offset: 0, reason: "a message is expected"))
        }
        return bytes
    }

    private static func text(_ value: ProtobufReader.Value) throws(Failure) -> String {
        do { return try value.text() } catch { throw .reading(error) }
    }

    private mutating func readRequest(_ message: [UInt8]) throws(Failure) {
        try fields(of: message) { (reader, number, value) throws(Failure) in
            if number == 1 { try reader.readResourceLogs(try Self.message(value)) }
        }
    }

    /// The resource may stand behind its logs, so it is read first.
    private mutating func readResourceLogs(_ message: [UInt8]) throws(Failure) {
        var record = LogRecord()
        try fields(of: message) { (reader, number, value) throws(Failure) in
            guard number == 1 else { return }
            try reader.fields(of: try Self.message(value)) {
                (reader, number, value) throws(Failure) in
                if number == 1 { record.resource.append(try reader.member(value, depth: 0)) }
            }
        }
        try fields(of: message) { (reader, number, value) throws(Failure) in
            if number == 2 { try reader.readScopeLogs(try Self.message(value), record) }
        }
    }

    private mutating func readScopeLogs(
        _ message: [UInt8], _ resource: LogRecord
    ) throws(Failure) {
        var scope = resource
        try fields(of: message) { (reader, number, value) throws(Failure) in
            guard number == 1 else { return }
            try reader.fields(of: try Self.message(value)) { (_, number, value) throws(Failure) in
                if number == 1 { scope.scopeName = try Self.text(value) }
            }
        }
        try fields(of: message) { (reader, number, value) throws(Failure) in
            if number == 2 { try reader.readRecord(try Self.message(value), scope) }
        }
    }

    private mutating func readRecord(_ message: [UInt8], _ scope: LogRecord) throws(Failure) {
        guard records.count < limits.rowCountMax else { throw .tooMany }
        var record = scope
        var observed: UInt64 = 0
        try fields(of: message) { (reader, number, value) throws(Failure) in
            switch (number, value) {
            case (1, .fixed64(let time)): if time > 0 { record.nanoseconds = time }
            case (11, .fixed64(let time)): observed = time
            case (5, .bytes(let bytes)): record.body = try reader.anyValue(bytes, depth: 1)
            case (6, .bytes): record.attributes.append(try reader.member(value, depth: 1))
            case (12, .bytes): record.eventName = try Self.text(value)
            case (1, _), (5, _), (6, _), (11, _), (12, _):
                throw .reading(.invalid(offset: 0, reason: "field \(number) of another type"))
            default: return
            }
        }
        if record.nanoseconds == nil, observed > 0 { record.nanoseconds = observed }
        records.append(record)
    }

    private mutating func member(
        _ value: ProtobufReader.Value, depth: Int
    ) throws(Failure) -> WireValue.Member {
        var member = WireValue.Member("", .null)
        try fields(of: try Self.message(value)) { (reader, number, value) throws(Failure) in
            switch number {
            case 1: member.key = try Self.text(value)
            case 2: member.value = try reader.anyValue(try Self.message(value), depth: depth + 1)
            default: return
            }
        }
        return member
    }

    /// The last of several fields wins, as everywhere in protobuf.
    private mutating func anyValue(_ message: [UInt8], depth: Int) throws(Failure) -> WireValue {
        valueCount += 1
        guard valueCount <= WireValue.countMax, depth < limits.depthMax else {
            throw .reading(.invalid(offset: 0, reason: "too many or too deep values"))
        }
        var result = WireValue.null
        try fields(of: message) { (reader, number, value) throws(Failure) in
            switch (number, value) {
            case (1, .bytes): result = .string(try Self.text(value))
            case (2, .varint(let flag)): result = .bool(flag != 0)
            case (3, .varint(let bits)): result = .integer(Int64(bitPattern: bits))
            case (4, .fixed64(let bits)):
                let number = Double(bitPattern: bits)
                // Not a number is what frameworks write for a missing value.
                result = number.isNaN ? .null : .number(number)
            case (5, .bytes(let bytes)):
                var elements: [WireValue] = []
                try reader.fields(of: bytes) { (reader, number, value) throws(Failure) in
                    guard number == 1 else { return }
                    elements.append(
                        try reader.anyValue(try Self.message(value), depth: depth + 1))
                }
                result = .array(elements)
            case (6, .bytes(let bytes)):
                var members: [WireValue.Member] = []
                try reader.fields(of: bytes) { (reader, number, value) throws(Failure) in
                    if number == 1 { members.append(try reader.member(value, depth: depth + 1)) }
                }
                result = .object(members)
            case (7, .bytes(let bytes)): result = .bytes(bytes)
            case (1...7, _):
                throw .reading(.invalid(offset: 0, reason: "a value of another type"))
            default: return
            }
        }
        return result
    }
}
