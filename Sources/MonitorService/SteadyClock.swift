import MonitoringDomain
import Synchronization

/// This is the time by which the service does what is due: the wall clock's, which its jumps do not move.
///
/// Event times are the senders' and are compared with the wall clock itself.
final class SteadyClock: Sendable {
    private let watch = Mutex(ClockWatch())

    /// This is how often the wall clock has jumped.
    var jumpCount: Int { watch.withLock { $0.jumpCount } }

    /// True where the wall clock may decide what is old enough to be removed.
    var isTrusted: Bool { watch.withLock { $0.isTrusted(at: .now) } }

    /// Compares the clocks; twice a second.
    ///
    /// - Returns: What the wall clock has jumped; nil where it has not.
    func look() -> ClockWatch.Jump? {
        watch.withLock { $0.observe(WallClock.now(), at: .now) }
    }

    /// This is the present instant as it is believed.
    func now() -> EventTime { watch.withLock { $0.time(WallClock.now(), at: .now) } }
}
