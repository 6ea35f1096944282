import MonitoringTestSupport
import StreamingStatistics
import Testing

/// The expected values are mpmath's with 40 digits, those of `regularizedBeta` with large arguments SciPy's.
@Suite struct SpecialFunctionsTests {
    private static let betas = [
        (0.5, 0.5, 1.1447298858494), (2, 3, -2.484906649788), (1e-3, 5, 6.905672657062075),
        (3, 20, -8.438149984075785), (0.25, 1e6, -2.165855021042983),
        (12, 15, -18.56817273238943), (100, 1e6, -1022.421800262685),
        (1e8, 2e8, -190_954_258.5771131), (10, 10, -13.73622922703655),
    ]

    @Test(arguments: betas)
    func `the logarithm of the beta function`(a: Double, b: Double, expected: Double) {
        #expect(isClose(logBeta(a, b), expected, 2e-15))
        #expect(logBeta(a, b) == logBeta(b, a))
    }

    /// Rows of (a, x, P, Q).
    private static let gammas = [
        (0.5, 0.3, 0.5614219739190001, 0.4385780260809999),
        (1e-3, 1e-5, 0.9891230446957827, 0.01087695530421733),
        (3, 0.01, 1.654216528074877e-7, 0.9999998345783472),
        (10, 10, 0.5420702855281478, 0.4579297144718522),
        (50, 80, 0.9998692160234086, 0.0001307839765914103),
        (50, 20, 1.245892607971938e-8, 0.9999999875410739),
        (1_000, 1_010, 0.6276789447369947, 0.3723210552630053),
        (5_000, 5_400, 0.999999982793368, 1.720663196323987e-8),
        (200_000.5, 200_700, 0.9409799279943184, 0.05902007200568165),
        (1e6, 998_000, 0.0226961140067368, 0.9773038859932632),
        (1e6, 1_003_000, 0.9986382593537824, 0.001361740646217591),
        (4e7, 40_012_345, 0.9745171118642291, 0.02548288813577093),
        (1e9, 1e9, 0.5000042052208701, 0.4999957947791299),
        (2e6, 1_988_000, 9.311509957074388e-18, 1),
        (2, 0, 0, 1), (2, .infinity, 1, 0),
    ]

    @Test(arguments: gammas)
    func `both tails of the incomplete gamma function`(
        a: Double, x: Double, lower: Double, upper: Double
    ) {
        #expect(abs(regularizedLowerGamma(a, x) - lower) <= 1e-12 * lower)
        #expect(abs(regularizedUpperGamma(a, x) - upper) <= 1e-12 * upper)
    }

    @Test func `the two ways for large arguments meet where they change`() {
        let below = 1e6.nextDown
        for x in stride(from: 0.99e6, through: 1.01e6, by: 1e3) {
            let (one, other) = (regularizedUpperGamma(below, x), regularizedUpperGamma(1e6, x))
            #expect(abs(one - other) <= 1e-11 * other, "at \(x)")
        }
    }

    private static let incompleteBetas = [
        (0.3, 2, 3, 0.3483), (0.01, 0.5, 0.5, 0.06376856085851985),
        (0.9, 5, 1.5, 0.7761721343162157), (0.5, 1_000, 1_100, 0.9854830182565296),
        (0, 2, 3, 0), (1, 2, 3, 1),
        (0.1005, 1e5, 9e5, 0.9520529191882144), (0.2, 3, 1e4, 1),
        (1e-4, 3, 1e4, 0.08032899086535365), (0.999, 200, 0.1, 0.1207086809991783),
    ]

    @Test(arguments: incompleteBetas)
    func `the incomplete beta function`(x: Double, a: Double, b: Double, expected: Double) {
        #expect(abs(regularizedBeta(x, a, b) - expected) <= 1e-11 * expected)
    }

    private static let quantiles = [
        (0.025, -1.959963984540054), (0.3, -0.5244005127080408), (0.5, 0),
        (0.9, 1.281551565544601), (0.975, 1.959963984540054), (1e-5, -4.264890793922825),
        (1e-20, -9.262340089798408), (1e-300, -37.0470962993612),
        (0.4999999, -2.506628274703107e-7),
    ]

    @Test(arguments: quantiles)
    func `the normal quantile, far into the tail`(p: Double, expected: Double) {
        #expect(isClose(normalQuantile(p), expected, 1e-15))
        if p > 1e-10 { #expect(isClose(normalQuantile(1 - p), -expected, 1e-10)) }
        #expect(abs(normalDistribution(expected) - p) <= 1e-12 * p)
    }

    @Test func `the ends have their limits`() {
        #expect(normalQuantile(0) == -.infinity && normalQuantile(1) == .infinity)
        #expect(normalDistribution(-.infinity) == 0 && normalDistribution(.infinity) == 1)
        #expect(kolmogorovSurvival(-1) == 1 && kolmogorovSurvival(.infinity) == 0)
    }

    private struct SpecialVectors: Decodable {
        struct Limit: Decodable {
            let x: Double
            let expected: Double
        }
        struct Tail: Decodable {
            let x: Double
            let dof: Int
            let expected: Double
        }
        let kolmogorovSf: [Limit]
        let chi2Sf: [Tail]
    }

    @Test(.enabled(if: Vectors.areThere, "the reference values are not beside the repository"))
    func `the tails are the libraries'`() throws {
        let vectors = try Vectors.read("special", as: SpecialVectors.self)
        for row in vectors.kolmogorovSf {
            let found = kolmogorovSurvival(row.x)
            #expect(abs(found - row.expected) <= 1e-11 * row.expected, "\(row)")
        }
        for row in vectors.chi2Sf {
            let found = chiSquareSurvival(row.x, degreesOfFreedom: row.dof)
            #expect(abs(found - row.expected) <= 1e-11 * row.expected, "\(row)")
        }
    }

    private static let kolmogorov = [
        (0.2, 0.999999999999495), (0.3, 0.9999906941986654), (0.5, 0.9639452436648751),
        (0.8, 0.5441424115741981), (0.999, 0.2710731641150639), (1, 0.2699996716773545),
        (1.36, 0.04948587675537788), (2, 0.0006709252557796953), (5, 3.857499695927836e-22),
        (10, 2.767793053473475e-87),
    ]

    @Test(arguments: kolmogorov)
    func `the Kolmogorov tail by either series`(lambda: Double, expected: Double) {
        let found = kolmogorovSurvival(lambda)
        #expect(abs(found - expected) <= 4e-15 * (lambda < 1 ? 1 : expected))
    }
}
