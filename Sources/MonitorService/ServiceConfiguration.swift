public import MonitorCore

/// This is everything that `leeway serve` can be told, validated when built.
public struct ServiceConfiguration: Sendable, Equatable {
    /// This is the address to listen on, a loopback one.
    public var host: String
    /// This is the port to listen on; 0 lets the system choose.
    public var port: Int
    /// This is where the log is kept.
    public var dataDirectory: String
    /// This is where rule files are read from.
    public var rulesDirectory: String
    /// Nil: requests are kept and shown here only.
    public var postgresDSN: String?
    /// This is where the rules' "now" comes from.
    public var clock: Monitor.Clock

    /// Checks every setting.
    ///
    /// - Throws: `ConfigurationError` for the first that cannot be used.
    public init(
        listen: String, dataDirectory: String, rulesDirectory: String, postgresDSN: String?,
        clock: Monitor.Clock
    ) throws(ConfigurationError) {
        guard let colon = listen.lastIndex(of: ":"),
            let port = Int(listen[listen.index(after: colon)...]), (0...65_535).contains(port),
            colon != listen.startIndex
        else {
            throw ConfigurationError(
                message: "listen: found \"\(listen)\", expected HOST:PORT, like 127.0.0.1:8585")
        }
        host = String(listen[..<colon])
        // Without keys, whoever reaches the port can write and read everything.
        guard ["127.0.0.1", "localhost", "::1", "[::1]"].contains(host) else {
            throw ConfigurationError(
                message:
                    "listen: \(host) is not a loopback address; other addresses need API keys, "
                    + "which this version does not have")
        }
        self.port = port
        self.dataDirectory = dataDirectory
        self.rulesDirectory = rulesDirectory
        self.postgresDSN = postgresDSN
        self.clock = clock
    }
}

/// This is a setting that cannot be used, as a sentence: where, what, and what was expected.
public struct ConfigurationError: Error, CustomStringConvertible, Equatable {
    /// This is where, what, and what was expected.
    public let message: String
    /// Makes an error of a sentence.
    public init(message: String) { self.message = message }
    /// This is the message.
    public var description: String { message }
}
