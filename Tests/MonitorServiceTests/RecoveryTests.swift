import Foundation
import Logging
import MonitorCore
import MonitorService
import MonitorStore
import MonitoringDomain
import MonitoringTestSupport
import Testing

/// D-6: what a recovery must fold is bounded, also after crash upon crash.
@Suite struct RecoveryTests {
    @Test(.timeLimit(.minutes(1)))
    func `a tail that was left by crashes is folded into a snapshot by the next input`()
        async throws
    {
        let folder = try Repository.temporaryFolder("tail")
        defer { try? FileManager.default.removeItem(at: folder) }
        let files = [
            RuleFile(name: "none.yaml", text: String(repeating: "# nothing\n", count: 500))
        ]
        // As a process leaves it that ends before its first snapshot.
        let store = try SQLiteStore(directory: folder.path)
        defer { store.close() }
        for _ in 0..<40 { _ = try store.append([LogPayload.encode(.rules(files))]) }
        let size = try store.logSizeBytes(after: 0)
        #expect(try store.logSizeBytes(after: 20) < size)

        let runner = try MonitorRunner(
            store: store, clock: .event, logger: Logger(label: "test"),
            snapshotLogSizeBytes: size - 1)
        runner.start()
        _ = try await runner.submit([.rules(files)])
        // Written beside the thread; an orderly stop would take one anyway.
        let isTaken = wait(upTo: 10) { (try? store.snapshots().isEmpty) == false }
        #expect(isTaken)
        await runner.stop()

        let snapshot = try #require(try store.snapshots().first)
        #expect(snapshot.position == 41)
        #expect(try store.logSizeBytes(after: snapshot.position) == 0)
    }
}
