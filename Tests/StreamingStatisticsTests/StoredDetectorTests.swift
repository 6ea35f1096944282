import MonitoringTestSupport
import StreamingStatistics
import Testing

/// A detector that was stored goes on as if it had not been.
@Suite struct StoredDetectorTests {
    /// Errors whose rate jumps in the middle, so that something is reported on the way.
    private static func errors(seed: UInt64) -> [Double] {
        var random = SeededGenerator(seed: seed)
        return (0..<1_200).map { index in
            Double.random(in: 0..<1, using: &random) < (index < 600 ? 0.1 : 0.5) ? 1 : 0
        }
    }

    /// Compares a whole run with one that is stored and restored at several places.
    private func check<Detector>(
        _ make: () -> Detector, seed: UInt64,
        _ absorb: (inout Detector, Double) -> Bool, _ numbers: (Detector) -> [Double],
        _ restore: (inout Detector, [Double]) -> Bool
    ) -> Int {
        var (whole, stored) = (make(), make())
        var reportCount = 0
        for (index, value) in Self.errors(seed: seed).enumerated() {
            if index % 97 == 0 {
                var fresh = make()
                #expect(restore(&fresh, numbers(stored)))
                stored = fresh
            }
            let report = absorb(&whole, value)
            reportCount += report ? 1 : 0
            #expect(absorb(&stored, value) == report, "at \(index)")
        }
        #expect(numbers(whole) == numbers(stored))
        return reportCount
    }

    @Test(arguments: UInt64(0)..<4)
    func `each goes on bit for bit`(seed: UInt64) {
        #expect(
            check(
                { ADWIN() }, seed: seed, { $0.absorb($1) == .drift }, { $0.numbers },
                { $0.restore($1) }) > 0)
        #expect(
            check(
                { PageHinkley(threshold: 10) }, seed: seed, { $0.absorb($1) == .drift },
                { $0.numbers }, { $0.restore($1) }) > 0)
        #expect(
            check(
                { TabularCUSUM(mean: 0.1, deviation: 0.3) }, seed: seed, { $0.absorb($1) != nil },
                { $0.numbers }, { $0.restore($1) }) > 0)
        #expect(
            check(
                { DriftDetectionMethod() }, seed: seed, { $0.absorb(isError: $1 > 0) == .drift },
                { $0.numbers }, { $0.restore($1) }) > 0)
        #expect(
            check(
                { EarlyDriftDetectionMethod() }, seed: seed,
                { $0.absorb(isError: $1 > 0) == .drift }, { $0.numbers }, { $0.restore($1) }) > 0)
        #expect(
            check(
                { KSWIN() }, seed: seed, { $0.absorb($1) == .drift }, { $0.numbers },
                { $0.restore($1) }) > 0)
    }

    @Test(arguments: UInt64(0)..<60)
    func `numbers that no detector has are refused, or taken without a trap`(seed: UInt64) {
        var random = SeededGenerator(seed: seed)
        let odd = [Double.nan, .infinity, -1, 0.5, 1e300, 9e15, 0, 3]
        func damaged(_ numbers: [Double]) -> [Double] {
            var numbers = numbers
            let place = Int.random(in: 0...numbers.count, using: &random)
            if place == numbers.count || Bool.random(using: &random) {
                numbers.removeLast(numbers.count - place)
            } else {
                numbers[place] = odd.randomElement(using: &random) ?? 0
            }
            return numbers
        }
        var adwin = ADWIN()
        var hinkley = PageHinkley()
        var cusum = TabularCUSUM(mean: 0, deviation: 1)
        var ddm = DriftDetectionMethod()
        var eddm = EarlyDriftDetectionMethod()
        var kswin = KSWIN()
        let values = Self.errors(seed: seed).prefix(200)
        func run() {
            for value in values {
                _ = adwin.absorb(value)
                _ = hinkley.absorb(value)
                _ = cusum.absorb(value)
                _ = ddm.absorb(isError: value > 0)
                _ = eddm.absorb(isError: value > 0)
                _ = kswin.absorb(value)
            }
        }
        run()

        _ = adwin.restore(damaged(adwin.numbers))
        _ = hinkley.restore(damaged(hinkley.numbers))
        _ = cusum.restore(damaged(cusum.numbers))
        _ = ddm.restore(damaged(ddm.numbers))
        _ = eddm.restore(damaged(eddm.numbers))
        _ = kswin.restore(damaged(kswin.numbers))
        run()

        #expect(ADWIN().numbers.count == 6)
    }
}
