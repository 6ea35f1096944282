import MonitoringDomain
import RecordCoding
import Testing

@Suite struct RecordDecoderTests {
    @Test func `records become columns`() throws {
        let batches = try decode(sampleLines).get()
        let batch = try #require(batches.first)
        #expect(batches.count == 1)
        #expect(batch.model.rawValue == "credit")
        #expect(batch.rowCount == 2)
        #expect(
            batch.identities == ["p-1", "p-2"].map { identity(model: batch.model, id: $0.utf8) })
        #expect(batch.times == [1_795_428_000_123, 1_795_428_000_123])
        #expect(batch.versions == TextColumn(codes: [0, 0], dictionary: ["3"]))
        #expect(batch.labels == TextColumn(codes: [0, 1], dictionary: ["1", "UP"]))
        #expect(batch.scores[0] == 0.8731)
        #expect(batch.scores[1].isNaN && batch.values[0].isNaN && batch.truthValues[0].isNaN)
        #expect(batch.truthLabels == TextColumn(codes: [.max, .max], dictionary: []))
        // "note" was only null, so nobody knows its kind.
        #expect(batch.features.map(\.name) == ["age", "income", "region", "owner"])
        let expected: [FeatureColumn] = [
            .numeric([41, .nan]), .numeric([-5_500, 1]),
            .categorical(TextColumn(codes: [0, 1], dictionary: ["nörd", "süd"])),
            .categorical(TextColumn(codes: [0, 1], dictionary: ["true", "false"])),
        ]
        for (feature, column) in zip(batch.features, expected) {
            #expect(feature.column.isIdentical(to: column), "\(feature.name)")
        }
    }

    @Test
    func `segments, latencies and errors become columns, and take none where nobody has them`()
        throws
    {
        let lines = [
            #"{"id":"a","segments":{"channel":"web","region":7}}"#,
            #"{"id":"b","latency_ms":12.5,"segments":{"region":true,"channel":null}}"#,
            #"{"id":"c","error":"timeout","segments":{"channel":"web"}}"#,
        ]
        let batch = try #require(try decode(lines.joined(separator: "\n")).get().first)

        #expect(batch.segments.map(\.key) == ["channel", "region"])
        #expect(batch.segments[0].column == TextColumn(codes: [0, .max, 0], dictionary: ["web"]))
        #expect(
            batch.segments[1].column == TextColumn(codes: [0, 1, .max], dictionary: ["7", "true"]))
        #expect(batch.latencies.count == 3 && batch.latencies[1] == 12.5)
        #expect(batch.latencies[0].isNaN && batch.latencies[2].isNaN)
        #expect(batch.errors == TextColumn(codes: [.max, .max, 0], dictionary: ["timeout"]))
        let plain = try #require(try decode(#"{"id":"a","features":{"x":1}}"#).get().first)
        #expect(plain.segments.isEmpty && plain.latencies.isEmpty && plain.errors.codes.isEmpty)
    }

    @Test func `NDJSON, an array, a single object and pretty printing mean the same`() {
        let lines = sampleLines.split(separator: "\n")
        let expected = decode(sampleLines)
        #expect(expected.isSuccess)
        let spaced = sampleLines.replacing("\":", with: "\" :\n\t ").replacing(
            ",\"", with: " ,\r\n \"")
        let bodies = [
            "\n\r\n" + lines.joined(separator: "\r\n\n"), lines.joined(separator: "\t \n"),
            "[" + lines.joined(separator: ",") + "]",
            " [ " + lines.joined(separator: " , ") + " ] \n",
            spaced,
        ]
        for body in bodies { #expect(decode(body) == expected) }
        for separator in [" ", "\t", "\r", ""] {
            #expect(decode(lines.joined(separator: separator)).isMalformed)
        }
        #expect(decode("[]") == .success([]))
        #expect(decode("{}").isSuccess)
    }

    @Test(arguments: UInt64(0)..<20)
    func `the order of keys changes nothing but the order of features`(seed: UInt64) throws {
        var random = SeededGenerator(seed: seed)
        var decoder = RecordDecoder()
        func body(isShuffled: Bool, _ random: inout SeededGenerator) -> String {
            (0..<20).map { row in
                var features = [
                    #""a":\#(row)"#, #""b":"t\#(row % 3)""#, #""\u0063":true"#,
                    #""long name here":0.5"#,
                ]
                if row % 4 == 0 { features.remove(at: 1) }
                var fields = [
                    #""id":"i\#(row)""#, #""model":"m\#(row % 2)""#,
                    #""prediction":{"score":0.5,"label":1}"#,
                ]
                if isShuffled { features.shuffle(using: &random) }
                fields.append("\"features\":{" + features.joined(separator: ",") + "}")
                if isShuffled { fields.shuffle(using: &random) }
                return "{" + fields.joined(separator: ",") + "}"
            }.joined(separator: "\n")
        }
        func sorted(_ batches: [PredictionBatch]) -> [PredictionBatch] {
            batches.map {
                var batch = $0
                batch.features.sort { $0.name < $1.name }
                return batch
            }
        }
        let plain = body(isShuffled: false, &random)
        let expected = try decode(plain).get()
        #expect(expected.map(\.model.rawValue) == ["m0", "m1"])
        for _ in 0..<5 {
            let shuffled = body(isShuffled: true, &random)
            let batches = try decode(Array(shuffled.utf8), with: &decoder).get()
            #expect(sorted(batches) == sorted(expected))
            // What the decoder has learned must not show.
            #expect(try decode(shuffled).get() == batches)
        }
        #expect(try decode(Array(plain.utf8), with: &decoder).get() == expected)
    }

    @Test func `late and absent features are missing elsewhere`() throws {
        let body = #"""
            {"features":{"a":1}}
            {"features":{"b":"x"}}
            {}
            {"features":null,"id":null,"ts":null,"version":null,"prediction":null,"model":null}
            {"features":{"n":null}}
            """#
        let batch = try #require(
            try decode(body) { _, name in name == "n" ? .categorical : nil }.get().first)
        #expect(batch.features.map(\.name) == ["a", "b", "n"])
        #expect(batch.features[0].column.isIdentical(to: .numeric([1, .nan, .nan, .nan, .nan])))
        let none = UInt32.max
        #expect(
            batch.features[1].column
                == .categorical(TextColumn(codes: [none, 0, none, none, none], dictionary: ["x"])))
        #expect(
            batch.features[2].column
                == .categorical(TextColumn(codes: [none, none, none, none, none], dictionary: [])))
        #expect(batch.times == Array(repeating: arrival.milliseconds, count: 5))
        #expect(batch.identities == Array(repeating: .none, count: 5))
        #expect(batch.versions == TextColumn(codes: [0, 0, 0, 0, 0], dictionary: ["default"]))
    }

    @Test(arguments: [
        (#"{"id":7}"#, "/id"), (#"{"id":""}"#, "/id"), (#"{"id":"  "}"#, "/id"),
        (#"{"id":true}"#, "/id"),
        (#"{"id":"\#(String(repeating: "x", count: 257))"}"#, "/id"),
        (#"{"model":"../x"}"#, "/model"),
        (#"{"model":"a b"}"#, "/model"), (#"{"model":"all"}"#, "/model"),
        (#"{"model":1}"#, "/model"),
        (#"{"model":""}"#, "/model"), (#"{"version":1.5}"#, "/version"),
        (#"{"version":true}"#, "/version"),
        (#"{"version":[]}"#, "/version"), (#"{"features":[]}"#, "/features"),
        (#"{"features":1}"#, "/features"),
        (#"{"features":{"a/b~c":[1,"2",null]}}"#, "/features/a~1b~0c/1"),
        (#"{"features":{"a":[]}}"#, "/features/a"), (#"{"features":{"a":[[1]]}}"#, "/features/a/0"),
        (#"{"features":{"a":[1,null]}}"#, "/features/a/1"),
        (#"{"features":{"a":{"b":1}}}"#, "/features/a"),
        (#"{"features":{"":1}}"#, "/features/"), (#"{"prediction":0.5}"#, "/prediction"),
        (#"{"prediction":{"score":1.01}}"#, "/prediction/score"),
        (#"{"prediction":{"score":-1e-9}}"#, "/prediction/score"),
        (#"{"prediction":{"score":"0.5"}}"#, "/prediction/score"),
        (#"{"prediction":{"score":true}}"#, "/prediction/score"),
        (#"{"prediction":{"value":"1"}}"#, "/prediction/value"),
        (#"{"prediction":{"label":1.5}}"#, "/prediction/label"),
        (#"{"prediction":{"label":9223372036854775808}}"#, "/prediction/label"),
        (#"{"prediction":{"label":[1]}}"#, "/prediction/label"),
        (#"{"prediction":{"lable":1}}"#, "/prediction/lable"),
        (#"{"prediction":{"scores":{"a":2}}}"#, "/prediction/scores/a"),
        (#"{"prediction":{"scores":[1]}}"#, "/prediction/scores"),
        (#"{"prediction":{"scores":{}}}"#, "/prediction/scores"),
        (#"{"prediction":{"scores":{"a":null}}}"#, "/prediction/scores/a"),
        (#"{"prediction":{"scores":{"a":0.5}}}"#, "/prediction/scores"),
        (#"{"prediction":{"scores":{"a":0.5,"b":0.50001}}}"#, "/prediction/scores"),
        (#"{"prediction":{"scores":{"a":1,"b":1}}}"#, "/prediction/scores"),
        (#"{"prediction":{"scores":{"a":0}}}"#, "/prediction/scores"),
        (#"{"segments":{"a":1.5}}"#, "/segments/a"), (#"{"segments":"web"}"#, "/segments"),
        (#"{"latency_ms":-1}"#, "/latency_ms"), (#"{"latency_ms":"1"}"#, "/latency_ms"),
        (#"{"error":1}"#, "/error"),
        (#"{"label":1}"#, "/label"), (#"{"feature":{}}"#, "/feature"),
        (#"{"revision":1}"#, "/revision"),
        (#"{"ts":"2026-13-01T00:00:00Z"}"#, "/ts"), (#"{"ts":"10000-01-01T00:00:00Z"}"#, "/ts"),
        (#"{"ts":"2026-01-01T24:00:00Z"}"#, "/ts"), (#"{"ts":"2026-01-01T12:30:60Z"}"#, "/ts"),
        (#"{"ts":"2026-01-01T00:00:00+99:99"}"#, "/ts"),
        (#"{"ts":"2026-01-01T00:00:00+24:00"}"#, "/ts"),
        (#"{"ts":"2026-01-01T00:00:00.1234567890Z"}"#, "/ts"),
        (#"{"ts":"2026-01-01 00:00:00Z"}"#, "/ts"),
        (#"{"ts":" 2026-01-01T00:00:00Z"}"#, "/ts"), (#"{"ts":"２０２６-01-01T00:00:00Z"}"#, "/ts"),
        (#"{"ts":"1767225600000"}"#, "/ts"), (#"{"ts":1e300}"#, "/ts"), (#"{"ts":-1e300}"#, "/ts"),
        (#"{"ts":1.5}"#, "/ts"), (#"{"ts":9223372036854775807}"#, "/ts"), (#"{"ts":true}"#, "/ts"),
        ("null", ""), ("1", ""), (#""x""#, ""), ("true", ""), ("[[]]", ""), ("[1]", ""),
    ])
    func `a value that breaks the contract is an item error at its place`(
        body: String, pointer: String
    ) {
        let items = decode(body).items
        #expect(items.map(\.pointer) == [pointer])
        #expect(items.map(\.code) == ["invalid-field"])
        #expect(
            items.allSatisfy { $0.line == 1 && !$0.detail.isEmpty && $0.detail.utf8.count <= 200 })
    }

    @Test(arguments: [
        ("2026-11-23T10:00:00Z", 1_795_428_000_000), ("2026-11-23T10:00:00.5Z", 1_795_428_000_500),
        ("2026-11-23t10:00:00.123456789z", 1_795_428_000_123),
        ("2026-11-23T12:30:00+02:30", 1_795_428_000_000),
        ("2026-11-23T10:00:00-00:00", 1_795_428_000_000),
        ("2016-12-31T23:59:60Z", 1_483_228_800_000),
        ("0000-01-01T00:00:00Z", -62_167_219_200_000),
        ("9999-12-31T23:59:59.999Z", 253_402_300_799_999),
        ("1969-12-31T23:59:59.999Z", -1),
    ])
    func `times are read to the millisecond, also after one of the same day`(
        text: String, expected: Int64
    ) throws {
        let head = text.prefix(10)
        let texts = [text, "\(head)T00:00:00Z", text, "\(head)T23:59:59.042Z", text]
        let body = texts.map { #"{"ts":"\#($0)"}"# }.joined(separator: "\n")
        let times = try decode(body).get()[0].times
        #expect(times == texts.map { EventTime(rfc3339: Array($0.utf8))?.milliseconds })
        #expect(times[0] == expected)
    }

    @Test func `a text of NUL bytes is no time of the unknown day`() {
        let nulls = String(repeating: "\\u0000", count: 10)
        #expect(decode(#"{"ts":"\#(nulls)T10:00:00Z"}"#).items.map(\.pointer) == ["/ts"])
    }

    @Test func `a feature keeps its kind, within the batch and by the hint`() {
        let mixed = #"{"features":{"a":1}}"# + "\n\n" + #"{"features":{"a":"1"}}"#
        #expect(decode(mixed).items.map(\.code) == ["feature-type-conflict"])
        #expect(decode(mixed).items.map(\.line) == [3])
        for (value, hint) in [
            ("true", FeatureKind.numeric), ("\"1.5\"", .numeric), ("1", .categorical),
        ] {
            let items = decode(#"{"features":{"a":\#(value)}}"#) { _, _ in hint }.items
            #expect(items.map(\.code) == ["feature-type-conflict"])
            #expect(items.map(\.pointer) == ["/features/a"])
        }
    }

    @Test func `labels and versions are texts, whole numbers without a fraction`() throws {
        let labels = [
            "1", "-3", "0", "-0", "1.0", "-2.000", "true", "\"true\"", "\"ä\"",
            "9223372036854775807",
        ]
        let body = labels.map { #"{"prediction":{"label":\#($0)}}"# }.joined(separator: "\n")
        let column = try decode(body).get()[0].labels
        #expect(
            labels.indices.map { column.text(at: $0) } == [
                "1", "-3", "0", "0", "1", "-2", "true", "true", "ä", "9223372036854775807",
            ])
    }

    @Test func `reference rows hold the ground truth`() throws {
        let body =
            #"{"features":{"a":1},"label":"yes"}"# + "\n" + #"{"features":{"a":2},"value":1.5}"#
        let batch = try decode(body, kind: .reference).get()[0]
        #expect(batch.truthLabels == TextColumn(codes: [0, .max], dictionary: ["yes"]))
        #expect(batch.truthValues[0].isNaN && batch.truthValues[1] == 1.5)
    }

    @Test func `ground truth needs an id and a label or value`() throws {
        let batch = try decodeTruth(
            #"[{"id":"a","label":true,"revision":-2},{"id":"b","value":3,"ts":5,"model":"n"}]"#
        ).get()
        #expect(batch.map(\.model.rawValue) == ["m", "n"])
        #expect(batch[0].labels.text(at: 0) == "true")
        #expect(batch[0].revisions == [-2] && batch[1].values == [3] && batch[1].times == [5])
        #expect(decodeTruth(#"{"label":1}"#).items.map(\.pointer) == ["/id"])
        #expect(decodeTruth(#"{"id":"a","label":null}"#).items.map(\.pointer) == [""])
        #expect(decodeTruth(#"{"id":"a","value":"1"}"#).items.map(\.pointer) == ["/value"])
        #expect(
            decodeTruth(#"{"id":"a","label":1,"features":{}}"#).items.map(\.pointer) == [
                "/features"
            ])
        #expect(
            decodeTruth(#"{"id":"a","label":1,"revision":9223372036854775808}"#).items.map(
                \.pointer) == ["/revision"])
    }

    @Test func `a record without a model needs the default one`() {
        #expect(decode("{}", defaultModel: nil).items.map(\.pointer) == ["/model"])
        // The refused record's model comes first, and must not shift the columns of the next.
        let body = #"{"model":"x","id":1}"# + "\n" + #"{"model":"y"}"# + "\n" + #"{"model":"x"}"#
        #expect(decode(body).items.map(\.line) == [1])
    }

    @Test func `at most 100 item errors are collected, with their lines`() {
        let body = String(repeating: "{\"id\":1}\n", count: 250)
        #expect(decode(body).items.map(\.line) == Array(1...100))
        let array = "[" + Array(repeating: "{\"id\":1}", count: 3).joined(separator: ",") + "]"
        #expect(decode(array).items.map(\.line) == [1, 2, 3])
    }

    @Test func `batches and features have limits`() {
        let limits = DecodingLimits(rowCountMax: 3, featureCountMax: 2)
        #expect(decode("{}\n{}\n{}", limits: limits).isSuccess)
        #expect(decode("{}\n{}\n{}\n{}", limits: limits) == .failure(.batchTooLarge(limit: 3)))
        let items = decode(#"{"features":{"a":1,"b":2,"c":3}}"#, limits: limits).items
        #expect(
            items == [
                ItemError(
                    line: 1, pointer: "/features/c", code: "cardinality-limit",
                    detail: "over 2 features of one model")
            ])
    }

    @Test func `names that mean something elsewhere are ordinary names`() throws {
        let names = [
            "__proto__", "constructor", "toString", "A", "a", "é", "\u{c9}",
            "x'); DROP TABLE events;--",
        ]
        let body = "{\"features\":{" + names.map { "\"\($0)\":1" }.joined(separator: ",") + "}}"
        #expect(
            try decode(body).get()[0].features.map { Array($0.name.utf8) }
                == names.map { Array($0.utf8) })
    }
}
