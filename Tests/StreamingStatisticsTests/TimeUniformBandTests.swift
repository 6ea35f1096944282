import Glibc
import MonitoringTestSupport
import StreamingStatistics
import Testing

@Suite struct TimeUniformBandTests {
    @Test(arguments: [
        (0.1, 7.622974), (0.05, 8.122719), (0.025, 8.622649), (0.01, 9.283543), (0.005, 9.783365),
        (0.001, 10.943071), (1e-4, 12.599402), (1e-5, 14.251931), (1e-6, 15.900662),
    ])
    func `the constant is the solver's`(alpha: Double, constant: Double) {
        let band = TimeUniformBand(alpha: alpha, countMin: 100)

        #expect(abs(band.constant - constant) < 1e-6)
        // The paper's closed form, from 7 on.
        #expect(alpha <= 1_612 * exp(-1.25 * band.constant))
    }

    @Test(arguments: [(UInt64(1_000), 0.082048), (10_000, 0.026672), (1_000_000, 0.002747)])
    func `the width is the reference library's`(count: UInt64, width: Double) {
        let band = TimeUniformBand(alpha: 0.05, countMin: 100)

        #expect(abs(band.width(at: count) - width) < 1e-6)
    }

    @Test func `before the first size the band says nothing`() {
        let band = TimeUniformBand(alpha: 0.05, countMin: 100)

        #expect(band.width(at: 99) == 1)
        #expect(band.width(at: 0) == 1)
        #expect(massartWidth(count: 0, alpha: 0.05) == 1)
    }

    @Test func `the constant grows as the level falls, down to levels of many features`() {
        var last = 0.0
        for exponent in 1...40 {
            let band = TimeUniformBand(alpha: pow(10, -Double(exponent)), countMin: 1)

            #expect(band.constant > last)
            last = band.constant
        }
    }

    @Test func `the width of the reference is Massart's`() {
        #expect(abs(massartWidth(count: 20_000, alpha: 0.025) - 0.010467) < 1e-6)
    }

    @Test func `the lower bound is the distance less both widths, and never below 0`() {
        let bound = DistanceLowerBound(alpha: 0.05, referenceCount: 20_000, countMin: 100)
        let width = bound.band.width(at: 10_000) + bound.referenceWidth

        #expect(abs(bound.referenceWidth - 0.010467) < 1e-6)
        #expect(abs(bound.lowerBound(distance: 0.1, count: 10_000) - (0.1 - width)) < 1e-15)
        #expect(bound.lowerBound(distance: width / 2, count: 10_000) == 0)
        #expect(bound.lowerBound(distance: 1, count: 1) == 0)
    }

    /// A guarantee for ever, tested at every row of 10,000 walks.
    @Test func `without a change the band is left seldom`() {
        let alpha = 0.1
        let band = TimeUniformBand(alpha: alpha, countMin: 5)
        var random = SeededGenerator(seed: 3)
        var missed = 0
        let walkCount = 10_000
        for _ in 0..<walkCount {
            var counts = [0, 0, 0]
            var isMissed = false
            for row in 1...40 {
                counts[Int(random.next() % 3)] += 1
                let n = Double(row)
                let distance = max(
                    abs(Double(counts[0]) / n - 1.0 / 3),
                    abs(Double(counts[0] + counts[1]) / n - 2.0 / 3))
                if distance > band.width(at: UInt64(row)) { isMissed = true }
            }
            if isMissed { missed += 1 }
        }

        #expect(
            Double(missed) / Double(walkCount) <= alpha + 3
                * (0.09 / Double(walkCount)).squareRoot())
    }
}
