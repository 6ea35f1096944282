import MonitoringDomain

/// This is the comparison of the wall clock with the monotonic one, which tells a jump from the passing of time,
/// and what is believed of the time meanwhile.
///
/// The clocks are compared with what they said a minute ago at most, not with the last look alone: so a wall clock
/// that stands still, or runs at another speed, is found too. A jump is not believed at once: the time goes on as it
/// did before until the wall clock has kept what it says now for as long as it had kept what it said before, ten
/// minutes at most. So a clock that is wrong for a moment moves no rule, and one that is set right after a start is
/// believed soon.
struct ClockWatch: Sendable {
    /// A larger difference of the two clocks' advance is a jump.
    private static let jumpMin: Int64 = 1_000
    /// A smaller difference is followed after so long: clocks are slewed.
    private static let slewInterval = Duration.seconds(60)
    /// What the wall clock says is believed when it has said it for so long, at the latest.
    private static let beliefTime = Duration.seconds(600)
    /// Nothing is removed by the wall clock before both clocks have agreed for so long.
    private static let agreementMin = Duration.seconds(3_600)
    /// Jumps are said again after so long; all of them are counted.
    private static let sayingInterval = Duration.seconds(60)

    /// This is what one look has found.
    struct Jump: Sendable, Equatable {
        /// By how much the wall clock has moved against the monotonic one.
        var milliseconds: Int64
        /// False where another one was said less than a minute ago.
        var isSaid: Bool
    }

    /// How far the wall clock is ahead of the monotonic one, which counts from the first look, and since when.
    private struct Claim: Sendable {
        var offset: Int64
        let since: ContinuousClock.Instant
        var followed: ContinuousClock.Instant

        init(_ offset: Int64, at now: ContinuousClock.Instant) {
            self.offset = offset
            since = now
            followed = now
        }

        mutating func follow(_ other: Int64, at now: ContinuousClock.Instant) {
            guard now - followed >= slewInterval else { return }
            (offset, followed) = (other, now)
        }
    }

    /// How many jumps there were.
    private(set) var jumpCount = 0
    private var origin: ContinuousClock.Instant?
    private var believed: Claim?
    /// What the wall clock says since it has jumped, and how long that must hold to be believed.
    private var newer: (claim: Claim, patience: Duration)?
    private var agreedSince: ContinuousClock.Instant?
    private var lastSaid: ContinuousClock.Instant?

    /// Takes a reading of both clocks.
    ///
    /// - Returns: What the wall clock has jumped; nil where it has not.
    mutating func observe(_ wall: EventTime, at now: ContinuousClock.Instant) -> Jump? {
        let found = offset(of: wall, at: now)
        guard let old = believed else {
            (origin, agreedSince) = (now, now)
            believed = Claim(wall.milliseconds, at: now)
            return nil
        }
        let current = newer?.claim ?? old
        guard Self.isJump(from: current.offset, to: found) else {
            settle(found, at: now)
            return nil
        }
        jumpCount += 1
        agreedSince = now
        if Self.isJump(from: old.offset, to: found) {
            let patience = newer?.patience ?? min(Self.beliefTime, now - old.since)
            newer = (Claim(found, at: now), patience)
        } else {
            newer = nil
        }
        let isSaid = lastSaid.map { now - $0 >= Self.sayingInterval } ?? true
        if isSaid { lastSaid = now }
        let (jump, isOver) = found.subtractingReportingOverflow(current.offset)
        return Jump(milliseconds: isOver ? (found < 0 ? .min : .max) : jump, isSaid: isSaid)
    }

    /// This is the time as it is believed: the wall clock's where it has not jumped, else as the monotonic clock
    /// goes on from before the jump.
    func time(_ wall: EventTime, at now: ContinuousClock.Instant) -> EventTime {
        guard let believed else { return wall }
        let found = offset(of: wall, at: now)
        guard Self.isJump(from: believed.offset, to: found) else { return wall }
        return EventTime(milliseconds: believed.offset).advanced(byMilliseconds: passed(at: now))
    }

    /// True where the clocks have agreed long enough for the wall clock to decide what is old.
    func isTrusted(at monotonic: ContinuousClock.Instant) -> Bool {
        guard let agreedSince else { return false }
        return monotonic - agreedSince >= Self.agreementMin
    }

    private mutating func settle(_ found: Int64, at now: ContinuousClock.Instant) {
        guard let (claim, patience) = newer else {
            believed?.follow(found, at: now)
            return
        }
        newer?.claim.follow(found, at: now)
        guard now - claim.since >= patience else { return }
        believed = newer?.claim
        newer = nil
    }

    private func passed(at now: ContinuousClock.Instant) -> Int64 {
        guard let origin else { return 0 }
        return Int64(((now - origin) / .milliseconds(1)).rounded())
    }

    private func offset(of wall: EventTime, at now: ContinuousClock.Instant) -> Int64 {
        wall.advanced(byMilliseconds: -passed(at: now)).milliseconds
    }

    private static func isJump(from old: Int64, to new: Int64) -> Bool {
        let (difference, isOver) = new.subtractingReportingOverflow(old)
        return isOver || difference.magnitude > UInt64(jumpMin)
    }
}
