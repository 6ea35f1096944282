import HTTPTypes
import Hummingbird
import Logging
import MonitorService
import NIOHTTP1

/// This is which methods a path has: the router itself says only that there is no such route.
struct AllowedMethods: Sendable {
    private struct Route {
        /// A capture is nil.
        let segments: [String?]
        let method: HTTPRequest.Method
    }

    private let routes: [Route]

    init<Context>(_ descriptions: [Router<Context>.RouteDescription]) {
        routes = descriptions.map { description in
            Route(
                segments: description.path.description.split(separator: "/").map {
                    $0.hasPrefix("{") ? nil : String($0)
                }, method: description.method)
        }
    }

    /// The answer to a request that no route takes: 405 where the path has other methods.
    func problem(of request: Request) -> Problem {
        let parts = request.uri.path.split(separator: "/")
        let found = routes.filter { route in
            route.segments.count == parts.count
                && zip(route.segments, parts).allSatisfy { word, part in
                    word.map { $0 == part } ?? true
                }
        }.map(\.method)
        let line = "\(request.method.rawValue) \(request.uri.path)"
        guard !found.isEmpty, !found.contains(request.method) else {
            return .notFound("no route \(line)")
        }
        let more: [HTTPRequest.Method] = found.contains(.get) ? [.head] : []
        let all = (found + more).map(\.rawValue).sorted()
        return Problem(
            .methodNotAllowed, "method-not-allowed", "Method not allowed", detail: line,
            headers: [.allow: all.joined(separator: ", ")])
    }
}

/// This makes every error a problem document, also those of the router.
struct ProblemMiddleware<Context: RequestContext>: RouterMiddleware {
    /// Not the server's, which is quiet.
    private let logger = Logger(label: "leeway") { StreamLogHandler.standardError(label: $0) }
    let rejects: RejectLog
    let methods: AllowedMethods

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
                case .notFound:
                    methods.problem(of: request)
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
