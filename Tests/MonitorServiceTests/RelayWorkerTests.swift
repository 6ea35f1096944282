import Foundation
import MonitorStore
import MonitoringDomain
import Testing

@testable import MonitorService

/// Each test has a PostgreSQL and a data directory of its own.
@Suite(.serialized) final class RelayWorkerTests {
    private let server: TemporaryPostgres
    private let directory: String
    private let store: SQLiteStore
    private let executor = RelayExecutor()

    init() throws {
        server = try TemporaryPostgres()
        directory = "/tmp/leeway-relay-\(UInt32.random(in: 0...UInt32.max))"
        store = try SQLiteStore(directory: directory)
    }

    deinit {
        store.close()
        server.stop()
        try? FileManager.default.removeItem(atPath: directory)
    }

    private func worker() -> RelayWorker {
        RelayWorker(executor: executor, dsn: server.dsn, store: store)
    }

    private func queue() throws -> RetrainingQueue {
        let queue = RetrainingQueue(try PostgresConnection(dsn: server.dsn))
        try queue.migrate()
        return queue
    }

    private func store(_ request: RetrainingRequest) throws {
        try store.commit(
            snapshot: nil,
            effects: [
                StoredEffect(
                    key: "file/\(request.id)", kind: "file-request", payload: "{}", position: 1)
            ], position: 1)
    }

    private func storeVerdict(_ request: inout RetrainingRequest) throws {
        request.verification = Verification(
            verdict: .helped, statistic: .accuracy, oldVersion: "1", newVersion: "2", before: 0.8,
            after: 0.9, beforeCount: 100, afterCount: 100, effect: 0.1, effectLower: 0.05,
            effectUpper: 0.15, decidedAt: EventTime(milliseconds: 2_000), method: "m")
        try store.commit(
            snapshot: nil,
            effects: [
                StoredEffect(
                    key: "request/\(request.id)/helped", kind: "verdict", payload: "{}",
                    position: 2)
            ], position: 2)
    }

    @Test func `a refused filing is set aside with its reason, and those behind it are filed`()
        async throws
    {
        let large = try relayedRequest(
            "large", parameters: ["text": randomText(of: 400_000)])
        let small = try relayedRequest("small", model: "n")
        try store(large)
        try store(small)

        let outcome = try await worker().file([large, small])

        let refusal = try #require(outcome.reports.first)
        #expect(refusal.requestID == "large")
        #expect(refusal.state == .failed)
        #expect(refusal.detail?.hasPrefix("PostgreSQL refused the request: ") == true)
        #expect(outcome.reports.last == TrainerReport(requestID: "small", state: .pending))
        #expect(outcome.fault == nil)
        #expect(try queue().states(ofKeys: ["large", "small"]).map(\.idempotencyKey) == ["small"])
        let setAside = try store.setAsideDeliveries(limit: 10)
        #expect(setAside.count == 1)
        #expect(setAside.newest.first?.key == "file/large")
        #expect(try store.pendingDeliveries(kind: "file-request", limit: 10).isEmpty)
    }

    @Test func `a report over the API is written through, and its verdict after it`() async throws {
        let worker = worker()
        let filing = try relayedRequest("a")
        try store(filing)
        _ = try await worker.file([filing])
        let queue = try queue()
        #expect(try queue.states(ofKeys: ["a"]).map(\.state) == ["pending"])

        var trained = try relayedRequest("a", state: .succeeded)
        try storeVerdict(&trained)
        // The verdict waits: the row has not succeeded yet.
        _ = try await worker.deliverVerdicts([trained])
        #expect(try store.pendingDeliveryCount(kinds: ["verdict"]) == 1)
        let reports = try await worker.exchange([trained])
        _ = try await worker.deliverVerdicts([trained])

        #expect(reports.isEmpty)
        #expect(try queue.states(ofKeys: ["a"]).map(\.state) == ["succeeded"])
        #expect(try queue.states(ofKeys: ["a"]).map(\.newVersion) == ["2"])
        #expect(try store.pendingDeliveryCount(kinds: ["verdict"]) == 0)
        let connection = try PostgresConnection(dsn: server.dsn)
        let found = try connection.query(
            "SELECT verification->>'verdict' FROM leeway.retraining_requests")
        #expect(found.rows == [["helped"]])
    }

    @Test func `a report made while PostgreSQL was away is filed final: no worker can claim it`()
        async throws
    {
        let trained = try relayedRequest("a", state: .succeeded)
        try store(trained)

        let outcome = try await worker().file([trained])

        let queue = try queue()
        try queue.allow(role: "postgres", queue: "default")
        #expect(outcome.reports.isEmpty)
        #expect(try queue.states(ofKeys: ["a"]).map(\.state) == ["succeeded"])
        #expect(try queue.claim(worker: "w") == nil)
    }

    @Test func `what a worker says through SQL comes back once, and wins over nothing newer`()
        async throws
    {
        let worker = worker()
        let filing = try relayedRequest("a")
        try store(filing)
        _ = try await worker.file([filing])
        let queue = try queue()
        try queue.allow(role: "postgres", queue: "default")
        let pending = try relayedRequest("a", state: .pending)
        #expect(try await worker.exchange([pending]).isEmpty)

        let lease = try #require(try queue.claim(worker: "w"))
        #expect(try await worker.exchange([pending]).map(\.state) == [.claimed])
        #expect(try await worker.exchange([pending]).isEmpty)
        // The API says running; PostgreSQL shows what it showed before, so ours is the newer.
        let running = try relayedRequest("a", state: .running)
        #expect(try await worker.exchange([running]).isEmpty)
        #expect(try queue.states(ofKeys: ["a"]).map(\.state) == ["running"])
        _ = try queue.complete(id: lease.id, token: lease.leaseToken, result: "{}")
        #expect(try await worker.exchange([running]).map(\.state) == [.succeeded])
    }

    @Test func `the verdict of a request that ended otherwise in PostgreSQL is set aside`()
        async throws
    {
        let worker = worker()
        let filing = try relayedRequest("a")
        try store(filing)
        _ = try await worker.file([filing])
        let queue = try queue()
        let id = try #require(try queue.states(ofKeys: ["a"]).first?.requestID)
        _ = try queue.cancel(id: id)
        var trained = try relayedRequest("a", state: .succeeded)
        try storeVerdict(&trained)

        _ = try await worker.exchange([trained])
        _ = try await worker.deliverVerdicts([trained])

        let setAside = try store.setAsideDeliveries(limit: 10)
        #expect(setAside.newest.map(\.reason) == ["the request is cancelled in PostgreSQL"])
    }

    /// Text that no compression makes small.
    private func randomText(of count: Int) -> String {
        var state: UInt64 = 1
        let bytes = (0..<count).map { _ -> UInt8 in
            state = state &* 6_364_136_223_846_793_005 &+ 1_442_695_040_888_963_407
            return UInt8(ascii: "a") + UInt8(state >> 59) % 26
        }
        return String(decoding: bytes, as: UTF8.self)
    }
}
