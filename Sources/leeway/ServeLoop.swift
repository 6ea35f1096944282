import Foundation
import HTTPAPI
import MonitorService
import NIOCore

/// This runs a service and its server until one of them fails or a signal asks for the end.
struct ServeLoop {
    /// From the end of the drain delay; then what still runs is cut.
    private static let requestTime = Duration.seconds(18)
    /// For the last snapshot; without it, the next start folds more of the log.
    private static let serviceTime = Duration.seconds(4)
    /// After a failure, of which D-4 says that the process has ended within five seconds.
    private static let failureTime = Duration.seconds(2)

    let service: Service
    let server: APIServer
    /// Between not being ready and not listening, so that nobody is sent here any more.
    let drainDelay: Duration

    private enum Ending {
        case signal
        case end(Result<Void, any Error>)
    }

    func run() async throws {
        let (endings, continuation) = AsyncStream<Ending>.makeStream()
        let (watched, watching) = AsyncStream<Void>.makeStream()
        Task {
            await StopSignal().wait { watching.finish() }
            continuation.yield(.signal)
        }
        for await _ in watched {}
        let running = Task { [service] in try await service.run() }
        let serving = Task { [server] in try await server.run() }
        let room = Task { [service] in try await service.watchStorage() }
        for task in [running, serving, room] {
            Task { continuation.yield(.end(await task.result)) }
        }
        for await ending in endings {
            switch ending {
            case .signal: await stop(running, serving)
            case .end(let result):
                // The server is not cancelled: it ends with the process, and while it starts this can wait
                // for ever (`cancelAside`).
                running.cancel()
                _ = await finishes(running, within: Self.failureTime)
                try check(result)
            }
            return
        }
    }

    /// Stops in order, and ends the process when the time is over: nothing that was acknowledged
    /// depends on the order.
    private func stop(
        _ running: Task<Void, any Error>, _ serving: Task<Void, any Error>
    ) async {
        service.beginDraining()
        try? await Task.sleep(for: drainDelay)
        await server.stopGracefully()
        let isServed = await finishes(serving, within: Self.requestTime)
        cancelAside(serving)
        running.cancel()
        let isStored = await finishes(running, within: Self.serviceTime)
        if !isServed || !isStored { Foundation.exit(0) }
    }

    /// Cancels on a thread of its own.
    ///
    /// The merged sequences under the HTTP server take their lock when they are cancelled, and resume a task while
    /// they hold it; where both meet, neither goes on (seen with AsyncAlgorithms 1.1 at a start on a full disk). On a
    /// thread of the pool that would keep the deadlines below from coming too.
    private func cancelAside(_ task: Task<Void, any Error>) {
        Thread.detachNewThread { task.cancel() }
    }

    private func finishes(_ task: Task<Void, any Error>, within time: Duration) async -> Bool {
        let (stream, continuation) = AsyncStream<Bool>.makeStream()
        Task {
            _ = await task.result
            continuation.yield(true)
        }
        Task {
            try? await Task.sleep(for: time)
            continuation.yield(false)
        }
        for await isFinished in stream { return isFinished }
        return false
    }

    private func check(_ result: Result<Void, any Error>) throws {
        do {
            try result.get()
        } catch let error as RulesError {
            throw CommandFailure(code: .usage, message: error.description)
        } catch is CancellationError {
            return
        } catch let error as IOError {
            let reason = String(cString: strerror(error.errnoCode))
            throw CommandFailure(code: .dependency, message: "listen: \(reason)")
        } catch {
            throw CommandFailure(code: .dependency, message: "error: \(error)")
        }
    }
}

/// This waits for SIGTERM or SIGINT; a second one ends the process at once.
final class StopSignal: Sendable {
    /// Calls `body` when it watches, and returns after a signal.
    ///
    /// Until then a signal ends the process, as it does before: were it ignored meanwhile, it would be lost.
    func wait(_ body: () -> Void = {}) async {
        let (stream, continuation) = AsyncStream<Void>.makeStream()
        var sources: [any DispatchSourceSignal] = []
        for number in [SIGTERM, SIGINT] {
            let source = DispatchSource.makeSignalSource(
                signal: number, queue: DispatchQueue.global())
            source.setEventHandler {
                continuation.yield()
                signal(number, SIG_DFL)
            }
            await withCheckedContinuation { registration in
                source.setRegistrationHandler { registration.resume() }
                source.activate()
            }
            sources.append(source)
        }
        body()
        for await _ in stream { break }
        for source in sources { source.cancel() }
    }
}
