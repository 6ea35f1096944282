import MonitoringDomain
import RecordCoding
import Testing

/// Kinds of features in foreign formats: vectors as each format writes them, and values of other kinds.
@Suite struct ForeignKindTests {
    private func schema(_ model: ModelID?) throws -> ModelSchema {
        ModelSchema(
            model: try #require(model),
            features: [
                FeatureSchema(name: "face", kind: .vector(dimension: 3, precision: .float32)),
                FeatureSchema(name: "age", kind: .numeric),
                FeatureSchema(name: "plan", kind: .categorical),
            ])
    }

    /// Two rows of `face`, the second one without.
    private static let faces = VectorColumn(
        dimension: 3, precision: .float32, isPresent: [true, false], numbers: [1, -2, 0.5])

    private func face(of batch: PredictionBatch?) -> FeatureColumn? {
        batch?.features.first { $0.name == "face" }?.column
    }

    private func assembled(_ rows: [WireRow]) throws -> PredictionBatch? {
        let schema = try schema(ModelID("m"))
        var assembler = RecordAssembler(limits: DecodingLimits(), arrival: arrival) {
            schema.kind(of: $1)
        }
        for row in rows { try assembler.append(row, line: 1) }
        return try assembler.finish().predictions.first
    }

    @Test func `a vector of CSV is a JSON array in its field`() throws {
        let text = "id,age,face,prediction\na,41,\"[1, -2, 0.5]\",1\nb,35,,0\n"
        let found = rows(try decodeFile(text, .csv, schema: try schema(ModelID("m"))))

        #expect(
            found[0].features.contains { $0.name == "face" && $0.value == .vector([1, -2, 0.5]) })
        #expect(face(of: try assembled(found))?.isIdentical(to: .vector(Self.faces)) == true)
        for wrong in ["1 2 3", "\"[1,\"\"2\"\",3]\"", "\"[]\"", "\"[1,2\"", "\"[1,NaN,3]\""] {
            #expect(throws: RecordDecodingError.self, "\(wrong)") {
                try decodeFile(
                    "id,age,face,prediction\na,41,\(wrong),1\n", .csv,
                    schema: try schema(ModelID("m")))
            }
        }
        let short = rows(
            try decodeFile(
                "id,age,face,prediction\na,41,\"[1,2]\",1\n", .csv, schema: try schema(ModelID("m"))
            ))
        #expect(throws: RecordDecodingError.self) { try assembled(short) }
    }

    /// An array of numbers in OTLP's form.
    private func array(_ numbers: [String]) -> String {
        let values = numbers.map { #"{\#($0)}"# }.joined(separator: ",")
        return #""arrayValue":{"values":[\#(values)]}"#
    }

    private func features(_ members: String...) -> String {
        pair("prediction", #""intValue":"1""#) + ","
            + pair(
                "features",
                #""kvlistValue":{"values":[\#(members.joined(separator: ","))]}"#)
    }

    @Test func `a vector of OTLP is an array of doubles and integers`() throws {
        let face = array([#""doubleValue":1"#, #""intValue":"-2""#, #""doubleValue":0.5"#])
        let export = try decodeLogs(
            logRequest([
                features(pair("face", face)), features(pair("age", #""intValue":"41""#)),
            ]), schema: try schema(ModelID("churn")))

        #expect(export.rejectedCount == 0)
        #expect(
            self.face(of: export.records.predictions.first)?.isIdentical(to: .vector(Self.faces))
                == true)
        let wrong = try decodeLogs(
            logRequest([
                features(pair("face", array([#""doubleValue":1"#, #""stringValue":"2""#])))
            ]), schema: try schema(ModelID("churn")))
        #expect(wrong.rejectedCount == 1 && wrong.records.predictions.isEmpty)
    }

    @Test(arguments: [
        // A tensor with a row for each call, flat and nested.
        #"{"inputs":[{"name":"face","shape":[2,3],"datatype":"FP32","data":[1,-2,0.5,1,-2,0.5]}]}"#,
        #"{"inputs":[{"name":"face","shape":[2,3],"datatype":"FP64","data":[[1,-2,0.5],[1,-2,0.5]]},{"name":"age","shape":[2],"datatype":"INT64","data":[41,35]}]}"#,
        // Rows of version 1 that name their members.
        #"{"instances":[{"face":[1,-2,0.5],"age":41},{"face":[1,-2,0.5],"age":35}]}"#,
    ])
    func `a vector of the inference protocols is a row of a tensor, or an array of a row`(
        body: String
    ) throws {
        let request = try half(decodeEvent("request", body, schema: try schema(iris)))
        let expected = VectorColumn(
            dimension: 3, precision: .float32, isPresent: [true, true],
            numbers: [1, -2, 0.5, 1, -2, 0.5])

        #expect(face(of: request.batch)?.isIdentical(to: .vector(expected)) == true)
    }

    @Test func `a vector of binary tensors is its row's cells`() throws {
        let json =
            #"{"inputs":[{"name":"face","shape":[1,3],"datatype":"FP32","parameters":{"binary_data_size":12}}]}"#
        let raw = bytes(ofHex: "0000803f000000c00000003f")

        let request = try half(decodeEvent("request", json, raw: raw, schema: try schema(iris)))

        let expected = VectorColumn(
            dimension: 3, precision: .float32, isPresent: [true], numbers: [1, -2, 0.5])
        #expect(face(of: request.batch)?.isIdentical(to: .vector(expected)) == true)
    }

    /// The features that type errors name, row by row.
    private func names(_ errors: [TypeErrors]) -> [String?] {
        errors.flatMap { error in
            error.features.codes.indices.map { error.features.text(at: $0) }
        }
    }

    @Test func `a log record of a wrong kind is rejected, and each of its wrong values told`()
        throws
    {
        let schema = try schema(ModelID("churn"))
        let wrong = features(
            pair("age", #""stringValue":"old""#),
            pair("face", array([#""doubleValue":1"#, #""doubleValue":2"#])),
            pair("plan", #""stringValue":"pro""#))
        let export = try decodeLogs(
            logRequest([
                features(pair("age", #""intValue":"41""#)), wrong,
                features(pair("age", #""boolValue":true"#)),
            ]), schema: schema)

        #expect(export.rejectedCount == 2 && export.records.predictions.first?.rowCount == 1)
        #expect(names(export.typeErrors) == ["age", "face", "age"])
        let batch = try #require(export.typeErrors.first?.batch)
        #expect(batch.rowCount == 3 && batch.features.isEmpty)
        #expect(batch.times == Array(repeating: 1_795_463_442_680, count: 3))
        #expect(batch.labels.codes.allSatisfy { $0 == TextColumn.missing })
        // What is no value of any feature, or only too large, is of no other kind.
        let other = try decodeLogs(
            logRequest([
                features(pair("age", #""kvlistValue":{"values":[]}"#)),
                features(
                    pair("face", array(Array(repeating: #""doubleValue":1e39"#, count: 3)))),
            ]), schema: schema)
        #expect(other.rejectedCount == 2 && other.typeErrors.isEmpty)
    }

    @Test func `an event of a wrong kind is refused, and each of its wrong values told`() throws {
        let body =
            #"{"instances":[{"age":"old","plan":"pro"},{"age":41},{"age":"young","face":[1,2]}]}"#
        guard
            case .mistyped(let errors, .items(let items)) = try decodeEvent(
                "request", body, schema: try schema(iris))
        else {
            Issue.record("not refused for its types")
            return
        }
        #expect(names(errors) == ["age", "age", "face"])
        #expect(items.map(\.line) == [1, 3])
        #expect(items.allSatisfy { $0.code == "feature-type-conflict" })
        #expect(errors.first?.batch.model == iris)
        // What is wrong in another way counts nothing.
        #expect(throws: RecordDecodingError.self) {
            try decodeEvent(
                "request", #"{"instances":[{"age":{"a":1}}]}"#, schema: try schema(iris))
        }
    }

    /// An id that is a number to one reader and a text to the next would be two.
    @Test func `what an event must have is a text, and other attributes may be numbers`() throws {
        func event(_ member: String) throws -> CloudEvent? {
            var members = [
                "specversion": #""1.0""#, "id": #""1""#, "source": #""s""#, "type": #""t""#,
            ]
            let parts = member.split(separator: ":", maxSplits: 1).map { String($0) }
            members[parts[0]] = parts[1]
            let text = members.map { "\"\($0.key)\":\($0.value)" }.joined(separator: ",")
            return try CloudEvent.decode(Array("{\(text)}".utf8), mode: .structured).first
        }
        #expect(try event(#"id:"9007199254740993""#)?.id == "9007199254740993")
        #expect(try event("tenant:7")?.attributes["tenant"] == "7")
        #expect(try event("tenant:true")?.attributes["tenant"] == "true")
        for wrong in ["7", "-0", "1.5", "9223372036854775808", "true", "null", "[]", "{}", #""""#] {
            for name in ["id", "source", "type", "specversion"] {
                #expect(throws: RecordDecodingError.self, "\(name): \(wrong)") {
                    try event("\(name):\(wrong)")
                }
            }
        }
        #expect(throws: RecordDecodingError.self) { try event("tenant:1.5") }
    }
}
