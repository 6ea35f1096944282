import Foundation
import MonitorStore
import MonitoringTestSupport
import Testing

extension EndToEndTests {
    /// What befalls the way to PostgreSQL, and us, while requests are filed.
    struct PostgresFaultTests {
        /// A PostgreSQL, the proxy before it, and a server with a rule that fires for every model.
        private final class Rig {
            let postgres: TemporaryPostgres
            let proxy: CutProxy
            let folder: URL
            let data: URL
            private let rules: URL
            private(set) var server: LeewayServer?
            private var stream = RecordStream(model: "m", startingAt: monday, seed: 23)

            init(_ name: String) throws {
                postgres = try TemporaryPostgres()
                proxy = try CutProxy(to: postgres.directory + "/.s.PGSQL.5432")
                folder = try Repository.temporaryFolder(name)
                data = folder.appendingPathComponent("data")
                rules = folder.appendingPathComponent("rules")
                try FileManager.default.createDirectory(
                    at: rules, withIntermediateDirectories: true)
                let text = """
                    group: relay
                    model: relay-*
                    every: 5m
                    rules:
                      - retrain: Volume
                        expr: volume(window: 1h) >= 10
                        cooldown: 3d
                        request: { queue: default, training_window: 1d }

                    """
                try Data(text.utf8).write(to: rules.appendingPathComponent("rules.yaml"))
            }

            deinit {
                server?.kill()
                postgres.stop()
                try? FileManager.default.removeItem(at: folder)
            }

            func start(launcher: [String] = []) throws {
                server = try LeewayServer(
                    data: data, rules: rules,
                    arguments: [
                        "--postgres",
                        "host=127.0.0.1 port=\(proxy.port) user=postgres dbname=postgres",
                    ], launcher: launcher)
            }

            /// Records of two hours, a minute apart, so that the rule fires.
            func fire(_ model: String) throws {
                stream.model = model
                stream.time = monday
                stream.stepMilliseconds = 60_000
                let server = try #require(server)
                try server.client.ingest(stream.next(120).map(\.prediction))
            }

            /// The requests' models in PostgreSQL, one for each row, and how often each was triggered.
            func filed() throws -> [[String?]] {
                let connection = try PostgresConnection(dsn: postgres.dsn)
                defer { connection.close() }
                return
                    (try? connection.query(
                        """
                        SELECT r.model, r.trigger_count::text, r.state::text
                          FROM leeway.retraining_requests r ORDER BY 1
                        """
                    ).rows) ?? []
            }
        }

        private func once(_ models: [String]) -> [[String?]] {
            models.sorted().map { [$0, "1", "pending"] }
        }

        @Test(.timeLimit(.minutes(3)))
        func
            `commits whose answers are lost, and our own death among them, file each request once`()
            throws
        {
            let rig = try Rig("commit-cut")
            // The contract's commit, then the first filing's, then twice the second of a connection.
            let lost = [1, 1, 2, 2].map {
                CutProxy.Plan.cutAnswer(holding: "COMMIT\0", number: $0)
            }
            rig.proxy.plan(lost + [.cut(.client, after: 1_300), .cut(.server, after: 650)])
            try rig.start()
            let models = (0..<4).map { "relay-\($0)" }
            for model in models { try rig.fire(model) }
            // Between an answer that was lost and the next try, and once more later.
            for count in [2, 4] {
                #expect(wait(upTo: 20) { rig.proxy.brokenCount >= count })
                rig.server?.kill()
                try rig.start()
            }
            var rows: [[String?]] = []
            let isFiled = try wait(upTo: 40) {
                rows = try rig.filed()
                let status = try rig.server?.client.get("/v1/status").text ?? ""
                return rows.count == 4 && status.contains(#""deliveries":{"pending":0,"#)
            }
            #expect(isFiled && rig.proxy.brokenCount >= 4, "\(rows)")
            #expect(rows == once(models))
            #expect(rig.server?.stop() == 0)
            try FaultRig.verify(rig.data)
        }

        @Test(.timeLimit(.minutes(3)))
        func `a disk that fails while PostgreSQL confirms ends the process, and files once`() throws
        {
            let rig = try Rig("confirm")
            let library = try FaultRig.library(in: rig.folder)
            let sign = rig.folder.appendingPathComponent("rot")
            // Until the disk fails, nobody answers.
            rig.proxy.plan([CutProxy.Plan](repeating: .cut(.client, after: 0), count: 1_000))
            try rig.start(launcher: FaultRig.launcher(library, "rot:\(sign.path)"))
            try rig.fire("relay-a")
            try Data().write(to: sign)
            rig.proxy.plan(.pass)

            // Confirming is the only thing that writes.
            #expect(wait(upTo: 20) { (try? rig.filed())?.isEmpty == false })
            #expect(rig.server?.ended(within: 5) == 3, "D-4: \(rig.server?.logTail ?? "")")
            try rig.start()
            let isConfirmed = try wait(upTo: 20) {
                try rig.server?.client.get("/v1/status").text
                    .contains(#""deliveries":{"pending":0,"#) ?? false
            }
            #expect(isConfirmed)
            #expect(try rig.filed() == once(["relay-a"]))
        }

        @Test(.timeLimit(.minutes(3)))
        func `a PostgreSQL that falls silent delays no record, no stop and no later filing`() throws
        {
            let rig = try Rig("silent")
            rig.proxy.plan(
                .pass, .silenceAnswer(holding: "COMMIT\0", number: 1),
                .silenceAnswer(holding: "COMMIT\0", number: 1))
            try rig.start()
            #expect(wait(upTo: 10) { rig.proxy.connectionCount == 1 })
            #expect(rig.server?.stop() == 0)

            // The first commit after the contract's is the filing's.
            try rig.start()
            try rig.fire("relay-a")
            #expect(wait(upTo: 10) { rig.proxy.brokenCount == 1 })
            let start = ContinuousClock.now
            try rig.fire("relay-b")
            #expect(ContinuousClock.now - start < .seconds(5))
            #expect(rig.server?.stop() == 0, "\(rig.server?.logTail ?? "")")
            #expect(ContinuousClock.now - start < .seconds(8))

            // Silence once more; this time the process waits it out.
            try rig.start()
            let isFiled = try wait(upTo: 60) { try rig.filed().count == 2 }
            #expect(isFiled, "\(rig.server?.logTail ?? "")")
            #expect(try rig.filed() == once(["relay-a", "relay-b"]))
        }
    }
}
