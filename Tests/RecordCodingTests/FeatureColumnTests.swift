import MonitoringDomain
import RecordCoding
import Testing

private func kind(_ name: String) -> FeatureKind? {
    switch name {
    case "ratio": .single
    case "note": .text
    case "face": .vector(dimension: 3, precision: .float64)
    case "voice": .vector(dimension: 2, precision: .float32)
    case "age": .numeric
    case "region": .categorical
    default: nil
    }
}

private func column(_ name: String, of lines: [String]) throws -> FeatureColumn? {
    let batches = try decode(lines.joined(separator: "\n")) { kind($1) }.get()
    return batches.first?.features.first { $0.name == name }?.column
}

private func item(_ feature: String) -> ItemError? {
    decode(#"{"features":{\#(feature)}}"#, kindOf: { kind($1) }).items.first
}

@Suite struct FeatureColumnTests {
    @Test func `numbers of single precision are the nearest ones, and missing where null`() throws {
        let found = try column(
            "ratio", of: [#"{"features":{"ratio":0.1}}"#, "{}", #"{"features":{"ratio":null}}"#])

        let expected = FeatureColumn.single([0.1, .nan, .nan])
        #expect(found?.isIdentical(to: expected) == true)
        #expect(item(#""ratio":3.4028235677973366e38"#)?.pointer == "/features/ratio")
        #expect(item(#""ratio":-1e39"#)?.code == "invalid-field")
        #expect(item(#""ratio":3.4028235677973362e38"#) == nil)
    }

    @Test func `declared texts may be long, and others not`() throws {
        let long = String(repeating: "ö", count: 5_000)
        let lines = [#"{"features":{"note":"\#(long)"}}"#, "{}", #"{"features":{"note":""}}"#]

        let found = try column("note", of: lines)

        #expect(
            found == .text(TextColumn(codes: [0, TextColumn.missing, 1], dictionary: [long, ""])))
        #expect(item(#""region":"\#(long)""#)?.detail == "a text over 1024 bytes")
        #expect(item(#""unknown":"\#(long)""#)?.pointer == "/features/unknown")
        let longer = String(repeating: "x", count: 65_537)
        #expect(item(#""note":"\#(longer)""#)?.detail == "a text over 65536 bytes")
        #expect(item(#""note":"\#(longer.dropLast())""#) == nil)
    }

    @Test func `vectors stand row by row, and a row without one takes no room`() throws {
        let lines = ["{}", #"{"features":{"face":[1,-2.5,0]}}"#, #"{"features":{"face":null}}"#]

        let found = try column("face", of: lines + [#"{"features":{"face":[4e300,5,6]}}"#])

        let expected = VectorColumn(
            dimension: 3, precision: .float64, isPresent: [false, true, false, true],
            numbers: [1, -2.5, 0, 4e300, 5, 6])
        #expect(found == .vector(expected))
    }

    @Test func `an array that nobody declared is a vector of its own length`() throws {
        let found = try column(
            "x", of: [#"{"features":{"x":[1,2]}}"#, #"{"features":{"x":[3,4]}}"#])

        #expect(found?.kind == .vector(dimension: 2, precision: .float64))
        let other = decode(#"{"features":{"x":[1,2]}}"# + "\n" + #"{"features":{"x":[1]}}"#)
            .items.first
        #expect(other?.code == "feature-type-conflict" && other?.pointer == "/features/x")
    }

    @Test func `vectors of single precision are rounded`() throws {
        let found = try column("voice", of: [#"{"features":{"voice":[0.1,2]}}"#])

        let expected = VectorColumn(
            dimension: 2, precision: .float32, isPresent: [true],
            numbers: [Double(Float(0.1)), 2])
        #expect(found == .vector(expected))
        let error = item(#""voice":[1,1e39]"#)
        #expect(error?.pointer == "/features/voice/1" && error?.code == "invalid-field")
    }

    @Test(arguments: [
        (#""face":[1,2]"#, "a vector of 2 numbers, but the feature is a vector of 3 numbers"),
        (#""face":1"#, "a number, but the feature is a vector of 3 numbers"),
        (#""face":"x""#, "a string or boolean, but the feature is a vector of 3 numbers"),
        (#""age":[1]"#, "a vector of 1 numbers, but the feature is numeric"),
        (#""age":"1""#, "a string or boolean, but the feature is numeric"),
        (#""note":1"#, "a number, but the feature is text"),
        (#""ratio":true"#, "a string or boolean, but the feature is numeric in float32"),
        (#""region":[1]"#, "a vector of 1 numbers, but the feature is categorical"),
    ])
    func `a value of another type is told with the type that was expected`(
        feature: String, detail: String
    ) {
        let error = item(feature)

        #expect(error?.code == "feature-type-conflict")
        #expect(error?.detail == detail)
    }

    @Test func `a vector beyond the longest is refused, and what follows is read`() {
        let numbers = [String](repeating: "1", count: FeatureKind.vectorDimensionMax + 1)
        let body = #"{"features":{"a":[\#(numbers.joined(separator: ","))],"b":{}}}"#

        #expect(decode(body).items.map(\.pointer) == ["/features/a", "/features/b"])
        let longest = numbers.dropLast().joined(separator: ",")
        #expect(decode(#"{"features":{"a":[\#(longest)]}}"#).isSuccess)
    }

    @Test(arguments: ["[1,]", "[,1]", "[1 2]", "[1,2", "[1e400]", "[01]", "[1}", "[NaN]"])
    func `an array that is no JSON ends the body`(text: String) {
        #expect(decode(#"{"features":{"a":\#(text)}}"#).isMalformed)
    }

    @Test func `plain values around vectors keep their columns`() throws {
        let lines = (0..<5).map {
            #"{"features":{"age":\#($0),"face":[\#($0),0,1],"region":"r","ratio":\#($0)}}"#
        }
        let batches = try decode(lines.joined(separator: "\n")) { kind($1) }.get()

        let batch = try #require(batches.first)
        #expect(batch.features.map(\.name) == ["age", "face", "region", "ratio"])
        #expect(batch.features[0].column == .numeric([0, 1, 2, 3, 4]))
        #expect(batch.features[3].column == .single([0, 1, 2, 3, 4]))
        #expect(hasEqualLengths(batch))
    }

    @Test func `values of other types are counted with their time, version and segments`() throws {
        let body = Array(
            #"""
            {"ts":1795428000000,"version":"2","segments":{"c":"w"},"features":{"age":"x","note":1}}
            {"ts":1795428060000,"features":{"age":4,"face":[1],"region":{"a":[1]}}}
            {"features":{"age":5,"face":[1,"2",3],"new":{}}}
            """#.utf8)
        var decoder = RecordDecoder()

        let found = try decoder.decodeTypeErrors(
            body, defaultModel: ModelID("m"), arrival: arrival, kindOf: { kind($1) })

        let errors = try #require(found.first)
        #expect(found.count == 1 && errors.batch.rowCount == 5)
        let names = ["age", "note", "face", "region", "face"]
        #expect((0..<5).map { errors.features.text(at: $0) } == names)
        let times = [1_795_428_000_000, 1_795_428_000_000, 1_795_428_060_000, 1_795_428_060_000]
        #expect(errors.batch.times == times.map { Int64($0) } + [arrival.milliseconds])
        #expect((0..<3).map { errors.batch.versions.text(at: $0) } == ["2", "2", "default"])
        #expect((0..<3).map { errors.batch.segments[0].column.text(at: $0) } == ["w", "w", nil])
        #expect(hasEqualLengths(errors.batch))
    }
}
