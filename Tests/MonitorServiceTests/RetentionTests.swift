import Foundation
import Logging
import MonitorCore
import MonitorStore
import MonitoringDomain
import MonitoringTestSupport
import Testing

@testable import MonitorService

/// The log's beginning goes when no state needs it, and everybody who reads the log knows where it begins.
@Suite struct RetentionTests {
    private static let start: Int64 = 1_795_392_000_000
    private static let rowCount = 400

    /// Batch `number`: ten minutes after the one before, unless told otherwise.
    private func batch(
        _ number: Int, _ model: ModelID, spacing: Int64 = 600_000
    ) -> PredictionBatch {
        let rows = Array(0..<Self.rowCount)
        var random = SeededGenerator(seed: UInt64(number))
        var batch = PredictionBatch(model: model)
        batch.rowCount = rows.count
        // Ids are most of a snapshot, which is taken the more seldom the larger it is.
        batch.identities = rows.map { row in
            number == 0
                ? RecordIdentity(high: UInt64(number + 1), low: UInt64(row + 1)) : .none
        }
        batch.times = rows.map { Self.start + Int64(number) * spacing + Int64($0) * 1_000 }
        let missing = TextColumn(
            codes: rows.map { _ in TextColumn.missing }, dictionary: [])
        batch.versions = missing
        batch.labels = missing
        batch.truthLabels = missing
        batch.features = [
            ("x", .numeric(rows.map { _ in Double.random(in: 0..<1, using: &random) }))
        ]
        batch.scores = rows.map { _ in Double.random(in: 0..<1, using: &random) }
        batch.values = rows.map { _ in Double.nan }
        batch.truthValues = batch.values
        return batch
    }

    private func runner(_ store: SQLiteStore) throws -> MonitorRunner {
        try MonitorRunner(
            store: store, clock: .event, logger: Logger(label: "test"),
            snapshotLogSizeBytes: 20_000)
    }

    @Test(.timeLimit(.minutes(2)))
    func `a log with a bound stays near it, and nothing else changes`() async throws {
        let folder = try Repository.temporaryFolder("retention")
        defer { try? FileManager.default.removeItem(at: folder) }
        let model = try #require(ModelID("kept"))
        let keeping = LogKeeping(span: .forever, sizeBytes: 100_000)
        var largest = 0
        do {
            let store = try SQLiteStore(directory: folder.appendingPathComponent("data").path)
            defer { store.close() }
            let runner = try runner(store)
            runner.start()
            _ = try await runner.submit([
                .pinReference(batch(1_000, model), pinnedAt: EventTime(milliseconds: Self.start))
            ])
            var total = 0
            for number in 0..<160 {
                let input = Input.predictions(batch(number, model, spacing: 60_000))
                total += LogPayload.encode(input).count
                _ = try await runner.submit([input])
                // Snapshots are written beside the thread, and are the larger the more panes there are.
                if number % 8 == 0 {
                    wait(upTo: 1) {
                        (try? store.snapshotPositions().first.map { $0 + 30 > store.lastPosition })
                            == true
                    }
                    try await runner.decideLogStart(keeping: keeping, at: nil)
                    while try runner.removeTrimmedEntries() {}
                    largest = max(largest, try store.logSizeBytes(after: 0))
                }
            }
            print("retention: \(largest) bytes at most of \(total)")
            // What is kept, and the steps between snapshots of which two are needed.
            #expect(largest < total / 2)
            #expect(try store.isTrimmed)
            #expect(try await runner.read { $0.collector.models[model]?.recordCount } == 64_000)
            // Ids of what is gone are known.
            let again = try await runner.submit([.predictions(batch(0, model, spacing: 60_000))])
            #expect(again.accepted == 0 && again.duplicates == Self.rowCount)
            await runner.stop()
            try store.backUp(to: folder.appendingPathComponent("backup.sqlite").path)
        }
        let restored = folder.appendingPathComponent("restored")
        try FileManager.default.createDirectory(at: restored, withIntermediateDirectories: true)
        try FileManager.default.moveItem(
            at: folder.appendingPathComponent("backup.sqlite"),
            to: restored.appendingPathComponent("leeway.sqlite"))
        for directory in [folder.appendingPathComponent("data"), restored] {
            let store = try SQLiteStore(directory: directory.path)
            defer { store.close() }
            #expect(store.findings.sentences.isEmpty)
            let state = try MonitorRunner.recover(
                store, clock: .event, logger: Logger(label: "test")
            ).monitor
            #expect(state.collector.models[model]?.recordCount == 64_000)
            let report = try LogVerification.run(state, store)
            #expect(report.differences.isEmpty && report.start > 0)
            #expect(report.rowCount < 64_000 && report.rowCount > 0)
            // Without a snapshot the log is folded from where it begins.
            try store.dropSnapshots()
            let folded = try MonitorRunner.recover(
                store, clock: .event, logger: Logger(label: "test"))
            #expect(folded.snapshotPosition >= report.start)
            #expect(folded.monitor.snapshot() == state.snapshot())
        }
    }

    @Test(.timeLimit(.minutes(2)))
    func `a reference that is profiled later says where the log began, also after a crash`()
        async throws
    {
        let folder = try Repository.temporaryFolder("begins")
        defer { try? FileManager.default.removeItem(at: folder) }
        let model = try #require(ModelID("kept"))
        let inputs: [Input] = [
            .pinReference(batch(1_000, model), pinnedAt: EventTime(milliseconds: Self.start)),
            .predictions(batch(0, model)), .predictions(batch(1, model)),
            .predictions(batch(2, model)),
            .trimLog(
                through: 2, reaching: EventTime(milliseconds: Self.start + 599_999)),
            .predictions(batch(3, model)),
            .pinReference(batch(1_001, model), pinnedAt: EventTime(milliseconds: Self.start)),
            .activateReference(model, id: "r-2"), .predictions(batch(4, model)),
        ]
        let store = try SQLiteStore(directory: folder.path)
        defer { store.close() }
        _ = try store.append(inputs.map { LogPayload.encode($0) })
        func state() throws -> Monitor {
            try MonitorRunner.recover(store, clock: .event, logger: Logger(label: "test")).monitor
        }
        let monitor = try state()
        let collector = try #require(monitor.collector.models[model])
        #expect(collector.isActive("r-2"))
        #expect(collector.profiledSince == EventTime(milliseconds: Self.start + 599_999))
        func volume(_ start: Int64, _ end: Int64) -> Reading {
            let window = TimeWindow(
                start: EventTime(milliseconds: Self.start + start * 600_000),
                end: EventTime(milliseconds: Self.start + end * 600_000))
            return collector.measure(
                MeasurementQuery(model: model, statistic: .volume), window: window
            ).reading
        }
        #expect(volume(1, 5).estimate?.value == 1_600)
        guard case .undefined(let reason) = volume(0, 1) else {
            Issue.record("a window of which rows are gone has a value")
            return
        }
        #expect(reason.contains("the log began at"))
        #expect(collector.recordCount == 2_000)
        #expect(try Monitor(snapshot: monitor.snapshot()).snapshot() == monitor.snapshot())
    }

    @Test func `old entries go by time where the clock can be trusted, and by no other`() throws {
        let folder = try Repository.temporaryFolder("old")
        defer { try? FileManager.default.removeItem(at: folder) }
        let store = try SQLiteStore(directory: folder.path)
        defer { store.close() }
        store.keep(LogRetention(milliseconds: 3_600_000))
        for number in 1...4 {
            _ = try store.append([[UInt8](repeating: UInt8(number), count: 99)])
            try store.commit(
                snapshot: StoredSnapshot(bytes: [UInt8(number)], reaches: Int64(number)),
                effects: [], position: Int64(number))
        }
        let now = Int64(Date().timeIntervalSince1970 * 1_000)
        #expect(try store.nextLogStart(at: nil) == nil)
        #expect(try store.nextLogStart(at: now + 3_600_000) == nil)
        let next = try #require(try store.nextLogStart(at: now + 4_300_000))
        #expect(next == (1, 1))
        // Nothing goes before two states say that they do not need it.
        #expect(try store.trimStep() == 0)
        for number in 5...6 {
            _ = try store.append([[UInt8](repeating: UInt8(number), count: 99)])
            try store.commit(
                snapshot: StoredSnapshot(bytes: [UInt8(number)], logStart: 1, reaches: 9),
                effects: [], position: Int64(number))
            #expect(try store.trimStep() == (number == 6 ? 1 : 0))
        }
        #expect(try store.firstPosition == 2)
        #expect(try store.isTrimmed)
        #expect(try store.snapshotPositions() == [6, 5, 1])
    }
}
