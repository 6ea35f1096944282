import Foundation
import MonitoringTestSupport
import Testing

/// This is one bad input: what is sent on a connection of its own, and what must come back.
struct BadInput: CustomStringConvertible, Sendable {
    /// The row of the catalogue, with a letter where a row has several forms.
    let id: String
    let what: String
    /// The whole of what is sent.
    let bytes: @Sendable () -> [UInt8]
    /// Allowed statuses; 0 is the end of the connection without an answer.
    let statuses: Set<Int>
    /// Allowed ends of the problem's type; empty where the answer need not be a problem.
    let types: [String]
    /// True where the server must end the connection.
    let closes: Bool
    /// Whether our side of the connection ends after the bytes.
    var finishes = false
    /// Memory that reading it may leave behind beyond the usual.
    var workSizeBytes = 0

    /// This is the same row, which is known to need so much.
    func needing(_ size: Int) -> BadInput {
        var row = self
        row.workSizeBytes = size
        return row
    }

    var description: String { "\(id), \(what)" }
}

extension BadInput {
    /// A raw request.
    static func raw(
        _ id: String, _ what: String, _ statuses: Set<Int>, _ types: [String] = [],
        closes: Bool = true, finishes: Bool = false,
        _ text: @autoclosure @escaping @Sendable () -> String
    ) -> BadInput {
        BadInput(
            id: id, what: what, bytes: { Array(text().utf8) }, statuses: statuses, types: types,
            closes: closes, finishes: finishes)
    }

    /// A well-framed post of `body`.
    static func post(
        _ id: String, _ what: String, _ statuses: Set<Int>, _ types: [String],
        to path: String = "/v1/predictions", type: String? = "application/x-ndjson",
        fields: [String] = [], _ body: @autoclosure @escaping @Sendable () -> [UInt8]
    ) -> BadInput {
        BadInput(
            id: id, what: what,
            bytes: {
                let body = body()
                let lines =
                    ["POST \(path) HTTP/1.1", "Host: localhost", "Content-Length: \(body.count)"]
                    + (type.map { ["Content-Type: \($0)"] } ?? []) + fields
                return Array((lines.joined(separator: "\r\n") + "\r\n\r\n").utf8) + body
            }, statuses: statuses, types: types, closes: false)
    }

    static func post(
        _ id: String, _ what: String, _ statuses: Set<Int>, _ types: [String],
        to path: String = "/v1/predictions", type: String? = "application/x-ndjson",
        fields: [String] = [], _ body: @autoclosure @escaping @Sendable () -> String
    ) -> BadInput {
        post(
            id, what, statuses, types, to: path, type: type, fields: fields,
            Array(body().utf8))
    }
}

/// This is a server with what a bad input must leave as it was.
final class BadInputSite {
    let site: Site
    private let identifier: Int32
    private var stream = RecordStream(model: "good", startingAt: monday, seed: 11)
    private var goodCount = 0.0

    init(_ name: String) throws {
        site = try Site(name)
        identifier = site.server.processIdentifier
        try site.client.pinReference(of: "good", stream.next(200).map(\.reference))
    }

    /// Sends every row and checks its answer, and afterwards that nothing has happened.
    func check(_ rows: [BadInput]) throws {
        for row in rows { try check(row) }
        // What a refused batch names would be a model by now.
        #expect(try site.client.get("/v1/models/bad").status == 404, "a bad batch was stored")
        #expect(try site.client.volume(of: "good") == goodCount, "good records were lost")
        #expect(!site.server.logText.contains(" error "), "\(site.server.logTail)")
        let run = try CommandRun(CommandRun.leeway, ["verify", "--data", site.data.path])
        #expect(run.status == 0, "\(run.errors)")
    }

    func check(_ row: BadInput) throws {
        // What a body needs while it is read is not given back at once.
        let before = residentSizeBytes + 2 * row.bytes().count + row.workSizeBytes
        do {
            try checkAnswer(row)
        } catch {
            Issue.record("\(row): \(error)")
        }
        try checkAfter("\(row)", residentSizeBefore: before)
    }

    private func checkAnswer(_ row: BadInput) throws {
        let connection = try RawConnection(port: site.server.port)
        // The server may stop reading before everything has been sent.
        connection.send(row.bytes())
        if row.finishes { connection.finishSending() }
        guard let answer = try connection.answer() else {
            #expect(row.statuses.contains(0), "\(row): no answer")
            return
        }
        #expect(
            row.statuses.contains(answer.status),
            "\(row): \(answer.status) \(answer.text.prefix(300))")
        if !row.types.isEmpty {
            let type = answer.headers["content-type"] ?? "none"
            #expect(type.hasPrefix("application/problem+json"), "\(row): \(type)")
            let problem = try answer.decoded(as: Problem.self)
            #expect(problem.status == answer.status, "\(row)")
            let codes = [problem.type] + (problem.errors ?? []).map(\.code)
            #expect(
                row.types.contains { end in codes.contains { $0.hasSuffix(end) } },
                "\(row): \(codes)")
        }
        if row.closes {
            #expect(answer.headers["connection"]?.lowercased() == "close", "\(row): stays open")
            #expect(connection.endsNow(), "\(row): stays open")
        }
    }

    /// Checks that the server is the same, is ready, takes a good record, and has not grown.
    func checkAfter(_ what: String, residentSizeBefore before: Int) throws {
        #expect(site.server.isRunning && site.server.processIdentifier == identifier, "\(what)")
        var client = site.client
        client.timeoutSeconds = 1
        #expect(try client.get("/readyz").status == 200, "\(what)")
        client.timeoutSeconds = 10
        #expect(try client.ingest(stream.next(1).map(\.prediction)).accepted == 1, "\(what)")
        goodCount += 1
        let growth = residentSizeBytes - before
        #expect(growth <= 16 << 20, "\(what): grew by \(growth) bytes")
    }

    /// This is the memory of the server's process, from the kernel.
    var residentSizeBytes: Int {
        let text = (try? String(contentsOfFile: "/proc/\(identifier)/statm", encoding: .utf8)) ?? ""
        let words = text.split(separator: " ")
        return words.count > 1 ? (Int(words[1]) ?? 0) * 4_096 : 0
    }
}

/// The texts of requests, byte by byte as they are sent.
enum RequestText {
    /// A post to the ingest route; `lines` are all header fields but Host and Content-Type.
    static func post(
        _ lines: String..., content: String = "", host: String = "Host: localhost"
    ) -> String {
        (["POST /v1/predictions HTTP/1.1", host, "Content-Type: application/json"] + lines)
            .filter { !$0.isEmpty }.joined(separator: "\r\n") + "\r\n\r\n" + content
    }

    static func get(
        _ target: String, _ lines: String..., host: String = "Host: localhost"
    ) -> String {
        (["GET \(target) HTTP/1.1", host] + lines).filter { !$0.isEmpty }
            .joined(separator: "\r\n") + "\r\n\r\n"
    }

    static let chunked = "Transfer-Encoding: chunked"
}
