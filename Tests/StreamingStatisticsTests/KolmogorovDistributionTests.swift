import StreamingStatistics
import Testing

@Suite struct KolmogorovDistributionTests {
    /// (n, d, survival), from SciPy 1.17.1, `scipy.stats.kstwo.sf(d, n)`.
    private static let table: [(UInt64, Double, Double)] = [
        (1, 0.5, 1),
        (1, 0.6, 0.8),
        (1, 0.9, 0.2),
        (2, 0.3, 0.98),
        (2, 0.5, 0.5),
        (2, 0.8, 0.08),
        (9, 0.1, 0.999874284065),
        (9, 0.2, 0.798318115949),
        (9, 0.35, 0.172623840051),
        (9, 0.7, 6.05847099766e-05),
        (57, 0.05, 0.997508690626),
        (57, 0.12, 0.355971302996),
        (57, 0.2, 0.0178663777443),
        (57, 0.3, 4.79338990446e-05),
        (140, 0.03, 0.999254712306),
        (140, 0.08, 0.314807499116),
        (140, 0.125, 0.0229636659484),
        (140, 0.17, 0.000524610868752),
        (140, 0.3, 1.13702517107e-11),
        (141, 0.03, 0.999210760101),
        (141, 0.06, 0.667716079135),
        (141, 0.08, 0.310841708793),
        (141, 0.125, 0.0222547298987),
        (141, 0.2, 2.0276784224e-05),
        (990, 0.01, 0.999955014172),
        (990, 0.02, 0.815605696608),
        (990, 0.03, 0.328474784348),
        (990, 0.045, 0.0351799588491),
        (990, 0.06, 0.00153533903604),
        (990, 0.2, 3.48116718688e-35),
        (10000, 0.006, 0.862082247812),
        (10000, 0.01, 0.268219127703),
        (10000, 0.0148, 0.024781996158),
        (10000, 0.015, 0.0219941574242),
        (10000, 0.03, 2.97612119506e-08),
        (40000, 0.004, 0.542789696422),
        (40000, 0.006, 0.111801015203),
        (40000, 0.008, 0.0118879425822),
        (40000, 0.012, 1.96947623062e-05),
    ]

    @Test(arguments: table)
    func `the chance is SciPy's`(n: UInt64, d: Double, expected: Double) {
        let found = kolmogorovSurvival(d: d, n: n)
        // Beyond 20,000 values the tail is the limit's at a corrected argument.
        let tolerance = n > 20_000 && d > 0.0075 ? 1e-3 : n > 10_000 ? 1e-7 : 1e-9
        #expect(abs(found - expected) <= tolerance * expected, "\(found)")
    }

    @Test func `the chance falls with the distance, from 1 to 0`() {
        for n in [1, 3, 57, 140, 141, 1_000, 1_001, 5_000] as [UInt64] {
            let chances = (0...100).map { kolmogorovSurvival(d: Double($0) / 100, n: n) }
            #expect(chances.first == 1 && chances.last == 0)
            #expect(zip(chances, chances.dropFirst()).allSatisfy { $0 >= $1 - 1e-9 }, "\(n)")
        }
        #expect(kolmogorovSurvival(d: 0.5, n: 0) == 1)
    }

    @Test func `two samples count as one of their harmonic number of values`() {
        #expect(
            kolmogorovSmirnovPValue(d: 0.3, n: 30, m: 60) == kolmogorovSurvival(d: 0.3, n: 20))
        #expect(kolmogorovSmirnovPValue(d: 0.7, n: 1, m: 1) == kolmogorovSurvival(d: 0.7, n: 1))
    }
}
