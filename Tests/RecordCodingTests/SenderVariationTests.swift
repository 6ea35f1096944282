import MonitoringDomain
import RecordCoding
import Testing

/// What senders of the same formats do differently from the specification's examples.
@Suite struct SenderVariationTests {
    @Test(arguments: [
        #"{"predictions":[null,1]}"#, #"{"predictions":[[null],[1]]}"#,
        #"{"outputs":[{"name":"y","shape":[2],"datatype":"FP32","data":[null,1]}]}"#,
    ])
    func `a model that abstains has made a call`(body: String) throws {
        let batch = try half(decodeEvent("response", body)).batch

        #expect(batch.rowCount == 2)
        #expect(batch.labelTexts[0] == nil && batch.values[0].isNaN && batch.scores[0].isNaN)
    }

    @Test func `UINT64 has all its values in JSON too`() throws {
        let batch = try half(
            decodeEvent(
                "request",
                #"{"inputs":[{"name":"u","shape":[3],"datatype":"UINT64","data":[18446744073709551615,0,1.0]}]}"#
            )
        ).batch
        #expect(batch.numbers("u") == [0x1p64, 0, 1])

        for (type, value) in [("UINT64", "-1.5"), ("UINT64", "1e20"), ("INT64", "1e19")] {
            #expect(throws: RecordDecodingError.self) {
                try decodeEvent(
                    "request",
                    #"{"inputs":[{"name":"u","shape":[1],"datatype":"\#(type)","data":[\#(value)]}]}"#
                )
            }
        }
    }

    @Test func `raw infinities are values, and what is no number is missing`() throws {
        let body =
            #"{"inputs":[{"name":"x","shape":[3],"datatype":"FP32","parameters":{"binary_data_size":12}}]}"#
        let raw: [UInt8] = [0, 0, 0x80, 0x7F, 0, 0, 0x80, 0xFF, 0, 0, 0xC0, 0x7F]
        let numbers = try half(decodeEvent("request", body, raw: raw)).batch.numbers("x")
        #expect(numbers[0] == .infinity && numbers[1] == -.infinity && numbers[2].isNaN)
    }

    @Test func `raw bytes that look like white space are raw bytes`() throws {
        let body =
            #"{"inputs":[{"name":"x","shape":[4],"datatype":"UINT8","parameters":{"binary_data_size":4}}]}"#
        let raw = Array(" \n\r\t".utf8)
        let batch = try half(decodeEvent("request", body, raw: raw)).batch
        #expect(batch.numbers("x") == [32, 10, 13, 9])

        let plain = try half(decodeEvent("request", #"{"instances":[[1]]}"#, raw: raw)).batch
        #expect(plain.numbers("feature-0") == [1])
    }

    @Test(arguments: [
        #"{"input_data":{"columns":["a","b"],"index":[0],"data":[[1,2]]}}"#,
        #"{"input_data":[{"a":1,"b":2}]}"#, #"{"data":[{"a":1,"b":2}]}"#,
    ])
    func `Azure's bodies are rows`(body: String) throws {
        let batch = try half(decodeEvent("request", body)).batch
        #expect(batch.numbers("a") == [1] && batch.numbers("b") == [2])
    }

    @Test func `an event of a batch is told by its number`() throws {
        let event = try #require(
            try CloudEvent.binary(headers: kserveHeaders("request"), body: Array("{}".utf8)))
        let error = #expect(throws: RecordDecodingError.self) {
            try EventDecoder().decode(event, number: 7, arrival: arrival) { _ in nil }
        }
        guard case .items(let items)? = error else {
            Issue.record("\(String(describing: error))")
            return
        }
        #expect(items.map(\.line) == [7])
    }

    @Test(arguments: [
        ("application/cloudevents+xml", true), ("Application/CloudEvents-Batch+Avro", true),
        ("application/cloudevents+json; charset=utf-8", false), ("application/cloudevents", false),
        ("application/json", false), ("application/vnd.api+xml", false),
    ])
    func `events are read in JSON alone`(type: String, isForeign: Bool) {
        #expect(CloudEventMode.isForeignFormat(contentType: type) == isForeign)
    }

    @Test func `a table's row without one of its bodies counts`() throws {
        let line = #"{"databricks_request_id":"d","timestamp_ms":1772366400000,"status_code":200,"#
        let request = #""request":{"dataframe_records":[{"a":1}]}"#
        let found = rows(
            try decodeFile(
                line + request + #","response":null}"# + "\n" + line
                    + #""request":null,"response":"{\"predictions\":[1]}"}"# + "\n" + line
                    + #""request":null,"response":null}"#))
        #expect(found.map(\.features.count) == [1, 0, 0])
        #expect(found.map(\.label) == [nil, "1", nil])
    }

    @Test(arguments: [
        (#"0.25,b-1,2026-03-01T12:00:00Z\n0.75,b-2,2026-03-01T12:00:01Z"#, "CSV", 2, 0),
        (
            #"{\"age\":3,\"SageMakerOutput\":0.25,\"SageMakerInferenceId\":\"b-1\",\"SageMakerInferenceTime\":\"2026-03-01T12:00:00Z\"}"#,
            "JSON", 1, 1
        ),
    ])
    func `a batch transform's rows have ids and times of their own`(
        data: String, encoding: String, rowCount: Int, featureCount: Int
    ) throws {
        let line =
            #"{"captureData":{"batchTransformOutput":{"mode":"OUTPUT","data":""# + data
            + #"","encoding":""# + encoding
            + #""}},"eventMetadata":{"eventId":"e","inferenceTime":"2026-03-02T00:00:00Z"}}"#
        let found = rows(try decodeFile(line))
        #expect(found.map(\.id) == ["b-1", "b-2"].prefix(rowCount).map { $0 })
        #expect(found[0].time == EventTime(rfc3339: "2026-03-01T12:00:00Z".utf8))
        #expect(found[0].value == 0.25 && found[0].features.count == featureCount)
    }

    @Test func `foreign files may be one array`() throws {
        let lines = capturedSageMaker.split(separator: "\n")
        let array = "[\n" + lines.joined(separator: ",\n") + "\n]\n"
        #expect(FileFormat(content: Array(array.utf8)) == .sagemaker)
        #expect(rows(try decodeFile(array)) == rows(try decodeFile(capturedSageMaker)))

        let bad = "[" + databricksLine + "," + databricksLine.replacing("columns", with: "c") + "]"
        let error = #expect(throws: RecordDecodingError.self) { try decodeFile(bad) }
        #expect("\(try #require(error))".hasPrefix("line 2, /request/dataframe_split: "))
    }

    @Test func `infinities of data frames do not make a column of texts`() throws {
        let found = rows(
            try decodeFile("id,x,prediction\n1,1.5,1\n2,inf,1\n3,-Infinity,0\n4,info,1\n", .csv))
        #expect(found.map { $0.features[0].value }.last == .text("info"))
        let numbers = rows(try decodeFile("id,x,prediction\n1,1.5,1\n2,inf,1\n3,-Infinity,0\n"))
        #expect(
            numbers.map { $0.features[0].value } == [
                .number(1.5), .number(.infinity), .number(-.infinity),
            ])
    }

    @Test func `a column that was asked for must be there`() {
        #expect(
            throws: RecordDecodingError.malformed(line: 1, offset: 0, reason: "no column \"z\"")
        ) {
            try decodeFile("a,b\n1,2\n", mapping: ColumnMapping(features: ["a", "z"]))
        }
    }

    @Test func `errors of a piece are told by the file's lines`() {
        let body = Array("{\n\n{\"a\":x".utf8)
        #expect(
            RecordDecodingError.malformed(line: 3, offset: 8, reason: "r").countedInLine(of: body)
                .behind(lines: 10) == .malformed(line: 13, offset: 5, reason: "r"))
    }
}
