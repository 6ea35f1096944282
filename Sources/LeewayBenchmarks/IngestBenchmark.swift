import Foundation
import MonitorService
import MonitorStore
import MonitoringDomain
import RecordCoding
import Synchronization

/// This measures the real server over HTTP: records of 20 features with ids, a thousand a batch,
/// durable, counted once and joined before each answer; then one record a request.
///
/// The client runs on the same machine and in this process; the server is a process of its own. In the
/// same run: how fast bodies are merely decoded, and how fast encoded batches are merely written.
public enum IngestBenchmark {
    static let batchRowCount = 1_000
    static let batchConnectionCount = 8
    static let singleConnectionCount = 64
    /// One of so many requests is ground truth, of records that were sent long before.
    static let groundTruthShare = 10

    /// Runs it, and shows each result as it is known.
    public static func run(seconds: Int, _ show: (BenchmarkResult) -> Void) throws {
        let body = RecordBodies(count: batchRowCount, seed: 3)
        let size = body.bytes.count - body.headSize
        show(
            BenchmarkResult(
                "ingest", "record size", Double(size) / Double(batchRowCount), "bytes"))
        let decode = try decodeRate(body, seconds: 3)
        show(BenchmarkResult("ingest", "decode only, both cores", decode, "records/s"))
        let folder = FileManager.default.temporaryDirectory
            .appending(path: "leeway-ingest-\(getpid())")
        defer { try? FileManager.default.removeItem(at: folder) }
        try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
        let write = try writeRate(body, folder.appending(path: "write").path, seconds: 3)
        show(BenchmarkResult("ingest", "write only, one thread", write, "records/s"))
        let server = try BenchmarkServer(folder: folder)
        defer { server.stop() }
        let before = (server: processorSeconds(server.processIdentifier), own: processorSeconds())
        let batches = try runBatches(server.port, for: .seconds(seconds))
        let after = (server: processorSeconds(server.processIdentifier), own: processorSeconds())
        let total = (batches.rate + batches.truthRate) * Double(seconds)
        let slower = min(decode, write)
        show(
            BenchmarkResult(
                "ingest", "batches of \(batchRowCount) over HTTP", batches.rate, "records/s",
                [
                    ("decode only", batches.rate / decode), ("write only", batches.rate / write),
                    ("the slower of the two", batches.rate / slower),
                ]))
        show(BenchmarkResult("ingest", "ground truth beside them", batches.truthRate, "records/s"))
        batches.latencies.show("batches", show)
        show(
            BenchmarkResult(
                "ingest", "server's processor time", (after.server - before.server) / total * 1e6,
                "µs/record"))
        show(
            BenchmarkResult(
                "ingest", "client's processor time", (after.own - before.own) / total * 1e6,
                "µs/record"))
        let id = server.processIdentifier
        show(
            BenchmarkResult(
                "ingest", "server's RSS, highest", memoryUse("VmHWM", of: id) / 1e6, "MB"))
        show(
            BenchmarkResult(
                "ingest", "server's own memory, now", memoryUse("RssAnon", of: id) / 1e6, "MB"))
        let single = try runSingles(server.port, for: .seconds(max(3, seconds / 6)))
        show(
            BenchmarkResult(
                "ingest", "one record a request, \(singleConnectionCount) connections", single.rate,
                "requests/s"))
        single.latencies.show("single records", show)
    }

    /// Runs as many threads as asked for: Dispatch would run no more at once than there are cores.
    private static func inThreads(_ count: Int, _ body: @escaping @Sendable (Int) -> Void) {
        let group = DispatchGroup()
        for index in 0..<count {
            group.enter()
            let thread = Thread {
                body(index)
                group.leave()
            }
            thread.start()
        }
        group.wait()
    }

    private struct Outcome: Sendable {
        var rate: Double
        var truthRate = 0.0
        var latencies: Latencies
    }

    /// What the threads share.
    private final class Shared: Sendable {
        let next = Atomic<Int>(0)
        let tallies = Mutex<[(records: Int, truths: Int, latencies: [Double])]>([])
        let failure = Mutex<String?>(nil)
    }

    private static func runBatches(_ port: UInt16, for duration: Duration) throws -> Outcome {
        let shared = Shared()
        let clock = ContinuousClock()
        let start = clock.now
        inThreads(batchConnectionCount) { index in
            do {
                let connection = try LoadConnection(port: port)
                var body = RecordBodies(count: batchRowCount, seed: UInt64(index))
                var tally = (records: 0, truths: 0, latencies: [Double]())
                var turn = index
                while clock.now - start < duration {
                    turn += 1
                    if turn % groundTruthShare == 0, tally.records > 40 * batchRowCount {
                        let number = shared.next.load(ordering: .relaxed)
                        let first = max(0, number - 400) * batchRowCount
                        try connection.send(
                            RecordBodies.groundTruth(
                                first: first, count: batchRowCount, second: number))
                        try check(try connection.receive())
                        tally.truths += batchRowCount
                        continue
                    }
                    let number = shared.next.add(1, ordering: .relaxed).oldValue
                    body.renew(first: number * batchRowCount, second: number)
                    let sent = clock.now
                    try connection.send(body.bytes)
                    let answer = try connection.receive()
                    tally.latencies.append((clock.now - sent).seconds)
                    try check(answer)
                    guard answer.body.contains("\"accepted\":\(batchRowCount)") else {
                        throw BenchmarkError("not all were new: \(answer.body)")
                    }
                    tally.records += batchRowCount
                }
                shared.tallies.withLock { [tally] in $0.append(tally) }
            } catch {
                shared.failure.withLock { $0 = "\(error)" }
            }
        }
        if let reason = shared.failure.withLock({ $0 }) { throw BenchmarkError(reason) }
        let spent = (clock.now - start).seconds
        let all = shared.tallies.withLock { $0 }
        try checkRepeat(port)
        return Outcome(
            rate: Double(all.reduce(0) { $0 + $1.records }) / spent,
            truthRate: Double(all.reduce(0) { $0 + $1.truths }) / spent,
            latencies: Latencies(all.flatMap(\.latencies)))
    }

    /// The first records once more: each is a repeat.
    private static func checkRepeat(_ port: UInt16) throws {
        let connection = try LoadConnection(port: port)
        var body = RecordBodies(count: batchRowCount, seed: 0)
        body.renew(first: 0, second: 0)
        try connection.send(body.bytes)
        let answer = try connection.receive()
        guard answer.body.contains("\"duplicates\":\(batchRowCount)") else {
            throw BenchmarkError("a repeat was counted: \(answer.body)")
        }
    }

    /// Two threads, each with half of the connections: all are written to, then all are read.
    private static func runSingles(_ port: UInt16, for duration: Duration) throws -> Outcome {
        let next = Atomic<Int>(1_000_000_000)
        let tallies = Mutex<[[Double]]>([])
        let failure = Mutex<String?>(nil)
        let clock = ContinuousClock()
        let start = clock.now
        DispatchQueue.concurrentPerform(iterations: 2) { index in
            do {
                let connections = try (0..<singleConnectionCount / 2).map { _ in
                    try LoadConnection(port: port)
                }
                var body = RecordBodies(count: 1, seed: UInt64(index))
                var latencies: [Double] = []
                while clock.now - start < duration {
                    let sent = clock.now
                    for connection in connections {
                        let number = next.add(1, ordering: .relaxed).oldValue
                        body.renew(first: number, second: 100_000)
                        try connection.send(body.bytes)
                    }
                    for connection in connections {
                        try check(try connection.receive())
                        latencies.append((clock.now - sent).seconds)
                    }
                }
                tallies.withLock { [latencies] in $0.append(latencies) }
            } catch {
                failure.withLock { $0 = "\(error)" }
            }
        }
        if let reason = failure.withLock({ $0 }) { throw BenchmarkError(reason) }
        let latencies = tallies.withLock { $0.flatMap { $0 } }
        return Outcome(
            rate: Double(latencies.count) / (clock.now - start).seconds,
            latencies: Latencies(latencies))
    }

    private static func check(_ answer: (status: Int, body: String)) throws {
        guard answer.status == 202 else {
            throw BenchmarkError("answer \(answer.status): \(answer.body)")
        }
    }

    // MARK: - Ceilings

    private static func decoded(_ body: RecordBodies) throws -> [PredictionBatch] {
        var decoder = RecordDecoder()
        return try decoder.decodePredictions(
            Array(body.bytes[body.headSize...]), kind: .predictions, defaultModel: nil,
            arrival: EventTime(milliseconds: 0), kindOf: { _, _ in nil })
    }

    private static func decodeRate(_ body: RecordBodies, seconds: Int) throws -> Double {
        let count = Atomic<Int>(0)
        let bytes = Array(body.bytes[body.headSize...])
        let clock = ContinuousClock()
        let start = clock.now
        DispatchQueue.concurrentPerform(iterations: 2) { _ in
            var decoder = RecordDecoder()
            while clock.now - start < .seconds(seconds) {
                let batches = try? decoder.decodePredictions(
                    bytes, kind: .predictions, defaultModel: nil,
                    arrival: EventTime(milliseconds: 0), kindOf: { _, _ in nil })
                count.add(batches?.first?.rowCount ?? 0, ordering: .relaxed)
            }
        }
        return Double(count.load(ordering: .relaxed)) / (clock.now - start).seconds
    }

    private static func writeRate(
        _ body: RecordBodies, _ directory: String, seconds: Int
    ) throws -> Double {
        let store = try SQLiteStore(directory: directory)
        defer { store.close() }
        let payloads = try (0..<batchConnectionCount).map { index in
            var renewed = body
            renewed.renew(first: index * batchRowCount, second: index)
            return LogPayload.encode(.predictions(try decoded(renewed)[0]))
        }
        var count = 0
        let clock = ContinuousClock()
        let start = clock.now
        while clock.now - start < .seconds(seconds) {
            _ = try store.append(payloads)
            try store.checkpointIfLong()
            count += payloads.count * batchRowCount
        }
        return Double(count) / (clock.now - start).seconds
    }
}

/// This is how long answers took.
struct Latencies: Sendable {
    private let sorted: [Double]

    init(_ seconds: [Double]) { sorted = seconds.sorted() }

    func show(_ name: String, _ show: (BenchmarkResult) -> Void) {
        guard let longest = sorted.last else { return }
        for (word, share) in [("p50", 0.5), ("p99", 0.99)] {
            let place = min(sorted.count - 1, Int(share * Double(sorted.count)))
            show(BenchmarkResult("ingest", "\(name), \(word)", sorted[place] * 1e3, "ms"))
        }
        show(BenchmarkResult("ingest", "\(name), longest", longest * 1e3, "ms"))
    }
}

/// This is a `leeway serve` of this executable, in a folder of its own.
final class BenchmarkServer {
    let port: UInt16
    private let process = Process()
    var processIdentifier: String { "\(process.processIdentifier)" }

    init(folder: URL) throws {
        port = UInt16.random(in: 20_000..<32_000)
        let rules = folder.appending(path: "rules")
        try FileManager.default.createDirectory(at: rules, withIntermediateDirectories: true)
        process.executableURL = URL(fileURLWithPath: "/proc/self/exe").resolvingSymlinksInPath()
        process.arguments = [
            "serve", "--listen", "127.0.0.1:\(port)", "--data", folder.appending(path: "data").path,
            "--rules", rules.path, "--clock", "event",
        ]
        process.environment = ProcessInfo.processInfo.environment
            .filter { !$0.key.hasPrefix("LEEWAY_") }
        process.standardInput = FileHandle.nullDevice
        process.standardOutput = FileHandle.nullDevice
        var none = sigset_t()
        var previous = sigset_t()
        sigemptyset(&none)
        // A child inherits blocked signals, and would never see the one that ends it.
        pthread_sigmask(SIG_SETMASK, &none, &previous)
        defer { pthread_sigmask(SIG_SETMASK, &previous, nil) }
        try process.run()
        let deadline = ContinuousClock.now + .seconds(30)
        while (try? LoadConnection(port: port)) == nil {
            guard process.isRunning, ContinuousClock.now < deadline else {
                throw BenchmarkError("leeway serve did not start")
            }
            usleep(50_000)
        }
        usleep(300_000)
    }

    func stop() {
        process.terminate()
        let deadline = ContinuousClock.now + .seconds(20)
        while process.isRunning, ContinuousClock.now < deadline { usleep(20_000) }
        if process.isRunning { kill(process.processIdentifier, SIGKILL) }
    }
}
