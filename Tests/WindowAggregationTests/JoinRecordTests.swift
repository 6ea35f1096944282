import MonitoringDomain
import MonitoringTestSupport
import Testing

@testable import WindowAggregation

@Suite struct JoinRecordTests {
    /// The digest of one row by its definition: a term a column, with a product for each number.
    private func digest(
        _ numbers: [(String?, UInt64, Double)], _ texts: [(String?, UInt64, String?)]
    )
        -> UInt16
    {
        var sum: UInt64 = 0
        for (name, salt, number) in numbers where !number.isNaN {
            let salt = name.map { stableHash($0, 1) } ?? salt
            sum &+= (number.bitPattern ^ salt) &* 0xD6E8_FEB8_6659_FD93
        }
        for (name, salt, text) in texts {
            guard let text else { continue }
            sum &+= stableHash(text, name.map { stableHash($0, 1) } ?? salt)
        }
        let mixed = (sum ^ sum >> 32) &* 0x9E37_79B9_7F4A_7C15
        return UInt16(truncatingIfNeeded: mixed >> 51)
    }

    @Test(arguments: [1, 2, 3] as [UInt64])
    func `sums over columns are the sums over rows, with what is missing`(seed: UInt64) throws {
        var random = SeededGenerator(seed: seed)
        func number() -> Double? {
            Int.random(in: 0...4, using: &random) == 0
                ? nil : Double.random(in: -1e9...1e9, using: &random)
        }
        func text() -> String? { ["a", "bb", "", nil].randomElement(using: &random) ?? nil }
        let samples = (0..<150).map { _ in
            Sample(
                version: text() ?? "v", amount: number(), colour: text(), label: text(),
                score: number(), value: number())
        }

        let digests = try Samples.batch(samples).contentDigests()

        let expected = samples.map { sample in
            digest(
                [
                    ("amount", 0, sample.amount ?? .nan), (nil, 4, sample.score ?? .nan),
                    (nil, 5, sample.value ?? .nan),
                ],
                [
                    ("colour", 0, sample.colour), (nil, 2, sample.version),
                    (nil, 3, sample.label),
                ])
        }
        #expect(digests == expected)
        #expect(digests.allSatisfy { $0 < 1 << 13 })
        #expect(Set(digests).count > 140)
    }

    @Test func `digests stay what they were, for partitions and snapshots hold them`() throws {
        let batch = try Samples.batch([
            Sample(amount: 1, colour: "red", label: "yes", score: 0.5),
            Sample(version: "2", amount: nil, colour: nil, label: nil, value: -3),
        ])

        #expect(batch.contentDigests() == [4_011, 7_990])
    }
}
