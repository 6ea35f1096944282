import Foundation
import Synchronization

/// This measures what a thousand slow clients of each kind, and ten thousand resets a second, cost one that is
/// not slow (O-4).
///
/// The server has half of the cores. The crowd and the healthy client share the others, and there the crowd
/// gives way, so that what is measured is the server, and not whom the system lets run first.
public enum CrowdBenchmark {
    /// Runs it, each kind for so many seconds, and shows each result as it is known.
    ///
    /// - Throws: `BenchmarkError` where a server or a connection cannot be made.
    public static func run(seconds: Int, _ show: (BenchmarkResult) -> Void) throws {
        raiseDescriptorLimit()
        let all = Cores.current
        defer { try? all.keepThread() }
        let halves = all.halves
        for kind in Crowd.Kind.allCases {
            try Cores.withServer(named: "crowd", on: halves) { server in
                show(try measure(kind, server, seconds: seconds))
            }
        }
    }

    private static func measure(
        _ kind: Crowd.Kind, _ server: BenchmarkServer, seconds: Int
    ) throws -> BenchmarkResult {
        var client = HealthyClient(port: server.port)
        _ = try client.latencies(for: .seconds(1))
        let alone = try client.latencies(for: .seconds(seconds))
        let crowd = try Crowd(kind, port: server.port)
        let start = ContinuousClock.now
        let before = processorSeconds(server.processIdentifier)
        let beside = try client.latencies(for: .seconds(seconds))
        let used =
            (processorSeconds(server.processIdentifier) - before)
            / (ContinuousClock.now - start).seconds
        let resetCount = crowd.end()
        func milliseconds(_ seconds: Double) -> Double { (seconds * 1e5).rounded() / 100 }
        var note =
            "p99 alone \(milliseconds(alone.p99)) ms, longest \(milliseconds(beside.longest)) and alone "
            + "\(milliseconds(alone.longest)) ms, \(beside.count) requests, the server uses "
            + "\((used * 100).rounded() / 100) cores"
        if kind == .resets { note += ", \(resetCount / seconds) resets a second" }
        return BenchmarkResult(
            "crowd", "healthy client beside \(kind.rawValue), p99", beside.p99 * 1e3, "ms",
            [("alone", beside.p99 / alone.p99)], note: note)
    }
}

/// This is a client that asks for health and sends records, with a new connection for each.
private struct HealthyClient {
    struct Latencies {
        let count: Int
        let p99: Double
        let longest: Double
    }

    let port: UInt16
    private var number = 0
    private var body = RecordBodies(count: 1, seed: 1)

    init(port: UInt16) { self.port = port }

    mutating func latencies(for duration: Duration) throws -> Latencies {
        let health = Array("GET /readyz HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n".utf8)
        var found: [Double] = []
        let start = ContinuousClock.now
        while ContinuousClock.now - start < duration {
            number += 1
            let isHealth = number % 4 == 0
            if !isHealth { body.renew(first: number, second: number / 1_000) }
            let before = ContinuousClock.now
            let connection = try LoadConnection(port: port)
            try connection.send(isHealth ? health : body.bytes)
            let answer = try connection.receive()
            found.append((ContinuousClock.now - before).seconds)
            guard answer.status == (isHealth ? 200 : 202) else {
                throw BenchmarkError("a healthy client: \(answer.status) \(answer.body)")
            }
            usleep(2_000)
        }
        found.sort()
        return Latencies(
            count: found.count, p99: found[min(found.count - 1, found.count * 99 / 100)],
            longest: found[found.count - 1])
    }
}

/// This is a thousand connections of one kind that do as little as they can, in a thread of their own.
private final class Crowd: @unchecked Sendable {
    enum Kind: String, CaseIterable {
        case silent, heads, bodies, readers, idle, resets
    }

    private static let count = 1_000
    private static let resetsPerSecond = 10_000.0

    private let kind: Kind
    private let port: UInt16
    private var descriptors: [Int32] = []
    private let isOver = Atomic(false)
    private let resetCount = Atomic(0)
    private let ended = DispatchSemaphore(value: 0)

    init(_ kind: Kind, port: UInt16) throws {
        self.kind = kind
        self.port = port
        if kind != .resets {
            for _ in 0..<Self.count { descriptors.append(try open()) }
        }
        if kind == .idle {
            // Their answers are out before anything is measured.
            var buffer = [UInt8](repeating: 0, count: 1_024)
            for descriptor in descriptors { recv(descriptor, &buffer, buffer.count, 0) }
        }
        Thread.detachNewThread { [self] in
            // Of this thread only: Linux has it so.
            setpriority(__priority_which_t(PRIO_PROCESS.rawValue), 0, 19)
            while !isOver.load(ordering: .relaxed) {
                if kind == .resets { reset() } else { drip() }
            }
            for descriptor in descriptors { close(descriptor) }
            ended.signal()
        }
    }

    /// Ends it; how many connections were reset.
    func end() -> Int {
        isOver.store(true, ordering: .relaxed)
        ended.wait()
        return resetCount.load(ordering: .relaxed)
    }

    private var words: (first: String, drip: String) {
        switch kind {
        case .silent: ("", "")
        case .resets: ("POST /v1/pre", "")
        case .heads: ("GET /readyz HTTP/1.1\r\nX-Slow: ", "a")
        case .bodies:
            (
                "POST /v1/predictions HTTP/1.1\r\nHost: localhost\r\n"
                    + "Content-Type: application/json\r\nContent-Length: 100000\r\n\r\n", " "
            )
        case .readers:
            // More than the buffers between us hold.
            (
                String(
                    repeating: "GET /v1/openapi.yaml HTTP/1.1\r\nHost: localhost\r\n\r\n", count: 3),
                ""
            )
        case .idle: ("GET /livez HTTP/1.1\r\nHost: localhost\r\n\r\n", "")
        }
    }

    private func open() throws -> Int32 {
        let descriptor = socket(AF_INET, Int32(SOCK_STREAM.rawValue), 0)
        if kind == .readers {
            var size: Int32 = 4_096
            setsockopt(
                descriptor, SOL_SOCKET, SO_RCVBUF, &size, socklen_t(MemoryLayout<Int32>.size))
        }
        guard descriptor >= 0, connectToLoopback(descriptor, port: port) == 0 else {
            close(descriptor)
            throw BenchmarkError("a crowd's connection: errno \(errno)")
        }
        send(words.first, on: descriptor)
        return descriptor
    }

    private func send(_ text: String, on descriptor: Int32) {
        let bytes = Array(text.utf8)
        Glibc.send(
            descriptor, bytes, bytes.count, Int32(MSG_NOSIGNAL) | Int32(MSG_DONTWAIT))
    }

    /// One after another, all of them in about a second; who has been ended comes back.
    private func drip() {
        let word = words.drip
        for (place, descriptor) in descriptors.enumerated() where !isOver.load(ordering: .relaxed) {
            var byte: UInt8 = 0
            let flags = Int32(MSG_DONTWAIT) | Int32(MSG_PEEK)
            let count = recv(descriptor, &byte, 1, flags)
            if count == 0 || (count < 0 && errno != EAGAIN) {
                close(descriptor)
                descriptors[place] = (try? open()) ?? -1
            } else if !word.isEmpty {
                send(word, on: descriptor)
            }
            usleep(1_000)
        }
    }

    private func reset() {
        let start = ContinuousClock.now
        var count = 0
        while !isOver.load(ordering: .relaxed) {
            let due = Int((ContinuousClock.now - start).seconds * Self.resetsPerSecond)
            // What could not be made in time is not made up for in a burst.
            for _ in 0..<min(due - count, 50) {
                guard let descriptor = try? open() else { continue }
                var option = linger(l_onoff: 1, l_linger: 0)
                setsockopt(
                    descriptor, SOL_SOCKET, SO_LINGER, &option,
                    socklen_t(MemoryLayout<linger>.size))
                close(descriptor)
                resetCount.add(1, ordering: .relaxed)
            }
            count = due
            usleep(300)
        }
    }
}
