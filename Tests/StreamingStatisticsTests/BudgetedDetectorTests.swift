import Glibc
import MonitoringTestSupport
import StreamingStatistics
import Testing

/// Draws rows of shares, one by one: the naive way, which the tests can afford.
private func drawn(
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

@Suite struct AlertBudgetTests {
    @Test func `one a quarter over day windows is a ninetieth a window`() throws {
        let tolerance = try #require(DriftTolerance(psi: 0.05, ks: 0.03))
        let budget = try #require(
            AlertBudget(falseAlarmCount: 1, per: .seconds(90 * 86_400), tolerance: tolerance))
        let day = budget.level(window: .seconds(86_400), streamCount: 20)
        let hour = budget.level(window: .seconds(3_600), streamCount: 20, sharerCount: 2)

        #expect(abs(day.alpha - 1.0 / 90) < 1e-15)
        #expect(abs(hour.alpha - 1.0 / 90 / 24 / 2) < 1e-15)
        #expect(abs(day.alarmValue() - 1_800) < 1e-9)
        #expect(abs(day.alarmValue(together: 4) - 450) < 1e-9)
        #expect(day.tolerance == 0.03)
        #expect(abs(day.referenceAlpha - 0.0005) < 1e-18)
        let ordered = day.radius(referenceCount: 20_000, binCount: 10, isOrdered: true)
        #expect(abs(ordered - 0.03 - massartWidth(count: 20_000, alpha: 0.0005)) < 1e-15)
        #expect(day.radius(referenceCount: 20_000, binCount: 10, isOrdered: false) > ordered)
        #expect(day.radius(referenceCount: 0, binCount: 10, isOrdered: true) == 0.999)
    }

    @Test func `all windows together spend the budget once`() throws {
        let budget = try #require(AlertBudget(falseAlarmCount: 3, per: .seconds(30 * 86_400)))
        let spans: [Duration] = [.seconds(3_600), .seconds(86_400), .seconds(7 * 86_400)]

        let total = spans.reduce(0) {
            let level = budget.level(window: $1, streamCount: 7, sharerCount: spans.count)
            return $0 + level.alpha * (budget.period / $1)
        }

        #expect(abs(total - 3) < 1e-12)
    }

    @Test func `a budget beyond one a window is one a window`() throws {
        let budget = try #require(AlertBudget(falseAlarmCount: 50, per: .seconds(60)))

        #expect(budget.level(window: .seconds(60), streamCount: 1).alpha == 1)
        #expect(AlertBudget(falseAlarmCount: 0, per: .seconds(60)) == nil)
        #expect(AlertBudget(falseAlarmCount: 1, per: .zero) == nil)
        #expect(AlertBudget(falseAlarmCount: .nan, per: .seconds(60)) == nil)
    }

    @Test(
        arguments: [
            (nil, nil, 0), (0.05, nil, 0.1118033988749895), (nil, 0.03, 0.03), (0.05, 0.03, 0.03),
            (0.0004, 0.03, 0.01), (100, nil, 0.999),
        ] as [(Double?, Double?, Double)])
    func `the tolerance is the smaller distance`(psi: Double?, ks: Double?, distance: Double) throws
    {
        let tolerance = try #require(DriftTolerance(psi: psi, ks: ks))

        #expect(abs(tolerance.distance - distance) < 1e-15)
    }

    @Test func `a tolerance that is no number is none`() {
        #expect(DriftTolerance(psi: -1) == nil)
        #expect(DriftTolerance(ks: .nan) == nil)
        #expect(DriftTolerance(ks: 1) == nil)
        #expect(DriftTolerance.none.distance == 0)
    }

    /// PSI is at least four times the squared distance: what the translation rests on.
    @Test(arguments: UInt64(0)..<64)
    func `no shares of a small PSI are farther apart than the tolerance says`(seed: UInt64) throws {
        var random = SeededGenerator(seed: seed)
        let (p, q) = (
            (0..<6).map { _ in Double.random(in: 0.01...1, using: &random) },
            (0..<6).map { _ in Double.random(in: 0.01...1, using: &random) }
        )
        let (n, m) = (p.reduce(0, +), q.reduce(0, +))
        let psi = zip(p, q).reduce(0) { $0 + ($1.0 / n - $1.1 / m) * log($1.0 / n * m / $1.1) }
        let variation = zip(p, q).reduce(0) { $0 + abs($1.0 / n - $1.1 / m) / 2 }

        let tolerance = try #require(DriftTolerance(psi: psi))

        #expect(variation <= tolerance.distance + 1e-12)
    }
}

@Suite struct CumulativeShareDetectorTests {
    private let shares = [0.2, 0.3, 0.4, 0.1]

    /// Exact: all outcomes of three rows in three bins over two windows.
    @Test(arguments: [true, false])
    func `at the reference's shares the mean of the value is the number of windows`(
        isOrdered: Bool
    ) {
        let shares = [0.2, 0.3, 0.5]
        let start = CumulativeShareDetector(shares: shares, radius: 0, isOrdered: isOrdered)
        let rows = 3
        var outcomes: [(counts: [UInt64], chance: Double)] = []
        for a in 0...rows {
            for b in 0...(rows - a) {
                let counts = [a, b, rows - a - b]
                var chance = 6.0
                for (count, share) in zip(counts, shares) {
                    chance *= pow(share, Double(count)) / tgamma(Double(count) + 1)
                }
                outcomes.append((counts.map { UInt64($0) }, chance))
            }
        }
        var total = 0.0
        for first in outcomes {
            for second in outcomes {
                var detector = start
                detector.absorb(first.counts)
                detector.absorb(second.counts)
                total += first.chance * second.chance * detector.value
            }
        }

        #expect(abs(total - 2) < 1e-9)
    }

    @Test func `a change within the tolerance is none, however many rows show it`() {
        var detector = CumulativeShareDetector(shares: shares, radius: 0.05, isOrdered: true)
        for _ in 0..<200 {
            detector.absorb([2_400, 3_000, 3_600, 1_000])
            #expect(detector.value < 1_000)
        }
    }

    @Test func `a change beyond it is seen within a few windows`() {
        for isOrdered in [true, false] {
            var detector = CumulativeShareDetector(
                shares: shares, radius: 0.03, isOrdered: isOrdered)
            for _ in 0..<3 { detector.absorb([2_500, 3_000, 3_500, 1_000]) }

            #expect(detector.value > 1_000, "\(isOrdered)")
        }
    }

    @Test func `a window without rows is no step, one bin is never off`() {
        var detector = CumulativeShareDetector(shares: shares, radius: 0, isOrdered: true)
        detector.absorb([0, 0, 0, 0])
        #expect(detector.value == 0)

        var single = CumulativeShareDetector(shares: [1], radius: 0, isOrdered: true)
        single.absorb([100])
        #expect(single.value == 0)
    }

    @Test func `the distance is over prefixes where bins are ordered`() {
        let (one, other): ([UInt64], [UInt64]) = ([1, 1, 0], [0, 1, 1])

        #expect(CumulativeShareDetector.distance(one, other, isOrdered: true) == 0.5)
        #expect(CumulativeShareDetector.distance([2, 0, 0], [0, 1, 1], isOrdered: false) == 1)
        #expect(CumulativeShareDetector.distance([0, 0, 0], other, isOrdered: true) == nil)
    }
}

@Suite struct BudgetedDetectorTests {
    private let shares = [0.1, 0.2, 0.4, 0.3]
    private let level = BudgetLevel(
        alpha: 1.0 / 20, streamCount: 4, tolerance: 0, referenceAlpha: 0.0025)

    private func stream(_ random: inout SeededGenerator, classes: Int = 1) -> DriftStream {
        let references = (0..<classes).map { _ in drawn(shares, 4_000, &random) }
        let plain = DriftStream(referenceCounts: references, isOrdered: true)
        let scores = (0..<classes).map { seasonClass in
            (0..<15).compactMap { _ in
                plain.score(drawn(shares, 100, &random), seasonClass: seasonClass)
            }
        }
        return DriftStream(
            referenceCounts: references, isOrdered: true, calibrationScores: scores)
    }

    private func detector(
        _ null: BudgetedDetector.Null, _ random: inout SeededGenerator, classes: Int = 1
    ) -> BudgetedDetector {
        let streams = (0..<4).map { _ in stream(&random, classes: classes) }
        return BudgetedDetector(streams: streams, level: level, null: null, seed: 5)
    }

    private func windows(
        _ range: Range<UInt64>, _ random: inout SeededGenerator, classes: UInt64 = 1,
        shifted: [Double]? = nil
    ) -> [DriftWindow] {
        range.map { index in
            let counts = (0..<4).map { stream -> [UInt64]? in
                if random.next() % 10 == 0 { return nil }
                return drawn(stream == 1 ? shifted ?? shares : shares, 100, &random)
            }
            return DriftWindow(
                index: index, counts: counts, seasonClass: Int(index % classes))
        }
    }

    @Test(arguments: BudgetedDetector.Null.allCases)
    func `quiet streams alarm within the budget, a change names its stream`(
        null: BudgetedDetector.Null
    ) {
        var random = SeededGenerator(seed: 17)
        var (alarms, windowCount) = (0, 0)
        var caught = 0
        for _ in 0..<30 {
            var detector = detector(null, &random)
            for window in windows(0..<20, &random) {
                if detector.absorb(window).isAlarm { alarms += 1 }
                windowCount += 1
            }
            var named: [Int] = []
            for window in windows(20..<40, &random, shifted: [0.3, 0.3, 0.3, 0.1]) {
                named += detector.absorb(window).named
            }
            if named.contains(1) { caught += 1 }
        }
        let promised = level.alpha * Double(windowCount)

        #expect(Double(alarms) <= promised + 3 * promised.squareRoot())
        #expect(caught >= 25, "\(caught) of 30")
    }

    @Test(arguments: BudgetedDetector.Null.allCases)
    func `a stored state goes on bit-identically`(null: BudgetedDetector.Null) {
        var random = SeededGenerator(seed: 23)
        let fresh = detector(null, &random, classes: 2)
        let all = windows(0..<30, &random, classes: 2, shifted: [0.2, 0.2, 0.3, 0.3])
        var straight = fresh
        for window in all[..<12] { _ = straight.absorb(window) }
        var restored = fresh

        let isRestored = restored.restore(straight.state)
        #expect(isRestored)
        #expect(restored == straight)
        for window in all[12...] {
            let (one, other) = (restored.absorb(window), straight.absorb(window))
            #expect(one == other)
        }
    }

    @Test(arguments: BudgetedDetector.Null.allCases)
    func `a state of another shape or of no number is refused`(null: BudgetedDetector.Null) {
        var random = SeededGenerator(seed: 29)
        var detector = detector(null, &random)
        let before = detector
        var fewer = detector.state
        fewer.values.removeLast()
        var short = detector.state
        short.values[0].removeLast()
        var broken = detector.state
        broken.values[0][0] = .nan
        var scored = detector.state
        scored.scores[0].append([1])

        for state in [fewer, short, broken, scored] {
            let isRestored = detector.restore(state)
            #expect(!isRestored)
        }
        #expect(detector == before)
    }

    @Test(arguments: BudgetedDetector.Null.allCases)
    func `late rows restate a window and all after it, as if they had come in time`(
        null: BudgetedDetector.Null
    ) {
        var random = SeededGenerator(seed: 31)
        let fresh = detector(null, &random)
        let all = windows(0..<25, &random, shifted: [0.15, 0.2, 0.4, 0.25])
        var late = all
        late[18] = DriftWindow(
            index: 18, counts: [[5, 5, 5, 5], [60, 20, 10, 10], nil, [1, 2, 3, 4]])
        var history = BudgetedHistory(fresh, retainedCountMax: 10)
        for window in all { _ = history.absorb(window) }
        var inTime = BudgetedHistory(fresh, retainedCountMax: 10)
        let verdicts = late.map { inTime.absorb($0) }

        let restated = history.restate(late[18])
        #expect(restated == Array(verdicts[18...]))
        #expect(history == inTime)
        let tooOld = history.restate(all[14])
        #expect(tooOld == nil)
        #expect(history == inTime)
    }

    @Test(arguments: BudgetedDetector.Null.allCases)
    func `several windows are restated at once, also ones that were not there`(
        null: BudgetedDetector.Null
    ) {
        var random = SeededGenerator(seed: 37)
        let fresh = detector(null, &random)
        let all = windows(0..<12, &random, shifted: [0.15, 0.2, 0.4, 0.25])
        var history = BudgetedHistory(fresh, retainedCountMax: 10)
        for window in all where ![3, 6, 11].contains(window.index) { _ = history.absorb(window) }
        var inTime = BudgetedHistory(fresh, retainedCountMax: 10)
        let verdicts = all.map { inTime.absorb($0) }

        let restated = history.restate([all[11], all[3], all[6], all[7]])

        #expect(restated == verdicts)
        #expect(history == inTime)
    }

    @Test func `a verdict says how far the window is, and what is certain of it`() {
        var detector = BudgetedDetector(
            streams: [DriftStream(referenceCounts: [[5_000, 5_000]], isOrdered: true)],
            level: level, null: .withinTolerance)

        let verdict = detector.absorb(DriftWindow(index: 0, counts: [[700, 300]]))
        let stream = verdict.streams[0]

        #expect(abs((stream.distance ?? 0) - 0.2) < 1e-12)
        let width =
            massartWidth(count: 1_000, alpha: 0.025) + massartWidth(count: 10_000, alpha: 0.025)
        #expect(abs((stream.distanceLowerBound ?? 0) - (0.2 - width)) < 1e-12)
        #expect(verdict.isAlarm && verdict.named == [0])

        let empty = detector.absorb(DriftWindow(index: 1, counts: [nil]))
        #expect(empty.streams[0].distance == nil)
        #expect(empty.streams[0].distanceLowerBound == nil)
        #expect(empty.streams[0].evidence == 0)
    }
}
