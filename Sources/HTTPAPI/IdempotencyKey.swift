import ByteCoding
import HTTPTypes
import Hummingbird
import Synchronization

/// This is the sender's key of a batch (draft-ietf-httpapi-idempotency-key-header-07): a string in
/// quotes, or the same bare, as many send it.
struct IdempotencyKey: Hashable {
    /// The project and the route: the same key elsewhere is another key.
    let scope: String
    let text: String
    /// SHA-256 of the decoded body, so that compressing it otherwise changes nothing.
    let fingerprint: [UInt8]

    private static let sizeMax = 255

    /// Nil where the request has no key.
    ///
    /// - Throws: A `Problem` for a key that is none.
    init?(of request: Request, _ body: [UInt8]) throws {
        guard let name = HTTPField.Name("Idempotency-Key"),
            let project = HTTPField.Name(AccessControl.projectField)
        else { return nil }
        let values = request.headers[values: name]
        guard let value = values.first else { return nil }
        guard let text = value.hasPrefix("\"") ? Self.unquoted(value) : value,
            values.count == 1, value.hasPrefix("\"") || !value.contains("\""),
            (1...Self.sizeMax).contains(text.utf8.count),
            text.utf8.allSatisfy({ $0 >= 0x20 && $0 < 0x7F }), text.contains(where: { $0 != " " })
        else { throw Problem.idempotencyKeyInvalid }
        self.text = text
        let owner = request.headers[project] ?? "default"
        scope = "\(owner) \(request.uri.path)?\(request.uri.query ?? "")"
        fingerprint = SHA256.digest(of: body)
    }

    /// The content of a string of RFC 8941; nil where the value is more, or less, than one.
    private static func unquoted(_ value: String) -> String? {
        var bytes: [UInt8] = []
        var isEscaped = false
        var rest = value.utf8.dropFirst().makeIterator()
        while let byte = rest.next() {
            switch byte {
            case UInt8(ascii: "\""), UInt8(ascii: "\\"):
                if isEscaped {
                    bytes.append(byte)
                    isEscaped = false
                } else if byte == UInt8(ascii: "\\") {
                    isEscaped = true
                } else {
                    return rest.next() == nil ? String(decoding: bytes, as: UTF8.self) : nil
                }
            default:
                if isEscaped { return nil }
                bytes.append(byte)
            }
        }
        return nil
    }
}

/// These are the keys of requests that are being answered.
final class RunningKeys: Sendable {
    private struct Name: Hashable {
        let scope: String
        let text: String
    }

    private let names = Mutex<Set<Name>>([])

    /// False where a request with the key is running already.
    func begin(_ key: IdempotencyKey) -> Bool {
        names.withLock { $0.insert(Name(scope: key.scope, text: key.text)).inserted }
    }

    func end(_ key: IdempotencyKey) {
        names.withLock { _ = $0.remove(Name(scope: key.scope, text: key.text)) }
    }
}
