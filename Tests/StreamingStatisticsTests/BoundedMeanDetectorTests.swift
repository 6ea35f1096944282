import Glibc
import MonitoringTestSupport
import StreamingStatistics
import Testing

private func isClose(_ found: [Double], _ expected: [Double], _ tolerance: Double) -> Bool {
    found.count == expected.count
        && zip(found, expected).allSatisfy { abs($0 - $1) < tolerance }
}

@Suite struct BoundedMeanDetectorTests {
    private func values(
        _ factor: BoundedMeanDetector.Factor, _ form: EDetector.Form
    ) -> [Double] {
        var detector = BoundedMeanDetector(
            nullMean: 0.1, factor: factor, form: form, bets: [0.1])
        return [1, 0, 1, 1, 0].map {
            detector.absorb($0)
            return detector.value
        }
    }

    @Test func `the three forms give the formula's values`() {
        #expect(
            isClose(
                values(.betting, .shiryaevRoberts), [1.9, 2.61, 6.859, 14.9321, 14.33889], 1e-10))
        #expect(
            isClose(
                values(.exponential, .shiryaevRoberts),
                [1.593285, 2.333957, 5.311945, 10.056731, 9.951058], 1e-6))
        #expect(
            isClose(
                values(.exponential, .cusum), [1.593285, 1.433957, 2.284703, 3.640184, 3.276165],
                1e-6))
    }

    @Test func `below is above, mirrored`() {
        var above = BoundedMeanDetector(nullMean: 0.25)
        var below = BoundedMeanDetector(nullMean: 0.75, side: .below)
        for row in [0, 0.5, 1, 0.25, 0.75] {
            above.absorb(row)
            below.absorb(1 - row)
        }

        #expect(abs(above.value - below.value) < 1e-12)
    }

    @Test func `a window is the product of its rows, in any order`() {
        for factor in [BoundedMeanDetector.Factor.betting, .exponential] {
            for side in [BoundedMeanDetector.Side.above, .below] {
                var single = BoundedMeanDetector(
                    nullMean: 0.3, side: side, factor: factor, bets: [0.2])
                single.absorb(ones: 2, of: 3)
                var one = single
                one.reset()
                one.absorb(ones: 1, of: 1)
                let up = one.value
                one.reset()
                one.absorb(ones: 0, of: 1)

                #expect(abs(single.value - up * up * one.value) < 1e-12)
            }
        }
    }

    /// Exact: all paths of ten rows.
    @Test func `without a change the mean of the detector's value is the number of steps`() {
        let steps = 10
        var total = 0.0
        for path in 0..<(1 << steps) {
            var detector = BoundedMeanDetector(nullMean: 0.3)
            var chance = 1.0
            for step in 0..<steps {
                let isOne = path >> step & 1 == 1
                chance *= isOne ? 0.3 : 0.7
                detector.absorb(isOne ? 1 : 0)
            }
            total += chance * detector.value
        }

        #expect(abs(total - Double(steps)) < 1e-9)
    }
}

@Suite struct ErrorRateDetectorTests {
    /// Runs error rows of one rate, and says at which row a level is reached.
    private func run(
        _ rate: Double, level: Double, rowCountMax: Int, _ random: inout SeededGenerator
    ) -> Int? {
        var detector = BoundedMeanDetector(nullMean: 0.1)
        let bound = UInt64(rate * 1e9)
        for row in 1...rowCountMax {
            detector.absorb(random.next() % 1_000_000_000 < bound ? 1 : 0)
            if detector.value >= level { return row }
        }
        return nil
    }

    @Test func `at the bound itself an alarm is rarer than one in 1,000 rows`() {
        var random = SeededGenerator(seed: 41)
        var (alarms, rows) = (0, 0)
        while rows < 60_000 {
            let row = run(0.1, level: 1_000, rowCountMax: 60_000 - rows, &random)
            rows += row ?? 60_000
            if row != nil { alarms += 1 }
        }

        #expect(Double(alarms) <= 60 + 3 * 60.0.squareRoot())
    }

    /// A detector that never fires keeps every promise, so there are floors.
    @Test(arguments: [(0.15, 400), (0.2, 200), (0.3, 100)])
    func `a higher rate is seen soon`(rate: Double, rowCountMax: Int) {
        var random = SeededGenerator(seed: 42)
        let delays = (0..<51).map { _ in
            run(rate, level: 1_000, rowCountMax: 2_000, &random) ?? 2_000
        }

        #expect(delays.sorted()[25] <= rowCountMax)
    }
}
