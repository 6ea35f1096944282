import ByteCoding
import MonitoringDomain
import RecordCoding
import Testing

let capturedSageMaker = #"""
    {"captureData":{"endpointInput":{"observedContentType":"application/json","mode":"INPUT","data":"{\"instances\": [{\"features\": [28, 2, 133937, 9, 13, 2, 0, 0, 4, 1, 15024, 0, 55, 37]}]}","encoding":"JSON"},"endpointOutput":{"observedContentType":"application/json","mode":"OUTPUT","data":"{\"predictions\": [{\"score\": 0.9899773597717285, \"predicted_label\": 1}]}","encoding":"JSON"}},"eventMetadata":{"eventId":"7ddb2d7c-4d6a-4e67-a68e-23870399829d","inferenceTime":"2024-01-19T19:27:57Z"},"eventVersion":"0"}
    {"captureData":{"endpointInput":{"observedContentType":"text/csv","mode":"INPUT","data":"132,10,113.2,96","encoding":"CSV"},"endpointOutput":{"observedContentType":"text/csv; charset=utf-8","mode":"OUTPUT","data":"0.01076381653547287","encoding":"CSV"}},"eventMetadata":{"eventId":"aaaa-bbbb-cccc","inferenceId":"17","inferenceTime":"2026-03-01T12:00:00Z"},"eventVersion":"0"}

    {"groundTruthData":{"data":"1","encoding":"CSV"},"eventMetadata":{"eventId":"17"},"eventVersion":"0"}
    {"groundTruthData":{"data":"{\"instances\": [{\"label\": 0}, {\"label\": 1}]}","encoding":"JSON"},"eventMetadata":{"eventId":"18"},"eventVersion":"0"}

    """#

private let azureInputs =
    #"{"specversion":"1.0","id":"725aa8af-0834-415c-aaf5-c76d0c08f694","source":"/subscriptions/S/resourceGroups/R/providers/Microsoft.MachineLearningServices/workspaces/W/onlineEndpoints/E/deployments/D","type":"azureml.inference.model_inputs","datacontenttype":"application/json","time":"2024-03-05T18:16:25Z","data":[{"LIMIT_BAL":502970,"AGE":54},{"LIMIT_BAL":293458,"AGE":35}],"correlationid":"test","xrequestid":"test","modelversion":"default","collectdatatype":"pandas.core.frame.DataFrame","agent":"azureml-ai-monitoring/0.1.0b4","contentrange":"bytes 0-6794/6795"}"#

let databricksLine =
    #"{"databricks_request_id":"d-1","client_request_id":"c-1","timestamp_ms":1772366400000,"status_code":200,"sampling_fraction":1.0,"execution_time_ms":12,"request":"{\"dataframe_split\":{\"columns\":[\"age\",\"plan\"],\"data\":[[41,\"pro\"],[35,\"free\"]]}}","response":"{\"predictions\":[0.5,1.25]}","request_metadata":{"model_name":"m"}}"#

/// Reads a whole file in one piece, with `m` as the model.
func decodeFile(
    _ text: String, _ format: FileFormat? = nil, mapping: ColumnMapping = ColumnMapping(),
    schema: ModelSchema? = nil
) throws -> FilePiece {
    let bytes = Array(text.utf8)
    let found = try #require(format ?? FileFormat(content: bytes))
    var decoder = FileDecoder(format: found, model: ModelID("m"), mapping: mapping)
    return try decoder.decode(bytes, firstLine: 1, arrival: arrival) { _ in schema }
}

func rows(_ piece: FilePiece) -> [WireRow] {
    if case .rows(let rows, let lines) = piece, rows.count == lines.count { return rows }
    Issue.record("no rows")
    return []
}

@Suite struct FileTests {
    @Test func `SageMaker's capture has features, outputs and the caller's id`() throws {
        let rows = rows(try decodeFile(capturedSageMaker))

        #expect(
            rows.map(\.id) == ["7ddb2d7c-4d6a-4e67-a68e-23870399829d", "17", "17", "18/0", "18/1"])
        #expect(rows[0].features.count == 14 && rows[0].features[2].value == .integer(133_937))
        #expect(rows[0].label == "1" && rows[0].score == 0.9899773597717285)
        #expect(rows[0].time == EventTime(rfc3339: "2024-01-19T19:27:57Z".utf8))
        #expect(
            rows[1].features.map(\.value) == [
                .integer(132), .integer(10), .number(113.2), .integer(96),
            ])
        #expect(rows[1].value == 0.01076381653547287)
        #expect(rows[2].truthLabel == "1" && !rows[2].hasPrediction)
        #expect(rows[3].truthLabel == "0" && rows[4].truthLabel == "1")
    }

    @Test func `a binary schema makes SageMaker's number a score and names its columns`() throws {
        let model = try #require(ModelID("m"))
        let names = ["a", "b", "c", "d"]
        let schema = ModelSchema(
            model: model, task: .binary,
            features: names.map { FeatureSchema(name: $0, kind: .numeric) })

        let rows = rows(try decodeFile(capturedSageMaker, schema: schema))

        #expect(rows[1].score == 0.01076381653547287 && rows[1].value == nil)
        #expect(rows[1].features.map(\.name) == names)
        #expect(rows[2].truthLabel == "1" && rows[2].truthValue == nil)
    }

    @Test func `Azure's collector pairs by the correlation, under the endpoint's name`() throws {
        let outputs = azureInputs.replacing("model_inputs", with: "model_outputs")
            .replacing(
                #"[{"LIMIT_BAL":502970,"AGE":54},{"LIMIT_BAL":293458,"AGE":35}]"#,
                with: #"[{"label":1},{"label":0}]"#
            )
            .replacing("725aa8af", with: "825aa8af")
        #expect(FileFormat(content: Array(azureInputs.utf8)) == .events)
        var decoder = FileDecoder(format: .events, model: nil)

        let piece = try decoder.decode(
            Array((azureInputs + "\n" + outputs).utf8), firstLine: 1, arrival: arrival
        ) { _ in nil }

        guard case .halves(let halves, _) = piece, halves.count == 2 else {
            Issue.record("two halves expected: \(piece)")
            return
        }
        var pairing = InferencePairing()
        _ = pairing.observe(halves[0])
        guard case .paired(let batch) = pairing.observe(halves[1]) else {
            Issue.record("no pair")
            return
        }
        #expect(batch.model.rawValue == "E")
        #expect(batch.numbers("AGE") == [54, 35] && batch.labelTexts == ["1", "0"])
        #expect(batch.ids("test/0", "test/1"))
        #expect(batch.versions.dictionary == ["D"])
    }

    @Test func `Databricks' rows hold both bodies, and failed calls their error`() throws {
        let failed = databricksLine.replacing(#""status_code":200"#, with: #""status_code":500"#)

        let rows = rows(try decodeFile(databricksLine + "\n" + failed + "\n"))

        #expect(rows.map(\.id) == ["c-1/0", "c-1/1", "c-1/0", "c-1/1"])
        #expect(rows[0].features == [.init("age", .integer(41)), .init("plan", .text("pro"))])
        #expect(rows.map(\.value) == [0.5, 1.25, nil, nil])
        #expect(rows.map(\.error) == [nil, nil, "status 500", "status 500"])
        #expect(rows[0].time?.milliseconds == 1_772_366_400_000)
    }

    @Test(
        arguments: [
            (#"{"id":"1","features":{}}"#, FileFormat.ndjson), ("[\n{}]", .ndjson),
            ("{\n\"id\":1}", .ndjson),
            ("id,age\n1,2\n", .csv), ("a;b\n", .csv), ("a\tb", .csv), (databricksLine, .databricks),
            ("single", nil), ("", nil), ("\u{0}\u{1},", nil),
        ] as [(String, FileFormat?)])
    func `the content tells the format`(text: String, format: FileFormat?) {
        #expect(FileFormat(content: Array(text.utf8)) == format)
    }
}

@Suite struct CSVTests {
    @Test func `columns have roles and types by their names and values`() throws {
        let text =
            "id,Timestamp,age,plan,prediction,score,label\r\n"
            + "p-1,2026-03-01 12:00:00,41,\"pro, \"\"gold\"\"\",1,0.9,0\r\n\n"
            + "p-2,2026-03-01T12:00:01Z,,,0,0.25,NA\r\n" + "p-3,1772366402,-1.5e1,\"\",1,1,1"

        let rows = rows(try decodeFile(text))

        #expect(rows.map(\.id) == ["p-1", "p-2", "p-3"])
        #expect(
            rows.map { $0.time?.milliseconds } == [
                1_772_366_400_000, 1_772_366_401_000, 1_772_366_402_000,
            ])
        #expect(
            rows[0].features == [.init("age", .number(41)), .init("plan", .text(#"pro, "gold""#))])
        #expect(rows[1].features == [.init("age", .missing), .init("plan", .missing)])
        #expect(rows[2].features == [.init("age", .number(-15)), .init("plan", .text(""))])
        #expect(rows.map(\.label) == ["1", "0", "1"] && rows.map(\.score) == [0.9, 0.25, 1])
        #expect(rows.map(\.truthLabel) == ["0", nil, "1"])
    }

    @Test func `a column with a fraction is a value in all its rows`() throws {
        let rows = rows(try decodeFile("x,prediction,target\n1,3,2.5\n2,2.5,3\n"))

        #expect(rows.map(\.value) == [3, 2.5] && rows.map(\.label) == [nil, nil])
        #expect(rows.map(\.truthValue) == [2.5, 3])
    }

    @Test func `a mapping goes before names`() throws {
        let mapping = ColumnMapping(
            roles: ["loan": .id, "default": .truth, "note": .ignore, "id": .feature])

        let rows = rows(
            try decodeFile("loan;id;default;note;label\nL1;7;yes;x;a\n", mapping: mapping))

        #expect(rows[0].id == "L1" && rows[0].truthLabel == "yes")
        #expect(rows[0].features == [.init("id", .number(7)), .init("label", .text("a"))])
        let some = ColumnMapping(features: ["id"])
        #expect(
            CSVTests.features(try decodeFile("request_id,id,x\n1,2,3\n", mapping: some)) == ["id"])
    }

    private static func features(_ piece: FilePiece) -> [String] {
        RecordCodingTests.rows(piece).first?.features.map(\.name) ?? []
    }

    @Test func `a file in pieces is the file`() throws {
        let lines = (0..<50).map { "p-\($0),\"a\n\($0 % 3)\",\($0),\($0 % 2)\n" }
        let text = Array(("id,text,x,prediction\n" + lines.joined()).utf8)
        var whole = FileDecoder(format: .csv, model: ModelID("m"))
        let expected = rows(try whole.decode(text, firstLine: 1, arrival: arrival) { _ in nil })
        #expect(expected.count == 50)
        for size in [40, 77, 500] {
            var decoder = FileDecoder(format: .csv, model: ModelID("m"))
            var rest: [UInt8] = []
            var found: [WireRow] = []
            var line = 1
            for start in stride(from: 0, to: text.count, by: size) {
                rest += text[start..<min(start + size, text.count)]
                let end =
                    start + size >= text.count
                    ? rest.count : FileDecoder.wholeRecords(in: rest, .csv)
                // A quote that is open in the middle of a piece begins in the same piece.
                let piece = Array(rest[..<end])
                rest.removeFirst(end)
                if piece.isEmpty { continue }
                found += rows(
                    try decoder.decode(piece, firstLine: line, arrival: arrival) { _ in nil })
                line += piece.count { $0 == 0x0A }
            }
            #expect(found == expected, "\(size)")
        }
    }

    @Test(arguments: [
        ("a,b\n1\n", 2), ("a,b\n1,\"2\n", 2), ("a,b\n1,2\n3,x\"y\n", 3), ("a,b\n\"1\"2,3\n", 2),
        ("a,a\n1,2\n", 1), ("id,ts\n1,never\n", 2), ("id,score\n1,high\n", 2),
        ("model,x\n../,1\n", 2),
    ])
    func `a line that cannot be read is named`(text: String, line: Int) {
        do {
            _ = try decodeFile(text, .csv)
            Issue.record("read")
        } catch let error as RecordDecodingError {
            switch error {
            case .malformed(let found, _, _): #expect(found == line, "\(error)")
            case .items(let items): #expect(items.first?.line == line, "\(error)")
            case .batchTooLarge: Issue.record("\(error)")
            }
        } catch {
            Issue.record("\(error)")
        }
    }

    @Test func `rows become native records that say the same`() throws {
        let rows = rows(
            try decodeFile(
                "id,ts,x,s,prediction,score,label\np,2026-03-01T12:00:00Z,1.5,a,1,0.5,0\n"))
        let records = rows[0].records
        let prediction = try #require(records.prediction).text
        let batch = try #require(try decode(prediction).get().first)
        #expect(batch.numbers("x") == [1.5] && batch.texts("s") == ["a"] && batch.ids("p"))
        #expect(batch.labelTexts == ["1"] && batch.scores == [0.5])
        let line = try #require(records.groundTruth).text
        let truth = try #require(try decodeTruth(line).get().first)
        #expect(truth.identities == batch.identities && truth.labels.dictionary == ["0"])
    }

    @Test func `no bytes trap any reader of files`() {
        let csv =
            "id,ts,x,plan,prediction\n\"p\"\"1\",2026-03-01T12:00:00Z,-1.5e3,\"a,b\",1\r\np2,1772366402,,x,0\n"
        let samples: [(String, FileFormat)] = [
            (csv, .csv), (String(capturedSageMaker.prefix(1_200)), .sagemaker),
            (azureInputs, .events),
            (databricksLine, .databricks),
        ]
        for (text, format) in samples {
            checkHostileBytes(of: Array(text.utf8)) { (bytes) throws(RecordDecodingError) in
                var decoder = FileDecoder(format: format, model: ModelID("m"))
                _ = FileFormat(content: bytes)
                _ = FileDecoder.wholeRecords(in: bytes, format)
                _ = try decoder.decode(bytes, firstLine: 1, arrival: arrival) { _ in nil }
            }
        }
    }
}
