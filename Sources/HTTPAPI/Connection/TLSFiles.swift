import NIOSSL

/// This is how connections are encrypted: files of PEM, read once.
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

    /// Reads the files.
    func context() throws -> NIOSSLContext {
        let chain = try NIOSSLCertificate.fromPEMFile(certificate)
        var configuration = TLSConfiguration.makeServerConfiguration(
            certificateChain: chain.map { .certificate($0) },
            privateKey: .privateKey(try NIOSSLPrivateKey(file: key, format: .pem)))
        configuration.minimumTLSVersion = .tlsv12
        configuration.applicationProtocols = ["http/1.1"]
        if let clientAuthorities {
            configuration.trustRoots = .file(clientAuthorities)
            // A client has no name that could be compared; whose it is says the store of keys.
            configuration.certificateVerification = .noHostnameVerification
        }
        return try NIOSSLContext(configuration: configuration)
    }
}
