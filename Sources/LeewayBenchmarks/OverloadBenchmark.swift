import Foundation
import Synchronization

/// This measures what the server does with more than it can take: once, three and ten times the rate that it
/// sustains, over a thousand connections, with bodies of 1 KB and of 8 MiB (O-1 to O-3).
///
/// The client runs on the same machine, so what it sends in vain takes processor time from the server too.
public enum OverloadBenchmark {
    static let connectionCount = 1_000

    private struct Size {
        let name: String
        let recordCount: Int
        /// Spaces behind a record: a batch has ten thousand records at most.
        let padding: Int
        /// How many connections find the rate that is sustained.
        let closedCount: Int
    }

    private static let sizes = [
        Size(name: "1 KB", recordCount: 2, padding: 0, closedCount: 64),
        Size(name: "8 MiB", recordCount: 10_000, padding: 250, closedCount: 4),
    ]

    /// Runs it, each phase for so many seconds, and shows each result as it is known.
    ///
    /// - Parameters:
    ///   - seconds: Of each phase.
    ///   - areCoresShared: False gives each of the two half of the cores, so that what the client sends in vain
    ///     does not take the server's time; it is shared where there is only one.
    ///   - show: Told each result.
    /// - Throws: `BenchmarkError` where a server or a connection cannot be made.
    public static func run(
        seconds: Int, areCoresShared: Bool, _ show: (BenchmarkResult) -> Void
    ) throws {
        raiseDescriptorLimit()
        let all = Cores.current
        defer { try? all.keepThread() }
        let halves = areCoresShared ? nil : all.halves
        for size in sizes {
            try Cores.withServer(named: "overload", on: halves) { server in
                try run(size, server, seconds: seconds, show)
            }
        }
    }

    private static func run(
        _ size: Size, _ server: BenchmarkServer, seconds: Int, _ show: (BenchmarkResult) -> Void
    ) throws {
        var bodies = (0..<(size.recordCount > 100 ? 8 : 1)).map {
            RecordBodies(
                count: size.recordCount, seed: UInt64($0), padding: size.padding)
        }
        var number = 0
        // Small bodies get new ids each; large ones are few, and come again as repeats.
        let next = { () -> [UInt8] in
            number += 1
            let place = number % bodies.count
            if number <= bodies.count || size.recordCount < 100 {
                bodies[place].renew(first: number * size.recordCount, second: number / 1_000)
            }
            return bodies[place].bytes
        }
        for factor in [1, 3, 10] {
            // Each phase has its own measure, of the same minute: others use the machine too.
            let closed = try OverloadClient(server, connectionCount: size.closedCount)
                .run(rate: nil, for: .seconds(max(1, min(seconds / 2, 8))), next)
            let sustained = closed.goodput
            guard sustained > 0 else {
                throw BenchmarkError("nothing was taken: \(closed.refused)")
            }
            show(
                BenchmarkResult(
                    "overload", "\(size.name), \(size.closedCount) connections, closed loop",
                    sustained, "requests/s", note: words(closed)))
            // The highest RSS since here.
            try? Data("5".utf8).write(
                to: URL(fileURLWithPath: "/proc/\(server.processIdentifier)/clear_refs"))
            let health = HealthWatch(port: server.port)
            let client = try OverloadClient(server, connectionCount: connectionCount)
            let tally = try client.run(
                rate: sustained * Double(factor), for: .seconds(seconds), next)
            let name = "\(size.name) at \(factor)×"
            show(
                BenchmarkResult(
                    "overload", "\(name), goodput", tally.goodput, "requests/s",
                    [("sustained", tally.goodput / sustained)], note: words(tally)))
            show(
                BenchmarkResult(
                    "overload", "\(name), p99 of accepted", p99(tally.acceptedSeconds) * 1e3, "ms"))
            show(
                BenchmarkResult(
                    "overload", "\(name), health, longest", health.end() * 1e3, "ms"))
            show(
                BenchmarkResult(
                    "overload", "\(name), server's RSS, highest",
                    memoryUse("VmHWM", of: server.processIdentifier) / 1e6, "MB"))
        }
    }

    private static func words(_ tally: OverloadClient.Tally) -> String {
        let refused = tally.refused.sorted { $0.key < $1.key }.map { "\($0.value) × \($0.key)" }
        let parts =
            ["\(tally.offered) offered", "\(tally.unsent) unsent", "\(tally.broken) broken"]
            + refused
            + [
                "cores used: \(hundredths(tally.serverSeconds / tally.seconds)) by the server, "
                    + "\(hundredths(tally.clientSeconds / tally.seconds)) by the client"
            ]
        return parts.joined(separator: ", ")
    }

    private static func hundredths(_ value: Double) -> Double { (value * 100).rounded() / 100 }

    private static func p99(_ seconds: [Double]) -> Double {
        let sorted = seconds.sorted()
        guard let longest = sorted.last else { return .infinity }
        return sorted.isEmpty
            ? longest : sorted[min(sorted.count - 1, Int(0.99 * Double(sorted.count)))]
    }
}

/// Raises this process's own limit of open files, for a thousand connections and more.
func raiseDescriptorLimit() {
    var limit = rlimit()
    getrlimit(__rlimit_resource_t(RLIMIT_NOFILE.rawValue), &limit)
    limit.rlim_cur = max(limit.rlim_cur, min(limit.rlim_max, 8_192))
    setrlimit(__rlimit_resource_t(RLIMIT_NOFILE.rawValue), &limit)
}

/// This asks for the server's health on new connections, ten times a second (O-3).
private final class HealthWatch: Sendable {
    private let isOver = Atomic(false)
    private let longest = Mutex(0.0)
    private let ended = DispatchSemaphore(value: 0)

    init(port: UInt16) {
        let thread = Thread { [self] in
            let request = Array("GET /readyz HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n".utf8)
            while !isOver.load(ordering: .relaxed) {
                let start = ContinuousClock.now
                do {
                    let connection = try LoadConnection(port: port)
                    try connection.send(request)
                    let answer = try connection.receive()
                    let seconds =
                        answer.status == 200 ? (ContinuousClock.now - start).seconds : .infinity
                    longest.withLock { $0 = max($0, seconds) }
                } catch {
                    longest.withLock { $0 = .infinity }
                }
                usleep(100_000)
            }
            ended.signal()
        }
        thread.start()
    }

    /// How long the longest answer took, in seconds; infinite where one did not come.
    func end() -> Double {
        isOver.store(true, ordering: .relaxed)
        ended.wait()
        return longest.withLock { $0 }
    }
}
