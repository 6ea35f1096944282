import Glibc
import MonitoringTestSupport
import StreamingStatistics
import Testing

@Suite struct MovingPairsTests {
    private static func counts(
        _ random: inout SeededGenerator, rows: Int, shift: Int = 0, binCount: Int = 10
    ) -> [UInt64] {
        var counts = [UInt64](repeating: 0, count: binCount)
        for _ in 0..<rows {
            counts[min(binCount - 1, Int.random(in: 0..<binCount, using: &random) + shift)] += 1
        }
        return counts
    }

    @Test func `two samples' p-value is the formula's, and 1 inside the tolerance`() throws {
        let one: [UInt64] = [50, 50]
        let other: [UInt64] = [120, 80]
        let distance = 0.1
        let scale = 1 / 10.0 + 1 / 200.0.squareRoot()

        let plain = twoSampleSharePValue(one, other, isOrdered: true, tolerance: 0)
        #expect(
            abs((plain ?? 0) - min(1, 4 * exp(-2 * distance * distance / scale / scale))) < 1e-12)
        let far: [UInt64] = [0, 4_000]
        let found = twoSampleSharePValue(far, [400, 3_600], isOrdered: false, tolerance: 0.02)
        let excess = 0.08 / (2 / 4_000.0.squareRoot())
        #expect(abs((found ?? 0) / (8 * exp(-2 * excess * excess)) - 1) < 1e-12)
        #expect(twoSampleSharePValue(one, other, isOrdered: true, tolerance: 0.1) == 1)
        #expect(twoSampleSharePValue([0, 0], other, isOrdered: true, tolerance: 0) == nil)
    }

    @Test(arguments: [true, false])
    func `without a change it is small at most as often as it says`(isOrdered: Bool) {
        var random = SeededGenerator(seed: 8)
        var smallCount = 0
        let pairCount = 600
        for _ in 0..<pairCount {
            let pValue = twoSampleSharePValue(
                Self.counts(&random, rows: 40), Self.counts(&random, rows: 90),
                isOrdered: isOrdered, tolerance: 0)
            if let pValue, pValue <= 0.2 { smallCount += 1 }
        }
        #expect(Double(smallCount) <= 0.2 * Double(pairCount))
    }

    private static func detector(_ null: BudgetedDetector.Null) -> BudgetedDetector {
        BudgetedDetector(
            streams: [
                DriftStream(
                    referenceCounts: [[UInt64](repeating: 1, count: 10)], isOrdered: true,
                    calibrationScores: null == .exchangeableWindows ? [[]] : [])
            ],
            level: BudgetLevel(alpha: 0.02, streamCount: 1, tolerance: 0, referenceAlpha: 0.01),
            null: null, seed: 3, isMoving: true)
    }

    @Test(arguments: [BudgetedDetector.Null.withinTolerance, .exchangeableWindows])
    func `a jump is named by the pair that holds it, in either phase, and is stored`(
        null: BudgetedDetector.Null
    ) throws {
        for jump in [60, 61] {
            var random = SeededGenerator(seed: UInt64(jump))
            var detector = Self.detector(null)
            var before: [UInt64]?
            var alarms: [Int] = []
            for index in 0..<120 {
                let counts = Self.counts(&random, rows: 400, shift: index >= jump ? 3 : 0)
                let window = DriftWindow(
                    index: UInt64(index), counts: [counts],
                    moving: DriftWindow.Moving(counts: [before], phase: index % 2))
                if detector.absorb(window).isAlarm { alarms.append(index) }
                before = counts
                if index == 50 {
                    var restored = Self.detector(null)
                    let isRestored = restored.restore(detector.state)
                    #expect(isRestored && restored == detector)
                }
            }
            #expect(alarms == [jump] || null == .exchangeableWindows && alarms.count <= 1)
            if null == .withinTolerance { #expect(alarms == [jump]) }
        }
    }

    @Test func `a window without an earlier one is no step`() {
        var random = SeededGenerator(seed: 9)
        var detector = Self.detector(.withinTolerance)

        let verdict = detector.absorb(
            DriftWindow(
                index: 1, counts: [Self.counts(&random, rows: 100)],
                moving: DriftWindow.Moving(counts: [nil], phase: 0)))

        #expect(verdict.streams[0].evidence == 0 && verdict.streams[0].distance == nil)
    }
}
