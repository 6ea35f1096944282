import MonitoringDomain
import MonitoringTestSupport
import Testing

@testable import MonitorService

/// The wall clock against the monotonic one: T-1 to T-3.
@Suite struct ClockWatchTests {
    /// Looks twice a second at a wall clock that is off by what a test says.
    private struct Clocks {
        var watch = ClockWatch()
        /// The monotonic clock, in milliseconds.
        var passed: Int64 = 0
        /// By how much the wall clock is off.
        var offset: Int64 = 0
        private let start = ContinuousClock.now
        private let epoch = EventTime(milliseconds: 1_800_000_000_000)

        var instant: ContinuousClock.Instant { start + .milliseconds(passed) }
        var truth: EventTime { epoch.advanced(byMilliseconds: passed) }
        var wall: EventTime { truth.advanced(byMilliseconds: offset) }
        /// By how many milliseconds the believed time is off.
        var error: Int64 { watch.time(wall, at: instant).milliseconds(since: truth) }

        @discardableResult
        mutating func look() -> ClockWatch.Jump? { watch.observe(wall, at: instant) }

        /// Time goes by, with a look each half second; the wall clock gains so much at each.
        @discardableResult
        mutating func run(_ seconds: Int64, gaining gain: Int64 = 0) -> [ClockWatch.Jump] {
            var jumps: [ClockWatch.Jump] = []
            for _ in 0..<2 * seconds {
                passed += 500
                offset += gain
                if let jump = look() { jumps.append(jump) }
            }
            return jumps
        }
    }

    @Test func `nothing is removed before the clocks have agreed for an hour`() {
        var clocks = Clocks()
        clocks.look()
        clocks.run(3_599)
        #expect(!clocks.watch.isTrusted(at: clocks.instant))
        clocks.run(1)
        #expect(clocks.watch.isTrusted(at: clocks.instant))

        clocks.offset = 86_400_000
        let jumps = clocks.run(3_599)

        #expect(jumps == [ClockWatch.Jump(milliseconds: 86_400_000, isSaid: true)])
        #expect(!clocks.watch.isTrusted(at: clocks.instant))
        clocks.run(2)
        #expect(clocks.watch.isTrusted(at: clocks.instant))
    }

    @Test(arguments: [-3_600_000, 7_200_000, 315_576_000_000, -315_576_000_000] as [Int64])
    func `a jump that is taken back moves no time, and is counted twice`(offset: Int64) {
        var clocks = Clocks()
        clocks.look()
        clocks.run(300)
        clocks.offset = offset

        // Before the next look too.
        #expect(clocks.error == 0)
        #expect(clocks.run(299).map(\.milliseconds) == [offset])
        #expect(clocks.error == 0)
        clocks.offset = 0
        #expect(clocks.run(1).map(\.milliseconds) == [-offset])
        #expect(clocks.error == 0)
        #expect(clocks.watch.jumpCount == 2)
    }

    @Test func `what the wall clock has said as long as what it said before is believed`() {
        var clocks = Clocks()
        clocks.offset = -50 * 365 * 86_400_000
        clocks.look()
        clocks.run(10)
        clocks.offset = 0

        clocks.run(9)
        #expect(clocks.error == -50 * 365 * 86_400_000)
        clocks.run(2)
        #expect(clocks.error == 0)

        // Ten minutes are long enough.
        clocks.run(7_200)
        clocks.offset = 3_600_000
        clocks.run(599)
        #expect(clocks.error == 0)
        clocks.run(2)
        #expect(clocks.error == 3_600_000)
    }

    @Test func `a wall clock that stands still is found, and the time goes on`() {
        var clocks = Clocks()
        clocks.look()
        clocks.run(60)

        let jumps = clocks.run(20, gaining: -500)

        #expect(jumps.count >= 10 && jumps.allSatisfy { $0.milliseconds < -1_000 })
        #expect(jumps.count { $0.isSaid } == 1)
        #expect(clocks.error == 0)
        clocks.offset = 0
        clocks.run(1)
        #expect(clocks.error == 0)
    }

    @Test func `a clock that is slewed is followed, and so is a saw-tooth of a second`() {
        var clocks = Clocks()
        clocks.look()
        // Two thousandths, which is four times what the kernel slews by.
        #expect(clocks.run(7_200, gaining: 1).filter { $0.milliseconds != 0 }.isEmpty)
        #expect(clocks.error == clocks.offset && clocks.offset == 14_400)
        #expect(clocks.watch.isTrusted(at: clocks.instant))

        let base = clocks.offset
        for tooth in 0..<100 {
            clocks.offset = base + Int64(tooth % 2) * 900
            #expect(clocks.run(1).isEmpty)
        }
    }

    /// However a clock jumps, what is believed is about what it showed before.
    @Test(arguments: UInt64(0)..<50)
    func `jumps of any size that do not last leave the time as it was`(seed: UInt64) {
        var random = SeededGenerator(seed: seed)
        var clocks = Clocks()
        clocks.look()
        clocks.run(120)
        for _ in 0..<20 {
            clocks.offset = .random(in: (.min / 4)...(.max / 4), using: &random)
            clocks.run(.random(in: 1...100, using: &random))
            #expect(abs(clocks.error) <= 400, "\(clocks.offset)")
            clocks.offset = .random(in: -400...400, using: &random)
            clocks.run(.random(in: 1...100, using: &random))
            #expect(abs(clocks.error) <= 400)
        }
    }
}
