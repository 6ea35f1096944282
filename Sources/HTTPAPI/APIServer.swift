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
                serverName: "leeway", backlog: ConnectionLimits.backlogCount,
                availableConnectionsDelegate: .maximum(
                    options.limits.countMax, logger: logger)),
            onServerRunning: { channel in
                // Between two looks for new connections all others have their turn: with the default of
                // sixteen a look, a thousand that come at once keep the health check out for seconds.
                try? await channel.setOption(
                    .maxMessagesPerRead, value: UInt(options.limits.acceptCountMax)
                ).get()
                await onListening(channel.localAddress?.port ?? configuration.port)
            },
            logger: logger)
        group = ServiceGroup(
            configuration: ServiceGroupConfiguration(services: [application], logger: logger))
    }

    private static func router(
        for service: MonitorService.Service, forward: EventForwarder?
    ) -> Router<BasicRequestContext> {
        // Without the middleware that is asked which routes there are.
        let routes = Router(context: BasicRequestContext.self)
        addRoutes(of: service, forward: forward, to: routes)
        let router = Router(
            context: BasicRequestContext.self, options: .autoGenerateHeadEndpoints)
        router.add(
            middleware: ProblemMiddleware(
                rejects: service.rejects, methods: AllowedMethods(routes.routes)))
        router.add(middleware: QueryMiddleware())
        addRoutes(of: service, forward: forward, to: router)
        return router
    }

    private static func addRoutes(
        of service: MonitorService.Service, forward: EventForwarder?,
        to router: Router<BasicRequestContext>
    ) {
        IngestRoutes(service).add(to: router)
        let foreign = ForeignBodies(
            runner: service.runner, rejects: service.rejects, times: { service.acceptedTimes })
        EventRoutes(bodies: foreign, forward: forward).add(to: router)
        TelemetryRoutes(bodies: foreign).add(to: router)
        UploadRoutes(bodies: foreign).add(to: router)
        ReadRoutes(service: service).add(to: router)
        MeasurementRoutes(runner: service.runner).add(to: router)
        PageRoutes().add(to: router)
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
