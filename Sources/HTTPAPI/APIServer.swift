import HTTPTypes
public import Hummingbird
public import Logging
public import MonitorService

/// This is the HTTP face of a service.
public enum APIServer {
    /// This is the application, ready to run, on the service's address.
    ///
    /// - Parameter onListening: Called with the port once connections are taken.
    public static func application(
        for service: Service, host: String, port: Int, logger: Logger,
        onListening: @escaping @Sendable (Int) async -> Void
    ) -> some ApplicationProtocol {
        let router = Router(context: BasicRequestContext.self)
        router.add(middleware: ProblemMiddleware())
        IngestRoutes(runner: service.runner).add(to: router)
        ReadRoutes(service: service).add(to: router)
        PageRoutes().add(to: router)
        return Application(
            router: router,
            configuration: ApplicationConfiguration(
                address: .hostname(host, port: port), serverName: "leeway"),
            onServerRunning: { channel in await onListening(channel.localAddress?.port ?? port) },
            logger: logger)
    }
}

/// This makes every error a problem document, also those of the router.
struct ProblemMiddleware<Context: RequestContext>: RouterMiddleware {
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
