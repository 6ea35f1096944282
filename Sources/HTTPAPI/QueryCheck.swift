import Hummingbird

/// This refuses the parameters of a query that a route does not know: whoever misspells one is not
/// answered as if it had been left out.
struct QueryMiddleware<Context: RequestContext>: RouterMiddleware {
    func handle(
        _ request: Request, context: Context, next: (Request, Context) async throws -> Response
    ) async throws -> Response {
        if request.uri.query != nil, let endpoint = context.endpointPath,
            let known = Self.known(request.method, endpoint)
        {
            try request.checkQuery(knowing: known)
        }
        return try await next(request, context)
    }

    /// The names that a route knows; nil where it looks itself, to answer as its senders understand it.
    private static func known(_ method: HTTPRequest.Method, _ endpoint: String) -> [String]? {
        switch (method, endpoint) {
        case (.post, "/"), (.post, "/v1/logs"): nil
        case (.post, "/v1/predictions"), (.post, "/v1/ground-truth"): ["mode", "model"]
        // Whether deliveries are welcome is asked at the URL that they will go to.
        case (.post, "/v1/events"), (.options, _): EventRoutes.parameters
        // The page is opened at a model.
        case (.get, "/"), (.head, "/"): ["model"]
        case (_, "/v1/alerts"): ["phase"]
        case (_, "/v1/models/{model}/measurements"): MeasurementRoutes.parameters
        default: []
        }
    }
}

extension Request {
    /// Refuses a parameter that is not one of `known`; that none stands twice is known from the head.
    func checkQuery(knowing known: [String]) throws(Problem) {
        for (key, _) in uri.queryParameters where !known.contains(String(key)) {
            let others =
                known.isEmpty ? "there are none here" : "known: \(known.joined(separator: ", "))"
            throw .invalidParameter(String(key.prefix(64)), "an unknown parameter; \(others)")
        }
    }
}
