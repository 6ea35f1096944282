import MonitoringDomain
import RecordCoding
import Testing

/// The shape of the record before is a guess; reading without it is the naive twin.
@Suite struct RecordShapeTests {
    /// Decodes with shapes and without, and expects equal results; also where so much of a body is left
    /// that records are read in blocks.
    private func check(
        _ body: [UInt8], kind: RecordKind = .predictions, limits: DecodingLimits = DecodingLimits(),
        _ note: @autoclosure () -> String = ""
    ) {
        compare(body, kind, limits, note())
        compare(body + Array(repeating: 0x0A, count: 4_096), kind, limits, "in blocks: \(note())")
    }

    /// Decodes with shapes and without, twice each, and expects four equal results.
    private func compare(
        _ body: [UInt8], _ kind: RecordKind, _ limits: DecodingLimits,
        _ note: @autoclosure () -> String
    ) {
        var guessing = RecordDecoder(limits: limits)
        var plain = RecordDecoder(limits: limits)
        plain.guessesShapes = false
        let expected = result(body, &plain, kind)
        for _ in 0..<2 {
            #expect(result(body, &guessing, kind) == expected, "\(note())")
        }
    }

    private enum Batches: Equatable {
        case predictions(Result<[PredictionBatch], RecordDecodingError>)
        case truths(Result<[GroundTruthBatch], RecordDecodingError>)
    }

    private func result(
        _ body: [UInt8], _ decoder: inout RecordDecoder, _ kind: RecordKind
    ) -> Batches {
        guard kind == .groundTruth else {
            return .predictions(decode(body, with: &decoder, kind: kind))
        }
        return .truths(
            Result { () throws(RecordDecodingError) in
                try decoder.decodeGroundTruth(body, defaultModel: ModelID("m"), arrival: arrival)
            })
    }

    private static let numbers = [
        "0", "-0", "0.0", "-0.50", "7", "12345678", "123456789", "1234567.8", "12345.678",
        "0.1234567",
        "0.12345678", "99999999", "9.9999999", "1e3", "1E-3", "2.5e+2", "0.30000000000000004",
        "-17.1234567890123456789", "1.7976931348623157e308", "4.9e-324", "18446744073709551615",
        "01", "-", "1.", ".5", "1e", "1.2.3", "+1", "1e999", "null", "true", "0x1", "1 ", " 1",
        "1.5.",
    ]
    private static let texts = [
        #""""#, #""a""#, #""abcdefg""#, #""abcdefgh""#, #""north-west""#, #""a\nb""#,
        #""\u00e9\ud83d\ude00""#,
        #""é€😀""#, #""\ud800""#, #""\x""#, "\"a\tb\"", #""unfinished"#, "null", "false", "7", "[]",
        #"" ""#, #""2026-11-23T10:00:00.123Z""#, #""2026-02-30T10:00:00Z""#, "1795428000123", "-1",
        "1.0",
        "\"" + String(repeating: "x", count: 300) + "\"",
        "\"" + String(repeating: "x", count: 1_100) + "\"",
    ]

    /// A record with every field that the kind may have; `value` gives one for each, by its place.
    private func record(
        _ kind: RecordKind, _ value: (_ isNumber: Bool, _ usual: String) -> String
    )
        -> String
    {
        let time = value(false, #""2026-11-23T10:00:01Z""#)
        let head =
            #"{"id": \#(value(false, #""id-7""#)), "ts":\#(time),"model":\#(value(false, #""m""#)),"#
        let truth =
            #""label":\#(value(false, "1")),"value":\#(value(true, "2.5"))"#
        if kind == .groundTruth {
            return head + truth + #","revision":\#(value(true, "3"))}"#
        }
        let features = (0..<4).map { #""feature_\#($0)":\#(value(true, "\($0).25"))"# }
        return head + #""version":\#(value(false, "2")),"features":{"#
            + features.joined(separator: ", ") + #","region":\#(value(false, #""south""#))},"#
            + #""prediction":{"label":\#(value(false, #""yes""#)),"score":\#(value(true, "0.5")),"#
            + #""value":\#(value(true, "1.5")),"scores":{"a":\#(value(true, "0.25")),"b":0.75}},"#
            + #""segments":{"channel":\#(value(false, #""web""#)),"region":\#(value(false, "3"))},"#
            + #""latency_ms":\#(value(true, "12.5")),"error":\#(value(false, #""none""#))"#
            + (kind == .reference ? "," + truth : "") + "}"
    }

    @Test(arguments: [RecordKind.predictions, .reference, .groundTruth])
    func `one unusual value in a record of a known shape is read as ever`(kind: RecordKind) {
        let usual = record(kind) { $1 }
        var places: [Bool] = []
        _ = record(kind) {
            places.append($0)
            return $1
        }
        for (place, isNumber) in places.enumerated() {
            let candidates =
                isNumber ? Self.numbers + Self.texts.suffix(8) : Self.texts + Self.numbers.suffix(8)
            for candidate in candidates {
                var next = 0
                let changed = record(kind) { _, usual in
                    defer { next += 1 }
                    return next == place ? candidate : usual
                }
                let body = [usual, usual, changed, usual].joined(separator: "\n")
                check(Array(body.utf8), kind: kind, "\(place): \(candidate)")
            }
        }
    }

    @Test(arguments: UInt64(0)..<12)
    func `records of a few shapes in turn, some of them spoiled, are read as without a guess`(
        seed: UInt64
    ) {
        var random = SeededGenerator(seed: seed)
        let kind: RecordKind = [.predictions, .reference, .groundTruth][Int(seed % 3)]
        var shapes = (0..<3).map { _ in record(kind) { $1 } }
        shapes[1] = shapes[1].replacing(", ", with: ",").replacing("\":", with: "\" : ")
        shapes[2] = shapes[2].replacing(#""feature_2""#, with: #""other""#).replacing(
            #""channel""#, with: #""\u0063hannel""#)
        for _ in 0..<10 {
            var body: [UInt8] = []
            for _ in 0..<30 {
                let isSpoiled = Int.random(in: 0..<30, using: &random) == 0
                var line = Array(
                    (Int.random(in: 0..<3, using: &random) == 0
                        ? record(kind) { isNumber, usual in
                            let others = (isNumber ? Self.numbers : Self.texts).prefix(8)
                            return others.randomElement(using: &random) ?? usual
                        } : shapes.randomElement(using: &random) ?? "").utf8)
                if isSpoiled, !line.isEmpty {
                    line[Int.random(in: 0..<line.count, using: &random)] =
                        UInt8.random(in: 0x20..<0x7F, using: &random)
                }
                body += line + [0x0A]
            }
            check(body, kind: kind)
        }
    }

    @Test(arguments: UInt64(0)..<8)
    func `long runs of one shape, cut by others, are read as without a guess`(seed: UInt64) {
        var random = SeededGenerator(seed: seed)
        var lines: [String] = []
        for run in 0..<12 {
            let model = ["m", "n"].randomElement(using: &random) ?? ""
            let isVector = Int.random(in: 0..<6, using: &random) == 0
            for row in 0..<Int.random(in: 1...90, using: &random) {
                func value(_ others: [String], _ usual: String) -> String {
                    guard Int.random(in: 0..<12, using: &random) == 0 else { return usual }
                    return others.randomElement(using: &random) ?? usual
                }
                let x = value(["null", "1e300", "-0.0", "12345678901234567890"], "\(row).25")
                let text = value(
                    ["null", "true", #""a\nb""#, #""""#, #""é€""#], #""t\#(row % 5)""#)
                let late = run < 4 ? "null" : value(["null"], "\(run)")
                let wide = isVector ? #","v":[1,\#(row)]"# : ""
                let id = value(["null", #""\u0061""#], #""\#(seed)-\#(run)-\#(row)""#)
                lines.append(
                    #"{"id":\#(id),"model":"\#(model)","features":{"x":\#(x),"t":\#(text),"#
                        + #""late":\#(late)\#(wide)},"prediction":{"score":0.\#(row)}}"#)
            }
        }
        compare(Array(lines.joined(separator: "\n").utf8), .predictions, DecodingLimits(), "lines")
        let array = "[" + lines.joined(separator: ",") + "]"
        compare(Array(array.utf8), .predictions, DecodingLimits(), "an array")
        // Records whose scores do not add up to one, most of them in a block.
        let spoiled = lines[1].replacing(
            #""score":0."#, with: #""scores":{"a":0.5,"b":0.75},"score":0."#)
        let scores = Array(repeating: lines[0], count: 40) + Array(repeating: spoiled, count: 40)
        compare(
            Array(scores.joined(separator: "\n").utf8), .predictions, DecodingLimits(), "scores")
        // The last record breaks the contract, and so names its line.
        lines.append(lines[0].replacing(#""score":0."#, with: #""score":7."#))
        compare(
            Array(lines.joined(separator: "\n").utf8), .predictions, DecodingLimits(), "spoiled")
    }

    @Test func `no prefix and no change of a byte is read otherwise than without a guess`() {
        let line =
            #"{"id":"i1","ts":1795428000123,"features":{"a":1.5,"b":"x"},"prediction":{"score":0.5}}"#
        let body = Array((line + "\n" + line).utf8)
        checkHostileBytes(of: body) { check($0) }
        checkHostileBytes(of: Array("[\(line),\(line)]".utf8)) { check($0) }
    }

    @Test func `other limits are kept by a decoder that knows the shape`() {
        let line = #"{"id":"id-12345","features":{"feature":1.5,"text":"abcdef"}}"#
        let body = Array((line + "\n" + line).utf8)
        var decoder = RecordDecoder()
        #expect(decode(body, with: &decoder).isSuccess)
        let strict = [
            DecodingLimits(depthMax: 1), DecodingLimits(idSizeBytesMax: 7),
            DecodingLimits(textSizeBytesMax: 5), DecodingLimits(featureCountMax: 0),
            DecodingLimits(numberSizeBytesMax: 2),
        ]
        for limits in strict {
            decoder.limits = limits
            let expected = decode(body, limits: limits)
            #expect(!expected.isSuccess)
            #expect(decode(body, with: &decoder) == expected)
            decoder.limits = DecodingLimits()
            #expect(decode(body, with: &decoder).isSuccess)
        }
    }
}
