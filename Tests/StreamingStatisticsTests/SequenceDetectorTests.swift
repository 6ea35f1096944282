import MonitoringTestSupport
import StreamingStatistics
import Testing

@Suite struct SequenceDetectorTests {
    private typealias Detector = SequenceDetector<BetaBinomialSequence>
    private static let rowCount: UInt64 = 100

    private static func absorb(
        _ successes: UInt64, _ detector: inout Detector, alpha: Double
    ) -> Detector.Verdict {
        detector.absorb(fresh: BetaBinomialSequence(optimalCount: 1_000)) { sequence in
            sequence.absorb(successes: successes, of: rowCount)
            return sequence.interval(alpha: alpha)
        }
    }

    private static func draw(_ chance: Double, _ random: inout SeededGenerator) -> UInt64 {
        var count: UInt64 = 0
        for _ in 0..<rowCount where Double.random(in: 0..<1, using: &random) < chance { count += 1 }
        return count
    }

    /// α = 1/20: without a change at least 20 windows on average; it is far more careful than it promises.
    @Test func `false alarms are rarer than promised, and a change is seen soon`() {
        var random = SeededGenerator(seed: 3)
        let rounds = 40
        var (falseAlarms, seen, delays) = (0, 0, 0)
        for _ in 0..<rounds {
            var detector = Detector(startCountMax: 8)
            for _ in 0..<20
            where Self.absorb(Self.draw(0.1, &random), &detector, alpha: 0.05) == .alarm {
                falseAlarms += 1
            }
            for window in 1...12
            where Self.absorb(Self.draw(0.3, &random), &detector, alpha: 0.05) == .alarm {
                seen += 1
                delays += window
                break
            }
        }
        // One in 20 windows would be 40; a detector that never fires would see no change.
        #expect(falseAlarms <= 4, "\(falseAlarms)")
        #expect(seen >= 38, "\(seen)")
        #expect(Double(delays) / Double(max(1, seen)) < 5, "\(delays)")
    }

    @Test func `the verdict is what is common to all intervals, by hand`() {
        var detector = SequenceDetector<Int>(startCountMax: 4)
        // Each sequence's interval is around the number of windows it has seen.
        func step(_ width: Double) -> SequenceDetector<Int>.Verdict {
            detector.absorb(fresh: 0) { count in
                count += 1
                return (Double(count) - width, Double(count) + width)
            }
        }
        #expect(step(2) == .quiet(lower: -1, upper: 3))
        #expect(step(1.5) == .quiet(lower: 0.5, upper: 2.5))
        // The oldest is above 2.9 now, the newest below 1.1.
        #expect(step(0.1) == .alarm)
        #expect(detector.runs.isEmpty)
        #expect(step(2) == .quiet(lower: -1, upper: 3))
    }

    @Test func `starts are bounded, and the oldest stays`() {
        var detector = SequenceDetector<Int>(startCountMax: 6)
        for window in 1...50 {
            let verdict = detector.absorb(fresh: 0) { count in
                count += 1
                return (0, 1)
            }
            #expect(verdict == .quiet(lower: 0, upper: 1))
            #expect(detector.runs.count <= 6)
            #expect(detector.runs.first?.sequence == window)
            #expect(detector.runs.last?.sequence == 1)
        }
    }
}
