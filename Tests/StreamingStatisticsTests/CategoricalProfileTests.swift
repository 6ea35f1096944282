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
        let slack = whole.unseenCountErrorMax
        #expect(slack <= whole.unseen / 65)
        for (text, count) in truth {
            let found = whole.unseenTexts[CategoricalProfile.Text(text)] ?? 0
            #expect(found <= count && found + slack >= count, "\(text)")
        }
        #expect(
            (0..<10).allSatisfy {
                whole.unseenTexts[CategoricalProfile.Text("frequent \($0)")] != nil
            })
        let distinct = whole.distinct
        let error = 4 * distinct.relativeStandardError * distinct.value
        #expect(abs(distinct.value - Double(truth.count)) <= error)
    }

    @Test func `distinct values are counted exactly while all unseen ones have room`() {
        var profile = CategoricalProfile(categoryCount: 3)
        #expect(profile.distinct == (0, 0) && profile.unseenCountErrorMax == 0)
        profile.absorb(category: 0, times: 5)
        profile.absorb(category: 2)
        for index in 0..<64 { profile.absorbUnseen("text \(index)", times: 2) }
        #expect(profile.distinct == (66, 0) && profile.unseenCountErrorMax == 0)
        profile.absorbUnseen("one more")
        #expect(profile.distinct.relativeStandardError > 0)
        #expect(abs(profile.distinct.value - 67) <= 2)
    }

    @Test func `a stored profile is refused when it cannot be`() {
        func stored(_ counts: [UInt64], _ texts: [String: UInt64]) -> CategoricalProfile? {
            CategoricalProfile(
                counts: counts, missing: 3,
                unseenTexts: Dictionary(
                    uniqueKeysWithValues: texts.map { (CategoricalProfile.Text($0.key), $0.value) }),
                unseenSketch: DistinctSketch())
        }
        let texts = Dictionary(uniqueKeysWithValues: (0..<65).map { ("\($0)", UInt64(1)) })
        #expect(stored([], [:]) == nil)
        #expect(stored([65], texts) == nil)
        #expect(stored([.max, 1], [:]) == nil)
        #expect(stored([1, 2], ["a": 3]) == nil)
        #expect(stored([1, 2], ["a": .max, "b": 1]) == nil)
        #expect(stored([1, 2], ["a": 2])?.count == 3)
    }
}
