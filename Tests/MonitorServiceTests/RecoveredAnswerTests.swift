import Foundation
import Logging
import MonitorCore
import MonitorService
import MonitorStore
import MonitoringDomain
import MonitoringTestSupport
import Testing

/// I-1: a repeat is told what came of the batch, also when the process ended before that was written.
@Suite struct RecoveredAnswerTests {
    private func batch(_ ids: ClosedRange<UInt64>) throws -> PredictionBatch {
        var batch = PredictionBatch(model: try #require(ModelID("answers")))
        let count = ids.count
        batch.rowCount = count
        batch.identities = ids.map { RecordIdentity(high: $0, low: 1) }
        batch.times = Array(repeating: 1_795_392_000_000, count: count)
        let missing = TextColumn(
            codes: Array(repeating: TextColumn.missing, count: count), dictionary: [])
        batch.versions = missing
        batch.labels = missing
        batch.truthLabels = missing
        batch.features = [("x", .numeric(Array(repeating: 1, count: count)))]
        batch.scores = Array(repeating: 0.5, count: count)
        batch.values = Array(repeating: .nan, count: count)
        batch.truthValues = Array(repeating: .nan, count: count)
        return batch
    }

    private func record(
        _ key: String, _ answer: String, _ entries: Range<Int>, _ rows: Range<Int>? = nil
    ) -> IdempotencyRecord {
        IdempotencyRecord(
            scope: "p /v1/predictions", key: key, fingerprint: [1], status: 202, answer: answer,
            place: IdempotencyRecord.Place(entries: entries, rows: rows))
    }

    @Test func `a recovery corrects the answers of the log's tail`() async throws {
        let folder = try Repository.temporaryFolder("answers")
        defer { try? FileManager.default.removeItem(at: folder) }
        do {
            // As a process leaves it that ends after the flush: the answers are the expected ones.
            let store = try SQLiteStore(directory: folder.path)
            let payloads = try [1...4, 3...6, 9...9].map {
                LogPayload.encode(.predictions(try batch($0)))
            }
            _ = try store.append(
                payloads,
                records: [
                    record("first", #"{"accepted":4,"duplicates":0,"position":1}"#, 0..<1),
                    record(
                        "second",
                        #"{"accepted":5,"duplicates":0,"position":3,"rejected":1,"errors":[]}"#,
                        1..<3),
                    record(
                        "shared", #"{"accepted":2,"duplicates":0,"position":2}"#, 1..<2, 1..<3),
                ])
            store.abandon()
        }
        func answer(_ runner: MonitorRunner, _ key: String) async throws -> String? {
            try await runner.answer(scope: "p /v1/predictions", key: key)?.body
        }
        for _ in 0..<2 {
            let store = try SQLiteStore(directory: folder.path)
            defer { store.close() }
            let runner = try MonitorRunner(
                store: store, clock: .event, logger: Logger(label: "test"))
            #expect(
                try await answer(runner, "first")
                    == #"{"accepted":4,"duplicates":0,"position":1}"#)
            #expect(
                try await answer(runner, "second")
                    == #"{"accepted":3,"duplicates":2,"position":3,"rejected":1,"errors":[]}"#)
            // The rows 4 and 5 of an entry that holds 3 to 6.
            #expect(
                try await answer(runner, "shared")
                    == #"{"accepted":1,"duplicates":1,"position":2}"#)
        }
    }
}
