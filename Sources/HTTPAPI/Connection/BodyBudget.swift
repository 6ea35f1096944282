import Synchronization

/// This is the memory that bodies of unanswered requests share, in bytes that have arrived.
///
/// A large body takes what it announces, at its head: were it let in by what has arrived, many would be
/// let in, and none would end. What does not arrive soon is given back, and a quarter is left for bodies that
/// announce nothing or little: else eight slow clients that announce much and send little would keep
/// everybody else out.
final class BodyBudget: Sendable {
    let limitBytes: Int
    private let used = Atomic<Int>(0)

    init(limitBytes: Int) { self.limitBytes = limitBytes }

    /// True where a body of this size would fit now; nothing is taken.
    func hasRoom(for size: Int) -> Bool { used.load(ordering: .relaxed) <= limitBytes - size }

    /// Takes `size` bytes, or nothing where they do not fit.
    func take(_ size: Int) -> Bool {
        let sum = used.add(size, ordering: .relaxed).newValue
        if sum <= limitBytes { return true }
        give(size)
        return false
    }

    /// Takes what a large body announces, or nothing where that would leave too little for others.
    func takeAnnounced(_ size: Int) -> Bool {
        let sum = used.add(size, ordering: .relaxed).newValue
        if sum <= limitBytes / 4 * 3 { return true }
        give(size)
        return false
    }

    func give(_ size: Int) { used.subtract(size, ordering: .relaxed) }
}
