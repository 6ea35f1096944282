import NIOCore
import Synchronization

/// This is how much is read, only to be dropped, of requests that have been refused.
///
/// A sender that looks at nothing before it has sent everything finds its answer only so. But reading is most of
/// what a large body costs: were all of it read, refusing would cost as much as accepting. Beyond the budget a
/// connection is ended with the rest unread: the answer has arrived before the reset that follows.
final class DrainBudget: Sendable {
    static let sizeBytesPerSecond = 16 << 20
    /// What may be saved up: sixteen of the largest bodies.
    static let sizeBytesMax = 128 << 20
    /// What a connection takes at a time.
    static let partSizeBytes = 256 << 10

    private let state = Mutex((room: sizeBytesMax, time: NIODeadline.now()))

    /// Takes `size` bytes, or nothing where too much has been taken lately.
    func take(_ size: Int, at now: NIODeadline) -> Bool {
        state.withLock { state in
            let passed = min(max(0, (now - state.time).nanoseconds), 10_000_000_000)
            // In whole bytes: what is left of a byte is left to the next look.
            let gained = Int(passed) * Self.sizeBytesPerSecond / 1_000_000_000
            if gained > 0 {
                state.room = min(Self.sizeBytesMax, state.room + gained)
                state.time = now
            }
            guard state.room >= size else { return false }
            state.room -= size
            return true
        }
    }

    /// Gives back what was taken and not read.
    func give(_ size: Int) {
        state.withLock { $0.room = min(Self.sizeBytesMax, $0.room + size) }
    }
}
