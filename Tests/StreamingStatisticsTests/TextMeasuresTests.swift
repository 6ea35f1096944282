import StreamingStatistics
import Testing

@Suite struct TextMeasuresTests {
    @Test func `classes are counted by scalar`() throws {
        let found = TextMeasures(of: "Abc 12,\té€")
        #expect(found.scalarCount == 10 && found.tokenCount == 3)
        let shares = try #require(found.shares)
        #expect(shares.letters == 0.4 && shares.uppercase == 0.1 && shares.digits == 0.2)
        #expect(shares.whitespace == 0.2 && shares.punctuation == 0.2)
        #expect(shares.nonASCII == 0.2)
    }

    @Test(
        arguments: [
            ("", 0, 0), (" \n\t ", 4, 0), ("one", 3, 1), ("  two  words ", 13, 2),
            ("日本語", 3, 1), ("e\u{301}", 2, 1), ("👩‍👩‍👧", 5, 1),
        ] as [(String, Int, Int)])
    func `lengths and tokens`(text: String, scalars: Int, tokens: Int) {
        let found = TextMeasures(of: text)
        #expect(found.scalarCount == scalars && found.tokenCount == tokens)
        #expect((found.shares == nil) == text.isEmpty)
    }

    @Test func `a derived quantity for each name, missing where an empty text has none`() {
        for text in ["", "a b"] {
            let found = TextMeasures(of: text)
            #expect(found.values.count == TextMeasures.names.count)
            #expect(found.values[0] == Double(found.scalarCount))
            #expect(found.values[2...].allSatisfy { $0.isNaN == text.isEmpty })
        }
    }
}
