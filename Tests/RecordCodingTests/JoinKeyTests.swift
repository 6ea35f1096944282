import MonitoringDomain
import RecordCoding
import Testing

/// Which field is a prediction's id, as its model's owner has declared, in each foreign format.
@Suite struct JoinKeyTests {
    private static func schema(_ identity: JoinKey?) throws -> ModelSchema {
        ModelSchema(model: try #require(iris), identity: identity)
    }

    private static let keys: [JoinKey?] = [
        nil, .automatic, .body, .event, .header("X-Order"), .attribute("order"), .feature("key"),
    ]

    @Test(arguments: zip(keys, ["body", "body", "body", "event", "h-1", "a-1", "7"]))
    func `of an event`(key: JoinKey?, id: String) throws {
        let headers =
            kserveHeaders("request", id: "event", metadata: #"{"X-Order":["h-1"]}"#)
            + [("ce-order", "a-1")]
        let body =
            #"{"id":"body","inputs":[{"name":"key","shape":[1],"datatype":"INT64","data":[7]},{"name":"x","shape":[1],"datatype":"FP64","data":[1]}]}"#
        let batch = try half(
            decodeEvent("request", body, schema: Self.schema(key), headers: headers)
        ).batch
        #expect(batch.ids(id))
        #expect(batch.features.map(\.name) == (id == "7" ? ["x"] : ["key", "x"]))
    }

    @Test(arguments: zip(keys, ["b", "b", "b", "b", "h-1", "a-1", "7"]))
    func `of a log record`(key: JoinKey?, id: String) throws {
        let features = pair(
            "features",
            #""kvlistValue":{"values":[\#(pair("key", #""intValue":7"#)),\#(pair("x", #""intValue":1"#))]}"#
        )
        let body =
            #"{"kvlistValue":{"values":[\#(pair("prediction_id", #""stringValue":"b""#)),\#(features)]}}"#
        let attributes = [
            pair("X-Order", #""stringValue":"h-1""#), pair("order", #""stringValue":"a-1""#),
        ].joined(separator: ",")
        let request =
            #"{"resourceLogs":[{"resource":{"attributes":[\#(pair("service.name", #""stringValue":"churn""#))]},"scopeLogs":[{"logRecords":[{"body":\#(body),"attributes":[\#(attributes)]}]}]}]}"#
        let export = try decodeLogs(Array(request.utf8), schema: Self.schema(key))
        #expect(try #require(export.records.predictions.first).ids(id))
    }

    @Test(arguments: zip(keys, ["c", "c", "body", "d", "h-1", "a-1", "7"]))
    func `of a row of an inference table`(key: JoinKey?, id: String) throws {
        let line =
            #"{"databricks_request_id":"d","client_request_id":"c","order":"a-1","status_code":200,"request":"{\"id\":\"body\",\"dataframe_records\":[{\"key\":7,\"x\":1}]}","response":"{\"predictions\":[1]}","request_metadata":{"X-Order":"h-1"}}"#
        let rows = rows(try decodeFile(line, schema: Self.schema(key)))
        #expect(rows.map(\.id) == [id])
        #expect(rows[0].features.map(\.name) == (id == "7" ? ["x"] : ["key", "x"]))
    }

    @Test(arguments: zip(keys, ["i", "i", "i", "e", "h-1", "a-1", "7"]))
    func `of a captured line`(key: JoinKey?, id: String) throws {
        let line =
            #"{"captureData":{"endpointInput":{"mode":"INPUT","data":"{\"instances\":[{\"key\":7,\"x\":1}]}","encoding":"JSON"},"endpointOutput":{"mode":"OUTPUT","data":"{\"predictions\":[1]}","encoding":"JSON"}},"eventMetadata":{"eventId":"e","inferenceId":"i","inferenceTime":"2026-03-01T12:00:00Z","customAttributes":["X-Order=h-1","order=a-1"]},"eventVersion":"0"}"#
        #expect(rows(try decodeFile(line, schema: Self.schema(key))).map(\.id) == [id])
    }

    @Test func `of a line of CSV and of an upload`() throws {
        let csv = rows(
            try decodeFile("id,key,x\na,7,1\n", .csv, schema: Self.schema(.feature("key"))))
        #expect(csv.map(\.id) == ["7"] && csv[0].features.map(\.name) == ["x"])
        let body =
            #"{"model_name":"m","request":{"id":"t","inputs":[{"name":"key","shape":[2],"datatype":"INT64","data":[7,8]},{"name":"x","shape":[2],"datatype":"FP64","data":[1,2]}]}}"#
        let schema = try Self.schema(.feature("key"))
        let upload = try UploadDecoder.decode(Array(body.utf8), arrival: arrival) { _ in schema }
        guard case .records(let records) = upload.purpose else { throw CancellationError() }
        #expect(try #require(records.predictions.first).ids("7", "8"))
    }
}
