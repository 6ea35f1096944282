import MonitoringDomain

/// This is the comparison of the wall clock with the monotonic one, which tells a jump from the passing of time.
struct ClockWatch: Sendable {
    /// A larger difference between two looks is a jump.
    private static let jumpMin = Duration.seconds(1)
    /// Nothing is removed by the wall clock before both clocks have agreed for so long.
    private static let agreementMin = Duration.seconds(3_600)

    /// How many jumps there were.
    private(set) var jumpCount = 0
    private var last: (wall: EventTime, monotonic: ContinuousClock.Instant)?
    private var agreedSince: ContinuousClock.Instant?

    /// Takes a reading of both clocks.
    ///
    /// - Returns: By how many milliseconds the wall clock has jumped; nil where it has not.
    mutating func observe(_ wall: EventTime, at monotonic: ContinuousClock.Instant) -> Int64? {
        defer { last = (wall, monotonic) }
        guard let last else {
            agreedSince = monotonic
            return nil
        }
        let passed = Int64(((monotonic - last.monotonic) / .milliseconds(1)).rounded())
        let (advance, isOver) = wall.milliseconds.subtractingReportingOverflow(
            last.wall.milliseconds)
        let jump = isOver ? Int64.max : advance - passed
        guard isOver || jump.magnitude > UInt64(Self.jumpMin / .milliseconds(1)) else { return nil }
        jumpCount += 1
        agreedSince = monotonic
        return jump
    }

    /// True where the clocks have agreed long enough for the wall clock to decide what is old.
    func isTrusted(at monotonic: ContinuousClock.Instant) -> Bool {
        guard let agreedSince else { return false }
        return monotonic - agreedSince >= Self.agreementMin
    }
}
