import Foundation
import MonitoringTestSupport
import Testing

extension EndToEndTests {
    /// Connections that break in a request or in its answer: the sender does not know, and asks again.
    struct AnswerFaultTests {
        private func head(_ key: String, _ size: Int) -> String {
            "POST /v1/predictions HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/x-ndjson\r\n"
                + "Idempotency-Key: \(key)\r\nContent-Length: \(size)\r\n\r\n"
        }

        /// FT-7: at each byte of the request, and at moments in and behind the answer.
        @Test(.timeLimit(.minutes(FaultRig.minuteLimit)))
        func `wherever a connection is cut, a repeat makes it once`() throws {
            let site = try Site("cut")
            var stream = RecordStream(model: "cut", startingAt: monday, seed: 13)
            try site.client.pinReference(of: "cut", stream.next(500).map(\.reference))
            let size = 3 * 260 + 200
            var idCount = 0
            var replayedCount = 0
            let places = Array(0..<size) + Array(repeating: size * 2, count: rounds(200))
            for (index, place) in places.enumerated() {
                let body = ndjson(stream.next(3).map(\.prediction))
                idCount += 3
                let request = Array(head("cut-\(index)", body.count).utf8) + body
                let connection = try RawConnection(port: site.server.port)
                connection.send(Array(request.prefix(place)))
                // Past the request's end the cut falls somewhere before, in or behind the answer.
                if place >= request.count { usleep(UInt32(index % 20) * 500) }
                if index % 2 == 0 { connection.resetAtClose() } else { connection.finishSending() }
                let headers = ["Idempotency-Key": "cut-\(index)"]
                var answer: HTTPAnswer?
                let isTaken = wait(upTo: 10) {
                    // While the first request runs, a refusal may end before the body is read.
                    answer = try? site.client.post("/v1/predictions", body, headers: headers)
                    return answer.map { $0.status != 409 } ?? false
                }
                #expect(isTaken && answer?.status == 202, "\(place): \(answer?.text ?? "")")
                if answer?.headers["idempotency-replayed"] != nil { replayedCount += 1 }
                let known = try answer?.decoded(as: IngestAnswer.self)
                #expect(known?.accepted == 3 || known?.duplicates == 3)
            }
            print(
                "FT-7: cut \(idCount / 3) connections, \(replayedCount) repeats of what was stored")
            #expect(replayedCount > 0)
            #expect(try site.client.volume(of: "cut") == Double(idCount))
            try FaultRig.verify(site.data)
        }

        @Test(.timeLimit(.minutes(3)))
        func `a project has so many keys, and no earlier one is forgotten`() throws {
            let site = try Site("keys")
            var stream = RecordStream(model: "keys", startingAt: monday, seed: 14)
            let body = ndjson(stream.next(3).map(\.prediction))
            let first = ["Idempotency-Key": "first"]
            #expect(try site.client.post("/v1/predictions", body, headers: first).status == 202)
            site.server.kill()
            let file = site.data.appendingPathComponent("leeway.sqlite").path
            let script = """
                import sqlite3
                c = sqlite3.connect('\(file)')
                c.execute('''WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 499999)
                    INSERT INTO idempotency (scope, key, fingerprint, status, answer, created_at)
                    SELECT scope, 'k' || i, fingerprint, status, answer, created_at
                    FROM idempotency, n''')
                c.commit()
                """
            try FaultRig.run(["python3", "-c", script])
            try site.restart()

            let other = ndjson(stream.next(3).map(\.prediction))
            let refused = try site.client.post(
                "/v1/predictions", other, headers: ["Idempotency-Key": "new"])
            #expect(refused.status == 429 && refused.headers["retry-after"] != nil, "CB-7")
            #expect(refused.text.contains("not_stored"))
            let again = try site.client.post("/v1/predictions", body, headers: first)
            #expect(again.status == 202 && again.headers["idempotency-replayed"] == "true")
            #expect(try site.client.post("/v1/predictions", other).status == 202)
        }
    }
}
