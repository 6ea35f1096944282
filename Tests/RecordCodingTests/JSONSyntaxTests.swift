import MonitoringDomain
import RecordCoding
import Testing

@Suite struct JSONSyntaxTests {
    @Test(arguments: [
        "", " \r\n\t ", "{", "{}x", "{}{}", "{} ]", "[{}", "[{}] {}", "[{},]", "[,{}]", "[{} {}]",
        "]", "}",
        #"{"id":"a","id":"b"}"#, #"{"id":"a","\u0069d":"b"}"#, #"{"features":{"a":1,"a":2}}"#,
        #"{"features":{"a":1,"\u0061":2}}"#, #"{"features":{"a":null,"a":null}}"#,
        #"{"segments":{"a":"1","\u0061":"2"}}"#, #"{"prediction":{"label":1,"label":1}}"#,
        #"{"prediction":{"scores":{"a":1,"a":0}}}"#, #"{"zzz":1,"zzz":2}"#,
        #"{"features":{"v":{"a":1,"a":2}}}"#, #"{"prediction":{"x":1,"x":2}}"#,
        #"{"features":{"a":NaN}}"#, #"{"features":{"a":Infinity}}"#,
        #"{"features":{"a":-Infinity}}"#,
        #"{"features":{"a":01}}"#, #"{"features":{"a":+1}}"#, #"{"features":{"a":.5}}"#,
        #"{"features":{"a":1.}}"#, #"{"features":{"a":0x10}}"#, #"{"features":{"a":1_000}}"#,
        #"{"features":{"a":-}}"#, #"{"features":{"a":1e}}"#, #"{"features":{"a":1e+}}"#,
        #"{"features":{"a":-01}}"#, #"{"features":{"a":1e999}}"#, #"{"features":{"a":-1E400}}"#,
        #"{"features":{"a":"\ud800"}}"#, #"{"features":{"a":"\udc00x"}}"#,
        #"{"features":{"a":"\ud800\ud800"}}"#, #"{"features":{"a":"\ud800A"}}"#,
        #"{"features":{"a":"\u12g4"}}"#, #"{"features":{"a":"\x"}}"#, #"{"features":{"a":"\"}}"#,
        "{\"features\":{\"a\":\"x\u{0}y\"}}", "{\"features\":{\"a\":\"x\ny\"}}",
        "{\"id\":\"a\u{1F}\"}",
        "\u{FEFF}{}", #"{"features":{"a":1,}}"#, #"{"id":"a",}"#, #"{"features":{,"a":1}}"#,
        #"{"id" "a"}"#, #"{"id":}"#, #"{id:"a"}"#, #"{'id':"a"}"#, #"{"features":{"a":tru}}"#,
        #"{"features":{"a":nulll}}"#, #"{"features":{"a":TRUE}}"#, #"{"features":[1,2}}"#,
        #"{"features":{"a":[1,]}}"#, "{\"id\":\"a\"\u{0}}", "{}\u{0}", "{}/*c*/", "{\u{A0}}",
    ])
    func `text that is not JSON is malformed`(text: String) {
        #expect(decode(text).isMalformed)
    }

    @Test(
        arguments: [
            [0xFF], [0xC0, 0xAF], [0xC1, 0xBF], [0xE0, 0x80, 0x80], [0xED, 0xA0, 0x80],
            [0xF0, 0x80, 0x80, 0x80],
            [0xF4, 0x90, 0x80, 0x80], [0xF5, 0x80, 0x80, 0x80], [0x80], [0xE2, 0x82], [0xC3],
        ] as [[UInt8]])
    func `bytes that are not UTF-8 are malformed in keys and values`(bytes: [UInt8]) {
        for padding in 0..<40 {
            let filler = Array(String(repeating: "x", count: padding).utf8)
            let head = Array(#"{"features":{""#.utf8) + filler
            #expect(decode(head + bytes + Array(#"":1}}"#.utf8)).isMalformed)
            #expect(
                decode(Array(#"{"id":""#.utf8) + filler + bytes + Array(#""}"#.utf8)).isMalformed)
        }
    }

    @Test func `UTF-16 and UTF-32 bodies are malformed`() {
        let text = Array("{\"id\":\"a\"}".utf8)
        for stride in [2, 4] {
            let zeros = [UInt8](repeating: 0, count: stride - 1)
            #expect(decode(text.flatMap { [$0] + zeros }).isMalformed)
            #expect(decode(text.flatMap { zeros + [$0] }).isMalformed)
            #expect(decode([0xFF, 0xFE] + text.flatMap { [$0] + zeros }).isMalformed)
        }
    }

    @Test(arguments: ["[", "{\"a\":"])
    func `nesting beyond the limit is malformed, however deep, closed or not`(opening: String) {
        func body(_ depth: Int, isClosed: Bool) -> String {
            let closing = opening == "[" ? "]" : "}"
            return #"{"features":{"a":"# + String(repeating: opening, count: depth) + "1"
                + (isClosed ? String(repeating: closing, count: depth) + "}}" : "")
        }
        // The record and its features are two of the 64.
        #expect(!decode(body(62, isClosed: true)).isMalformed)
        #expect(decode(body(63, isClosed: true)).isMalformed)
        #expect(decode("[" + body(62, isClosed: true) + "]").isMalformed)
        for depth in [10_000, 1_000_000] {
            #expect(decode(body(depth, isClosed: true)).isMalformed)
            #expect(decode(body(depth, isClosed: false)).isMalformed)
        }
        #expect(decode(String(repeating: opening, count: 100_000)).isMalformed)
    }

    @Test func `the error tells the line and the byte`() {
        let error = RecordDecodingError.malformed(
            line: 3, offset: 9, reason: "byte 0x78 where a key is expected")
        #expect(decode("{}\r\n\n {  x}") == .failure(error))
    }

    @Test func `a record that is cut is told at the line on which it begins`() {
        let line = #"{"id":"1","model":"m","features":{"a":1,"b":[1,2]}}"#
        for cut in 1..<line.utf8.count {
            let lines = [line, String(line.prefix(cut)), line, line]
            guard
                case .failure(.malformed(let found, let offset, _)) = decode(
                    lines.joined(separator: "\n"))
            else {
                Issue.record("cut at \(cut)")
                continue
            }
            #expect(found == 2, "cut at \(cut)")
            #expect(offset > line.utf8.count, "cut at \(cut)")
        }
        // A body that is one JSON text has lines of its own.
        var decoder = RecordDecoder()
        decoder.limits.isSequence = false
        let one = decode(Array("{\n\n\"id\": x}".utf8), with: &decoder)
        #expect(
            one
                == .failure(
                    .malformed(line: 3, offset: 9, reason: "byte 0x78 where a value is expected")))
    }

    @Test func `every prefix of a body is refused, or is whole records`() {
        let array = "[" + sampleLines.split(separator: "\n").joined(separator: ",") + "]"
        for body in [Array(sampleLines.utf8), Array(array.utf8)] {
            #expect(decode(body).isSuccess)
            for count in 0..<body.count {
                switch decode(Array(body.prefix(count))) {
                case .success(let batches): #expect(batches.map(\.rowCount).reduce(0, +) <= 2)
                case .failure(.malformed(_, let offset, _)): #expect(offset <= count)
                case .failure(let error): Issue.record("prefix \(count): \(error)")
                }
            }
        }
    }

    @Test func `every flip of a byte ends in a value or an error, and the decoder stays usable`() {
        let body = Array(sampleLines.utf8)
        guard case .success(let expected) = decode(body) else {
            Issue.record("the sample is refused")
            return
        }
        var decoder = RecordDecoder()
        for place in body.indices {
            for mask in [0x01, 0x02, 0x04, 0x08, 0x10, 0x20, 0x40, 0x80, 0xFF] as [UInt8] {
                var flipped = body
                flipped[place] ^= mask
                if case .success(let batches) = decode(flipped, with: &decoder) {
                    for batch in batches { #expect(hasEqualLengths(batch)) }
                }
            }
        }
        #expect(decode(body, with: &decoder) == .success(expected))
    }

    @Test(arguments: UInt64(0)..<200)
    func `bytes drawn from the alphabet of JSON never trap`(seed: UInt64) {
        var random = SeededGenerator(seed: seed)
        let parts = [
            "{", "}", "[", "]", ",", ":", "\"", "\\", "\"id\"", "\"features\":{", "\"a\":", "1",
            "-", ".", "e9",
            "null", "true", " ", "\n", "\\u00", "\\ud83d\\ude00", "é", "\"prediction\":{\"label\":",
            "\"ts\":",
        ]
        let text = (0..<60).compactMap { _ in parts.randomElement(using: &random) }.joined()
        _ = decode(text)
        _ = decode("{\"features\":{\"a\":" + text)
        _ = decodeTruth("{\"id\":\"a\",\"label\":1," + text)
    }

    @Test func `very many keys, a long number and a long string are refused in bounded time`() {
        let keys = (0..<100_000).map { "\"k\($0)\":1" }.joined(separator: ",")
        #expect(decode("{\"features\":{\(keys)}}").isMalformed)
        #expect(decode("{\"segments\":{\(keys)}}").isMalformed)
        let digits = String(repeating: "7", count: 1_000_000)
        #expect(decode("{\"features\":{\"a\":\(digits)}}").isMalformed)
        let text = String(repeating: "x", count: 1 << 20)
        #expect(
            decode("{\"features\":{\"a\":\"\(text)\"}}").items.map(\.pointer) == ["/features/a"])
    }

    @Test func `long escaped strings fit, also where they are read again for an error`() {
        let text = String(repeating: "\\n", count: 500) + String(repeating: "x", count: 300_000)
        let body = #"{"features":{"\#(text)":[[1]],"b\#(text)":{}},"id":"\#(text)"}"#
        #expect(decode(body).items.count == 5)
    }
}

func hasEqualLengths(_ batch: PredictionBatch) -> Bool {
    let count = batch.rowCount
    let lengths =
        [
            batch.identities.count, batch.times.count, batch.versions.codes.count,
            batch.labels.codes.count, batch.scores.count, batch.values.count,
            batch.truthLabels.codes.count, batch.truthValues.count,
        ]
        + batch.features.map {
            switch $0.column {
            case .numeric(let numbers): numbers.count
            case .single(let numbers): numbers.count
            case .categorical(let texts), .text(let texts): texts.codes.count
            case .vector(let vectors): vectors.isPresent.count
            }
        } + batch.segments.map(\.column.codes.count)
        + (batch.latencies.isEmpty ? [] : [batch.latencies.count])
        + (batch.errors.codes.isEmpty ? [] : [batch.errors.codes.count])
    return lengths.allSatisfy { $0 == count }
}
