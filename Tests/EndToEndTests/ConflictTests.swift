import Foundation
import MonitoringTestSupport
import Testing

/// A prediction with a score that tells its content.
private func record(_ id: String, _ content: Int, model: String = "twice") -> String {
    #"{"id":"\#(id)","ts":\#(monday),"model":"\#(model)","features":{"a":\#(content)},"#
        + #""prediction":{"label":\#(content % 2),"score":0.5}}"#
}

private struct Answer: Decodable {
    struct Fault: Decodable, Equatable {
        let line: Int
        let pointer: String
        let code: String
    }

    let accepted: Int
    let duplicates: Int
    let conflicts: Int?
    let rejected: Int?
    let errors: [Fault]?
}

private func conflict(_ line: Int) -> Answer.Fault {
    Answer.Fault(line: line, pointer: "/id", code: "prediction-conflict")
}

extension EndToEndTests {
    /// I-2 and BI-6: an id with other content than the first.
    struct ConflictTests {
        private let site: Site

        init() throws {
            site = try Site("conflicts")
            for model in ["twice", "second"] {
                try site.client.pinReference(
                    of: model,
                    (0..<20).map {
                        #"{"ts":\#(monday - 86_400_000),"model":"\#(model)","features":{"a":\#($0)},"#
                            + #""prediction":{"label":\#($0 % 2),"score":0.5},"label":1}"#
                    })
            }
        }

        private func post(
            _ lines: [String], _ query: String = "", key: String? = nil, array: Bool = false
        ) throws -> HTTPAnswer {
            var headers = ["Content-Type": array ? "application/json" : "application/x-ndjson"]
            headers["Idempotency-Key"] = key
            let text =
                array
                ? "[" + lines.joined(separator: ",\n\n") + "]" : lines.joined(separator: "\n")
            return try site.client.post(
                "/v1/predictions\(query)", Array(text.utf8), headers: headers)
        }

        @Test(.timeLimit(.minutes(3)))
        func `a record in conflict is named, and the first one counts`() throws {
            #expect(
                try post([record("1", 1), record("1", 1), record("1", 1)]).decoded(as: Answer.self)
                    .duplicates == 2)
            let before = try site.client.measurements(
                of: "twice", "window=1d&statistic=psi,mean,volume")

            let whole = try post([record("1", 1), "", record("1", 2), record("1", 3)])
            let part = try post([record("1", 1), record("1", 2)], "?mode=partial")
            let array = try post([record("1", 1), record("1", 2)], "?mode=partial", array: true)

            let answer = try whole.decoded(as: Answer.self)
            #expect(whole.status == 202, "\(whole.text)")
            #expect(answer.accepted == 0 && answer.duplicates == 3 && answer.conflicts == 2)
            #expect(answer.errors == [conflict(3), conflict(4)] && answer.rejected == nil)
            for answer in [part, array] {
                #expect(answer.status == 207, "\(answer.text)")
                let found = try answer.decoded(as: Answer.self)
                #expect(found.errors == [conflict(2)] && found.rejected == 0)
            }
            #expect(
                try site.client.measurements(of: "twice", "window=1d&statistic=psi,mean,volume")
                    == before)
        }

        @Test(.timeLimit(.minutes(3)))
        func `conflicts are found among records that are refused, and among models`() throws {
            let first = (0..<6).map { record("\($0)", 1, model: $0 % 2 == 0 ? "twice" : "second") }
            #expect(try post(first).status == 202)
            let bad = #"{"id":7,"model":"twice"}"#
            let lines = [
                bad, record("0", 2), record("1", 1, model: "second"), bad,
                #"{"features":{"model":1},"id":"3","model":"second"}"#, record("new", 1),
                record("2", 2),
            ]

            let answer = try post(lines, "?mode=partial")

            #expect(answer.status == 207, "\(answer.text)")
            let found = try answer.decoded(as: Answer.self)
            #expect(found.accepted == 1 && found.duplicates == 4 && found.conflicts == 3)
            #expect(found.rejected == 2)
            #expect(found.errors?.map(\.line) == [1, 2, 4, 5, 7], "\(answer.text)")
            #expect(
                found.errors?.filter { $0.code == "prediction-conflict" }.map(\.line) == [2, 5, 7])
            // The model of the query is that of records which name none.
            let unnamed = try post(
                [record("0", 1), #"{"id":"3"}"#], "?model=second&mode=partial")
            #expect(try unnamed.decoded(as: Answer.self).errors == [conflict(2)])
        }

        @Test(.timeLimit(.minutes(3)))
        func `a hundred conflicts are named, and repeats are answered alike`() throws {
            let first = (0..<300).map { record("\($0)", 1) }
            let second = (0..<300).map { record("\($0)", $0 < 5 ? 1 : 2) }
            #expect(try post(first).status == 202)

            for query in ["", "?mode=partial"] {
                let answers = try (0..<2).map { _ in try post(second, query, key: "k\(query)") }
                #expect(answers[0].status == (query.isEmpty ? 202 : 207))
                #expect(answers[1].status == answers[0].status)
                #expect(answers[0].body == answers[1].body)
                #expect(answers[1].headers["idempotency-replayed"] == "true")
                let found = try answers[0].decoded(as: Answer.self)
                #expect(found.conflicts == 295 && found.errors == (6..<106).map(conflict))
            }
            #expect(try site.client.volume(of: "twice") == 300)
        }

        /// Single records that wait together are one entry of the log.
        @Test(.timeLimit(.minutes(3)))
        func `each of many senders at once hears of its own conflicts`() throws {
            #expect(try post((0..<32).map { record("\($0)", 1) }).status == 202)
            let connections = try (0..<32).map { _ in try RawConnection(port: site.server.port) }
            for (index, connection) in connections.enumerated() {
                let body = [record("\(index)", 1), record("\(index)", index % 2 + 1)]
                    .joined(separator: "\n")
                connection.send(
                    "POST /v1/predictions HTTP/1.1\r\nHost: localhost\r\n"
                        + "Content-Type: application/x-ndjson\r\n"
                        + "Content-Length: \(body.utf8.count)\r\n\r\n\(body)")
            }
            let answers = try connections.map { try $0.answer()?.decoded(as: Answer.self) }

            for (index, answer) in answers.enumerated() {
                #expect(answer?.duplicates == 2)
                #expect(answer?.errors == (index % 2 == 0 ? nil : [conflict(2)]))
            }
        }
    }
}
