import AsyncHTTPClient
import Foundation
import HTTPAPI
import Logging
import NIOCore
import NIOHTTP1

/// This passes logged events on to the receiver that was there before, one by one and in their order.
///
/// It is a courtesy: what it cannot deliver within its bounds is dropped and counted in the log, as the
/// logger itself would have done. Redirects are not followed, and nothing of the URL but its host is
/// logged, because it may hold a secret.
struct EventPassThrough: Sendable {
    /// Requests that wait; beyond, a new one is dropped.
    private static let queueCountMax = 1_000
    /// How often one is tried; waits of 1 and 2 seconds lie between.
    private static let attemptCountMax = 3
    private static let answerTimeout = TimeAmount.seconds(10)

    private let url: String
    private let host: String
    private let logger: Logger
    private let requests: AsyncStream<LoggedRequest>
    private let continuation: AsyncStream<LoggedRequest>.Continuation

    /// Makes a pass-through to an http or https URL; nil for another text.
    init?(url: String, logger: Logger) {
        guard let parsed = URL(string: url), ["http", "https"].contains(parsed.scheme),
            let host = parsed.host
        else { return nil }
        self.url = url
        self.host = host
        self.logger = logger
        (requests, continuation) = AsyncStream.makeStream(
            bufferingPolicy: .bufferingOldest(Self.queueCountMax))
    }

    /// Takes a request; never waits.
    var forwarder: EventForwarder {
        { [continuation, logger, host] request in
            if case .dropped = continuation.yield(request) {
                logger.warning(
                    "an event was not passed on", metadata: ["host": "\(host)", "reason": "busy"])
            }
        }
    }

    /// Sends what comes until the task is cancelled.
    func run() async {
        var configuration = HTTPClient.Configuration()
        configuration.redirectConfiguration = .disallow
        let client = HTTPClient(eventLoopGroupProvider: .singleton, configuration: configuration)
        for await request in requests {
            if let reason = await send(request, by: client) {
                logger.warning(
                    "an event was not passed on",
                    metadata: ["host": "\(host)", "reason": "\(reason)"]
                )
            }
        }
        try? await client.shutdown()
    }

    /// Sends one request; returns why it was given up.
    private func send(_ logged: LoggedRequest, by client: HTTPClient) async -> String? {
        var reason = "cancelled"
        for attempt in 1...Self.attemptCountMax where !Task.isCancelled {
            var request = HTTPClientRequest(url: url)
            request.method = .POST
            for (name, value) in logged.headers { request.headers.add(name: name, value: value) }
            request.body = .bytes(logged.body)
            do {
                let answer = try await client.execute(request, timeout: Self.answerTimeout)
                _ = try? await answer.body.collect(upTo: 1 << 20)
                let code = answer.status.code
                if (200..<300).contains(code) { return nil }
                reason = "status \(code)"
                // What is refused for itself will be refused again.
                guard code == 429 || code >= 500 else { return reason }
            } catch {
                // The error may hold the URL.
                reason = "\(type(of: error))"
            }
            if attempt < Self.attemptCountMax {
                try? await Task.sleep(for: .seconds(attempt))
            }
        }
        return reason
    }
}
