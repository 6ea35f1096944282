import Foundation
import MonitorService
import MonitorStore
import MonitoringDomain
import RecordCoding

/// This measures `leeway replay --data` of this executable on one core: from a file of NDJSON to a data
/// directory that is durable, joined and snapshot; the start of the process included.
///
/// Beside it, in the same run, its two ceilings on one thread: merely decoding, and merely making the
/// encoded batches durable.
public enum ReplayBenchmark {
    /// Records of the file; about 545 MB.
    static let recordCount = 1_000_000
    static let repetitionCount = 3
    private static let pieceSizeBytes = 1 << 20
    private static let ceilingPieceCount = 100

    /// Runs it, and shows each number as it is known.
    public static func run(_ show: (BenchmarkResult) -> Void) throws {
        let folder = FileManager.default.temporaryDirectory
            .appending(path: "leeway-replay-\(getpid())")
        defer { try? FileManager.default.removeItem(at: folder) }
        try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
        let file = folder.appending(path: "records.ndjson")
        var bytes = SyntheticRecords.ndjson(count: recordCount, seed: 1)
        try Data(bytes).write(to: file)
        let recordSize = bytes.count / recordCount
        let bodies = pieces(of: bytes, count: ceilingPieceCount)
        bytes = []
        let decode = try decodeRate(bodies)
        let write = try writeRate(bodies, folder.appending(path: "ceiling").path)
        show(BenchmarkResult("replay", "ceiling: decode only, one thread", decode, "records/s"))
        show(BenchmarkResult("replay", "ceiling: write only, one thread", write, "records/s"))
        let core = (0..<repetitionCount).compactMap { turn in
            replay(file.path, into: folder.appending(path: "data-\(turn)").path, isPinned: true)
        }.sorted()
        guard core.count == repetitionCount else {
            throw BenchmarkError("leeway replay did not end well, or there is no taskset")
        }
        let slower = min(decode, write)
        let rate = Double(recordCount) / core[repetitionCount / 2]
        show(
            BenchmarkResult(
                "replay", "file to data directory, one core", rate, "records/s",
                [
                    ("the slower ceiling", rate / slower),
                    // Both have to be done by the one core.
                    ("both ceilings in turn", rate * (1 / decode + 1 / write)),
                ], note: "\(recordSize) bytes a record"))
        guard let both = replay(file.path, into: folder.appending(path: "both").path) else {
            return
        }
        show(
            BenchmarkResult(
                "replay", "file to data directory, all cores", Double(recordCount) / both,
                "records/s", [("one core", core[repetitionCount / 2] / both)]))
    }

    private static func pieces(of bytes: [UInt8], count: Int) -> [RecordBody] {
        var pieces: [RecordBody] = []
        var start = 0
        while start < bytes.count, pieces.count < count {
            var end = min(start + pieceSizeBytes, bytes.count)
            while end < bytes.count, bytes[end - 1] != 0x0A { end += 1 }
            pieces.append(RecordBody(Array(bytes[start..<end])))
            start = end
        }
        return pieces
    }

    private static func decodeRate(_ bodies: [RecordBody]) throws -> Double {
        var decoder = RecordDecoder(limits: DecodingLimits(rowCountMax: .max))
        var count = 0
        let spent = try ContinuousClock().measure {
            for body in bodies {
                count += try decoded(body, &decoder).reduce(0) { $0 + $1.rowCount }
            }
        }
        return Double(count) / spent.seconds
    }

    private static func decoded(
        _ body: RecordBody, _ decoder: inout RecordDecoder
    ) throws -> [PredictionBatch] {
        try decoder.decodePredictions(
            body, kind: .predictions, defaultModel: nil, arrival: EventTime(milliseconds: 0),
            kindOf: { _, _ in nil })
    }

    private static func writeRate(_ bodies: [RecordBody], _ directory: String) throws -> Double {
        let store = try SQLiteStore(directory: directory)
        defer { store.close() }
        var decoder = RecordDecoder(limits: DecodingLimits(rowCountMax: .max))
        var count = 0
        var spent = Duration.zero
        for body in bodies {
            let batches = try decoded(body, &decoder)
            let payloads = batches.map { LogPayload.encode(.predictions($0)) }
            count += batches.reduce(0) { $0 + $1.rowCount }
            spent += try ContinuousClock().measure {
                _ = try store.append(payloads)
                try store.checkpointIfLong()
            }
        }
        return Double(count) / spent.seconds
    }

    /// This is how many seconds the replay took; nil where it failed.
    private static func replay(
        _ file: String, into directory: String, isPinned: Bool = false
    ) -> Double? {
        let executable = URL(fileURLWithPath: "/proc/self/exe").resolvingSymlinksInPath()
        let process = Process()
        let arguments = ["replay", "--data", directory, file]
        process.executableURL = isPinned ? URL(fileURLWithPath: "/usr/bin/taskset") : executable
        let core = "\(ProcessInfo.processInfo.activeProcessorCount - 1)"
        process.arguments = isPinned ? ["-c", core, executable.path] + arguments : arguments
        process.standardOutput = FileHandle.nullDevice
        guard (try? process.run()) != nil else { return nil }
        let spent = ContinuousClock().measure { process.waitUntilExit() }
        return process.terminationStatus == 0 ? spent.seconds : nil
    }
}
