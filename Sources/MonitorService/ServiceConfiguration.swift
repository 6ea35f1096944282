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
    /// Records are refused while the log without a snapshot is longer, so that a recovery is short.
    public var tailSizeBytesMax = MonitorRunner.tailSizeBytesMax

    /// How much of the log is kept.
    public var logKeeping = LogKeeping()

    /// Checks every setting.
    ///
    /// - Parameters:
    ///   - listen: HOST:PORT; an IPv6 address stands in brackets.
    ///   - dataDirectory: Where the log lies.
    ///   - rulesDirectory: Where the rule files lie.
    ///   - postgresDSN: Where retraining requests are filed; nil for nowhere.
    ///   - clock: Where the rules' now comes from.
    ///   - isOpen: True where other addresses than loopback may be listened on: there are keys, or
    ///     somebody has said that none are wanted.
    /// - Throws: `ConfigurationError` for the first that cannot be used.
    public init(
        listen: String, dataDirectory: String, rulesDirectory: String, postgresDSN: String?,
        clock: Monitor.Clock, isOpen: Bool = false
    ) throws(ConfigurationError) {
        guard let colon = listen.lastIndex(of: ":"),
            let port = Int(listen[listen.index(after: colon)...]), (0...65_535).contains(port),
            colon != listen.startIndex
        else {
            throw ConfigurationError(
                message: "listen: found \"\(listen)\", expected HOST:PORT, like 127.0.0.1:8585")
        }
        let name = String(listen[..<colon])
        host =
            name.hasPrefix("[") && name.hasSuffix("]") ? String(name.dropFirst().dropLast()) : name
        // Without keys, whoever reaches the port can write and read everything.
        guard isOpen || Self.isLoopback(host) else {
            throw ConfigurationError(
                message:
                    "listen: \(host) is not a loopback address; other addresses need a key "
                    + "(leeway keys create) or --insecure")
        }
        self.port = port
        self.dataDirectory = dataDirectory
        self.rulesDirectory = rulesDirectory
        self.postgresDSN = postgresDSN
        self.clock = clock
    }
}

extension ServiceConfiguration {
    /// True where only this machine can reach the address.
    public var isLoopback: Bool { Self.isLoopback(host) }

    private static func isLoopback(_ host: String) -> Bool {
        if host == "localhost" || host == "::1" { return true }
        let parts = host.split(separator: ".", omittingEmptySubsequences: false)
        return parts.count == 4 && parts[0] == "127" && parts.allSatisfy { UInt8($0) != nil }
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
