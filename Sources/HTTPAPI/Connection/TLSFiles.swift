import Foundation
import Logging
import NIOCore
import NIOSSL
import Synchronization

/// This is how connections are encrypted: files of PEM, read again when they change.
public struct TLSFiles: Sendable {
    /// The server's certificate, and those between it and the root.
    public var certificate: String
    /// The certificate's private key.
    public var key: String
    /// The authorities whose clients may connect; nil where clients need no certificate.
    public var clientAuthorities: String?

    /// Makes a configuration from paths; nothing is read yet.
    public init(certificate: String, key: String, clientAuthorities: String?) {
        self.certificate = certificate
        self.key = key
        self.clientAuthorities = clientAuthorities
    }

    /// A client has named no server.
    private struct UnnamedServer: Error {}

    /// What TLS 1.2 may use: a key for each connection, which a stolen private key does not give away, and
    /// encryption that proves itself whole.
    ///
    /// TLS 1.3 has nothing else.
    private static let cipherSuites = "ECDHE+AESGCM:ECDHE+CHACHA20"

    private static func namesAddress(_ certificate: NIOSSLCertificate) -> Bool {
        certificate._subjectAlternativeNames().contains { $0.nameType == .ipAddress }
    }

    /// Reads the files.
    func context() throws -> NIOSSLContext {
        let chain = try NIOSSLCertificate.fromPEMFile(certificate)
        var configuration = TLSConfiguration.makeServerConfiguration(
            certificateChain: chain.map { .certificate($0) },
            privateKey: .privateKey(try NIOSSLPrivateKey(file: key, format: .pem)))
        configuration.minimumTLSVersion = .tlsv12
        configuration.cipherSuites = Self.cipherSuites
        configuration.applicationProtocols = ["http/1.1"]
        if let clientAuthorities {
            configuration.trustRoots = .file(clientAuthorities)
            // A client has no name that could be compared; whose it is says the store of keys.
            configuration.certificateVerification = .noHostnameVerification
        }
        // Who names no server can mean an address only, and a certificate of names is for none.
        let namesAddress = chain.first.map(Self.namesAddress) ?? false
        configuration.sslContextCallback = { client, promise in
            if client.serverHostname == nil, !namesAddress {
                promise.fail(UnnamedServer())
            } else {
                promise.succeed(.noChanges)
            }
        }
        return try NIOSSLContext(configuration: configuration)
    }
}

/// This is the certificates in force: new connections use those that the files hold now.
///
/// The files are looked at once a second. What cannot be read, as a file that is being written, changes
/// nothing, and is said once.
final class TLSContexts: Sendable {
    private static let interval = DispatchTimeInterval.seconds(1)

    private let files: TLSFiles
    private let logger: Logger
    private let state: Mutex<(context: NIOSSLContext, stamps: [FileStamp])>
    private let queue = DispatchQueue(label: "leeway-certificates", qos: .utility)

    /// What tells one content of a file from the next.
    private struct FileStamp: Equatable, Sendable {
        var file: UInt64
        var size: Int64
        var seconds: Int64
        var nanoseconds: Int64

        init?(of path: String) {
            var status = stat()
            guard stat(path, &status) == 0 else { return nil }
            file = UInt64(status.st_ino)
            size = Int64(status.st_size)
            seconds = Int64(status.st_mtim.tv_sec)
            nanoseconds = Int64(status.st_mtim.tv_nsec)
        }
    }

    /// Reads the files.
    ///
    /// - Throws: For files that cannot be used.
    init(_ files: TLSFiles, logger: Logger) throws {
        self.files = files
        self.logger = logger
        let stamps = Self.stamps(of: files)
        state = Mutex((try files.context(), stamps))
        lookLater()
    }

    private func lookLater() {
        queue.asyncAfter(deadline: .now() + Self.interval) { [weak self] in
            self?.refresh()
            self?.lookLater()
        }
    }

    /// This is what a new connection uses.
    var current: NIOSSLContext { state.withLock { $0.context } }

    private static func stamps(of files: TLSFiles) -> [FileStamp] {
        [files.certificate, files.key, files.clientAuthorities].compactMap { path in
            path.flatMap { FileStamp(of: $0) }
        }
    }

    private func refresh() {
        let stamps = Self.stamps(of: files)
        guard state.withLock({ $0.stamps != stamps }) else { return }
        do {
            let context = try files.context()
            state.withLock { $0 = (context, stamps) }
            logger.notice("new certificates are in force")
        } catch {
            state.withLock { $0.stamps = stamps }
            logger.error(
                "the certificates have changed and cannot be used; the earlier ones stay in force",
                metadata: ["reason": "\(error)"])
        }
    }
}
