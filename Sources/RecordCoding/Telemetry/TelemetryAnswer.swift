import ByteCoding

/// This is how an OTLP request and its answer are written.
public enum TelemetryEncoding: Sendable, Equatable {
    case protobuf, json

    /// Nil unless `contentType` is one of the two that OTLP over HTTP has.
    public init?(contentType: String) {
        let type = contentType.lowercased().prefix { $0 != ";" && $0 != " " }
        switch type {
        case "application/x-protobuf", "application/protobuf": self = .protobuf
        case "application/json": self = .json
        default: return nil
        }
    }

    /// This is the answer's content type, the request's.
    public var contentType: String {
        self == .protobuf ? "application/x-protobuf" : "application/json"
    }
}

/// This is the answers of an OTLP receiver.
///
///     ExportLogsServiceResponse   1: partial_success {1: rejected_log_records, 2: error_message}
///     google.rpc.Status           1: code, 2: message
public enum TelemetryAnswer {
    /// Longer reasons help nobody.
    private static let reasonSizeMax = 200

    /// This is the answer when everything was taken: nothing; or that some records were rejected, which
    /// must not be sent again.
    public static func success(
        rejectedCount: Int, reason: String?, _ encoding: TelemetryEncoding
    ) -> [UInt8] {
        let reason = String((reason ?? "").prefix(reasonSizeMax))
        switch encoding {
        case .protobuf:
            guard rejectedCount > 0 else { return [] }
            var partial = ByteWriter()
            partial.writeVarint(0x08)
            partial.writeVarint(UInt64(rejectedCount))
            partial.writeVarint(0x12)
            partial.write(reason)
            var answer = ByteWriter()
            answer.writeVarint(0x0A)
            answer.writeCount(partial.bytes.count)
            answer.append(contentsOf: partial.bytes)
            return answer.bytes
        case .json:
            guard rejectedCount > 0 else { return Array("{}".utf8) }
            let partial: JSONValue = .object([
                ("rejectedLogRecords", .string(String(rejectedCount))),
                ("errorMessage", .string(reason)),
            ])
            return Array(JSONValue.object([("partialSuccess", partial)]).text.utf8)
        }
    }

    /// This is the answer when nothing was taken, with a code of gRPC.
    public static func failure(
        code: UInt8, reason: String, _ encoding: TelemetryEncoding
    ) -> [UInt8] {
        let reason = String(reason.prefix(reasonSizeMax))
        switch encoding {
        case .protobuf:
            var answer = ByteWriter()
            answer.writeVarint(0x08)
            answer.writeVarint(UInt64(code))
            answer.writeVarint(0x12)
            answer.write(reason)
            return answer.bytes
        case .json:
            return Array(
                JSONValue.object([("code", .int(Int64(code))), ("message", .string(reason))]).text
                    .utf8)
        }
    }
}
