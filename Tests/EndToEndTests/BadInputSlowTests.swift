import Foundation
import MonitoringTestSupport
import Testing

/// A connection that drips, and when it was seen to end.
private final class SlowClient {
    let connection: RawConnection
    let drip: [UInt8]
    var endedAfter: Double?

    init(_ connection: RawConnection, drip: String) {
        self.connection = connection
        self.drip = Array(drip.utf8)
    }
}

private func seconds(since start: DispatchTime) -> Double {
    Double(DispatchTime.now().uptimeNanoseconds - start.uptimeNanoseconds) / 1e9
}

private let postHead =
    "POST /v1/predictions HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n"
    + "Content-Length: 1000\r\n\r\n"

extension EndToEndTests {
    /// Slow and hostile clients: catalogue SL.
    struct BadInputSlowTests {
        /// Requests that end in each way: without a body, with a length, with chunks, and refused.
        private static let begun = [
            "GET /livez HTTP/1.1\r\nHost: localhost\r\n\r\n",
            "POST /v1/predictions HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n"
                + "Content-Length: 2\r\n\r\n[]",
            "POST /v1/predictions HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n"
                + "Transfer-Encoding: chunked\r\n\r\n2\r\n[]\r\n0\r\n\r\n",
            "POST /v1/models HTTP/1.1\r\nHost: localhost\r\nContent-Length: 4\r\n\r\n\r\n\r\n",
        ]

        @Test(.timeLimit(.minutes(2)))
        func `slow clients are ended in time, and nobody else notices`() throws {
            let site = try Site("slow")
            let port = site.server.port
            let silent = try (0..<50).map { _ in SlowClient(try RawConnection(port: port), drip: "")
            }
            // In `make torture` as many as there may be connections.
            let slowCount = isTorture ? 450 : 150
            if isTorture { raiseDescriptorLimit() }
            let heads = try (0..<slowCount).map { _ in
                let client = SlowClient(try RawConnection(port: port), drip: "a")
                client.connection.send("GET /readyz HTTP/1.1\r\nX-Slow: ")
                return client
            }
            let bodies = try (0..<slowCount).map { _ in
                let client = SlowClient(try RawConnection(port: port), drip: " ")
                client.connection.send(postHead)
                return client
            }
            // A request, and half a head behind it in the same bytes; and requests with nothing behind them.
            let halves = try Self.begun.flatMap { request in
                try (0..<4).map { _ in
                    let client = SlowClient(try RawConnection(port: port), drip: "a")
                    client.connection.send(request + "GET /readyz HTTP/1.1\r\nX-Slow: ")
                    return client
                }
            }
            let whole = try Self.begun.map { request in
                let client = SlowClient(try RawConnection(port: port), drip: "")
                client.connection.send(request)
                return client
            }
            let start = DispatchTime.now()
            var worst = 0.0

            while seconds(since: start) < 22, bodies.contains(where: { $0.endedAfter == nil }) {
                for client in silent + heads + bodies + halves + whole
                where client.endedAfter == nil {
                    if client.connection.poll() {
                        client.connection.send(client.drip)
                    } else {
                        client.endedAfter = seconds(since: start)
                    }
                }
                let before = DispatchTime.now()
                #expect(try site.client.get("/readyz").status == 200)
                worst = max(worst, seconds(since: before))
                usleep(250_000)
            }

            for client in silent + heads + halves {
                #expect(
                    client.endedAfter.map { $0 <= 11.5 } ?? false,
                    "SL-1: \(client.endedAfter ?? -1)")
            }
            for client in halves {
                #expect(client.connection.receivedText.contains("HTTP/1.1 408"), "SL-1, behind")
            }
            #expect(whole.allSatisfy { $0.endedAfter == nil }, "an idle connection has 60 s")
            for client in bodies {
                #expect(
                    client.endedAfter.map { $0 <= 20 } ?? false, "SL-2: \(client.endedAfter ?? -1)")
                #expect(client.connection.receivedText.hasPrefix("HTTP/1.1 408"), "SL-2")
            }
            #expect(worst < 1, "a healthy client waited \(worst) s")
        }

        @Test(.timeLimit(.minutes(2)))
        func `who does not read is ended`() throws {
            let site = try Site("reader")
            let connection = try RawConnection(port: site.server.port)
            let request = "GET /v1/openapi.yaml HTTP/1.1\r\nHost: localhost\r\n\r\n"
            let start = DispatchTime.now()

            // More answers than the buffers between us hold.
            connection.send(String(repeating: request, count: 3_000))
            let isEnded = wait(upTo: 40) { !connection.send(request) }

            #expect(isEnded && seconds(since: start) >= 20, "SL-3")
            #expect(try site.client.get("/readyz").status == 200)
        }

        @Test(.timeLimit(.minutes(3)))
        func `resets leave nothing behind`() throws {
            let site = try BadInputSite("resets")
            let path = "/proc/\(site.site.server.processIdentifier)/fd"
            func count() throws -> Int {
                try FileManager.default.contentsOfDirectory(atPath: path).count
            }
            let before = try count()

            for index in 0..<2_000 {
                let connection = try RawConnection(port: site.site.server.port)
                if index % 2 == 0 { connection.send("POST /v1/pre") }
                connection.resetAtClose()
            }

            let isClean = try wait(upTo: 10) { try count() <= before + 4 }
            #expect(isClean, "SL-5")
            #expect(site.site.server.logText.utf8.count < 10_000)
            try site.check([])
        }

        @Test(.timeLimit(.minutes(3)))
        func `too many connections end no process and keep nobody out`() throws {
            let folder = try Repository.temporaryFolder("descriptors")
            defer { try? FileManager.default.removeItem(at: folder) }
            let server = try LeewayServer(
                data: folder.appendingPathComponent("data"), descriptorLimit: 256)
            var connections: [RawConnection] = []
            var statuses: [Int] = []

            for index in 0..<600 {
                connections.append(try RawConnection(port: server.port))
                if index % 3 == 0 { connections.last?.send(postHead) }
                if index % 50 == 49 {
                    var client = server.client
                    client.timeoutSeconds = 5
                    statuses.append((try? client.get("/readyz").status) ?? 0)
                }
            }

            #expect(server.isRunning, "SE-13: \(server.logTail)")
            #expect(statuses.allSatisfy { $0 == 200 }, "O-3: \(statuses)")
            connections = []
            #expect(try wait(upTo: 15) { try server.client.get("/v1/status").status == 200 })
        }

        @Test(.timeLimit(.minutes(3)))
        func `SIGTERM ends the process whatever clients do`() throws {
            let folder = try Repository.temporaryFolder("stop")
            defer { try? FileManager.default.removeItem(at: folder) }
            let server = try LeewayServer(
                data: folder.appendingPathComponent("data"), arguments: ["--drain-seconds", "2"])
            let idle = try (0..<100).map { _ in try RawConnection(port: server.port) }
            for connection in idle.prefix(50) {
                connection.send("GET /livez HTTP/1.1\r\nHost: localhost\r\n\r\n")
                #expect(try connection.answer()?.status == 200)
            }
            let slow = try (0..<20).map { _ in try RawConnection(port: server.port) }
            for connection in slow { connection.send(postHead + "{") }
            let start = DispatchTime.now()

            server.terminate()
            let isDraining = try wait(upTo: 1) { try server.client.get("/readyz").status == 503 }
            var code: Int32?
            while code == nil, seconds(since: start) < 26 {
                for connection in slow where connection.poll() { connection.send(" ") }
                code = server.ended(within: 0.5)
            }

            #expect(isDraining && code == 0, "L-1: \(code.map { "\($0)" } ?? "still running")")
            #expect(seconds(since: start) <= 25, "SL-6")
        }
    }
}
