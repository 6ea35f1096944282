import Foundation
import StreamingStatistics
import Testing

@testable import LeewayBenchmarks

@Suite struct RandomnessTests {
    /// Against the exact chances, both where the sampler inverts and where it rejects.
    @Test(arguments: [(20, 0.05), (30, 0.9), (200, 0.1), (1_000, 0.5), (1_000, 0.03)])
    func `binomial numbers have the binomial's chances`(count: Int, chance: Double) {
        var random = Randomness(seed: 4)
        let drawnCount = 20_000
        var found = [Double](repeating: 0, count: count + 1)
        for _ in 0..<drawnCount { found[random.binomial(count, chance)] += 1 }

        var (statistic, degrees) = (0.0, -1)
        var (expectedRest, foundRest) = (0.0, 0.0)
        for k in 0...count {
            let (n, x) = (Double(count), Double(k))
            let ways = logGamma(n + 1) - logGamma(x + 1) - logGamma(n - x + 1)
            expectedRest +=
                Double(drawnCount)
                * exp(ways + x * log(chance) + (n - x) * log(1 - chance))
            foundRest += found[k]
            // Cells of at least 20 expected, so that the chi-square law is near.
            guard expectedRest >= 20 else { continue }
            statistic += (foundRest - expectedRest) * (foundRest - expectedRest) / expectedRest
            degrees += 1
            (expectedRest, foundRest) = (0, 0)
        }

        #expect(chiSquareSurvival(statistic, degreesOfFreedom: degrees) > 1e-4)
    }

    @Test func `a multinomial has all rows, in the chances' proportions`() {
        var random = Randomness(seed: 5)
        let chances = [0.5, 0, 0.2, 0.3]
        var sums = [UInt64](repeating: 0, count: 4)
        for _ in 0..<200 {
            let counts = random.multinomial(1_000, chances)
            #expect(counts.reduce(0, +) == 1_000)
            sums = zip(sums, counts).map(+)
        }

        #expect(sums[1] == 0)
        for (sum, chance) in zip(sums, chances) {
            #expect(abs(Double(sum) - 200_000 * chance) <= 4 * (200_000 * chance).squareRoot())
        }
    }

    @Test func `normal numbers have mean 0 and variance 1`() {
        var random = Randomness(seed: 6)
        let values = (0..<20_000).map { _ in random.normal() }

        #expect(abs(values.reduce(0, +) / 20_000) < 0.03)
        #expect(abs(values.reduce(0) { $0 + $1 * $1 } / 20_000 - 1) < 0.04)
    }
}

@Suite struct StationaryStreamsTests {
    @Test func `the whole is the sum of its segments, and a shift moves one of them`() {
        var streams = StationaryStreams(.segmented, rowCount: 5_000, seed: 4)
        let window = streams.window(0)
        #expect(window.counts.count == 120 && window.counts.count == streams.traffic.streamCount)
        for feature in 0..<20 {
            let slices = window.counts[6 * feature..<6 * feature + 6].map { $0 ?? [] }
            let sum = slices.dropFirst().reduce([UInt64](repeating: 0, count: 10)) {
                zip($0, $1).map(+)
            }
            #expect(slices[0] == sum && sum.reduce(0, +) == 5_000)
            // The first segment lies a deviation below the middle, the last one above.
            #expect(slices[1][0] > 3 * slices[5][0] && slices[5][9] > 3 * slices[1][9])
        }

        let moved = streams.shifted(window, .fivePoints)

        #expect(Array(moved.counts[6...]) == Array(window.counts[6...]))
        #expect(moved.counts[0]?.reduce(0, +) == 5_000)
    }

    @Test(arguments: [Traffic.independent, .autoregressive, .seasonal])
    func `quiet windows have the average chances, shifted ones are off`(traffic: Traffic) {
        var streams = StationaryStreams(traffic, rowCount: 500, seed: 3)
        let chances = streams.averageChances
        var (quiet, moved) = ([UInt64](repeating: 0, count: 10), [UInt64](repeating: 0, count: 10))
        for index in 0..<70 as Range<UInt64> {
            let window = streams.window(index)
            quiet = zip(quiet, window.counts[1] ?? []).map(+)
            moved = zip(moved, streams.shifted(window, .fivePoints).counts[0] ?? []).map(+)
        }

        #expect(abs(chances.reduce(0, +) - 1) < 1e-12)
        for (count, chance) in zip(quiet, chances) {
            #expect(abs(Double(count) / 35_000 - chance) < 0.02)
        }
        #expect(abs(Double(moved[0]) / 35_000 - chances[0] - 0.05) < 0.02)
        #expect(abs(Double(moved[9]) / 35_000 - chances[9] + 0.05) < 0.02)
    }
}

@Suite struct FalseAlarmBenchmarkTests {
    @Test func `promises are kept, the dummies stand out, changes are seen`() throws {
        let rows = FalseAlarmBenchmark.simulate(
            .independent, rowCount: 1_000, replicationCount: 2, seed: 1)
        let always = try #require(rows.first { $0.method.hasPrefix("always") })
        let never = try #require(rows.first { $0.method.hasPrefix("never") })
        let budgeted = try #require(rows.first { $0.method.hasSuffix("no tolerance") })

        #expect(always.falseAlarms == 90 && always.delayOfPoints == 1)
        #expect(never.falseAlarms == 0 && never.delayOfPoints == nil)
        #expect(always.isKept == nil)
        for row in rows { #expect(row.isKept != false, "\(row.method)") }
        #expect((budgeted.delayOfPoints ?? 90) <= 3)
        #expect((budgeted.delayOfDeviation ?? 90) <= 10)
        #expect(FalseAlarmBenchmark.table(rows).count == rows.count + 3)
        for row in rows {
            _ = try JSONSerialization.jsonObject(with: Data(row.json.utf8))
        }
    }

    @Test func `a promise is broken beyond three standard errors only`() {
        func row(_ falseAlarms: Double) -> FalseAlarmBenchmark.Row {
            FalseAlarmBenchmark.Row(
                traffic: "t", rowCount: 1, method: "m", promised: 1, falseAlarms: falseAlarms,
                standardError: 0.1, delayOfDeviation: nil, delayOfPoints: nil, replicationCount: 1)
        }

        #expect(row(1.25).isKept == true)
        #expect(row(1.35).isKept == false)
    }
}
