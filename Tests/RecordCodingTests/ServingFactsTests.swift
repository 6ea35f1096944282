import ByteCoding
import MonitoringDomain
import RecordCoding
import Testing

extension PredictionBatch {
    fileprivate func segment(_ key: String) -> [String?] {
        for segment in segments where segment.key == key {
            return (0..<rowCount).map { segment.column.text(at: $0) }
        }
        return []
    }

    fileprivate var errorTexts: [String?] {
        errors.codes.indices.map { errors.text(at: $0) }
    }
}

/// Segments, latencies and errors of formats that have no fields for them.
@Suite struct ServingFactsTests {
    private func schema(_ segments: [String]) throws -> ModelSchema {
        ModelSchema(model: try #require(iris), segments: segments)
    }

    private func paired(
        _ request: InferenceHalf, _ response: InferenceHalf
    ) throws
        -> PredictionBatch
    {
        var pairing = InferencePairing()
        _ = pairing.observe(request)
        guard case .paired(let batch) = pairing.observe(response) else {
            Issue.record("no pair")
            throw CancellationError()
        }
        #expect(pairing.takeUnpaired().isEmpty)
        return batch
    }

    @Test func `a logged call's slices come from the body, annotations, attributes and headers`()
        throws
    {
        let headers =
            kserveHeaders("request", metadata: #"{"X-Channel":["web","app"],"X-Other":["no"]}"#) + [
                ("ce-annotations", #"{"team":"risk","empty":""}"#), ("ce-tenant", "t-1"),
            ]
        let body =
            #"{"inputs":[{"name":"x","shape":[2],"datatype":"FP32","data":[1,2]},{"name":"region","shape":[2],"datatype":"BYTES","data":["eu","us"]}],"parameters":{"cohort":"b","content_type":"pd","depth":3}}"#
        let keys = ["x-channel", "tenant", "namespace", "region", "absent"]

        let request = try half(
            decodeEvent("request", body, schema: try schema(keys), headers: headers))

        let batch = request.batch
        #expect(batch.segment("cohort") == ["b", "b"] && batch.segment("depth") == ["3", "3"])
        #expect(batch.segment("team") == ["risk", "risk"])
        #expect(batch.segment("tenant") == ["t-1", "t-1"])
        #expect(batch.segment("x-channel") == ["web", "web"])
        #expect(batch.segment("namespace") == ["default", "default"])
        // A declared key that only a feature has takes the feature's value, row by row.
        #expect(batch.segment("region") == ["eu", "us"])
        #expect(batch.segments.count == 7)
        let undeclared = try half(decodeEvent("request", body, headers: headers)).batch
        #expect(undeclared.segments.map(\.key) == ["cohort", "depth", "team"])
    }

    @Test func `the moments of request and response give the latency`() throws {
        func half(_ side: String, at time: String, recorded: Bool = true) throws -> InferenceHalf {
            let headers = kserveHeaders(side).compactMap {
                header -> (name: String, value: String)? in
                switch header.name {
                case "ce-time": (header.name, time)
                case "ce-recordedtime": recorded ? header : nil
                default: header
                }
            }
            let body = side == "request" ? #"{"instances":[[1],[2]]}"# : #"{"predictions":[1,0]}"#
            return try RecordCodingTests.half(decodeEvent(side, body, headers: headers))
        }
        let request = try half("request", at: "2026-03-01T12:00:00.078952900Z")
        let response = try half("response", at: "2026-03-01T12:00:00.080736102Z")

        #expect(try paired(request, response).latencies == [1.783202, 1.783202])
        #expect(
            try InputCoding.decode(InputCoding.encode(.inference(request))) == .inference(request))
        // A clock that went back, and a sender that tells only when it sent, tell nothing.
        let early = try half("response", at: "2026-03-01T11:59:59Z")
        #expect(try paired(request, early).latencies.isEmpty)
        let sent = try half("response", at: "2026-03-01T12:00:01Z", recorded: false)
        #expect(try paired(request, sent).latencies.isEmpty)
    }

    @Test func `an error answer is the error of every row of the request`() throws {
        let request = try half(decodeEvent("request", #"{"instances":[[1],[2],[3]]}"#))
        let response = try half(decodeEvent("response", #"{"error":"out of memory"}"#))
        let batch = try paired(request, response)
        #expect(batch.errorTexts == Array(repeating: "out of memory", count: 3))
        #expect(batch.numbers("feature-0") == [1, 2, 3] && batch.labelTexts == [nil, nil, nil])
        #expect(batch.identities == request.batch.identities)
        #expect(batch.versions.codes.count == 3)
    }

    @Test func `what waited in vain is given out alone, and what does not fit as its request`()
        throws
    {
        var pairing = InferencePairing()
        let request = try half(decodeEvent("request", #"{"instances":[[1],[2]]}"#))
        let response = try half(decodeEvent("response", #"{"predictions":[1]}"#))
        #expect(pairing.observe(request) == .waits)
        let late = arrival.advanced(byMilliseconds: InferencePairing.waitMilliseconds)
        pairing.expire(at: late)
        #expect(pairing.takeUnpaired().isEmpty)
        pairing.expire(at: late.advanced(byMilliseconds: 1))
        #expect(pairing.takeUnpaired() == [request.batch])
        #expect(pairing.takeUnpaired().isEmpty)
        #expect(pairing.counts.requestOnly == 1)

        var other = InferencePairing()
        _ = other.observe(response)
        #expect(other.observe(request) == .mismatched)
        #expect(other.takeUnpaired() == [request.batch])
    }

    @Test func `attributes of log records are slices, latencies and errors`() throws {
        let body =
            #"{"kvlistValue":{"values":[\#(pair("prediction", #""stringValue":"a""#)),\#(pair("segments", #""kvlistValue":{"values":[\#(pair("plan", #""stringValue":"pro""#))]}"#))]}}"#
        let attributes = [
            pair("latency_ms", #""doubleValue":12.5"#),
            pair("error.type", #""stringValue":"timeout""#),
            pair("channel", #""stringValue":"web""#),
        ].joined(separator: ",")
        let request =
            #"{"resourceLogs":[{"resource":{"attributes":[\#(pair("service.name", #""stringValue":"churn""#)),\#(pair("deployment.environment", #""stringValue":"prod""#))]},"scopeLogs":[{"logRecords":[{"eventName":"leeway.prediction","body":\#(body),"attributes":[\#(attributes)]}]}]}]}"#
        let export = try decodeLogs(
            Array(request.utf8), schema: try schema(["channel", "deployment.environment"]))
        let batch = try #require(export.records.predictions.first)
        #expect(batch.latencies == [12.5] && batch.errorTexts == ["timeout"])
        #expect(batch.segment("plan") == ["pro"] && batch.segment("channel") == ["web"])
        #expect(batch.segment("deployment.environment") == ["prod"])

        let columns = [
            pair("prediction", #""stringValue":"a""#), pair("latency_ms", #""intValue":7"#),
            pair("error", #""stringValue":"late""#),
        ].joined(separator: ",")
        let native = try #require(try decodeLogs(logRequest([columns])).records.predictions.first)
        #expect(native.latencies == [7] && native.errorTexts == ["late"])
    }

    @Test func `rows of files have them by columns and metadata`() throws {
        var mapping = ColumnMapping()
        mapping.roles = ["why": .error, "plan": .segment, "zone": .segment, "ms": .latency]
        let csv = "id,plan,zone,ms,why,x\na,pro,1,12.5,,1\nb,,2,,timeout,2\n"
        var decoder = FileDecoder(format: .csv, model: iris, mapping: mapping)
        let declared = try schema(["x"])
        let piece = try decoder.decode(
            Array(csv.utf8), firstLine: 1, arrival: arrival
        ) { _ in declared }
        guard case .rows(let rows, _) = piece else { throw CancellationError() }
        #expect(rows.map(\.latency) == [12.5, nil] && rows.map(\.error) == [nil, "timeout"])
        #expect(
            rows[0].segments == [
                Segment(key: "plan", value: "pro"), Segment(key: "zone", value: "1"),
                Segment(key: "x", value: "1"),
            ])
        #expect(rows[1].segments.map(\.key) == ["zone", "x"])
        // What is sent on as native records says the same.
        for row in rows {
            let line = try #require(row.records.prediction).text
            let batch = try #require(try decode(line).get().first)
            #expect(batch.segment("zone") == [row.segments.first { $0.key == "zone" }?.value])
            #expect(
                batch.latencies.first == row.latency && batch.errors.dictionary.first == row.error)
        }
    }

    @Test func `Databricks and SageMaker tell durations, failures and attributes`() throws {
        let line = databricksLine.replacing(
            #""execution_time_ms":12"#, with: #""execution_time_ms":42"#
        )
        .replacing(#"{"model_name":"m"}"#, with: #"{"tier":"gold","model_version":"4"}"#)
        let failed = line.replacing(#""status_code":200"#, with: #""status_code":429"#)
            .replacing("c-1", with: "c-2")
        let rows = RecordCodingTests.rows(try decodeFile(line + "\n" + failed + "\n"))
        #expect(rows.map(\.latency) == [42, 42, 42, 42])
        #expect(rows.map(\.error) == [nil, nil, "status 429", "status 429"])
        #expect(rows.allSatisfy { $0.segments.first == Segment(key: "tier", value: "gold") })
        #expect(rows.allSatisfy { $0.version == "4" })
        #expect(rows[2].features == rows[0].features && rows[2].value == nil)

        let unread =
            #"{"databricks_request_id":"d","status_code":500,"request":null,"response":null}"#
        let alone = RecordCodingTests.rows(try decodeFile(unread + "\n"))
        #expect(alone.map(\.error) == ["status 500"] && alone.map(\.id) == ["d"])

        let capture = capturedSageMaker.replacing(
            #""eventMetadata":{"#, with: #""eventMetadata":{"customAttributes":["arm=b","x"],"#)
        let captured = RecordCodingTests.rows(try decodeFile(capture))
        #expect(captured[0].segments == [Segment(key: "arm", value: "b")])
    }

    @Test func `a sampled log says how many calls its rows stand for`() throws {
        let line = databricksLine.replacing(
            #""sampling_fraction":1.0"#, with: #""sampling_fraction":0.2"#)
        let rows = RecordCodingTests.rows(try decodeFile(line + "\n" + databricksLine + "\n"))
        #expect(rows.map(\.weight) == [5, 5, 1, 1])
        for row in rows {
            let record = try #require(row.records.prediction).text
            let sent = try #require(try decode(record).get().first)
            #expect(sent.weights == [row.weight])
        }

        let headers = kserveHeaders("request") + [("ce-sampledrate", "4")]
        let request = try half(
            decodeEvent("request", #"{"instances":[[1],[2]]}"#, headers: headers))
        let response = try half(decodeEvent("response", #"{"predictions":[1,0]}"#))
        let batch = try paired(request, response)
        #expect(batch.weights == [4, 4])
        let bytes = InputCoding.encode(.predictions(batch))
        #expect(try InputCoding.decode(bytes) == .predictions(batch))

        let lines = #"{"id":"a","weight":2.5}"# + "\n" + #"{"id":"b"}"#
        #expect(try decode(lines).get().first?.weights == [2.5, 1])
        #expect(try decode(#"{"id":"a"}"#).get().first?.weights == [])
        for bad in ["0.5", "-1", #""2""#, "0"] {
            #expect(decode(#"{"id":"a","weight":\#(bad)}"#).items.first?.pointer == "/weight")
        }
        #expect(decode(#"{"segments":{"":"x"}}"#).items.first?.pointer == "/segments/")
    }

    @Test func `a negative latency and an endless key are refused at their place`() throws {
        let model = try #require(iris)
        var row = WireRow(model: model)
        row.label = "a"
        row.latency = -1
        var long = WireRow(model: model)
        long.label = "a"
        long.segments = [Segment(key: String(repeating: "k", count: 300), value: "v")]
        var assembler = RecordAssembler(
            limits: DecodingLimits(), arrival: arrival, kindOf: { _, _ in nil })
        #expect(try assembler.appendIfValid(row, line: 1)?.pointer == "/latency_ms")
        #expect(
            try assembler.appendIfValid(long, line: 1)?.pointer.hasPrefix("/segments/k") == true)
        for index in 0..<65 {
            var next = WireRow(model: model)
            next.label = "a"
            next.segments = [Segment(key: "k\(index)", value: "v")]
            let issue = try assembler.appendIfValid(next, line: 1)
            #expect(issue?.code == (index < 64 ? nil : "cardinality-limit"))
        }
        let batch = try #require(try assembler.finish().predictions.first)
        #expect(
            batch.segments.count == 64 && batch.segments.allSatisfy { $0.column.codes.count == 64 })
    }
}
