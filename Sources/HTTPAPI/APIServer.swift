import HTTPTypes
public import Hummingbird
import HummingbirdCore
public import Logging
public import MonitorService

/// This is the HTTP face of a service.
public enum APIServer {
    /// This is the application, ready to run, on the service's address.
    ///
    /// - Parameters:
    ///   - service: What the routes ask.
    ///   - host: The address to listen on.
    ///   - port: The port to listen on; 0 lets the system choose.
    ///   - limits: What connections may cost.
    ///   - hosts: The names under which we may be asked.
    ///   - logger: The server's own log.
    ///   - onListening: Called with the port once connections are taken.
    /// - Returns: The application; it serves while it is run.
    public static func application(
        for service: Service, host: String, port: Int, limits: ConnectionLimits, hosts: HostList,
        logger: Logger, onListening: @escaping @Sendable (Int) async -> Void
    ) -> some ApplicationProtocol {
        let router = Router(
            context: BasicRequestContext.self, options: .autoGenerateHeadEndpoints)
        router.add(middleware: ProblemMiddleware())
        IngestRoutes(runner: service.runner, times: { service.acceptedTimes }).add(to: router)
        EventRoutes(runner: service.runner).add(to: router)
        TelemetryRoutes(runner: service.runner).add(to: router)
        ReadRoutes(service: service).add(to: router)
        MeasurementRoutes(runner: service.runner).add(to: router)
        PageRoutes().add(to: router)
        let gate = ConnectionGate(limits: limits, hosts: hosts) { _, _ in nil }
        return Application(
            router: router,
            server: HTTPServerBuilder { responder in
                StrictChannel(gate: gate, tls: nil, responder: responder)
            },
            configuration: ApplicationConfiguration(
                address: .hostname(host, port: port), serverName: "leeway", backlog: 1_024,
                availableConnectionsDelegate: .maximum(
                    limits.connectionCountMax + limits.reserveCountMax, logger: logger)),
            onServerRunning: { channel in await onListening(channel.localAddress?.port ?? port) },
            logger: logger)
    }
}

/// This makes every error a problem document, also those of the router.
struct ProblemMiddleware<Context: RequestContext>: RouterMiddleware {
    /// Methods by the number of path parts and their fixed words; the router itself says only "not found".
    private static func otherMethod(than request: Request) -> String? {
        let parts = request.uri.path.split(separator: "/").map { String($0) }
        let allowed: String? =
            switch (parts.first, parts.count) {
            case (nil, _): "GET, POST, OPTIONS"
            case ("livez", 1), ("readyz", 1), ("assets", 2): "GET"
            case ("v1", 2):
                switch parts[1] {
                case "predictions", "ground-truth", "logs": "POST"
                case "events": "POST, OPTIONS"
                case "models", "alerts", "retraining-requests", "rules", "status", "openapi.yaml":
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
                case ("models", "measurements"): "GET"
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
        } catch {
            context.logger.error("request failed", metadata: ["reason": "\(error)"])
            return try Problem(
                .internalServerError, "internal", "Internal error",
                detail: "the reason is in the log"
            ).response(from: request, context: context)
        }
    }
}
