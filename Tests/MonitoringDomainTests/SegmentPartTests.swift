import MonitoringDomain
import MonitoringTestSupport
import Testing

@Suite struct SegmentPartTests {
    private func parts(_ count: Int) -> [SegmentPart] {
        (0..<count).map {
            SegmentPart(
                segment: Segment(key: "k", value: "\($0)"), statistic: .accuracy, feature: nil,
                share: 0)
        }
    }

    @Test func `a change is what its segments' shares and values have changed`() {
        let found = SegmentPart.decomposed(
            parts(2), [((50, 0.12), (70, 0.1)), ((50, 0.3), (30, 0.2))])

        for (part, gold) in zip(found, [(-0.022, 0.012), (0.050, 0.040)]) {
            #expect(abs((part.mix ?? .nan) - gold.0) < 1e-12)
            #expect(abs((part.rate ?? .nan) - gold.1) < 1e-12)
        }
    }

    @Test(arguments: UInt64(0)..<16)
    func `the parts add up, also where segments come and go`(seed: UInt64) throws {
        var random = SeededGenerator(seed: seed)
        let sides = (0..<12).map { _ in
            (
                window: (
                    weight: Double(Int.random(in: 0...3, using: &random) * 10),
                    mean: Double.random(in: -1...1, using: &random)
                ),
                reference: (
                    weight: Double(Int.random(in: 0...3, using: &random) * 7),
                    mean: Double.random(in: -1...1, using: &random)
                )
            )
        }
        func mean(_ values: [(weight: Double, mean: Double)]) -> Double {
            values.reduce(0) { $0 + $1.weight * $1.mean } / values.reduce(0) { $0 + $1.weight }
        }

        let sum = SegmentPart.decomposed(parts(12), sides).reduce(0) {
            $0 + ($1.mix ?? 0) + ($1.rate ?? 0)
        }

        #expect(abs(sum - (mean(sides.map(\.window)) - mean(sides.map(\.reference)))) < 1e-12)
    }

    @Test func `without rows on a side there are no parts`() {
        let found = SegmentPart.decomposed(parts(1), [((0, 0.5), (10, 0.5))])

        #expect(found == parts(1))
    }
}
