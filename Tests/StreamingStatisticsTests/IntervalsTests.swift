import MonitoringTestSupport
import StreamingStatistics
import Testing

@Suite struct IntervalsTests {
    /// (x, degrees of freedom, survival), from SciPy's `chi2.sf`.
    private static let chiSquare = [
        (0, 1, 1), (0.001, 1, 0.97477287937), (3.841458820694124, 1, 0.05),
        (10, 3, 0.018566135463), (5, 5, 0.415880186996), (100, 10, 5.44970198292e-17),
        (0.5, 20, 1), (40, 20, 0.00499541230831), (1_200, 4, 1.59288832836e-258),
        (200, 180, 0.146346174699), (-3, 2, 1), (.infinity, 2, 0),
    ]

    @Test(arguments: chiSquare)
    func `the chi-square tail is SciPy's`(x: Double, degrees: Int, expected: Double) {
        let found = chiSquareSurvival(x, degreesOfFreedom: degrees)
        #expect(abs(found - expected) <= 1e-11 * expected)
    }

    private struct Sequence: CustomTestStringConvertible {
        let sum: Double
        let count: Double
        let optimal: Double
        let lower: Double
        let upper: Double
        var testDescription: String { "\(sum) of \(count), tuned for \(optimal)" }
    }

    /// The first two are also in the tests of the authors' library, confseq.
    private static let sequences = [
        Sequence(sum: 700, count: 1_000, optimal: 100, lower: 0.651629, upper: 0.745949),
        Sequence(sum: 15, count: 50, optimal: 50, lower: 0.129556, upper: 0.511896),
        Sequence(sum: 1_000, count: 10_000, optimal: 1_000, lower: 0.090509, upper: 0.109975),
        Sequence(sum: 10_000, count: 100_000, optimal: 1_000, lower: 0.096648, upper: 0.103411),
    ]

    @Test(arguments: sequences)
    private func `the confidence sequence is the authors'`(row: Sequence) {
        let found = betaBinomialConfidenceSequence(
            successes: row.sum, count: row.count, alpha: 0.05, optimalCount: row.optimal)
        #expect(abs(found.lower - row.lower) < 1e-6)
        #expect(abs(found.upper - row.upper) < 1e-6)
        let other = betaBinomialConfidenceSequence(
            successes: row.count - row.sum, count: row.count, alpha: 0.05,
            optimalCount: row.optimal)
        #expect(abs(other.lower - (1 - found.upper)) < 1e-9)
    }

    @Test(arguments: [1, 10, 1_000, 1e6])
    func `all right or all wrong is within bounds`(count: Double) {
        let none = betaBinomialConfidenceSequence(
            successes: 0, count: count, alpha: 0.05, optimalCount: 1_000)
        #expect(none.lower == 0 && none.upper > 0 && none.upper <= 1)
        let all = betaBinomialConfidenceSequence(
            successes: count, count: count, alpha: 0.05, optimalCount: 1_000)
        #expect(all.upper == 1 && all.lower < 1 && all.lower >= 0)
        let nothing = betaBinomialConfidenceSequence(
            successes: 0, count: 0, alpha: 0.05, optimalCount: 1_000)
        #expect(nothing == (0, 1))
    }

    @Test func `the confidence sequence rarely misses, looked at after every hundred rows`() {
        var random = SeededGenerator(seed: 1)
        let (runCount, mean, alpha) = (400, 0.1, 0.1)
        var missCount = 0
        for _ in 0..<runCount {
            var sum = 0.0
            for row in 1...1_000 {
                sum += Double.random(in: 0..<1, using: &random) < mean ? 1 : 0
                guard row.isMultiple(of: 100) else { continue }
                let found = betaBinomialConfidenceSequence(
                    successes: sum, count: Double(row), alpha: alpha, optimalCount: 300)
                guard mean < found.lower || mean > found.upper else { continue }
                missCount += 1
                break
            }
        }
        // Three standard errors above alpha.
        let slack = 3 * (alpha * (1 - alpha) / Double(runCount)).squareRoot()
        #expect(Double(missCount) / Double(runCount) <= alpha + slack)
    }

    @Test func `Wilson's interval is the textbook's`() {
        let found = wilsonInterval(successes: 8, count: 10)
        #expect(isClose(found.lower, 0.490162, 1e-6) && isClose(found.upper, 0.943318, 1e-6))
        #expect(wilsonInterval(successes: 0, count: 0) == (0, 1))
        #expect(wilsonInterval(successes: 0, count: 5).lower == 0)
        #expect(wilsonInterval(successes: 5, count: 5).upper == 1)
    }
}
