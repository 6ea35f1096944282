import MonitoringTestSupport
import Testing

private let body =
    #"{"id":"1","ts":"2026-11-23T00:00:00Z","model":"cuts","features":{"a":1}}"#

private let chunked = RequestText.chunked

extension EndToEndTests {
    /// Requests one behind the other on a connection: HF-46, and where each begins.
    struct PipelineTests {
        /// Where a request begins is not seen from its first line alone.
        @Test(.timeLimit(.minutes(3)))
        func `requests one behind the other are served however their bytes are cut`() throws {
            let site = try Site("cuts")
            let size = String(body.utf8.count, radix: 16)
            let requests = [
                RequestText.get("/readyz"),
                RequestText.post(chunked, content: "\(size);a=b\r\n\(body)\r\n0\r\nX-A: b\r\n\r\n"),
                "\r\n" + RequestText.get("/livez"),
                RequestText.post("Content-Length: \(body.utf8.count)", content: body),
                RequestText.post(chunked, content: "\(size)\r\n\(body)\r\n0\r\n\r\n"),
                RequestText.get("/livez"),
            ]
            let bytes = Array(requests.joined().utf8)

            for cut in 0..<bytes.count {
                let connection = try RawConnection(port: site.server.port)
                connection.send(Array(bytes[..<cut]))
                connection.send(Array(bytes[cut...]))
                let statuses = try requests.map { _ in try connection.answer()?.status }
                #expect(statuses == [200, 202, 200, 202, 202, 200], "cut at \(cut)")
            }
            // Behind a body of either form a line is looked at as closely as the first one.
            for request in [requests[1], requests[3]] {
                let connection = try RawConnection(port: site.server.port)
                connection.send(request + "GET  /livez HTTP/1.1\r\nHost: localhost\r\n\r\n")
                #expect(try connection.answer()?.status == 202)
                #expect(try connection.answer()?.status == 400)
                #expect(connection.endsNow())
            }
        }

        @Test(.timeLimit(.minutes(3)))
        func `pipelined requests are answered in order, and a bad one ends them`() throws {
            let site = try Site("pipeline")
            let connection = try RawConnection(port: site.server.port)
            // Sent at once, so that answers wait for requests that have not been read.
            let count = 10_000

            connection.send(
                (0..<count).map { RequestText.get($0 % 2 == 0 ? "/livez" : "/v1/models/none\($0)") }
                    .joined()
                    + "BREW / HTTP/1.1\r\n\r\n" + RequestText.get("/livez"))
            let statuses = try (0..<count).map { _ in try connection.answer()?.status }

            #expect(statuses == (0..<count).map { $0 % 2 == 0 ? 200 : 404 })
            #expect(try connection.answer()?.status == 501)
            #expect(connection.endsNow())
        }
    }
}
