import NIOCore
import Synchronization

/// This is the list of open connections, so that the limit hits those that ask for nothing.
///
/// Beyond the limit, every new connection ends the one that has been idle longest, first among those that never
/// asked, and last one whose body does not come. So connections that only stay open cannot keep anybody out.
/// Where all are busy, a new connection is one of the reserve. Those that have their last answer, and wait for
/// their client to see it, are not counted: of them, the oldest ends where there are too many.
final class ConnectionRegistry: Sendable {
    /// This is one connection's state as others see it.
    final class Entry: Sendable {
        /// What it does; the smaller one ends first.
        private enum Kind: Int {
            case unused, idle, receiving, busy
        }

        fileprivate let channel: any Channel
        private let kind = Atomic<Int>(Kind.unused.rawValue)
        /// Since when, in nanoseconds of the event loop's clock.
        private let start = Atomic<UInt64>(NIODeadline.now().uptimeNanoseconds)

        fileprivate init(_ channel: any Channel) { self.channel = channel }

        /// A head is complete, and its body comes.
        func becameReceiving() { set(.receiving) }
        /// Requests are complete, and their answers are not.
        func becameBusy() { set(.busy) }
        /// All requests are answered.
        func becameIdle() { set(.idle) }

        private func set(_ value: Kind) {
            start.store(NIODeadline.now().uptimeNanoseconds, ordering: .relaxed)
            kind.store(value.rawValue, ordering: .relaxed)
        }

        /// The smaller one ends first; nil where it may not end.
        fileprivate func rank(at now: UInt64) -> Rank? {
            let since = start.load(ordering: .relaxed)
            let number = kind.load(ordering: .relaxed)
            if number == Kind.busy.rawValue { return nil }
            let grace =
                number == Kind.receiving.rawValue
                ? ConnectionLimits.bodyGraceTime : ConnectionLimits.graceTime
            guard now >= since + UInt64(grace.nanoseconds) else { return nil }
            return Rank(kind: number, start: since)
        }
    }

    fileprivate struct Rank: Comparable {
        let kind: Int
        let start: UInt64

        static func < (one: Rank, other: Rank) -> Bool {
            (one.kind, one.start) < (other.kind, other.start)
        }
    }

    private struct State {
        var entries: [ObjectIdentifier: Entry] = [:]
        /// Those that may end, the first one last, as it was at `lookTime`.
        var candidates: [(entry: Entry, rank: Rank)] = []
        var lookTime: UInt64 = 0
        var endings: [ObjectIdentifier: Entry] = [:]
        /// Endings in their order, and some that are closed.
        var endingOrder = CircularBuffer<Entry>()

        /// Takes out the one that ends first.
        mutating func evict(at now: UInt64) -> Entry? {
            if let entry = popCandidate(at: now) { return entry }
            // To look at all of them at each of ten thousand connections a second would be most of the work.
            guard now >= lookTime + ConnectionRegistry.lookInterval else { return nil }
            lookTime = now
            var found: [(entry: Entry, rank: Rank)] = []
            found.reserveCapacity(entries.count)
            for entry in entries.values {
                if let rank = entry.rank(at: now) { found.append((entry, rank)) }
            }
            found.sort { $1.rank < $0.rank }
            candidates = found.suffix(ConnectionRegistry.candidateCountMax)
            return popCandidate(at: now)
        }

        private mutating func popCandidate(at now: UInt64) -> Entry? {
            while let (entry, rank) = candidates.popLast() {
                // Whoever has asked meanwhile is no longer idle, or not as long.
                guard entry.rank(at: now) == rank,
                    entries.removeValue(forKey: ObjectIdentifier(entry)) != nil
                else { continue }
                return entry
            }
            return nil
        }
    }

    /// How many are picked to end at one look at all.
    private static let candidateCountMax = 64
    /// Nanoseconds between two looks at all.
    private static let lookInterval: UInt64 = 5_000_000

    private let limits: ConnectionLimits
    private let state = Mutex(State())

    init(limits: ConnectionLimits) { self.limits = limits }

    /// Takes in a connection.
    ///
    /// - Returns: Its entry, and whether it is one of the reserve.
    func opened(_ channel: any Channel) -> (entry: Entry, isReserve: Bool) {
        let entry = Entry(channel)
        let (evicted, isReserve): (Entry?, Bool) = state.withLock { state in
            let isOver = state.entries.count >= limits.connectionCountMax
            let oldest = isOver ? state.evict(at: NIODeadline.now().uptimeNanoseconds) : nil
            state.entries[ObjectIdentifier(entry)] = entry
            return (oldest, isOver && oldest == nil)
        }
        evicted?.channel.close(promise: nil)
        return (entry, isReserve)
    }

    /// The connection has its last answer, and what else it sends is not looked at.
    func ending(_ entry: Entry) {
        let id = ObjectIdentifier(entry)
        let oldest: Entry? = state.withLock { state in
            state.entries[id] = nil
            state.endings[id] = entry
            state.endingOrder.append(entry)
            var oldest: Entry?
            while let first = state.endingOrder.first {
                let isOpen = state.endings[ObjectIdentifier(first)] != nil
                if isOpen, state.endings.count <= limits.endingCountMax { break }
                state.endingOrder.removeFirst()
                if isOpen {
                    state.endings[ObjectIdentifier(first)] = nil
                    oldest = first
                    break
                }
            }
            return oldest
        }
        oldest?.channel.close(promise: nil)
    }

    func closed(_ entry: Entry) {
        let id = ObjectIdentifier(entry)
        state.withLock { state in
            state.entries[id] = nil
            state.endings[id] = nil
        }
    }
}
