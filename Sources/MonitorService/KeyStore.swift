import ByteCoding
import Foundation
public import MonitoringDomain
import Synchronization

/// This is what a key allows.
///
/// `admin` allows everything, the others only what they say.
public enum KeyScope: String, Sendable, CaseIterable, Codable {
    /// Sends records; reads nothing, not even its own.
    case ingest
    /// Reads models, measurements, alerts and telemetry.
    case read
    /// Declares models, references and rules, and everything else.
    case admin

    /// True where this scope allows what `other` is asked for.
    public func allows(_ other: KeyScope) -> Bool { self == .admin || self == other }
}

/// This is a key as it is stored: everything but the secret.
public struct APIKey: Sendable, Equatable, Codable {
    /// Twelve letters and digits, which logs may show.
    public let id: String
    /// What its owner calls it.
    public let name: String
    /// What it allows.
    public let scope: KeyScope
    /// Whose idempotency keys it shares.
    public let project: String
    /// SHA-256 of the secret, or of a client certificate's DER, as hexadecimal digits.
    ///
    /// The secret has 256 random bits, so that a slow hash would protect nothing more.
    public let digest: String
    /// True where the digest is a certificate's.
    public let isCertificate: Bool
    /// Requests a second; nil for the server's default.
    public let requestsPerSecond: Int?
    /// RFC 3339.
    public let createdAt: String
    /// RFC 3339; nil where it does not end by itself.
    public let expiresAt: String?
    /// RFC 3339; nil where it is valid.
    public var revokedAt: String?

    /// True where the key may be used at `now`.
    public func isValid(at now: EventTime) -> Bool {
        guard revokedAt == nil else { return false }
        guard let expiresAt else { return true }
        guard let end = EventTime(rfc3339: expiresAt.utf8) else { return false }
        return now < end
    }
}

/// This is why keys cannot be read or written, as a sentence.
public struct KeyStoreError: Error, CustomStringConvertible {
    /// This is the reason.
    public let description: String
}

/// This is the file of keys in the data directory: `keys.json`, readable by its owner only.
///
/// The command line writes it and a running server reads it again whenever it changes, so that a
/// revoked key is refused from the next request on.
public final class KeyStore: Sendable {
    /// Letters and digits that need no escape anywhere.
    private static let alphabet = Array(
        "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz".utf8)
    /// 43 digits of base 62 are 256 bits.
    private static let secretSize = 43
    private static let nameSizeMax = 128

    private let path: String
    private let state = Mutex(State())

    private struct State {
        var stamp: Stamp?
        /// Those that have a secret, at the places that their digests have.
        var keys: [APIKey] = []
        var digests = KeyDigests()
        var certificates: [String: APIKey] = [:]
        var isUsed = false
    }

    /// What tells one version of the file from another.
    private struct Stamp: Equatable {
        var inode: UInt
        var size: Int
        var seconds: Int
        var nanoseconds: Int
    }

    private struct File: Codable { var keys: [APIKey] }

    /// Makes a store over the keys of a data directory, which may have none.
    public init(directory: String) { path = "\(directory)/keys.json" }

    // MARK: - The server's side

    /// True from the first key on: then every request needs one, also when the file goes away.
    public var isUsed: Bool {
        refresh()
        return state.withLock { $0.isUsed }
    }

    /// This is what a person should hear of the file; nil where all is well, or there is none.
    public var fault: String? {
        var status = stat()
        guard stat(path, &status) == 0 else { return nil }
        guard (try? read()) != nil else {
            return "the file of keys cannot be read: every request is refused until it can be"
        }
        return status.st_mode & 0o077 == 0
            ? nil : "others than its owner may read or write the file of keys: chmod 600"
    }

    /// This is the valid key of a token `lwy_<id>_<secret>`, nil for every other text.
    ///
    /// An unknown id costs as much as a known one with a wrong secret, wherever that is wrong.
    public func key(for token: String, at now: EventTime) -> APIKey? {
        refresh()
        let parts = token.utf8.split(
            separator: UInt8(ascii: "_"), omittingEmptySubsequences: false)
        guard parts.count == 3, parts[0].elementsEqual("lwy".utf8),
            parts[1].count == KeyDigests.idSize, parts[2].count == Self.secretSize
        else { return nil }
        let digest = SHA256.digest(of: Array(parts[2]))
        let found = state.withLock { state in
            state.digests.place(ofID: parts[1], digest: digest).map { state.keys[$0] }
        }
        guard let found, found.isValid(at: now) else { return nil }
        return found
    }

    /// This is the id that a token shows, whoever has made it; nil for what has not the form of one.
    public static func id(of token: String) -> String? {
        let parts = token.split(separator: "_", omittingEmptySubsequences: false)
        guard parts.count == 3, parts[1].utf8.count == KeyDigests.idSize else { return nil }
        return String(parts[1])
    }

    /// This is the valid key of a client certificate, by its DER bytes.
    public func key(forCertificate der: [UInt8], at now: EventTime) -> APIKey? {
        refresh()
        let digest = hexadecimal(SHA256.digest(of: der))
        guard let key = state.withLock({ $0.certificates[digest] }) else { return nil }
        return key.isValid(at: now) ? key : nil
    }

    /// Reads the file where it is another one than before.
    ///
    /// A file that cannot be read leaves the keys as they are, and nobody is let in for want of one.
    private func refresh() {
        var status = stat()
        let isThere = stat(path, &status) == 0
        state.withLock { state in
            guard isThere else {
                (state.stamp, state.keys, state.certificates) = (nil, [], [:])
                state.digests = KeyDigests()
                return
            }
            let stamp = Stamp(
                inode: UInt(status.st_ino), size: Int(status.st_size),
                seconds: Int(status.st_mtim.tv_sec), nanoseconds: Int(status.st_mtim.tv_nsec))
            guard stamp != state.stamp else { return }
            guard let keys = try? read() else {
                state.isUsed = true
                return
            }
            state.stamp = stamp
            state.isUsed = state.isUsed || !keys.isEmpty
            state.keys = []
            state.digests = KeyDigests()
            state.certificates = [:]
            for key in keys {
                if key.isCertificate {
                    state.certificates[key.digest] = key
                } else if let digest = bytes(ofHexadecimal: key.digest),
                    state.digests.add(id: key.id.utf8, digest: digest)
                {
                    state.keys.append(key)
                }
            }
        }
    }

    // MARK: - The command line's side

    /// Makes a key.
    ///
    /// - Parameters:
    ///   - scope: What it allows.
    ///   - name: What its owner calls it.
    ///   - project: Whose idempotency keys it shares.
    ///   - certificate: DER bytes of a client certificate that stands for the key; nil for a token.
    ///   - requestsPerSecond: Its own rate limit.
    ///   - expiresAt: When it ends by itself.
    ///   - now: The time of its making.
    /// - Returns: The key, and the token, which nobody can show again; nil for a certificate.
    /// - Throws: `KeyStoreError`.
    public func create(
        scope: KeyScope, name: String, project: String = "default", certificate: [UInt8]? = nil,
        requestsPerSecond: Int? = nil, expiresAt: EventTime? = nil, at now: EventTime
    ) throws -> (key: APIKey, token: String?) {
        guard name.utf8.count <= Self.nameSizeMax, !name.utf8.contains(where: { $0 < 0x20 }) else {
            throw KeyStoreError(description: "a name has up to \(Self.nameSizeMax) bytes")
        }
        let isProject =
            !project.isEmpty && project.utf8.count <= Self.nameSizeMax
            && project.utf8.allSatisfy { $0 > 0x20 && $0 < 0x7F }
        guard isProject else {
            throw KeyStoreError(description: "a project has 1 to 128 printable ASCII characters")
        }
        var random = SystemRandomNumberGenerator()
        let secret = Self.text(of: Self.secretSize, using: &random)
        let key = APIKey(
            id: Self.text(of: KeyDigests.idSize, using: &random), name: name, scope: scope,
            project: project,
            digest: hexadecimal(SHA256.digest(of: certificate ?? Array(secret.utf8))),
            isCertificate: certificate != nil, requestsPerSecond: requestsPerSecond,
            createdAt: "\(now)", expiresAt: expiresAt.map { "\($0)" })
        try change { $0.append(key) }
        return (key, certificate == nil ? "lwy_\(key.id)_\(secret)" : nil)
    }

    /// These are all keys, revoked ones among them, in the order of their making.
    public func list() throws -> [APIKey] {
        FileManager.default.fileExists(atPath: path) ? try read() : []
    }

    /// Revokes a key for good.
    ///
    /// - Parameters:
    ///   - id: The key's id.
    ///   - now: The time of the revocation.
    /// - Throws: `KeyStoreError` for an id that no key has.
    public func revoke(_ id: String, at now: EventTime) throws {
        try change { keys in
            guard let place = keys.firstIndex(where: { $0.id == id }) else {
                throw KeyStoreError(description: "no key has the id \(id)")
            }
            if keys[place].revokedAt == nil { keys[place].revokedAt = "\(now)" }
        }
    }

    private static func text(of size: Int, using random: inout some RandomNumberGenerator) -> String
    {
        let digits = (0..<size).map { _ in
            alphabet[Int.random(in: 0..<alphabet.count, using: &random)]
        }
        return String(decoding: digits, as: UTF8.self)
    }

    private func read() throws -> [APIKey] {
        do {
            let data = try Data(contentsOf: URL(fileURLWithPath: path))
            return try JSONDecoder().decode(File.self, from: data).keys
        } catch {
            throw KeyStoreError(description: "\(path) cannot be read: it is no file of keys")
        }
    }

    /// Changes the file as a whole: a reader sees the old one or the new one.
    private func change(_ body: (inout [APIKey]) throws -> Void) throws {
        let directory = (path as NSString).deletingLastPathComponent
        try FileManager.default.createDirectory(
            atPath: directory, withIntermediateDirectories: true,
            attributes: [.posixPermissions: 0o700])
        let lock = open("\(path).lock", O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0o600)
        guard lock >= 0, flock(lock, LOCK_EX) == 0 else {
            throw KeyStoreError(description: "\(path).lock cannot be opened")
        }
        defer { close(lock) }
        var keys = try list()
        try body(&keys)
        let encoder = JSONEncoder()
        encoder.outputFormatting = [.prettyPrinted, .sortedKeys]
        let bytes = [UInt8](try encoder.encode(File(keys: keys)))
        let temporary = "\(path).new"
        let file = open(temporary, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW, 0o600)
        guard file >= 0 else { throw KeyStoreError(description: "\(temporary) cannot be written") }
        let isWritten =
            bytes.withUnsafeBytes { write(file, $0.baseAddress, $0.count) == $0.count }
            && fsync(file) == 0
        close(file)
        guard isWritten, rename(temporary, path) == 0 else {
            throw KeyStoreError(description: "\(path) cannot be written")
        }
    }
}

private func hexadecimal(_ bytes: [UInt8]) -> String {
    bytes.map { ($0 < 16 ? "0" : "") + String($0, radix: 16) }.joined()
}

private func bytes(ofHexadecimal text: String) -> [UInt8]? {
    let digits = text.utf8.map { UInt8(String(UnicodeScalar($0)), radix: 16) }
    guard digits.count % 2 == 0, !digits.contains(nil) else { return nil }
    let values = digits.compactMap { $0 }
    return stride(from: 0, to: values.count, by: 2).map { values[$0] << 4 | values[$0 + 1] }
}
