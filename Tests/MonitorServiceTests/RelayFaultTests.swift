import Foundation
import MonitorStore
import MonitoringDomain
import MonitoringTestSupport
import Testing

@testable import MonitorService

/// The way to PostgreSQL breaks at any byte, above all between COMMIT and its answer.
@Suite(.serialized) final class RelayFaultTests {
    private let server: TemporaryPostgres
    private let proxy: CutProxy
    private let directory: String
    private let store: SQLiteStore
    private let executor = RelayExecutor()
    private var position: Int64 = 0

    init() throws {
        server = try TemporaryPostgres()
        proxy = try CutProxy(to: server.directory + "/.s.PGSQL.5432")
        directory = "/tmp/leeway-cut-\(UInt32.random(in: 0...UInt32.max))"
        store = try SQLiteStore(directory: directory)
    }

    deinit {
        store.close()
        server.stop()
        try? FileManager.default.removeItem(atPath: directory)
    }

    private func worker(
        answerTimeout: Duration = PostgresConnection.answerTimeout
    ) -> RelayWorker {
        RelayWorker(
            executor: executor,
            dsn: "host=127.0.0.1 port=\(proxy.port) user=postgres dbname=postgres",
            store: store, answerTimeout: answerTimeout)
    }

    private func storeEffect(_ key: String, _ kind: String) throws {
        position += 1
        try store.commit(
            snapshot: nil,
            effects: [StoredEffect(key: key, kind: kind, payload: "{}", position: position)],
            position: position)
    }

    /// One life of a request: filed, reported over the API, judged; as one pass of the relay does it.
    private func pass(_ worker: RelayWorker, _ filing: RetrainingRequest) async throws {
        let filed = try await worker.file([filing])
        #expect(filed.fault == nil && filed.reports.allSatisfy { $0.state == .pending })
        var trained = try relayedRequest(filing.id, model: filing.model.rawValue, state: .succeeded)
        trained.verification = helped
        #expect(try await worker.exchange([trained]).isEmpty)
        let outcome = try await worker.deliverVerdicts([trained])
        #expect(outcome.fault == nil)
    }

    /// After the cut: the same worker, as the relay goes on with it, or a new one as after a crash of ours.
    private func passAfterCut(
        _ worker: RelayWorker, _ filing: RetrainingRequest, isNew: Bool
    )
        async throws
    {
        await worker.disconnect()
        proxy.plan(.pass)
        let next = isNew ? self.worker() : worker
        try await pass(next, filing)
        await next.disconnect()
    }

    @Test(.timeLimit(.minutes(torture == nil ? 3 : 240)))
    func `wherever the connection to PostgreSQL is cut, a request is filed once, with its verdict`()
        async throws
    {
        // A whole pass tells how many bytes there are to cut between; the first also makes the contract.
        let whole = worker()
        for id in ["warm", "whole"] {
            await whole.disconnect()
            try storeEffect("file/\(id)", "file-request")
            try storeEffect("request/\(id)/helped", "verdict")
            try await pass(whole, try relayedRequest(id, model: id))
        }
        await whole.disconnect()
        let sizes = [CutProxy.Sender.client, .server].map {
            ($0, proxy.passedCount(from: $0))
        }
        var count = 2
        for (sender, size) in sizes {
            #expect(size > 1_000)
            // Coprime to the messages' sizes, so that the cuts fall within and between them.
            for place in stride(from: 0, through: size, by: cutStride) {
                let id = "\(sender)-\(place)"
                let filing = try relayedRequest(id, model: id)
                try storeEffect("file/\(id)", "file-request")
                try storeEffect("request/\(id)/helped", "verdict")
                proxy.plan(.cut(sender, after: place))
                let worker = worker()
                try? await pass(worker, filing)
                try await passAfterCut(worker, filing, isNew: count % 2 == 0)
                count += 1
            }
        }
        try expectOnce(count)
        print("cuts: \(count) requests, \(proxy.brokenCount) cut connections, sizes \(sizes)")
        #expect(proxy.brokenCount >= count - 6)
    }

    @Test(.timeLimit(.minutes(2)))
    func `a commit whose answer is lost is done once, also the one that makes the contract`()
        async throws
    {
        // The contract's own, then filing's; the answer of each is lost twice.
        var count = 0
        for number in [1, 1, 1, 1] {
            let id = "lost-\(count)"
            let filing = try relayedRequest(id, model: id)
            try storeEffect("file/\(id)", "file-request")
            try storeEffect("request/\(id)/helped", "verdict")
            let worker = worker()
            for _ in 0..<2 {
                await worker.disconnect()
                proxy.plan(.cutAnswer(holding: "COMMIT\0", number: number))
                await #expect(throws: PostgresError.self) { try await pass(worker, filing) }
            }
            try await passAfterCut(worker, filing, isNew: count % 2 == 0)
            count += 1
        }
        try expectOnce(count)
        #expect(proxy.brokenCount == 2 * count)
    }

    @Test(.timeLimit(.minutes(2)))
    func `a server that says nothing more is given up, and a new connection settles it`()
        async throws
    {
        let timeout = Duration.milliseconds(400)
        var count = 0
        // Within the sign-in libpq itself gives up, after five seconds; so the places lie behind it.
        let places: [CutProxy.Plan] = [
            .silenceAnswer(holding: "COMMIT\0", number: 1), .silence(.client, after: 900),
            .silence(.server, after: 700), .silenceAnswer(holding: "BEGIN\0", number: 1),
        ]
        for plan in places {
            let id = "silent-\(count)"
            let filing = try relayedRequest(id, model: id)
            try storeEffect("file/\(id)", "file-request")
            try storeEffect("request/\(id)/helped", "verdict")
            proxy.plan(plan)
            let worker = worker(answerTimeout: timeout)
            let start = ContinuousClock.now
            let error = await #expect(throws: PostgresError.self) {
                try await self.pass(worker, filing)
            }
            #expect(error?.kind == .away && error?.message.hasPrefix("no answer in") == true)
            #expect(ContinuousClock.now - start < .seconds(4))
            try await passAfterCut(worker, filing, isNew: count % 2 == 0)
            count += 1
        }
        try expectOnce(count)
    }

    /// The oracle: each key is one row, triggered once, at its end, and nothing is pending or set aside.
    private func expectOnce(_ count: Int) throws {
        let connection = try PostgresConnection(dsn: server.dsn)
        defer { connection.close() }
        let rows = try connection.query(
            """
            SELECT count(*), count(DISTINCT model), min(trigger_count), max(trigger_count),
                   count(*) FILTER (WHERE state = 'succeeded'),
                   count(*) FILTER (WHERE verification->>'verdict' = 'helped'),
                   (SELECT count(*) FROM leeway.retraining_triggers)
              FROM leeway.retraining_requests
            """
        ).rows
        let all = "\(count)"
        #expect(rows == [[all, all, "1", "1", all, all, all]])
        #expect(try store.pendingDeliveryCount(kinds: ["file-request", "verdict"]) == 0)
        #expect(try store.setAsideDeliveries(limit: 1).count == 0)
    }
}

/// How many rounds `make torture` asks for; nil in every other run.
private let torture = ProcessInfo.processInfo.environment["LEEWAY_TORTURE"]

/// Bytes between two places where a connection is cut: fewer in more rounds, one from 38 rounds on.
private let cutStride = max(1, 37 / max(1, (torture.flatMap { Int($0) } ?? 2) / 2))

/// A request as the state machine gives it to the relay.
func relayedRequest(
    _ id: String, model name: String = "m", state: RetrainingState = .filing,
    parameters: [String: String] = [:]
) throws -> RetrainingRequest {
    let model = try #require(ModelID(name))
    let time = EventTime(milliseconds: 1_000)
    let alert = Alert(
        rule: "Decay", group: "g", model: model, feature: nil, phase: .firing, labels: [:],
        annotations: [:], since: time, expression: "accuracy(window: 1d) < 0.8")
    var request = RetrainingRequest(
        id: id, rule: "Decay", model: model, modelVersion: "1", queue: "default", priority: 100,
        needsApproval: false, state: state, createdAt: time,
        trainingWindow: TimeWindow(start: time, end: time), alert: alert, reference: nil,
        parameters: parameters)
    request.newVersion = state == .succeeded ? "2" : nil
    return request
}

private let helped = Verification(
    verdict: .helped, statistic: .accuracy, oldVersion: "1", newVersion: "2", before: 0.8,
    after: 0.9,
    beforeCount: 100, afterCount: 100, effect: 0.1, effectLower: 0.05, effectUpper: 0.15,
    decidedAt: EventTime(milliseconds: 2_000), method: "m")
