import Glibc
import MonitoringTestSupport
import StreamingStatistics
import Testing

@Suite struct EDetectorTests {
    @Test func `a factor of 0 forgets, and no factor overflows`() {
        var detector = EDetector()
        detector.absorb(logFactor: 5_000)
        detector.absorb(logFactor: .infinity)
        #expect(detector.value == 1e300)
        detector.absorb(logFactor: -.infinity)
        #expect(detector.value == 0)
    }

    @Test func `a stored value goes on bit-identically`() {
        var straight = EDetector()
        for step in 0..<50 { straight.absorb(logFactor: sin(Double(step))) }
        var stored = EDetector(.shiryaevRoberts, value: straight.value)
        for step in 50..<90 {
            straight.absorb(logFactor: sin(Double(step)))
            stored.absorb(logFactor: sin(Double(step)))
        }

        #expect(stored == straight)
    }
}

@Suite struct DirichletMultinomialTests {
    @Test func `the evidence is the formula's`() throws {
        let quarter = try #require(
            DirichletMultinomial(
                shares: [0.25, 0.25, 0.25, 0.25], concentrations: [10]))

        #expect(abs(quarter.logEValue([12, 8, 10, 20]) - -0.0982974) < 1e-7)
        #expect(quarter.logEValue([0, 0, 0, 0]) == 0)
    }

    @Test func `shares must be positive and sum to 1`() {
        #expect(DirichletMultinomial(shares: []) == nil)
        #expect(DirichletMultinomial(shares: [0.5, 0.6]) == nil)
        #expect(DirichletMultinomial(shares: [0, 1]) == nil)
        #expect(DirichletMultinomial(shares: [0.5, .nan]) == nil)
        #expect(DirichletMultinomial(referenceCounts: [0, 3]).shares == [0.125, 0.875])
    }

    /// Exact: all outcomes of n rows in three bins.
    @Test(arguments: [1, 4, 12])
    func `under the shares the mean of the evidence is 1`(rows: Int) throws {
        let shares = [0.2, 0.3, 0.5]
        let null = try #require(
            DirichletMultinomial(shares: shares, concentrations: [1, 30]))
        var total = 0.0
        for a in 0...rows {
            for b in 0...(rows - a) {
                let counts = [a, b, rows - a - b]
                var chance: Double = lgamma(Double(rows) + 1)
                for (count, share) in zip(counts, shares) {
                    let arrangements: Double = lgamma(Double(count) + 1)
                    chance += Double(count) * log(share) - arrangements
                }
                total += exp(chance + null.logEValue(counts.map { UInt64($0) }))
            }
        }

        #expect(abs(total - 1) < 1e-9)
    }

    @Test func `late rows just add`() {
        let null = DirichletMultinomial(referenceCounts: [100, 200, 300])
        let (early, late) = ([40, 50, 60] as [UInt64], [1, 9, 0] as [UInt64])
        let sum = zip(early, late).map(+)

        #expect(null.logEValue(sum) == null.logEValue([41, 59, 60]))
    }
}

@Suite struct BinCountDetectorTests {
    private let null = DirichletMultinomial(referenceCounts: [2_000, 3_000, 5_000])

    private func window(
        _ shares: [Double], _ rows: Int, _ random: inout SeededGenerator
    ) -> [UInt64] {
        var counts = [UInt64](repeating: 0, count: shares.count)
        for _ in 0..<rows {
            var u = Double.random(in: 0..<1, using: &random)
            var bin = 0
            while bin < shares.count - 1, u >= shares[bin] {
                u -= shares[bin]
                bin += 1
            }
            counts[bin] += 1
        }
        return counts
    }

    @Test func `a window without rows is no step`() {
        var detector = BinCountDetector(null: null)
        var staggered = StaggeredBinCountDetector(null: null)
        for _ in 0..<100 {
            detector.absorb([0, 0, 0])
            staggered.absorb([0, 0, 0])
        }

        #expect(detector.value == 0)
        #expect(staggered.value == 0)
    }

    /// Ten thousand quiet runs of six windows.
    @Test func `quiet windows alarm as seldom as promised`() {
        var random = SeededGenerator(seed: 11)
        let alpha = 1.0 / 60
        var (alarms, staggeredAlarms) = (0, 0)
        let runs = 10_000
        let steps = 6
        // Windows come from a pool of 500, drawn with replacement: drawing rows is what takes time.
        let pool = (0..<500).map { _ in window(null.shares, 20, &random) }
        for _ in 0..<runs {
            var detector = BinCountDetector(null: null)
            var staggered = StaggeredBinCountDetector(null: null)
            for _ in 0..<steps {
                let counts = pool[Int(random.next() % 500)]
                detector.absorb(counts)
                if detector.value >= 1 / alpha {
                    alarms += 1
                    detector.reset()
                }
                staggered.absorb(counts)
                if staggered.value >= 1 / alpha {
                    staggeredAlarms += 1
                    staggered.reset()
                }
            }
        }
        let promised = alpha * Double(runs * steps)

        #expect(Double(alarms) <= promised + 3 * promised.squareRoot())
        #expect(Double(staggeredAlarms) <= promised + 3 * promised.squareRoot())
    }

    @Test func `a change is seen, sooner where starts are staggered`() {
        var random = SeededGenerator(seed: 12)
        var (detector, staggered) = (
            BinCountDetector(null: null), StaggeredBinCountDetector(null: null)
        )
        var (seen, staggeredSeen): (Int?, Int?) = (nil, nil)
        for step in 0..<60 {
            let shares = step < 20 ? null.shares : [0.23, 0.3, 0.47]
            let counts = window(shares, 400, &random)
            detector.absorb(counts)
            staggered.absorb(counts)
            if seen == nil, detector.value >= 500 { seen = step }
            if staggeredSeen == nil, staggered.value >= 500 { staggeredSeen = step }
        }

        #expect((20..<60).contains(staggeredSeen ?? .max))
        #expect((seen ?? 60) >= (staggeredSeen ?? 60))
    }

    @Test func `starts stay few, old ones among them`() {
        var staggered = StaggeredBinCountDetector(null: null)
        for _ in 0..<300 { staggered.absorb([2, 3, 5]) }

        #expect(staggered.starts.count <= 2 * 9)
        #expect(staggered.starts.first?.step == 0)
        #expect(staggered.starts.first?.counts == [600, 900, 1_500])
    }
}

@Suite struct ConformalMartingaleTests {
    @Test func `three p-values give the formula's value`() {
        var martingale = PowerMartingale(gridCount: 1_000)
        for p in [0.01, 0.02, 0.3] { martingale.absorb(p) }

        #expect(abs(exp(martingale.logValue) - 11.0558) < 1e-4)
    }

    @Test func `a p-value of 0 is only a very small one`() {
        var martingale = PowerMartingale()
        var detector = PowerDetector()
        martingale.absorb(0)
        detector.absorb(0)

        #expect(martingale.logValue.isFinite)
        #expect(martingale.logValue > 10)
        #expect(detector.value > 1e6)
        detector.reset()
        #expect(detector.value == 0)
    }

    @Test func `a score is placed in its own class`() {
        var calibration = ConformalCalibration(scores: [[1, 2, 3], [10, 20]])

        #expect(calibration.pValue(score: 2, seasonClass: 0, uniform: 0.5) == (1 + 0.5 * 2) / 4)
        #expect(calibration.pValue(score: 30, seasonClass: 1, uniform: 0) == 0)
        #expect(calibration.scores == [[1, 2, 3, 2], [10, 20, 30]])
        #expect(calibration.pValue(score: 0, seasonClass: 0, uniform: 0.25) == 4.25 / 5)
    }

    @Test func `the pool is bounded`() {
        var calibration = ConformalCalibration(scores: [[]])
        for step in 0..<1_100 {
            _ = calibration.pValue(score: Double(step), seasonClass: 0, uniform: 0.5)
        }

        #expect(calibration.scores[0].count == ConformalCalibration.scoreCountMax)
        #expect(calibration.scores[0].first == 76)
    }

    /// All orders of five scores: the last one's place is uniform.
    @Test func `exchangeable windows have uniform places`() {
        for uniform in [0.0, 0.3, 0.99] {
            var places: [Double] = []
            for last in 0..<5 {
                var others = [0.0, 1, 2, 3, 4]
                let score = others.remove(at: last)
                var calibration = ConformalCalibration(scores: [others])
                places.append(
                    calibration.pValue(score: score, seasonClass: 0, uniform: uniform))
            }

            #expect(places.sorted() == (0..<5).map { (Double($0) + uniform) / 5 })
        }
    }

    /// Ten thousand quiet runs.
    @Test func `the martingale seldom reaches 1 by alpha, and a change makes it`() {
        var random = SeededGenerator(seed: 21)
        var (crossed, alarms) = (0, 0)
        let (runs, steps) = (10_000, 12)
        for _ in 0..<runs {
            var martingale = PowerMartingale(gridCount: 8)
            var detector = PowerDetector(gridCount: 8)
            var isCrossed = false
            for _ in 0..<steps {
                let p = Double.random(in: 0..<1, using: &random)
                martingale.absorb(p)
                detector.absorb(p)
                if martingale.logValue >= log(10) { isCrossed = true }
                if detector.value >= 60 {
                    alarms += 1
                    detector.reset()
                }
            }
            if isCrossed { crossed += 1 }
        }

        #expect(Double(crossed) / Double(runs) <= 0.1 + 3 * (0.09 / Double(runs)).squareRoot())
        let promised = Double(runs * steps) / 60
        #expect(Double(alarms) <= promised + 3 * promised.squareRoot())

        var changed = PowerMartingale()
        for _ in 0..<8 { changed.absorb(0.01) }
        #expect(changed.logValue > log(1_000))
    }

    @Test func `the seeded number of a window is the same at every replay`() {
        let numbers = (0..<1_000).map { seededUniform(seed: 7, index: $0) }

        #expect(numbers == (0..<1_000).map { seededUniform(seed: 7, index: $0) })
        #expect(numbers.allSatisfy { (0..<1).contains($0) })
        #expect(abs(numbers.reduce(0, +) / 1_000 - 0.5) < 0.03)
        #expect(numbers[0] != seededUniform(seed: 8, index: 0))
    }
}
