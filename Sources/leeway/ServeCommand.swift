import ArgumentParser
import CMalloc
import CProcess
import Foundation
import HTTPAPI
import Logging
import MonitorCore
import MonitorService
import MonitorStore
import MonitoringDomain

struct ServeCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "serve",
        abstract: "Take records over HTTP, judge them, and keep the loop going.",
        discussion: """
            Every flag is also a setting of the file and an environment variable: --rate-limit is \
            rate_limit and LEEWAY_RATE_LIMIT. Flags win over the environment, and that over the file.

            Example:
              leeway serve --data ./leeway-data --rules ./rules
            """)

    @Option(help: "A YAML file of settings (LEEWAY_CONFIG).")
    var config: String?
    @Option(help: "HOST:PORT to listen on (default 127.0.0.1:8585).")
    var listen: String?
    @Option(help: "The data directory (default ./leeway-data).")
    var data: String?
    @Option(help: "The folder of rule files (default ./rules).")
    var rules: String?
    @Option(help: "PostgreSQL for retraining requests (default none).")
    var postgres: String?
    @Option(help: "A file whose first line is the same, because it may hold a password.")
    var postgresFile: String?
    @Option(
        help: """
            Where the rules' now comes from: wall, or event for recorded and compressed streams \
            (default wall).
            """)
    var clock: String?
    @Option(
        help: """
            A URL to which logged events are passed on as they came, for the receiver that was there \
            before (default none).
            """)
    var forwardEvents: String?
    @Flag(help: "Listen on other than loopback addresses without keys: anybody may do anything.")
    var insecure = false
    @Option(help: "Further names under which we may be asked, with commas between; * for any.")
    var allowedHosts: String?
    @Option(help: "The server's certificate chain, PEM; turns TLS on.")
    var tlsCertificate: String?
    @Option(help: "The certificate's private key, PEM.")
    var tlsKeyFile: String?
    @Option(help: "Authorities of client certificates, PEM; then clients need one.")
    var tlsClientCa: String?
    @Option(help: "Connections at a time (default 1024).")
    var connections: String?
    @Option(help: "Requests a second of each key that has no limit of its own (default none).")
    var rateLimit: String?
    @Option(help: "Seconds between not being ready and not listening, at a stop (default 2).")
    var drainSeconds: String?
    @Option(
        help: """
            MiB of log without a snapshot beyond which records are refused, so that a recovery is short \
            (default 256).
            """)
    var recoveryLogMib: String?
    @Option(
        help: """
            How long the log keeps records that no state needs: a span like 30d, forever, or horizon, the \
            longest of any model (default horizon).
            """)
    var logRetention: String?
    @Option(help: "MiB that the log may grow to, about; older records go first (default none).")
    var logSizeMib: String?

    /// The heaps of the allocator.
    ///
    /// By default it keeps eight a core, each as large as it ever was: a sixth of the memory of a server
    /// under load. Two are as fast.
    private static let heapCountMax: Int32 = 2

    func run() async throws {
        mallopt(M_ARENA_MAX, Self.heapCountMax)
        #if !DEBUG
            // The memory holds secrets, and what may be personal.
            var none = rlimit(rlim_cur: 0, rlim_max: 0)
            setrlimit(__rlimit_resource_t(RLIMIT_CORE.rawValue), &none)
            // A core that goes to a program has no limit of size.
            _ = forbid_dumps()
        #endif
        let settings = try Settings(
            flags: flags, config: config, environment: ProcessInfo.processInfo.environment)
        let logger = Terminal.logger()
        let configuration = try serviceConfiguration(settings)
        let tls = try tlsFiles(settings)
        var options = try serverOptions(settings, configuration, tls: tls)
        let passThrough = try eventPassThrough(settings, logger)
        options.forward = passThrough?.forwarder
        warn(about: configuration, settings, isEncrypted: tls != nil, logger)
        let service: Service
        let server: APIServer
        do {
            service = try Service(configuration: configuration, logger: logger)
        } catch {
            throw CommandFailure(code: .dependency, message: "error: \(error)")
        }
        do {
            server = try APIServer(service: service, options: options) { port in
                logger.info(
                    "listening",
                    metadata: [
                        "address":
                            "\(tls == nil ? "http" : "https")://\(Self.named(configuration.host)):\(port)/"
                    ])
            }
        } catch {
            throw CommandFailure(code: .usage, message: "tls: \(error)")
        }
        let passing = passThrough.map { passThrough in Task { await passThrough.run() } }
        defer { passing?.cancel() }
        let drain = try settings.number(.drainSeconds, 0...60) ?? 2
        try await ServeLoop(service: service, server: server, drainDelay: .seconds(drain)).run()
    }

    /// The host as it stands in a URL: of IPv6 in brackets.
    private static func named(_ host: String) -> String {
        host.contains(":") ? "[\(host)]" : host
    }

    private func eventPassThrough(
        _ settings: Settings, _ logger: Logger
    ) throws -> EventPassThrough? {
        try settings[.forwardEvents].map { url in
            // The URL may hold a secret, so it is not repeated.
            guard let passThrough = EventPassThrough(url: url, logger: logger) else {
                throw CommandFailure(
                    code: .usage, message: "forward_events: an http or https URL is expected")
            }
            return passThrough
        }
    }

    private var flags: [Setting: String] {
        let all: [(Setting, String?)] = [
            (.listen, listen), (.data, data), (.rules, rules), (.postgres, postgres),
            (.postgresFile, postgresFile), (.clock, clock), (.allowedHosts, allowedHosts),
            (.tlsCertificate, tlsCertificate), (.tlsKeyFile, tlsKeyFile),
            (.tlsClientCA, tlsClientCa), (.connections, connections), (.rateLimit, rateLimit),
            (.drainSeconds, drainSeconds), (.forwardEvents, forwardEvents),
            (.recoveryLogMebibytes, recoveryLogMib),
            (.logRetention, logRetention), (.logSizeMebibytes, logSizeMib),
            (.insecure, insecure ? "true" : nil),
        ]
        return all.reduce(into: [:]) { flags, pair in flags[pair.0] = pair.1 }
    }

    private func serviceConfiguration(_ settings: Settings) throws -> ServiceConfiguration {
        let clockName = settings[.clock] ?? "wall"
        guard let clock = Monitor.Clock(rawValue: clockName) else {
            throw CommandFailure(
                code: .usage, message: "clock: found \"\(clockName)\", expected wall or event")
        }
        let data = settings[.data] ?? "./leeway-data"
        do {
            var configuration = try ServiceConfiguration(
                listen: settings[.listen] ?? "127.0.0.1:8585", dataDirectory: data,
                rulesDirectory: settings[.rules] ?? "./rules",
                postgresDSN: try settings.secret(.postgresFile) ?? settings[.postgres],
                clock: clock,
                isOpen: try settings.isTrue(.insecure) || KeyStore(directory: data).isUsed)
            if let size = try settings.number(.recoveryLogMebibytes, 1...4_096) {
                configuration.tailSizeBytesMax = size << 20
            }
            configuration.logKeeping = try logKeeping(settings)
            return configuration
        } catch let error as ConfigurationError {
            throw CommandFailure(code: .usage, message: error.description)
        }
    }

    private func logKeeping(_ settings: Settings) throws -> LogKeeping {
        var keeping = LogKeeping()
        keeping.sizeBytes = try settings.number(.logSizeMebibytes, 1...1_000_000_000).map {
            $0 << 20
        }
        switch settings[.logRetention] {
        case nil, "horizon": keeping.span = .horizon
        case "forever": keeping.span = .forever
        case let text?:
            guard case .milliseconds(let span)? = WindowSpan(text), span >= WindowSpan.minute else {
                throw CommandFailure(
                    code: .usage,
                    message:
                        "log_retention: found \"\(text)\", expected a span like 30d, horizon or forever"
                )
            }
            keeping.span = .milliseconds(span)
        }
        return keeping
    }

    private func tlsFiles(_ settings: Settings) throws -> TLSFiles? {
        switch (settings[.tlsCertificate], settings[.tlsKeyFile]) {
        case (let certificate?, let key?):
            return TLSFiles(
                certificate: certificate, key: key, clientAuthorities: settings[.tlsClientCA])
        case (nil, nil) where settings[.tlsClientCA] == nil: return nil
        default:
            throw CommandFailure(
                code: .usage, message: "tls: tls_certificate and tls_key_file belong together")
        }
    }

    private func serverOptions(
        _ settings: Settings, _ configuration: ServiceConfiguration, tls: TLSFiles?
    ) throws -> ServerOptions {
        let limits = try DescriptorLimit.connections(
            configured: try settings.number(.connections, 1...60_000))
        let names = (settings[.allowedHosts] ?? "").split(separator: ",").map {
            $0.trimmingCharacters(in: .whitespaces)
        }
        return ServerOptions(
            limits: limits,
            hosts: HostList(
                listening: configuration.host, isLoopback: configuration.isLoopback,
                others: names),
            tls: tls, requestsPerSecond: try settings.number(.rateLimit, 1...1_000_000))
    }

    private func warn(
        about configuration: ServiceConfiguration, _ settings: Settings, isEncrypted: Bool,
        _ logger: Logger
    ) {
        if let rules = settings[.rules], !FileManager.default.fileExists(atPath: rules) {
            logger.warning("the folder of rules is not there", metadata: ["rules": "\(rules)"])
        }
        if let fault = KeyStore(directory: configuration.dataDirectory).fault {
            logger.warning("the keys need a look", metadata: ["reason": "\(fault)"])
        }
        guard !configuration.isLoopback else { return }
        if !KeyStore(directory: configuration.dataDirectory).isUsed {
            logger.warning("anybody who reaches the address may do anything: insecure is set")
        } else if !isEncrypted {
            logger.warning("keys travel in clear text: tls_certificate is not set")
        }
    }
}
