import Foundation
import MonitorService
import MonitorStore
import MonitoringDomain
import WindowAggregation

/// This measures the join alone: predictions with ids, a thousand a batch and a thousand a second of
/// event time, up to fifty million; sealing and merging included, on one thread, with real files.
public enum JoinBenchmark {
    static let batchRowCount = 1_000
    /// Where the curve has its points, in ids.
    static let points = [
        500_000, 1_000_000, 2_000_000, 5_000_000, 10_000_000, 20_000_000, 50_000_000,
    ]
    /// No point is begun after this; a slow machine has a shorter curve.
    static let timeLimit = Duration.seconds(240)
    /// A dictionary of more ids would take more memory than the comparison is worth.
    static let naiveCount = 5_000_000

    /// Runs it, and shows each point as it is known.
    public static func run(_ show: (BenchmarkResult) -> Void) throws {
        guard let model = ModelID("bench") else { throw BenchmarkError("the model's name") }
        let naive = naiveRate()
        show(BenchmarkResult("join", "naive dictionary, \(naiveCount) ids", naive.rate, "ids/s"))
        show(
            BenchmarkResult(
                "join", "naive dictionary, memory", naive.memory / Double(naiveCount), "bytes/id"))
        let folder = FileManager.default.temporaryDirectory
            .appending(path: "leeway-join-\(getpid())")
        defer { try? FileManager.default.removeItem(at: folder) }
        try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
        let files = PartitionFiles(dataDirectory: folder.path)
        var join = OutcomeJoin(storage: files.storage(isReadOnly: false)(model))
        let memory = memoryUse("RssAnon")
        var batch = emptyBatch(model)
        var count = 0
        let clock = ContinuousClock()
        let start = clock.now
        for point in points where clock.now - start < timeLimit {
            let first = count
            var spent = Duration.zero
            var worst = Duration.zero
            while count < point {
                fill(&batch, from: count)
                let time = clock.measure {
                    blackHole(join.admit(batch).rows.count)
                    if let merge = join.merge, let merged = merge.merged() {
                        _ = join.adopt(merged, of: merge)
                    }
                }
                spent += time
                worst = max(worst, time)
                count += batchRowCount
            }
            let rate = Double(count - first) / spent.seconds
            let bytes = memoryUse("RssAnon") - memory
            show(
                BenchmarkResult(
                    "join", "\(first) to \(count) ids", rate, "predictions/s",
                    [("naive dictionary", rate / naive.rate)]))
            show(
                BenchmarkResult(
                    "join", "\(count) ids, \(join.partitions.count) partitions, memory",
                    bytes / Double(count), "bytes/id",
                    [
                        (
                            "naive dictionary",
                            bytes / Double(count) * Double(naiveCount) / naive.memory
                        )
                    ]))
            show(BenchmarkResult("join", "\(count) ids, RSS", memoryUse("VmRSS") / 1e6, "MB"))
            show(
                BenchmarkResult("join", "\(count) ids, longest batch", worst.seconds * 1e3, "ms"))
        }
        show(
            BenchmarkResult(
                "join", "late ground truth", truthRate(&join, model, count), "records/s"))
        show(
            BenchmarkResult(
                "join", "repeats of any age", repeatRate(&join, model, count), "records/s"))
    }

    private static func identity(_ number: Int) -> RecordIdentity {
        var random = BenchmarkGenerator(seed: UInt64(number))
        return RecordIdentity(high: random.next(), low: random.next())
    }

    private static func emptyBatch(_ model: ModelID) -> PredictionBatch {
        var batch = PredictionBatch(model: model)
        batch.rowCount = batchRowCount
        batch.versions = TextColumn(
            codes: [UInt32](repeating: 0, count: batchRowCount), dictionary: ["1"])
        batch.labels = TextColumn(
            codes: (0..<batchRowCount).map { UInt32($0 % 2) }, dictionary: ["0", "1"])
        batch.truthLabels.codes = [UInt32](repeating: TextColumn.missing, count: batchRowCount)
        batch.scores = (0..<batchRowCount).map { Double($0) / Double(batchRowCount) }
        batch.values = [Double](repeating: .nan, count: batchRowCount)
        batch.truthValues = batch.values
        return batch
    }

    private static func fill(_ batch: inout PredictionBatch, from first: Int) {
        batch.identities = (first..<first + batchRowCount).map { identity($0) }
        batch.times = (first..<first + batchRowCount).map { Int64($0) }
    }

    /// A million ground truths of predictions of all ages, each new.
    private static func truthRate(
        _ join: inout OutcomeJoin, _ model: ModelID, _ count: Int
    ) -> Double {
        var random = BenchmarkGenerator(seed: 7)
        var spent = Duration.zero
        for _ in 0..<300 {
            var batch = GroundTruthBatch(model: model)
            batch.identities = (0..<batchRowCount).map { _ in
                identity(Int.random(in: 0..<count, using: &random))
            }
            batch.times = [Int64](repeating: Int64(count), count: batchRowCount)
            batch.labels = TextColumn(
                codes: [UInt32](repeating: 0, count: batchRowCount), dictionary: ["1"])
            batch.values = [Double](repeating: .nan, count: batchRowCount)
            batch.revisions = [Int64](repeating: 0, count: batchRowCount)
            spent += ContinuousClock().measure {
                var joined = 0
                join.observe(batch) { joined += $0.added == nil ? 0 : 1 }
                blackHole(joined)
            }
        }
        return 300 * Double(batchRowCount) / spent.seconds
    }

    private static func repeatRate(
        _ join: inout OutcomeJoin, _ model: ModelID, _ count: Int
    ) -> Double {
        var random = BenchmarkGenerator(seed: 8)
        var batch = emptyBatch(model)
        var spent = Duration.zero
        for _ in 0..<300 {
            fill(&batch, from: Int.random(in: 0..<count - batchRowCount, using: &random))
            spent += ContinuousClock().measure { blackHole(join.admit(batch).duplicateCount) }
        }
        return 300 * Double(batchRowCount) / spent.seconds
    }

    private struct NaiveRecord {
        var time: Int64
        var score: Double
        var version: UInt32
        var label: UInt32
        var truthLabel: UInt32?
    }

    private static func naiveRate() -> (rate: Double, memory: Double) {
        let memory = memoryUse("RssAnon")
        var records: [RecordIdentity: NaiveRecord] = [:]
        var spent = Duration.zero
        for first in stride(from: 0, to: naiveCount, by: batchRowCount) {
            let identities = (first..<first + batchRowCount).map { identity($0) }
            spent += ContinuousClock().measure {
                for (row, identity) in identities.enumerated() where records[identity] == nil {
                    records[identity] = NaiveRecord(
                        time: Int64(first + row), score: 0.5, version: 0, label: 0)
                }
            }
        }
        blackHole(records.count)
        return (Double(naiveCount) / spent.seconds, memoryUse("RssAnon") - memory)
    }
}
