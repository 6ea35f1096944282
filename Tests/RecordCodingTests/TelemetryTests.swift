import MonitoringDomain
import RecordCoding
import Testing

/// What the Python exporter sent for one record of BentoML's monitor.
let capturedExport = bytes(
    ofHex: """
        0ae6020a490a2a0a0c736572766963652e6e616d65121a0a18697269735f636c61737369666965723a697269735f6d6f6e0a1b0a137365
        72766963652e696e7374616e63652e696412040a0276311298020a160a1462656e746f6d6c5f6d6f6e69746f725f6461746112fd010900
        eb2f047dc4ea1810091a04494e464f2a87013284010a190a0c736570616c206c656e6774681209219a999999999913400a100a04707265
        6412080a067365746f73610a070a016e120218030a160a0974696d657374616d701209210000e0716fddd8410a230a0a72657175657374
        5f696412150a13363431333933303532383939393838333139360a0f0a0874726163655f696412030a0130321e0a0e636f64652e66696c
        652e70617468120c0a0a736572766963652e7079321f0a12636f64652e66756e6374696f6e2e6e616d6512090a07707265646963743216
        0a10636f64652e6c696e652e6e756d6265721202180c59f2ed30047dc4ea18
        """)

/// The same in JSON.
let capturedJSON = #"""
    {"resourceLogs":[{"resource":{"attributes":[{"key":"service.name","value":{"stringValue":"iris_classifier:iris_mon"}},
     {"key":"service.instance.id","value":{"stringValue":"v1"}}]},
     "scopeLogs":[{"scope":{"name":"bentoml_monitor_data"},"logRecords":[{"timeUnixNano":"1795463442680769280",
     "observedTimeUnixNano":"1795463442680835570","severityNumber":9,"severityText":"INFO",
     "body":{"kvlistValue":{"values":[{"key":"sepal length","value":{"doubleValue":4.9}},{"key":"pred","value":{"stringValue":"setosa"}},
     {"key":"n","value":{"intValue":"3"}},{"key":"timestamp","value":{"doubleValue":1668660679.5}},
     {"key":"request_id","value":{"stringValue":"6413930528999883196"}},{"key":"trace_id","value":{"stringValue":"0"}}]}},
     "attributes":[{"key":"code.file.path","value":{"stringValue":"service.py"}}]}]}]}]}
    """#

func decodeLogs(
    _ body: [UInt8], _ encoding: TelemetryEncoding = .json, schema: ModelSchema? = nil
) throws -> TelemetryDecoder.Export {
    try TelemetryDecoder().decode(body, encoding: encoding, arrival: arrival) { _ in schema }
}

/// A request with these bodies, each a list of keys and values in OTLP's form.
func logRequest(_ bodies: [String], event: String = "leeway.prediction") -> [UInt8] {
    let records = bodies.map {
        #"{"timeUnixNano":1795463442680769280,"eventName":"\#(event)","body":{"kvlistValue":{"values":[\#($0)]}}}"#
    }
    return Array(
        #"{"resourceLogs":[{"resource":{"attributes":[{"key":"service.name","value":{"stringValue":"churn"}}]},"scopeLogs":[{"logRecords":[\#(records.joined(separator: ","))]}]}]}"#
            .utf8)
}

func pair(_ key: String, _ value: String) -> String { #"{"key":"\#(key)","value":{\#(value)}}"# }

@Suite struct TelemetryTests {
    @Test func `the captured request and its JSON mean the same record`() throws {
        #expect(capturedExport.count == 361)

        let export = try decodeLogs(capturedExport, .protobuf)

        #expect(export.rejectedCount == 0)
        let batch = try #require(export.records.predictions.first)
        #expect(batch.model.rawValue == "iris_classifier.iris_mon")
        #expect(batch.numbers("sepal length") == [4.9] && batch.numbers("n") == [3])
        #expect(batch.features.count == 2)
        #expect(batch.labelTexts == ["setosa"])
        #expect(batch.versions.dictionary == ["v1"])
        #expect(batch.times == [1_668_660_679_500])
        #expect(batch.ids("6413930528999883196"))
        #expect(try decodeLogs(Array(capturedJSON.utf8)) == export)
    }

    @Test func `roles of columns come with the record`() throws {
        let columns = [
            ("outcome", "target"), ("answer", "prediction"), ("pred", "feature"),
        ].map { name, role in
            pair(
                name,
                #""kvlistValue":{"values":[\#(pair("role", #""stringValue":"\#(role)""#))]}"#)
        }
        let meta = pair(
            "bento_meta",
            #""kvlistValue":{"values":[\#(pair("schema", #""kvlistValue":{"values":[\#(columns.joined(separator: ","))]}"#))]}"#
        )
        let body = [
            pair("pred", #""doubleValue":0.5"#), pair("answer", #""boolValue":true"#),
            pair("outcome", #""stringValue":"false""#), pair("request_id", #""stringValue":"r""#),
            meta,
        ].joined(separator: ",")

        let records = try decodeLogs(logRequest([body, body], event: "")).records

        let batch = try #require(records.predictions.first)
        #expect(batch.numbers("pred") == [0.5, 0.5] && batch.labelTexts == ["true", "true"])
        // Every row of a request has the request's id.
        #expect(batch.ids("r", "r/1"))
        #expect(records.groundTruth.first?.labels.dictionary == ["false"])
        #expect(records.groundTruth.first?.identities == batch.identities)
    }

    @Test func `native bodies are predictions and labels`() throws {
        let features = pair(
            "features",
            #""kvlistValue":{"values":[\#(pair("age", #""intValue":41"#)),\#(pair("plan", #""stringValue":"pro""#))]}"#
        )
        let id = pair("prediction_id", #""stringValue":"p-1""#)
        let prediction = try decodeLogs(
            logRequest([
                [
                    id, features, pair("prediction", #""intValue":"1""#),
                    pair("score", #""doubleValue":0.9"#),
                ]
                .joined(separator: ",")
            ])
        ).records.predictions
        let label = try decodeLogs(
            logRequest(
                [[id, pair("label", #""intValue":0"#)].joined(separator: ",")],
                event: "leeway.label")
        ).records.groundTruth

        #expect(prediction.first?.numbers("age") == [41])
        #expect(prediction.first?.labelTexts == ["1"] && prediction.first?.scores == [0.9])
        #expect(prediction.first?.times == [1_795_463_442_680])
        #expect(label.first?.identities == prediction.first?.identities)
        #expect(label.first?.labels.dictionary == ["0"] && label.first?.values == [0])
    }

    @Test func `other log records are rejected one by one`() throws {
        let bad = [
            pair("message", #""stringValue":"hello""#),
            [pair("score", #""stringValue":"high""#), pair("pred", #""intValue":1"#)].joined(
                separator: ","),
            [pair("pred", #""intValue":1"#), pair("pred", #""intValue":2"#)].joined(separator: ","),
            [pair("pred", #""intValue":1"#), pair("x", #""arrayValue":{"values":[]}"#)].joined(
                separator: ","),
            [pair("pred", #""intValue":1"#), pair("x", #""stringValue":"text""#)].joined(
                separator: ","),
        ]
        let good = [pair("pred", #""intValue":1"#), pair("x", #""doubleValue":1.5"#)]
            .joined(separator: ",")

        let export = try decodeLogs(logRequest([good] + bad + [good], event: ""))

        #expect(export.records.predictions.first?.numbers("x") == [1.5, 1.5])
        #expect(export.rejectedCount == bad.count)
        #expect(export.rejection == "no prediction")
    }

    @Test func `answers have both encodings`() {
        let reason = "2 records have no prediction id"
        #expect(
            TelemetryAnswer.success(rejectedCount: 2, reason: reason, .protobuf)
                == bytes(
                    ofHex:
                        "0a230802121f32207265636f7264732068617665206e6f2070726564696374696f6e206964"
                ))
        #expect(TelemetryAnswer.success(rejectedCount: 0, reason: nil, .protobuf).isEmpty)
        #expect(TelemetryAnswer.success(rejectedCount: 0, reason: nil, .json) == Array("{}".utf8))
        #expect(
            String(
                decoding: TelemetryAnswer.success(rejectedCount: 2, reason: reason, .json),
                as: UTF8.self)
                == #"{"partialSuccess":{"rejectedLogRecords":"2","errorMessage":"\#(reason)"}}"#)
        #expect(
            TelemetryAnswer.failure(code: 3, reason: "no", .protobuf)
                == bytes(ofHex: "080312026e6f"))
    }

    @Test func `an infinite feature is kept, an infinite prediction costs its record`() throws {
        let good = pair("pred", #""doubleValue":0.5"#)
        let export = try decodeLogs(
            logRequest([good, pair("pred", #""doubleValue":"-Infinity""#), good], event: ""))
        #expect(export.records.rowCount == 2 && export.rejectedCount == 1)
        #expect(export.rejection == "/prediction/value: -inf is not finite")

        var bytes = capturedExport
        let place = try #require(
            bytes.firstRange(of: [0x9A, 0x99, 0x99, 0x99, 0x99, 0x99, 0x13, 0x40]))
        bytes.replaceSubrange(place, with: [0, 0, 0, 0, 0, 0, 0xF0, 0x7F])
        let infinite = try decodeLogs(bytes, .protobuf)
        let batch = try #require(infinite.records.predictions.first)
        #expect(batch.numbers("sepal length") == [.infinity] && infinite.rejectedCount == 0)
    }

    @Test(arguments: [
        "", "[]", #"{"resourceLogs":{}}"#, #"{"resourceLogs":[{"scopeLogs":1}]}"#,
        #"{"resourceLogs":[{"scopeLogs":[{"logRecords":[{"timeUnixNano":-1}]}]}]}"#,
        #"{"resourceLogs":[{"scopeLogs":[{"logRecords":[{"timeUnixNano":"1e3"}]}]}]}"#,
        #"{"resourceLogs":[{"scopeLogs":[{"logRecords":[{"body":{"intValue":"x"}}]}]}]}"#,
        #"{"resourceLogs":[{"scopeLogs":[{"logRecords":[{"body":{"bytesValue":"*"}}]}]}]}"#,
    ])
    func `bodies that are no export request are refused`(body: String) {
        #expect(throws: RecordDecodingError.self) { try decodeLogs(Array(body.utf8)) }
    }

    @Test(arguments: [
        "0b0c", "0801", "0a", "0aff", "0affffffffffffffffff7f", "00", "0d00000000", "07",
    ])
    func `bytes that are no protobuf are refused`(hex: String) throws {
        // A known field of another wire type, and an unknown one, are told apart.
        if hex == "0d00000000" || hex == "0801" {
            #expect(throws: RecordDecodingError.self) {
                try decodeLogs(bytes(ofHex: hex), .protobuf)
            }
            #expect(try decodeLogs(bytes(ofHex: "7801"), .protobuf).rejectedCount == 0)
            return
        }
        #expect(throws: RecordDecodingError.self) { try decodeLogs(bytes(ofHex: hex), .protobuf) }
    }

    @Test func `nesting is bounded`() {
        var value: [UInt8] = bytes(ofHex: "0801")
        for _ in 0..<100 {
            let inner = [0x0A, UInt8(value.count)] + value
            value = [0x2A, UInt8(inner.count)] + inner
            if value.count > 120 { break }
        }
        var deep = value
        func wrap(_ tag: UInt8, _ bytes: [UInt8]) -> [UInt8] {
            precondition(bytes.count < 16_384)
            return [tag, UInt8(bytes.count & 0x7F) | 0x80, UInt8(bytes.count >> 7)] + bytes
        }
        for _ in 0..<100 { deep = wrap(0x2A, wrap(0x0A, deep)) }
        let request = wrap(0x0A, wrap(0x12, wrap(0x12, wrap(0x2A, deep))))
        #expect(throws: RecordDecodingError.self) { try decodeLogs(request, .protobuf) }
    }

    @Test func `no bytes trap either reader`() {
        checkHostileBytes(of: capturedExport) { (bytes) throws(RecordDecodingError) in
            _ = try TelemetryDecoder().decode(bytes, encoding: .protobuf, arrival: arrival) { _ in
                nil
            }
        }
        checkHostileBytes(of: Array(capturedJSON.utf8)) { (bytes) throws(RecordDecodingError) in
            _ = try TelemetryDecoder().decode(bytes, encoding: .json, arrival: arrival) { _ in nil }
        }
    }

    @Test(
        arguments: [
            (WireValue.string("2026-03-01T12:00:00Z"), 1_772_366_400_000),
            (.string("2026-03-01 12:00:00.5"), 1_772_366_400_500),
            (.string("2026-03-01"), 1_772_323_200_000),
            (.string("2026-03-01T12:00:00.490137"), 1_772_366_400_490),
            (.string("2026-03-01 12:00:00+01:00"), 1_772_362_800_000),
            (.string("1772366400"), 1_772_366_400_000),
            (.integer(1_772_366_400), 1_772_366_400_000),
            (.integer(1_772_366_400_123), 1_772_366_400_123),
            (.number(1_668_660_679.5), 1_668_660_679_500),
            (.integer(1_772_366_400_123_456_789), 1_772_366_400_123), (.string("now"), nil),
            (.number(1e300), nil), (.string("2026-13-01"), nil), (.bool(true), nil),
            (.string(""), nil),
        ] as [(WireValue, Int64?)])
    func `times are read in each of their forms`(value: WireValue, milliseconds: Int64?) {
        #expect(EventTime(wire: value)?.milliseconds == milliseconds)
    }
}
