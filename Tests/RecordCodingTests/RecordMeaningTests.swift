import MonitoringDomain
import RecordCoding
import Testing

/// What records of sound JSON and sound fields are refused for: names and sums.
@Suite struct RecordMeaningTests {
    /// NM-11: to Unicode, and to Swift's `String`, these are one name.
    @Test func `two Unicode forms of one text are two features, categories and segments`() throws {
        let pairs = [
            ("\u{e9}", "e\u{301}"), ("K", "\u{212A}"), ("\u{212A}", "K"), ("\\u00e9", "e\\u0301"),
        ]
        for (left, right) in pairs {
            let body =
                #"{"model":"m","features":{"x":1,"\#(left)":1,"\#(right)":"\#(left)"}}"#
                + "\n"
                + #"{"model":"m","features":{"\#(right)":"\#(right)"},"version":"\#(left)","#
                + #""segments":{"\#(left)":"\#(right)","\#(right)":"\#(left)"}}"#
            var asked: [ExactText] = []
            var decoder = RecordDecoder()
            let batch = try #require(
                try decoder.decodePredictions(
                    Array(body.utf8), kind: .predictions, defaultModel: nil,
                    arrival: EventTime(milliseconds: 0),
                    kindOf: {
                        asked.append(ExactText($1))
                        return nil
                    }
                ).first)
            #expect(batch.features.count == 3 && Set(asked).count == 3, "\(left) \(right)")
            guard case .categorical(let texts) = batch.features[2].column else {
                Issue.record("\(left) \(right): no text")
                continue
            }
            #expect(texts.codes == [0, 1] && texts.dictionary.exactSet.count == 2)
            #expect(batch.segments.map(\.key).exactSet.count == 2, "\(left) \(right)")
            // One behind the other, as single records are stored.
            let whole = PredictionBatch.concatenation(of: [batch, batch])
            #expect(whole.features.map(\.name).exactSet.count == 3)
            guard case .categorical(let joined) = whole.features[2].column else { continue }
            #expect(joined.codes == [0, 1, 0, 1])
        }
        func body(_ names: [String]) -> String {
            names.map { #"{"features":{"\#($0)":1}}"# }.joined(separator: "\n")
        }
        // What only looks alike is another name.
        for (left, right) in [
            ("a", "A"), ("a", "\u{430}"), ("\u{e9}", "\u{c9}"), ("fi", "\u{FB01}"), ("a", "a "),
        ] {
            #expect(decode(body([left, right])).isSuccess, "\(left) \(right)")
        }
    }

    /// TY-9: what is within 1e-6 of one may be written in six digits.
    @Test func `the scores of classes add up to one, unless the model's are independent`() throws {
        func body(_ scores: [String], count: Int = 3) -> String {
            let members = scores.enumerated().map { "\"c\($0)\":\($1)" }.joined(separator: ",")
            let record = #"{"model":"m","prediction":{"label":"c0","scores":{\#(members)}}}"#
            // From the second record on, the shape of the first is guessed.
            return Array(repeating: record, count: count).joined(separator: "\n")
        }
        let good = [
            ["1"], ["1.0", "0"], ["0.333333", "0.333333", "0.333333"], ["0.5", "0.500001"],
            ["0.999999"], ["1", "1e-6"], ["1", "5e-324", "-0"],
            Array(repeating: "0.001", count: 1_000),
        ]
        let bad = [
            ["0.5", "0.500002"], ["0.999998"], ["1", "0.0000011"], ["0", "0"],
            Array(repeating: "0.33", count: 3), Array(repeating: "0.001", count: 1_001),
        ]
        var independent = DecodingLimits()
        independent.independentScores = [try #require(ModelID("m"))]
        var others = DecodingLimits()
        others.independentScores = [try #require(ModelID("n"))]

        for scores in good { #expect(decode(body(scores)).isSuccess, "\(scores.prefix(3))") }
        for scores in bad {
            #expect(decode(body(scores), limits: independent).isSuccess, "\(scores.prefix(3))")
            for limits in [DecodingLimits(), others] {
                let items = decode(body(scores), limits: limits).items
                #expect(items.map(\.line) == [1, 2, 3], "\(scores.prefix(3))")
                #expect(items.allSatisfy { $0.pointer == "/prediction/scores" })
            }
        }
        // A bad record between good ones of its shape, and the model behind its prediction.
        let mixed = [
            body(["0.5", "0.5"], count: 2), body(["0.5", "0.6"], count: 1), body(["0.1", "0.9"]),
        ]
        #expect(decode(mixed.joined(separator: "\n")).items.map(\.line) == [3])
        let last = #"{"prediction":{"scores":{"a":0.5}},"model":"m"}"#
        #expect(decode(last, limits: independent).isSuccess)
        // A missing one is none, and the bounds of each hold for independent ones too.
        #expect(decode(#"{"prediction":{"scores":null}}"#).isSuccess)
        #expect(decode(body(["0.5", "1.5"]), limits: independent).items.count == 3)
        #expect(decode(body(["0.5", "0.7"]), kind: .reference).items.count == 3)
    }
}
