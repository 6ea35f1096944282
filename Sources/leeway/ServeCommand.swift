import ArgumentParser
import Foundation
import HTTPAPI
import Hummingbird
import Logging
import MonitorCore
import MonitorService
import MonitorStore

struct ServeCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "serve",
        abstract: "Take records over HTTP, judge them, and keep the loop going.",
        discussion: """
            Example:
              leeway serve --data ./leeway-data --rules ./rules
            """)

    @Option(help: "HOST:PORT to listen on (LEEWAY_LISTEN; default 127.0.0.1:8585).")
    var listen: String?
    @Option(help: "The data directory (LEEWAY_DATA; default ./leeway-data).")
    var data: String?
    @Option(help: "The folder of rule files (LEEWAY_RULES; default ./rules).")
    var rules: String?
    @Option(help: "PostgreSQL for retraining requests (LEEWAY_POSTGRES; default none).")
    var postgres: String?
    @Option(
        help: """
            Where the rules' now comes from: wall, or event for recorded and compressed streams \
            (LEEWAY_CLOCK; default wall).
            """)
    var clock: String?

    func run() async throws {
        let logger = Terminal.logger()
        let configuration = try serviceConfiguration()
        let service: Service
        do {
            service = try Service(configuration: configuration, logger: logger)
        } catch {
            throw CommandFailure(code: .dependency, message: "error: \(error)")
        }
        let application = APIServer.application(
            for: service, host: configuration.host, port: configuration.port,
            limits: ConnectionLimits(),
            hosts: HostList(listening: configuration.host, isLoopback: true, others: []),
            logger: quiet(logger)
        ) { port in
            logger.info(
                "listening", metadata: ["address": "http://\(configuration.host):\(port)/"])
        }
        let stop = StopSignal()
        do {
            try await withThrowingTaskGroup(of: Void.self) { group in
                group.addTask { try await service.run() }
                group.addTask { try await application.run() }
                group.addTask { await stop.wait() }
                // The first to end, by a signal or by an error, ends the others.
                defer { group.cancelAll() }
                try await group.next()
                group.cancelAll()
                while let result = await group.nextResult() {
                    if case .failure(let error) = result, !(error is CancellationError) {
                        throw error
                    }
                }
            }
        } catch let error as RulesError {
            throw CommandFailure(code: .usage, message: error.description)
        } catch is CancellationError {
            return
        } catch {
            throw CommandFailure(code: .dependency, message: "error: \(error)")
        }
    }

    private func serviceConfiguration() throws -> ServiceConfiguration {
        let clockName = EnvironmentNames.value(clock, "LEEWAY_CLOCK", default: "wall")
        guard let clock = Monitor.Clock(rawValue: clockName) else {
            throw CommandFailure(
                code: .usage, message: "clock: found \"\(clockName)\", expected wall or event")
        }
        do {
            return try ServiceConfiguration(
                listen: EnvironmentNames.value(listen, "LEEWAY_LISTEN", default: "127.0.0.1:8585"),
                dataDirectory: EnvironmentNames.value(
                    data, "LEEWAY_DATA", default: "./leeway-data"),
                rulesDirectory: EnvironmentNames.value(rules, "LEEWAY_RULES", default: "./rules"),
                postgresDSN: postgres ?? ProcessInfo.processInfo.environment["LEEWAY_POSTGRES"],
                clock: clock)
        } catch {
            throw CommandFailure(code: .usage, message: error.description)
        }
    }

    /// The server's own lines say nothing that ours do not; at a stop it reports each open connection
    /// as an error.
    private func quiet(_ logger: Logger) -> Logger {
        var quiet = logger
        quiet.logLevel = .critical
        return quiet
    }
}

/// This waits for SIGTERM or SIGINT; a second one ends the process at once.
final class StopSignal: Sendable {
    func wait() async {
        let (stream, continuation) = AsyncStream<Void>.makeStream()
        let sources = [SIGTERM, SIGINT].map { number in
            signal(number, SIG_IGN)
            let source = DispatchSource.makeSignalSource(
                signal: number, queue: DispatchQueue.global())
            source.setEventHandler {
                continuation.yield()
                signal(number, SIG_DFL)
            }
            source.activate()
            return source
        }
        for await _ in stream { break }
        for source in sources { source.cancel() }
    }
}
