import HTTPTypes
import Hummingbird
import NIOCore
import RecordCoding

/// This is a body of records, decompressed.
struct RecordBody: Sendable {
    let bytes: [UInt8]
    /// True where records follow one another (NDJSON), false where the body is one JSON text.
    let isSequence: Bool
}

/// This is the reading of a body: bounded on the wire and decoded, with the encodings that we name.
enum RequestBody {
    /// The largest body on the wire, and after decoding.
    static let wireSizeBytesMax = 8 << 20
    static let decodedSizeBytesMax = 8 << 20
    /// The largest body that declares or reports something.
    static let smallSizeBytesMax = 4 << 20
    /// The largest reference after decoding: it is sent once, and by whoever owns the model.
    static let referenceSizeBytesMax = 32 << 20

    private static let accepted: HTTPFields = [.acceptEncoding: "identity, gzip, zstd"]
    private static let types = [
        "application/x-ndjson", "application/json", "application/jsonl", "application/jsonlines",
        "application/ndjson",
    ]

    /// Reads the records of a body.
    static func records(
        of request: Request, decodedLimitBytes: Int = decodedSizeBytesMax
    ) async throws -> RecordBody {
        try checkLength(request)
        let type = try checkType(request)
        return RecordBody(
            bytes: try await bytes(of: request, decodedLimitBytes: decodedLimitBytes),
            isSequence: type != "application/json")
    }

    /// Reads a small body that is one JSON text, by the same rules as records.
    static func json(of request: Request) async throws -> [UInt8] {
        try checkLength(request)
        let body = try await bytes(
            of: request, limitBytes: smallSizeBytesMax, decodedLimitBytes: smallSizeBytesMax)
        do {
            _ = try WireValue.parse(body)
        } catch {
            throw Problem(error)
        }
        return body
    }

    /// Reads a body of any type.
    static func bytes(
        of request: Request, limitBytes: Int = wireSizeBytesMax,
        decodedLimitBytes: Int = decodedSizeBytesMax
    ) async throws -> [UInt8] {
        let length = request.headers[.contentLength].flatMap { Int($0) } ?? 0
        guard length <= limitBytes else { throw Problem.bodyTooLarge(limitBytes) }
        var raw: [UInt8] = []
        raw.reserveCapacity(max(0, length))
        for try await part in request.body {
            guard part.readableBytes <= limitBytes - raw.count else {
                throw Problem.bodyTooLarge(limitBytes)
            }
            part.withUnsafeReadableBytes { raw.append(contentsOf: $0) }
        }
        let encodings = request.headers[values: .contentEncoding]
            .flatMap { $0.split(separator: ",") }
            .map { $0.trimmingWhitespace().lowercased() }
            .filter { $0 != "identity" && !$0.isEmpty }
        guard encodings.count <= 1 else { throw unsupported(encodings.joined(separator: ", ")) }
        do {
            switch encodings.first {
            case nil: return raw
            case "gzip", "x-gzip":
                return try Compression.inflateGzip(raw, limitBytes: decodedLimitBytes)
            case "zstd":
                return try Compression.zstdDecompress(raw, limitBytes: decodedLimitBytes)
            case let other?: throw unsupported(other)
            }
        } catch let error as CompressionError {
            switch error {
            case .overLimit(let limit):
                throw Problem(
                    .contentTooLarge, "decompression-limit", "The decoded body is too large",
                    detail: "over \(limit) bytes after decoding; send smaller batches",
                    outcome: "not_stored")
            case .windowOverLimit:
                throw Problem(
                    .contentTooLarge, "decompression-limit", "Decoding needs too much memory",
                    detail: error.description, outcome: "not_stored")
            case .corrupt(let reason):
                throw Problem(
                    .badRequest, "malformed-request", "The compressed body is corrupt",
                    detail: reason, outcome: "not_stored")
            }
        }
    }

    /// A body that is not announced is none, and who sends one forgot to say so.
    private static func checkLength(_ request: Request) throws {
        let isAnnounced =
            request.headers[.contentLength] != nil || request.headers[.transferEncoding] != nil
        guard isAnnounced else {
            throw Problem(
                .lengthRequired, "length-required", "A length is required",
                detail: "Content-Length or Transfer-Encoding: chunked expected",
                outcome: "not_stored")
        }
    }

    /// Refuses a body that says to be JSON in other than UTF-8.
    static func checkCharset(_ request: Request) throws {
        let value = (request.headers[.contentType] ?? "").lowercased()
        let parts = value.split(separator: ";").map { $0.trimmingWhitespace() }
        let charsets = parts.dropFirst().filter { $0.hasPrefix("charset=") }.map { $0.dropFirst(8) }
        guard charsets.allSatisfy({ $0 == "utf-8" || $0 == "\"utf-8\"" }) else {
            throw Problem(
                .unsupportedMediaType, "unsupported-media-type", "Unsupported media type",
                detail: "Content-Type \"\(value)\" found, UTF-8 expected", outcome: "not_stored")
        }
    }

    private static func checkType(_ request: Request) throws -> Substring {
        let value = request.headers[.contentType] ?? ""
        let parts = value.split(separator: ";").map {
            Substring($0.trimmingWhitespace().lowercased())
        }
        let charsets = parts.dropFirst().filter { $0.hasPrefix("charset=") }.map { $0.dropFirst(8) }
        guard let type = parts.first, types.contains(String(type)),
            charsets.allSatisfy({ $0 == "utf-8" || $0 == "\"utf-8\"" })
        else {
            throw Problem(
                .unsupportedMediaType, "unsupported-media-type", "Unsupported media type",
                detail: "Content-Type \"\(value)\" found, application/x-ndjson or application/json "
                    + "in UTF-8 expected", outcome: "not_stored")
        }
        return type
    }

    private static func unsupported(_ encoding: String) -> Problem {
        Problem(
            .unsupportedMediaType, "unsupported-encoding", "Unsupported content encoding",
            detail: "\"\(encoding)\" found; identity, gzip or zstd expected", outcome: "not_stored",
            headers: accepted)
    }
}

extension Substring {
    fileprivate func trimmingWhitespace() -> Substring {
        var rest = self
        while let first = rest.first, first == " " || first == "\t" { rest.removeFirst() }
        while let last = rest.last, last == " " || last == "\t" { rest.removeLast() }
        return rest
    }
}
