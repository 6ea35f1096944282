import AsyncHTTPClient
import Foundation
import HTTPAPI
import Logging
import NIOCore
import NIOHTTP1
import Synchronization

/// This passes logged events on to the receiver that was there before, a few at a time.
///
/// It is a courtesy: what it cannot deliver within its bounds is dropped and counted in the log, as the
/// logger itself would have done. Redirects are not followed, and nothing of the URL but its host is
/// logged, because it may hold a secret.
struct EventPassThrough: Sendable {
    /// Requests that wait; beyond, a new one is dropped.
    private static let queueCountMax = 1_000
    /// Requests under way: loggers send in no order, so none is kept.
    private static let runningCountMax = 8
    /// How often one is tried; waits of 1 and 2 seconds lie between.
    private static let attemptCountMax = 3
    private static let answerTimeout = TimeAmount.seconds(10)

    private let url: String
    private let host: String
    private let logger: Logger
    private let backlog = PassThroughBacklog()
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
        { request in
            let size = request.body.readableBytes
            guard backlog.admit(size) else {
                drop("busy")
                return
            }
            if case .enqueued = continuation.yield(request) { return }
            backlog.release(size)
            drop("busy")
        }
    }

    private func drop(_ reason: String) {
        report(backlog.note(reason, at: .now))
    }

    private func report(_ dropped: [String: Int]) {
        for (reason, count) in dropped {
            logger.warning(
                "events were not passed on",
                metadata: ["host": "\(host)", "reason": "\(reason)", "count": "\(count)"])
        }
    }

    /// Sends what comes until the task is cancelled.
    func run() async {
        var configuration = HTTPClient.Configuration()
        configuration.redirectConfiguration = .disallow
        let client = HTTPClient(eventLoopGroupProvider: .singleton, configuration: configuration)
        await withTaskGroup(of: Void.self) { group in
            var runningCount = 0
            for await request in requests {
                if runningCount == Self.runningCountMax {
                    await group.next()
                    runningCount -= 1
                }
                group.addTask {
                    if let reason = await send(request, by: client) { drop(reason) }
                    backlog.release(request.body.readableBytes)
                }
                runningCount += 1
            }
        }
        report(backlog.rest())
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

/// This is how much waits to be passed on, and what was dropped since the log was last told.
private final class PassThroughBacklog: Sendable {
    /// Bytes of bodies that wait or are under way; a dead receiver must not cost the server its memory.
    private static let sizeBytesMax = 16 << 20
    /// A receiver that is down for hours is no flood of lines.
    private static let reportInterval = Duration.seconds(10)

    private struct State {
        var sizeBytes = 0
        var dropped: [String: Int] = [:]
        var reported: ContinuousClock.Instant?
    }

    private let state = Mutex(State())

    /// False where the bodies that wait leave no room for so many bytes.
    func admit(_ size: Int) -> Bool {
        state.withLock { state in
            guard state.sizeBytes + size <= Self.sizeBytesMax else { return false }
            state.sizeBytes += size
            return true
        }
    }

    func release(_ size: Int) {
        state.withLock { $0.sizeBytes -= size }
    }

    /// Counts one event that was dropped; returns what the log should be told now.
    func note(_ reason: String, at now: ContinuousClock.Instant) -> [String: Int] {
        state.withLock { state in
            state.dropped[reason, default: 0] += 1
            if let last = state.reported, now - last < Self.reportInterval { return [:] }
            state.reported = now
            defer { state.dropped = [:] }
            return state.dropped
        }
    }

    /// What the log has not been told.
    func rest() -> [String: Int] {
        state.withLock { state in
            defer { state.dropped = [:] }
            return state.dropped
        }
    }
}
