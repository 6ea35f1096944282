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
        var text = value[...]
        if text.hasPrefix("\"") {
            guard text.hasSuffix("\""), text.utf8.count >= 2 else {
                throw Problem.idempotencyKeyInvalid
            }
            text = text.dropFirst().dropLast()
        }
        guard values.count == 1, (1...Self.sizeMax).contains(text.utf8.count),
            text.utf8.allSatisfy({ $0 >= 0x20 && $0 < 0x7F }), text.contains(where: { $0 != " " })
        else { throw Problem.idempotencyKeyInvalid }
        self.text = String(text)
        let owner = request.headers[project] ?? "default"
        scope = "\(owner) \(request.uri.path)?\(request.uri.query ?? "")"
        fingerprint = SHA256.digest(of: body)
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
