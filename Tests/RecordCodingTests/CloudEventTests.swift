import MonitoringDomain
import RecordCoding
import Testing

/// The headers of KServe's agent, as they stand on the wire.
func kserveHeaders(
    _ side: String, id: String = "0009174a-24a8-4603-b098-09c8799950e9",
    service: String = "sklearn-iris", component: String = "predictor", metadata: String = "{}"
) -> [(name: String, value: String)] {
    [
        ("ce-specversion", "1.0"), ("ce-id", id),
        ("ce-type", "org.kubeflow.serving.inference.\(side)"),
        ("ce-source", "http://localhost:9081/"), ("ce-time", "2026-03-01T12:00:00.078952900Z"),
        ("ce-recordedtime", "2026-03-01T12:00:00.079101200Z"),
        ("ce-inferenceservicename", service), ("ce-namespace", "default"),
        ("ce-component", component), ("ce-endpoint", ""), ("ce-metadata", metadata),
        ("content-type", "application/json"),
    ]
}

@Suite struct CloudEventTests {
    @Test func `a binary event is its headers and its body`() throws {
        let event = try #require(
            try CloudEvent.binary(
                headers: kserveHeaders("request", metadata: #"{"X-Request-Id":["req-17"]}"#),
                body: Array("{}".utf8)))

        #expect(event.id == "0009174a-24a8-4603-b098-09c8799950e9")
        #expect(event.attributes["metadata"] == #"{"X-Request-Id":["req-17"]}"#)
        #expect(event.attributes["datacontenttype"] == "application/json")
        // Empty attributes are absent.
        #expect(event.attributes["endpoint"] == nil)
        #expect(event.time?.milliseconds == 1_772_366_400_078)
        #expect(event.payload == .bytes(Array("{}".utf8)))
    }

    @Test(arguments: [
        ("plain", "plain"), ("{%22X-Request-Id%22:[%22a%20b%22]}", #"{"X-Request-Id":["a b"]}"#),
        ("100%", "100%"), ("%zz", "%zz"), ("%E2%82%AC", "€"), (#""quoted %41""#, "quoted A"),
        (#""a \"b\"""#, #"a "b""#), ("%2541", "%41"),
    ])
    func `header values are unquoted and decoded once, or literal`(
        value: String, expected: String
    )
        throws
    {
        let event = try CloudEvent.binary(
            headers: kserveHeaders("request") + [("ce-extra", value)], body: [])

        #expect(event?.attributes["extra"] == expected)
    }

    @Test func `decoded bytes that are not UTF-8 are refused`() {
        #expect(throws: RecordDecodingError.self) {
            try CloudEvent.binary(
                headers: kserveHeaders("request") + [("ce-extra", "%FF")], body: [])
        }
    }

    @Test func `a request without attributes is no event`() throws {
        let headers = [(name: "content-type", value: "application/json"), ("accept", "*/*")]
        #expect(try CloudEvent.binary(headers: headers, body: []) == nil)
    }

    @Test(arguments: ["id", "source", "specversion", "type"])
    func `each required attribute is required`(name: String) {
        let headers = kserveHeaders("request").filter { $0.name != "ce-" + name }
        #expect(throws: RecordDecodingError.self) {
            try CloudEvent.binary(headers: headers, body: [])
        }
    }

    @Test func `a repeated attribute, a bad time and another version are refused`() {
        for header in [
            ("ce-id", "again"), ("ce-time", "yesterday"), ("ce-specversion", "2.0"),
        ] {
            var headers = kserveHeaders("request")
            if header.0 != "ce-id" { headers.removeAll { $0.name == header.0 } }
            #expect(throws: RecordDecodingError.self) {
                try CloudEvent.binary(headers: headers + [header], body: [])
            }
        }
    }

    @Test(arguments: [
        ("application/cloudevents+json; charset=utf-8", CloudEventMode.structured),
        ("Application/CloudEvents-Batch+JSON", .batch), ("application/json", .binary),
        ("", .binary),
    ])
    func `the content type tells the mode`(type: String, mode: CloudEventMode) {
        #expect(CloudEventMode(contentType: type) == mode)
    }

    @Test func `a batch holds values and bytes`() throws {
        let body = #"""
            [{"specversion":"1.0","id":"p-1","source":"/svc","type":"t","data":{"a":1}},
             {"specversion":"1.0","id":"p-2","source":"/svc","type":"t","datacontenttype":"application/octet-stream","data_base64":"AAEC","n":5,"flag":true,"gone":null}]
            """#

        let events = try CloudEvent.decode(Array(body.utf8), mode: .batch)

        #expect(events.map(\.id) == ["p-1", "p-2"])
        #expect(events[0].payload == .value(.object([.init("a", .integer(1))])))
        #expect(events[1].payload == .bytes([0, 1, 2]))
        #expect(events[1].attributes["n"] == "5" && events[1].attributes["flag"] == "true")
        #expect(try CloudEvent.decode(Array("[]".utf8), mode: .batch).isEmpty)
    }

    @Test(arguments: [
        #"{"specversion":"1.0","id":"1","source":"/","type":"t","data":1,"data_base64":"AA=="}"#,
        #"{"specversion":"1.0","id":"1","source":"/","type":"t","data_base64":"AA="}"#,
        #"{"specversion":"1.0","id":"1","source":"/","type":"t","data_base64":"AB=="}"#,
        #"{"specversion":"1.0","id":"1","source":"/","type":"t","datacontenttype":"text/xml","data":{}}"#,
        #"{"specversion":"1.0","id":"1","source":"/","type":"t","extra":{}}"#,
        #"{"specversion":"1.0","id":"1","id":"1","source":"/","type":"t"}"#,
        #"{"specversion":"1.0","id":"\ud800","source":"/","type":"t"}"#,
        #"{"specversion":"1.0","id":"","source":"/","type":"t"}"#, "[]", "1", "",
        #"{"specversion":"1.0","id":"1","source":"/","type":"t"} x"#,
    ])
    func `structured events that break the specification are refused`(body: String) {
        #expect(throws: RecordDecodingError.self) {
            try CloudEvent.decode(Array(body.utf8), mode: .structured)
        }
    }

    @Test func `no bytes trap the reader`() {
        let body = #"""
            [{"specversion":"1.0","id":"p","source":"/s","type":"t","time":"2026-03-01T12:00:00Z","data":{"a":[1,2.5e3,"\u00e9"]}},
             {"specversion":"1.0","id":"q","source":"/s","type":"t","data_base64":"AAEC"}]
            """#
        checkHostileBytes(of: Array(body.utf8)) { (bytes) throws(RecordDecodingError) in
            _ = try CloudEvent.decode(bytes, mode: .batch)
        }
        checkHostileBytes(of: Array("%22a%20b".utf8)) { (bytes) throws(RecordDecodingError) in
            let value = String(decoding: bytes, as: UTF8.self)
            _ = try CloudEvent.binary(headers: [("ce-id", value)], body: bytes)
        }
    }
}
