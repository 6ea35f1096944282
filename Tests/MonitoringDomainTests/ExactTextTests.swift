import MonitoringDomain
import Testing

@Suite struct ExactTextTests {
    private static let texts = [
        "", "a", "A", "e", "\u{e9}", "e\u{301}", "K", "\u{212A}", "\u{430}", "a\u{315}\u{300}",
        "a\u{300}\u{315}", "\u{AC00}", "\u{1100}\u{1161}", String(repeating: "\u{e9}", count: 40),
        String(repeating: "e\u{301}", count: 40),
    ]

    @Test func `texts are equal where their bytes are, and in the order of their bytes`() {
        for left in Self.texts {
            for right in Self.texts {
                let isSame = Array(left.utf8) == Array(right.utf8)
                #expect(left.isExactly(right) == isSame)
                #expect((ExactText(left) == ExactText(right)) == isSame)
                #expect(
                    (ExactText(left) < ExactText(right))
                        == left.utf8.lexicographicallyPrecedes(right.utf8))
                #expect(
                    (Segment(key: left, value: right) == Segment(key: right, value: left)) == isSame
                )
            }
        }
        #expect(Self.texts.exactSet.count == Self.texts.count)
        #expect(Set(Self.texts).count < Self.texts.count)
    }

    @Test func `names that look alike are counted, and the first of them is not`() throws {
        let model = try #require(ModelID("m"))
        func count(_ names: [String]) -> Int {
            ModelSchema(
                model: model, features: names.map { FeatureSchema(name: $0, kind: .numeric) }
            ).lookAlikeCount
        }

        #expect(count(["age", "income"]) == 0)
        #expect(count(["age", "Age", "AGE", "income"]) == 2)
        #expect(count(["\u{e9}", "e\u{301}", "\u{c9}"]) == 2)
    }
}
