import Foundation
import Logging
import MonitorCore
import MonitorService
import MonitorStore
import MonitoringDomain
import MonitoringTestSupport
import Testing

/// Single records that wait together are one entry of the log, and each sender is told of its own.
@Suite struct GroupingTests {
    private func record(
        _ id: UInt64, score: Double = 0.5, features: [String] = ["x"]
    ) throws -> PredictionBatch {
        var batch = PredictionBatch(model: try #require(ModelID("m")))
        batch.rowCount = 1
        batch.identities = [RecordIdentity(high: 7, low: id)]
        batch.times = [1_000]
        batch.versions = TextColumn(codes: [TextColumn.missing])
        batch.labels = TextColumn(codes: [TextColumn.missing])
        batch.truthLabels = TextColumn(codes: [TextColumn.missing])
        batch.features = features.map { ($0, .numeric([Double(id)])) }
        batch.scores = [score]
        batch.values = [.nan]
        batch.truthValues = [.nan]
        return batch
    }

    @Test(.timeLimit(.minutes(1)))
    func `what waits together is counted as if it had come alone`() async throws {
        let folder = try Repository.temporaryFolder("grouping")
        defer { try? FileManager.default.removeItem(at: folder) }
        let store = try SQLiteStore(directory: folder.path)
        defer { store.close() }
        let runner = try MonitorRunner(
            store: store, clock: .event, logger: Logger(label: "test"))
        // Everything waits for the start: ids 0 to 99, two columns, then 0 to 49 once more, of which ten
        // say something else.
        let sent: [PredictionBatch] =
            try (0..<100).map { try record($0, features: $0 % 10 == 9 ? ["x", "y"] : ["x"]) }
            + (0..<50).map { id in
                try record(
                    id, score: id % 5 == 0 ? 0.9 : 0.5,
                    features: id % 10 == 9 ? ["x", "y"] : ["x"])
            }
        let receipts = try await withThrowingTaskGroup(of: (Int, Receipt).self) { group in
            for (index, batch) in sent.enumerated() {
                group.addTask { (index, try await runner.submit([.predictions(batch)])) }
            }
            try await Task.sleep(for: .milliseconds(50))
            runner.start()
            return try await group.reduce(into: [Int: Receipt]()) { $0[$1.0] = $1.1 }
        }
        await runner.stop()

        // Which of two equal ids was first is open; that one of them was is not.
        for id in 0..<50 {
            let both = [receipts[id], receipts[100 + id]].compactMap { $0 }
            #expect(both.count == 2)
            #expect(both.reduce(0) { $0 + $1.accepted } == 1)
            #expect(both.reduce(0) { $0 + $1.duplicates } == 1)
            #expect(both.reduce(0) { $0 + $1.conflicts } == (id % 5 == 0 ? 1 : 0))
        }
        for id in 50..<100 { #expect(receipts[id]?.accepted == 1) }
        // Fewer entries than senders, and a reader of the log finds every record.
        let recovered = try MonitorRunner.recover(
            store, clock: .event, logger: Logger(label: "test"), keepsEffects: false)
        #expect(recovered.monitor.position < 150)
        let model = try #require(ModelID("m"))
        #expect(recovered.monitor.collector.models[model]?.recordCount == 100)
    }
}
