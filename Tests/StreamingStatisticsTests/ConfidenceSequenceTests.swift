import Glibc
import MonitoringTestSupport
import StreamingStatistics
import Testing

extension BetaBinomialSequence: Mergeable {}
extension MomentSums: Mergeable {}

/// True when both ends agree to the printed digits.
private func isEqual(
    _ found: (lower: Double, upper: Double), _ lower: Double, _ upper: Double
) -> Bool {
    abs(found.lower - lower) < 1e-6 && abs(found.upper - upper) < 1e-6
}

@Suite struct BetaBinomialSequenceTests {
    @Test(
        arguments: [
            (700, 1_000, 100.0, 0.651629, 0.745949), (15, 50, 50, 0.129556, 0.511896),
            (1_000, 10_000, 1_000, 0.090509, 0.109975),
            (10_000, 100_000, 1_000, 0.096648, 0.103411),
        ] as [(UInt64, UInt64, Double, Double, Double)])
    func `the interval is the reference library's`(
        successes: UInt64, count: UInt64, optimalCount: Double, lower: Double, upper: Double
    ) {
        var sequence = BetaBinomialSequence(optimalCount: optimalCount)

        sequence.absorb(successes: successes, of: count)

        #expect(isEqual(sequence.interval(alpha: 0.05), lower, upper))
    }

    @Test func `the ends are where the evidence is 1 by alpha`() {
        var sequence = BetaBinomialSequence(optimalCount: 100)
        sequence.absorb(successes: 700, of: 1_000)

        let ends = sequence.interval(alpha: 0.05)

        #expect(abs(sequence.logEValue(against: ends.lower) - log(20)) < 1e-6)
        #expect(abs(sequence.logEValue(against: ends.upper) - log(20)) < 1e-6)
        #expect(sequence.logEValue(against: 0.7) < 0)
    }

    @Test func `without rows nothing is known`() {
        let sequence = BetaBinomialSequence(optimalCount: 10)

        #expect(isEqual(sequence.interval(alpha: 0.05), 0, 1))
        #expect(sequence.logEValue(against: 0.3) == 0)
    }

    @Test(arguments: UInt64(0)..<16)
    func `it merges`(seed: UInt64) {
        var random = SeededGenerator(seed: seed)
        let rows = (0..<200).map { _ in Double(random.next() % 257) / 256 }

        checkMergeLaws(
            BetaBinomialSequence(optimalCount: 100), rows, cuts: randomCuts(200, &random)
        ) { $0.absorb($1) }
    }

    /// Exact: the mean of the e-value over all outcomes of n rows is 1.
    @Test(arguments: [1, 2, 7, 30])
    func `under its null the mean of the evidence is 1`(count: Int) {
        let mean = 0.3
        var total = 0.0
        for successes in 0...count {
            var sequence = BetaBinomialSequence(optimalCount: 20)
            sequence.absorb(successes: UInt64(successes), of: UInt64(count))
            let (n, s) = (Double(count), Double(successes))
            let ways: Double = lgamma(n + 1) - lgamma(s + 1) - lgamma(n - s + 1)
            let chance = s * log(mean) + (n - s) * log(1 - mean)
            total += exp(ways + chance + sequence.logEValue(against: mean))
        }

        #expect(abs(total - 1) < 1e-9)
    }
}

@Suite struct EmpiricalBernsteinSequenceTests {
    @Test func `the interval is the formula's after 100 and 300 rows`() {
        var sequence = EmpiricalBernsteinSequence(alpha: 0.05)
        let rows: [Double] = [0, 1, 0, 0, 0, 1, 0, 0, 0, 0]

        #expect(isEqual(sequence.interval, 0, 1))
        for _ in 0..<10 { for row in rows { sequence.absorb(row) } }
        #expect(isEqual(sequence.interval, 0.059385, 0.349201))
        for _ in 0..<20 { for row in rows { sequence.absorb(row) } }
        #expect(isEqual(sequence.interval, 0.119197, 0.287039))
    }

    @Test func `a replay from a window on is bit-identical`() {
        var random = SeededGenerator(seed: 5)
        let rows = (0..<400).map { _ in Double.random(in: 0...1, using: &random) }
        var straight = EmpiricalBernsteinSequence(alpha: 0.05)
        var kept = straight
        for (index, row) in rows.enumerated() {
            if index == 250 { kept = straight }
            straight.absorb(row)
        }
        for row in rows[250...] { kept.absorb(row) }

        #expect(kept == straight)
    }

    @Test func `the interval misses seldom, at any time`() {
        var random = SeededGenerator(seed: 9)
        var missed = 0
        for _ in 0..<400 {
            var sequence = EmpiricalBernsteinSequence(alpha: 0.1)
            var isMissed = false
            for _ in 0..<150 {
                sequence.absorb(random.next() % 5 == 0 ? 1 : 0)
                let ends = sequence.interval
                if ends.lower > 0.2 || ends.upper < 0.2 { isMissed = true }
            }
            if isMissed { missed += 1 }
        }

        #expect(Double(missed) / 400 <= 0.1 + 3 * (0.09 / 400).squareRoot())
    }
}

@Suite struct GammaExponentialSequenceTests {
    private let mixture = GammaExponentialMixture(scale: 2, optimalVariance: 100)

    @Test func `the mixture is the reference library's`() {
        #expect(abs(mixture.logValue(sum: 10, variance: 100) - -0.2490165) < 1e-7)
        #expect(abs(mixture.bound(variance: 100, alpha: 0.05) - 33.02017) < 1e-5)
    }

    @Test func `the stitched bound is the reference library's`() {
        let bound = stitchedBound(variance: 100, varianceMin: 10, scale: 3, alpha: 0.05)

        #expect(abs(bound - 64.48755) < 1e-5)
    }

    @Test func `the bound is the root of the mixture`() {
        for variance in [0, 0.5, 10, 1_000, 1e6] {
            let bound = mixture.bound(variance: variance, alpha: 0.01)

            #expect(
                abs(mixture.logValue(sum: bound, variance: variance) - log(100)) < 1e-6,
                "\(variance)")
        }
    }

    @Test func `a window's variance is taken around the mean of earlier windows`() {
        var sequence = GammaExponentialSequence(
            mixture: GammaExponentialMixture(optimalVariance: 10))
        var (first, second) = (MomentSums(), MomentSums())
        for row in [0.25, 0.75, 0.5] { first.absorb(row) }
        for row in [1, 0.5] { second.absorb(row) }

        sequence.absorb(first)
        #expect(sequence.variance == 0.125)
        sequence.absorb(MomentSums())
        sequence.absorb(second)

        #expect(sequence.variance == 0.125 + 0.25)
        #expect(sequence.count == 5)
        let ends = sequence.interval(alpha: 0.05)
        #expect(ends.lower < 0.6 && 0.6 < ends.upper)
    }

    @Test func `the interval narrows to the mean and covers it`() {
        var random = SeededGenerator(seed: 2)
        var sequence = GammaExponentialSequence(
            mixture: GammaExponentialMixture(optimalVariance: 100))
        for _ in 0..<20 {
            var window = MomentSums()
            for _ in 0..<100 { window.absorb(Double.random(in: 0...1, using: &random)) }
            sequence.absorb(window)
        }
        let ends = sequence.interval(alpha: 0.05)

        #expect(ends.lower < 0.5 && 0.5 < ends.upper)
        #expect(ends.upper - ends.lower < 0.06)
    }

    @Test(arguments: UInt64(0)..<8)
    func `a window's sums merge`(seed: UInt64) {
        var random = SeededGenerator(seed: seed)
        let rows = (0..<200).map { _ in Double(random.next() % 257) / 256 }

        checkMergeLaws(MomentSums(), rows, cuts: randomCuts(200, &random)) { $0.absorb($1) }
    }
}

@Suite struct HarmfulShiftTests {
    private func test(_ tolerance: Double) -> HarmfulShiftTest {
        let upper = hoeffdingUpperBound(mean: 0.1, count: 20_000, alpha: 0.025)
        return HarmfulShiftTest(
            referenceRiskUpper: upper, tolerance: tolerance, alpha: 0.025, optimalCount: 1_000)
    }

    @Test func `a shift below the tolerance never becomes harmful with more rows`() {
        var test = test(0.05)
        for _ in 0..<100 {
            test.absorb(errors: 1_200, of: 10_000)
            #expect(!test.isHarmful)
        }
    }

    @Test func `a shift above it does`() {
        var test = test(0.05)
        test.absorb(errors: 600, of: 3_000)

        #expect(test.isHarmful)
        #expect(test.excess < 0.05)
    }

    @Test func `without rows nothing is harmful`() {
        #expect(!test(0).isHarmful)
        #expect(hoeffdingUpperBound(mean: 0, count: 0, alpha: 0.05) == 1)
    }
}

@Suite struct BoundedMetricsTests {
    @Test func `F1 is twice q by one plus q`() {
        let rows = [(true, true), (true, false), (false, true), (false, false), (true, true)]
        let values = rows.compactMap {
            BoundedMetrics.f1Row(isPredicted: $0.0, isPositive: $0.1)
        }
        let q = values.reduce(0, +) / Double(values.count)

        // Two true positives, one false one, one false negative.
        #expect(abs(BoundedMetrics.f1(truePositiveShare: q) - 2.0 / 3) < 1e-15)
        #expect(values.count == 4)
    }

    @Test func `a loss beyond its cap is clipped, and says so`() {
        #expect(BoundedMetrics.clipped(loss: 3, cap: 12) == (0.25, false))
        #expect(BoundedMetrics.clipped(loss: 13, cap: 12) == (1, true))
    }

    @Test func `the pairs' mean is the area under the curve`() {
        var random = SeededGenerator(seed: 4)
        var pairing = ScorePairing()
        var (sum, count) = (0.0, 0.0)
        for _ in 0..<20_000 {
            let isPositive = random.next() % 3 == 0
            let score = Double.random(in: 0...1, using: &random)
            // P(max of two uniforms > uniform) = 2/3.
            let other = Double.random(in: 0...1, using: &random)
            if let value = pairing.absorb(
                score: isPositive ? max(score, other) : score, isPositive: isPositive)
            {
                sum += value
                count += 1
            }
        }

        #expect(count > 6_000)
        #expect(abs(sum / count - 2.0 / 3) < 4 * 0.47 / count.squareRoot())
        #expect(pairing.waiting.count <= ScorePairing.waitingCountMax)
    }

    @Test func `pairs are made in order, with ties as halves`() {
        var pairing = ScorePairing()

        #expect(pairing.absorb(score: 0.2, isPositive: false) == nil)
        #expect(pairing.absorb(score: 0.7, isPositive: false) == nil)
        #expect(pairing.absorb(score: 0.2, isPositive: true) == 0.5)
        #expect(pairing.waiting == [0.7])
        #expect(pairing.absorb(score: 0.9, isPositive: true) == 1)
        #expect(pairing.absorb(score: 0.9, isPositive: true) == nil)
        #expect(pairing.absorb(score: 0.95, isPositive: false) == 0)
    }
}

@Suite struct CalibrationMartingaleTests {
    @Test func `predictions that are right gain little, wrong ones much, on their side`() {
        var (right, low) = (CalibrationMartingale(), CalibrationMartingale())
        for index in 0..<600 {
            right.absorb(predicted: 0.3, isPositive: index % 10 < 3)
            low.absorb(predicted: 0.2, isPositive: index % 10 < 3)
        }

        #expect(right.logValue < 0)
        #expect(low.logValue > log(100))
        #expect(low.logValueOfUnderestimation > log(100))
        #expect(low.logValueOfOverestimation < 0)
    }

    @Test func `a row's factors have mean 1 under the prediction`() {
        for predicted in [0, 0.1, 0.5, 0.97, 1] {
            var (yes, no) = (CalibrationMartingale(), CalibrationMartingale())
            yes.absorb(predicted: predicted, isPositive: true)
            no.absorb(predicted: predicted, isPositive: false)

            let mean = predicted * exp(yes.logValue) + (1 - predicted) * exp(no.logValue)
            #expect(abs(mean - 1) < 1e-12)
        }
    }

    @Test func `parts merge`() {
        var (whole, part) = (CalibrationMartingale(), CalibrationMartingale())
        var rest = part
        for index in 0..<100 {
            let (p, y) = (Double(index) / 100, index % 3 == 0)
            whole.absorb(predicted: p, isPositive: y)
            if index < 40 {
                part.absorb(predicted: p, isPositive: y)
            } else {
                rest.absorb(predicted: p, isPositive: y)
            }
        }
        part.merge(rest)

        #expect(part.count == whole.count)
        #expect(abs(part.logValue - whole.logValue) < 1e-12)
    }
}
