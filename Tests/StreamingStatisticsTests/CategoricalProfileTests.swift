import MonitoringTestSupport
import StreamingStatistics
import Testing

@Suite struct CategoricalProfileTests {
    @Test(arguments: UInt64(0)..<8)
    func `the merge laws hold while all unseen texts have room`(seed: UInt64) {
        var random = SeededGenerator(seed: seed)
        let rows = (0..<200).map { _ in Int.random(in: -1...63, using: &random) }
        checkMergeLaws(
            CategoricalProfile(categoryCount: 4), rows, cuts: randomCuts(200, &random)
        ) { profile, row in
            switch row {
            case -1: profile.absorb(category: nil)
            case 0..<4: profile.absorb(category: row)
            default: profile.absorbUnseen("text \(row)")
            }
        }
    }

    /// Half the rows are one of ten texts, the others hardly repeat.
    private static func crowd(_ count: Int, _ random: inout SeededGenerator) -> [String] {
        (0..<count).map { _ in
            Bool.random(using: &random)
                ? "frequent \(Int.random(in: 0..<10, using: &random))"
                : "rare \(Int.random(in: 0..<100_000, using: &random))"
        }
    }

    @Test(arguments: UInt64(0)..<8)
    func `frequent unseen texts outlast any crowd, in one profile or merged`(seed: UInt64) {
        var random = SeededGenerator(seed: seed)
        var whole = CategoricalProfile(categoryCount: 1)
        var truth: [String: UInt64] = [:]
        for _ in 0..<5 {
            var part = CategoricalProfile(categoryCount: 1)
            for text in Self.crowd(1_000, &random) {
                truth[text, default: 0] += 1
                part.absorbUnseen(text)
            }
            whole.merge(part)
        }
        #expect(whole.unseen == 5_000 && whole.count == 5_000)
        #expect(whole.unseenTexts.count <= CategoricalProfile.unseenTextCountMax)
        let slack = whole.unseen / 65
        for (text, count) in truth {
            let found = whole.unseenTexts[text] ?? 0
            #expect(found <= count && found + slack >= count, "\(text)")
        }
        #expect((0..<10).allSatisfy { whole.unseenTexts["frequent \($0)"] != nil })
    }

    @Test func `a stored profile is refused when it cannot be`() {
        let texts = Dictionary(uniqueKeysWithValues: (0..<65).map { ("\($0)", UInt64(1)) })
        #expect(CategoricalProfile(counts: [], missing: 0, unseenTexts: [:]) == nil)
        #expect(CategoricalProfile(counts: [1], missing: 0, unseenTexts: texts) == nil)
        #expect(CategoricalProfile(counts: [.max, 1], missing: 0, unseenTexts: [:]) == nil)
        #expect(CategoricalProfile(counts: [1, 2], missing: 3, unseenTexts: ["a": 2])?.count == 3)
    }
}
