import HTTPTypes
import Hummingbird
import HummingbirdCore
import Logging
public import MonitorService
import NIOCore
import NIOHTTP1
import ServiceLifecycle

/// This is what a server is told beside its service.
public struct ServerOptions: Sendable {
    /// What connections may cost.
    public var limits: ConnectionLimits
    /// The names under which we may be asked.
    public var hosts: HostList
    /// How connections are encrypted; nil where they are not.
    public var tls: TLSFiles?
    /// The rate of keys without one of their own; nil for no limit.
    public var requestsPerSecond: Int?
    /// Where logged events are passed on to; nil for nowhere.
    public var forward: EventForwarder?

    /// Makes options.
    public init(
        limits: ConnectionLimits, hosts: HostList, tls: TLSFiles?, requestsPerSecond: Int?
    ) {
        self.limits = limits
        self.hosts = hosts
        self.tls = tls
        self.requestsPerSecond = requestsPerSecond
    }
}

/// This is the HTTP face of a service.
public struct APIServer: Sendable {
    private let group: ServiceGroup

    /// Makes a server of the service's address; it listens when it is run.
    ///
    /// - Parameters:
    ///   - service: What the routes ask.
    ///   - options: What the server is told.
    ///   - onListening: Called with the port once connections are taken.
    /// - Throws: For files of TLS that cannot be used.
    public init(
        service: MonitorService.Service, options: ServerOptions,
        onListening: @escaping @Sendable (Int) async -> Void
    ) throws {
        let configuration = service.configuration
        let access = AccessControl(
            keys: KeyStore(directory: configuration.dataDirectory),
            requestsPerSecond: options.requestsPerSecond,
            refusal: {
                if service.runner.isStorageFull { return .storageFull }
                return service.runner.isOverloaded
                    ? .overloaded("too many bytes wait for the disk or for a snapshot") : nil
            })
        let gate = ConnectionGate(limits: options.limits, hosts: options.hosts) {
            access.problem(of: &$0, from: $1)
        }
        let tls = try options.tls.map {
            try TLSContexts(
                $0, logger: Logger(label: "leeway") { StreamLogHandler.standardError(label: $0) })
        }
        // The server's own lines say nothing that ours do not, at a stop it reports each open connection as
        // an error, and each request would fill in a line that nobody sees.
        let logger = Logger(label: "leeway.server") { _ in SwiftLogNoOpLogHandler() }
        let application = Application(
            router: Self.router(for: service, forward: options.forward),
            server: HTTPServerBuilder { responder in
                StrictChannel(gate: gate, tls: tls, responder: responder)
            },
            configuration: ApplicationConfiguration(
                address: .hostname(configuration.host, port: configuration.port),
                serverName: "leeway", backlog: 1_024,
                availableConnectionsDelegate: .maximum(
                    options.limits.connectionCountMax + options.limits.reserveCountMax,
                    logger: logger)),
            onServerRunning: { channel in
                await onListening(channel.localAddress?.port ?? configuration.port)
            },
            logger: logger)
        group = ServiceGroup(
            configuration: ServiceGroupConfiguration(services: [application], logger: logger))
    }

    private static func router(
        for service: MonitorService.Service, forward: EventForwarder?
    ) -> Router<BasicRequestContext> {
        let router = Router(
            context: BasicRequestContext.self, options: .autoGenerateHeadEndpoints)
        router.add(middleware: ProblemMiddleware(rejects: service.rejects))
        router.add(middleware: QueryMiddleware())
        IngestRoutes(service).add(to: router)
        let foreign = ForeignBodies(
            runner: service.runner, rejects: service.rejects, times: { service.acceptedTimes })
        EventRoutes(bodies: foreign, forward: forward).add(to: router)
        TelemetryRoutes(bodies: foreign).add(to: router)
        UploadRoutes(bodies: foreign).add(to: router)
        ReadRoutes(service: service).add(to: router)
        MeasurementRoutes(runner: service.runner).add(to: router)
        PageRoutes().add(to: router)
        return router
    }

    /// Serves until it is stopped or the task is cancelled.
    ///
    /// Requests run on the threads that read and write connections, so nothing long may be awaited there: the
    /// log, the state machine, PostgreSQL and the folding of references have threads of their own.
    public func run() async throws {
        try await withTaskExecutorPreference(EventLoopTasks()) { try await group.run() }
    }

    /// Takes no more connections, and ends `run` when the requests that run are answered.
    public func stopGracefully() async { await group.triggerGracefulShutdown() }
}

/// This makes every error a problem document, also those of the router.
struct ProblemMiddleware<Context: RequestContext>: RouterMiddleware {
    /// Not the server's, which is quiet.
    private let logger = Logger(label: "leeway") { StreamLogHandler.standardError(label: $0) }
    let rejects: RejectLog

    /// Counts what was sent to be stored and never will be.
    private func count(_ problem: Problem, of request: Request) {
        guard request.method == .post, (400..<429).contains(problem.status.code) else { return }
        let path = request.uri.path
        let isIngest = ["/v1/predictions", "/v1/ground-truth", "/v1/events", "/", "/data/upload"]
            .contains(path)
        let isReference = path.hasPrefix("/v1/models/") && path.hasSuffix("/references")
        guard isIngest || isReference else { return }
        rejects.count(route: isReference ? "references" : path, code: problem.type)
    }

    /// Methods by the number of path parts and their fixed words; the router itself says only "not found".
    private static func otherMethod(than request: Request) -> String? {
        let parts = request.uri.path.split(separator: "/").map { String($0) }
        let allowed: String? =
            switch (parts.first, parts.count) {
            case (nil, _): "GET, POST, OPTIONS"
            case ("data", 2) where parts[1] == "upload": "POST"
            case ("livez", 1), ("readyz", 1), ("assets", 2): "GET"
            case ("v1", 2):
                switch parts[1] {
                case "predictions", "ground-truth", "logs": "POST"
                case "events": "POST, OPTIONS"
                case "models", "alerts", "retraining-requests", "rules", "status", "openapi.yaml",
                    "rejects":
                    "GET"
                default: nil
                }
            case ("v1", 3):
                switch parts[1] {
                case "models": "GET, PUT"
                case "retraining-requests": "GET"
                case "rules": parts[2] == "reload" ? "POST" : nil
                default: nil
                }
            case ("v1", 4):
                switch (parts[1], parts[3]) {
                case ("models", "references"): "GET, POST"
                case ("models", "measurements"), ("models", "restatements"): "GET"
                case ("retraining-requests", "report"): "POST"
                default: nil
                }
            default: nil
            }
        // An allowed method that was not found is a file that is not there.
        guard let allowed,
            !allowed.split(separator: ", ").contains(Substring(request.method.rawValue))
        else { return nil }
        return allowed
    }

    func handle(
        _ request: Request, context: Context,
        next: (Request, Context) async throws -> Response
    ) async throws -> Response {
        do {
            return try await next(request, context)
        } catch let problem as Problem {
            count(problem, of: request)
            return try problem.response(from: request, context: context)
        } catch let error as HTTPError {
            let problem =
                switch error.status {
                case .notFound where Self.otherMethod(than: request) != nil:
                    Problem(
                        .methodNotAllowed, "method-not-allowed", "Method not allowed",
                        detail: "\(request.method.rawValue) \(request.uri.path)",
                        headers: [.allow: Self.otherMethod(than: request) ?? ""])
                case .notFound:
                    Problem.notFound("no route \(request.method.rawValue) \(request.uri.path)")
                case .methodNotAllowed:
                    Problem(
                        .methodNotAllowed, "method-not-allowed", "Method not allowed",
                        detail: "\(request.method.rawValue) \(request.uri.path)")
                default:
                    Problem(
                        error.status, "malformed-request", "Malformed request",
                        detail: error.body ?? error.status.reasonPhrase)
                }
            return try problem.response(from: request, context: context)
        } catch let error as HTTPParserError {
            // The body ended with the connection: nobody hears an answer, and nothing is wrong here.
            throw error
        } catch {
            let problem = Problem(
                .internalServerError, "internal", "Internal error",
                detail: "the reason is in the log",
                outcome: [.get, .head].contains(request.method) ? nil : "unknown")
            logger.error(
                "request failed",
                metadata: ["reason": "\(error)", "instance": "\(problem.instance)"])
            return try problem.response(from: request, context: context)
        }
    }
}
