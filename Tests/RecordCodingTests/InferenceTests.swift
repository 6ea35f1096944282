import MonitoringDomain
import RecordCoding
import Testing

/// Decodes a KServe event with `body`.
func decodeEvent(
    _ side: String, _ body: String, raw: [UInt8] = [], schema: ModelSchema? = nil,
    headers: [(name: String, value: String)]? = nil, options: EventOptions = EventOptions()
) throws -> EventContent {
    let event = try #require(
        try CloudEvent.binary(
            headers: headers ?? kserveHeaders(side), body: Array(body.utf8) + raw))
    return try EventDecoder(options: options).decode(event, arrival: arrival) { _ in schema }
}

func half(_ content: EventContent) throws -> InferenceHalf {
    guard case .half(let half) = content else {
        Issue.record("no half: \(content)")
        throw CancellationError()
    }
    return half
}

let iris = ModelID("sklearn-iris")

@Suite struct InferenceTests {
    @Test func `version 1 rows become features and labels under the same key`() throws {
        let request = try half(
            decodeEvent("request", #"{"instances":[[6.8,2.8,4.8,1.4],[6.0,3.4,4.5,1.6]]}"#))
        let response = try half(decodeEvent("response", #"{"predictions":[1,1]}"#))

        #expect(request.key == response.key)
        #expect(request.side == .request && response.side == .response)
        #expect(request.batch.model == iris)
        #expect(request.batch.numbers("feature-0") == [6.8, 6.0])
        #expect(request.batch.numbers("feature-3") == [1.4, 1.6])
        #expect(response.batch.labelTexts == ["1", "1"])
        let id = "0009174a-24a8-4603-b098-09c8799950e9"
        #expect(request.batch.ids(id + "/0", id + "/1"))
        #expect(response.batch.identities == request.batch.identities)
    }

    @Test func `version 2 tensors become rows, in either layout`() throws {
        let wide = try half(
            decodeEvent(
                "request",
                #"{"id":"42","inputs":[{"name":"input-0","shape":[2,4],"datatype":"FP32","data":[6.8,2.8,4.8,1.4,6.0,3.4,4.5,1.6]}]}"#
            ))
        let columns = try half(
            decodeEvent(
                "request",
                #"{"inputs":[{"name":"age","shape":[2],"datatype":"INT64","data":[41,35]},{"name":"plan","shape":[2,1],"datatype":"BYTES","data":[["pro"],["free"]]}]}"#
            ))
        let response = try half(
            decodeEvent(
                "response",
                #"{"model_name":"iris","model_version":"1","id":"42","outputs":[{"name":"predict","shape":[2],"datatype":"INT64","data":[1,1]}]}"#
            ))

        #expect(wide.batch.numbers("input-0-0") == [6.8, 6.0])
        #expect(wide.batch.ids("42/0", "42/1") && response.batch.ids("42/0", "42/1"))
        #expect(columns.batch.numbers("age") == [41, 35])
        #expect(columns.batch.texts("plan") == ["pro", "free"])
        #expect(response.batch.versions == TextColumn(codes: [0, 0], dictionary: ["1"]))
    }

    @Test func `raw tensors follow the JSON, whose size nobody tells`() throws {
        let json =
            #"{"inputs":[{"name":"x","shape":[2],"datatype":"FP32","parameters":{"binary_data_size":8}}]}"#
        let raw = bytes(ofHex: "0000c03f000000c0")
        #expect(json.utf8.count == 91)

        let request = try half(decodeEvent("request", json, raw: raw))

        #expect(request.batch.numbers("x") == [1.5, -2])
        let sized = kserveHeaders(
            "request", metadata: #"{"Inference-Header-Content-Length":["91"]}"#)
        #expect(
            try half(decodeEvent("request", json, raw: raw, headers: sized)).batch == request.batch)
        #expect(throws: RecordDecodingError.self) {
            try decodeEvent("request", json, raw: raw + [0])
        }
        #expect(throws: RecordDecodingError.self) {
            try decodeEvent("request", json, raw: Array(raw.dropLast()))
        }
    }

    @Test(
        arguments: [
            ("INT8", "ff01", [-1, 1]), ("UINT8", "ff01", [255, 1]), ("INT16", "feff0100", [-2, 1]),
            ("UINT32", "ffffffff01000000", [4_294_967_295, 1]), ("FP16", "003c00c4", [1, -4]),
            ("BF16", "803f40c0", [1, -3]), ("FP64", "000000000000f03f0000000000000040", [1, 2]),
            ("UINT64", "ffffffffffffffff0100000000000000", [18_446_744_073_709_551_616, 1]),
        ] as [(String, String, [Double])])
    func `each type of number has its raw form`(
        type: String, hex: String, expected: [Double]
    ) throws {
        #expect(try rawTensor(type, bytes(ofHex: hex)).numbers("x") == expected)
    }

    @Test func `raw booleans and texts are categories`() throws {
        #expect(try rawTensor("BOOL", [1, 0]).texts("x") == ["true", "false"])
        #expect(
            try rawTensor("BYTES", bytes(ofHex: "02000000686900000000")).texts("x") == ["hi", ""])
        for (type, hex) in [
            ("BOOL", "0200"), ("BYTES", "0200000068690000000000"), ("BYTES", "ffffffff6869"),
            ("BYTES", "01000000ff00000000"), ("INT64", "00"),
        ] {
            #expect(throws: RecordDecodingError.self) { try rawTensor(type, bytes(ofHex: hex)) }
        }
    }

    private func rawTensor(_ type: String, _ raw: [UInt8]) throws -> PredictionBatch {
        let tensor =
            #"{"name":"x","shape":[2],"datatype":"\#(type)","parameters":{"binary_data_size":\#(raw.count)}}"#
        return try half(decodeEvent("request", #"{"inputs":[\#(tensor)]}"#, raw: raw)).batch
    }

    @Test(arguments: [
        // The specification's own example: a shape of three and one value.
        #"{"inputs":[{"name":"x","shape":[3],"datatype":"FP32","data":[1]}]}"#,
        #"{"inputs":[{"name":"x","shape":[-1],"datatype":"FP32","data":[]}]}"#,
        #"{"inputs":[{"name":"x","shape":[4294967296,4294967296,4294967296],"datatype":"FP32","data":[]}]}"#,
        #"{"inputs":[{"name":"x","shape":[2],"datatype":"FP31","data":[1,2]}]}"#,
        #"{"inputs":[{"name":"x","shape":[1],"datatype":"INT64","data":[1.5]}]}"#,
        #"{"inputs":[{"name":"x","shape":[1],"datatype":"FP32","data":["a"]}]}"#,
        #"{"inputs":[{"shape":[1],"datatype":"FP32","data":[1]}]}"#,
        #"{"inputs":[{"name":"x","shape":[1],"datatype":"FP32"}]}"#,
        #"{"instances":{"a":[1,2],"b":[1]}}"#, #"{"instances":[[1],[{"b":2}]]}"#, #"{"x":1}"#,
        #"{"instances":7}"#, #"{"instances":[1]} trailing"#, "", "nonsense",
        #"{"instances":[1e999]}"#, #"{"instances":[1],"instances":[2]}"#,
    ])
    func `requests that are none are refused`(body: String) {
        #expect(throws: RecordDecodingError.self) { try decodeEvent("request", body) }
    }

    @Test func `rows may be objects, scalars, columns and data frames`() throws {
        let bodies = [
            #"{"instances":[{"age":41,"plan":"pro"},{"age":35,"plan":null}]}"#,
            #"{"inputs":{"age":[41,35],"plan":["pro",null]}}"#,
            #"{"dataframe_records":[{"age":[41],"plan":"pro"},{"age":35,"plan":null}]}"#,
            #"{"dataframe_split":{"columns":["age","plan"],"index":[0,1],"data":[[41,"pro"],[35,null]]}}"#,
            #"{"data":{"names":["age","plan"],"ndarray":[[41,"pro"],[35,null]]},"meta":{"puid":"p"}}"#,
        ]
        for body in bodies {
            let batch = try half(decodeEvent("request", body)).batch
            #expect(batch.numbers("age") == [41, 35], "\(body)")
            #expect(batch.texts("plan") == ["pro", nil], "\(body)")
        }
        #expect(
            try half(decodeEvent("request", #"{"instances":[7,8]}"#)).batch.numbers("feature-0")
                == [7, 8])
        #expect(
            try half(
                decodeEvent(
                    "request",
                    #"{"data":{"tensor":{"shape":[2,2],"values":[1,2,3,4]}}}"#)
            ).batch.numbers("feature-1") == [2, 4])
    }

    @Test func `the schema names columns and tells what outputs mean`() throws {
        let model = try #require(iris)
        let features = ["age", "code"].map { FeatureSchema(name: $0, kind: .numeric) }
        var schema = ModelSchema(model: model, task: .regression, features: features)

        let request = try half(
            decodeEvent("request", #"{"instances":[[41,1]]}"#, schema: schema))
        #expect(request.batch.features.map(\.name) == ["age", "code"])
        #expect(
            try half(decodeEvent("response", #"{"predictions":[3]}"#, schema: schema)).batch.values
                == [3])
        schema.task = .binary
        #expect(
            try half(decodeEvent("response", #"{"predictions":[0.25]}"#, schema: schema)).batch
                .scores == [0.25])
        // Codes of a categorical feature may come as numbers.
        schema.features[1] = FeatureSchema(name: "code", kind: .categorical)
        #expect(
            try half(
                decodeEvent("request", #"{"instances":[[41,1.0],[35,7]]}"#, schema: schema)
            ).batch.texts("code") == ["1", "7"])
    }

    @Test(
        arguments: [
            (#"{"predictions":["yes"]}"#, "yes", nil, nil),
            (#"{"predictions":[true]}"#, "true", nil, nil),
            (#"{"predictions":[2]}"#, "2", nil, nil), (#"{"predictions":[[0.7]]}"#, nil, nil, 0.7),
            (#"{"predictions":[[0.2,0.8]]}"#, "1", 0.8, nil),
            (#"{"predictions":[[0.5,0.2,0.3]]}"#, "0", 0.5, nil),
            (#"{"predictions":[{"score":0.98,"predicted_label":1}]}"#, "1", 0.98, nil),
            (#"{"predictions":[{"probabilities":[0.9,0.1]}]}"#, "0", 0.1, nil),
            (#"{"outputs":{"y":[[12.5]]}}"#, nil, nil, 12.5),
            (#"{"data":{"ndarray":[["no"]]}}"#, "no", nil, nil),
            (
                #"{"outputs":[{"name":"label","shape":[1],"datatype":"BYTES","data":["up"]},{"name":"probabilities","shape":[1,2],"datatype":"FP32","data":[0.25,0.75]}]}"#,
                "up", 0.75, nil
            ),
        ] as [(String, String?, Double?, Double?)])
    func `outputs are labels, scores or values`(
        body: String, label: String?, score: Double?, value: Double?
    ) throws {
        let batch = try half(decodeEvent("response", body)).batch

        #expect(batch.labelTexts == [label])
        #expect(score.map { batch.scores == [$0] } ?? batch.scores[0].isNaN)
        #expect(value.map { batch.values == [$0] } ?? batch.values[0].isNaN)
    }

    @Test(arguments: [
        #"{"error":""}"#, #"{"error":7}"#, #"{"predictions":[[0.5,0.9]]}"#,
        #"{"predictions":[{"a":1,"b":2}]}"#, #"{"outputs":{"a":[1],"b":[2]}}"#,
    ])
    func `outputs that say nothing are refused`(body: String) {
        #expect(throws: RecordDecodingError.self) { try decodeEvent("response", body) }
    }

    @Test func `the id is the body's, a header's, the event's or a column's`() throws {
        let model = try #require(iris)
        let one =
            #"{"id":"body","inputs":[{"name":"key","shape":[1],"datatype":"INT64","data":[9007199254740993]}]}"#
        let headers = kserveHeaders(
            "request", id: "event", metadata: #"{"X-Request-Id":["header"],"X-Order":["order"]}"#)
        let cases: [(JoinKey?, String)] = [
            (nil, "body"), (.body, "body"), (.event, "event"), (.header("x-order"), "order"),
            (.attribute("namespace"), "default"), (.feature("key"), "9007199254740993"),
            (.header("absent"), "event"),
        ]
        for (key, id) in cases {
            let schema = ModelSchema(model: model, identity: key)
            let batch = try half(
                decodeEvent("request", one, schema: schema, headers: headers)
            ).batch
            #expect(batch.ids(id), "\(key?.text ?? "nil")")
            #expect(batch.features.isEmpty == (key == .feature("key")))
        }
        let unnamed = try half(
            decodeEvent("request", #"{"instances":[1]}"#, headers: headers))
        #expect(unnamed.batch.ids("header"))
    }

    @Test func `other components, types and blobs are set aside`() throws {
        let explainer = kserveHeaders("request", component: "explainer")
        #expect(
            try decodeEvent("request", "x", headers: explainer) == .ignored("component"))
        #expect(
            try decodeEvent(
                "request", #"{"instances":[1]}"#, headers: explainer,
                options: EventOptions(model: ModelID("m"), component: "explainer")
            ) != .ignored("component"))
        #expect(try decodeEvent("other", "x") == .ignored("type"))
        #expect(try decodeEvent("request", #"{"instances":[]}"#) == .ignored("no rows"))
    }

    @Test func `feedback of Seldon is ground truth of its request`() throws {
        let headers: [(name: String, value: String)] = [
            ("ce-specversion", "1.0"), ("ce-id", "unique"),
            ("ce-type", "io.seldon.serving.feedback"),
            ("ce-source", "seldon"), ("ce-requestid", "puid-1"), ("ce-modelid", "classifier"),
            ("ce-inferenceservicename", "sklearn-iris"), ("ce-namespace", "default"),
        ]
        let body =
            #"{"request":{"data":{"ndarray":[[1,2]]}},"response":{"data":{"ndarray":[1]}},"reward":1.0,"truth":{"data":{"ndarray":[1.0,0.5]}}}"#

        guard case .records(let records) = try decodeEvent("", body, headers: headers) else {
            Issue.record("no records")
            return
        }

        let truth = try #require(records.groundTruth.first)
        #expect(truth.identities[0] == identity(model: truth.model, id: "puid-1/0".utf8))
        #expect(truth.labels.text(at: 0) == "1" && truth.labels.text(at: 1) == nil)
        #expect(truth.values == [1, 0.5])
        #expect(
            try decodeEvent("", #"{"reward":0.5}"#, headers: headers) == .ignored("no ground truth")
        )
    }

    @Test func `Seldon pairs by the request's id, not the event's`() throws {
        func headers(_ side: String, id: String) -> [(name: String, value: String)] {
            [
                ("ce-specversion", "1.0"), ("ce-id", id),
                ("ce-type", "io.seldon.serving.inference.\(side)"), ("ce-source", "s"),
                ("ce-requestid", "puid"), ("ce-inferenceservicename", "sklearn-iris"),
            ]
        }
        let request = try half(
            decodeEvent(
                "", #"{"data":{"names":["a","b"],"ndarray":[[1.0,2.0]]}}"#,
                headers: headers("request", id: "e-1")))
        let response = try half(
            decodeEvent(
                "", #"{"data":{"ndarray":[0.5]},"meta":{"puid":"puid"}}"#,
                headers: headers("response", id: "e-2")))
        #expect(request.key == response.key)
        #expect(request.batch.ids("puid") && response.batch.ids("puid"))
    }

    @Test func `no bytes trap the decoder`() throws {
        let json =
            #"{"id":"4","inputs":[{"name":"x","shape":[2,1],"datatype":"BYTES","parameters":{"binary_data_size":10}},{"name":"y","shape":[2],"datatype":"FP16","data":[1,2e1]}]}"#
        let samples: [(String, [UInt8])] = [
            ("request", Array(json.utf8) + bytes(ofHex: "02000000686900000000")),
            ("request", Array(#"{"instances":[[6.8,"a",null],{"b":[1,2]}]}"#.utf8)),
            ("request", Array(#"{"data":{"tensor":{"shape":[2,2],"values":[1,2,3,4]}}}"#.utf8)),
            (
                "response",
                Array(
                    #"{"id":"4","outputs":[{"name":"p","shape":[1,2],"datatype":"FP64","data":[0.5,0.5]}]}"#
                        .utf8)
            ),
            ("response", Array(#"{"predictions":[[0.2,0.8],{"label":1,"score":0.5}]}"#.utf8)),
        ]
        let decoder = EventDecoder()
        for (side, body) in samples {
            checkHostileBytes(of: body) { (bytes) throws(RecordDecodingError) in
                guard
                    let event = try CloudEvent.binary(headers: kserveHeaders(side), body: bytes)
                else { return }
                _ = try decoder.decode(event, arrival: arrival) { _ in nil }
            }
        }
    }
}
