import NIOCore
import Synchronization

/// This is the list of open connections, so that the limit hits those that ask for nothing.
///
/// Beyond the limit, every new connection ends the one that has been idle longest, first among those
/// that never asked. So connections that only stay open cannot keep anybody out. Where all are busy,
/// a new connection is one of the reserve.
final class ConnectionRegistry: Sendable {
    /// This is one connection's state as others see it.
    final class Entry: Sendable {
        fileprivate let channel: any Channel
        /// Since when it is idle, in nanoseconds of the event loop's clock; `busy` where it is not.
        private let idleSince: Atomic<UInt64>
        private let hasAsked = Atomic<Bool>(false)
        private static let busy = UInt64.max

        fileprivate init(_ channel: any Channel) {
            self.channel = channel
            idleSince = Atomic(NIODeadline.now().uptimeNanoseconds)
        }

        func becameBusy() {
            hasAsked.store(true, ordering: .relaxed)
            idleSince.store(Self.busy, ordering: .relaxed)
        }

        func becameIdle() {
            idleSince.store(NIODeadline.now().uptimeNanoseconds, ordering: .relaxed)
        }

        /// The smaller one ends first; nil where it may not end.
        fileprivate func rank(at now: NIODeadline) -> (Int, UInt64)? {
            let since = idleSince.load(ordering: .relaxed)
            guard since != Self.busy,
                now - .uptimeNanoseconds(since) >= ConnectionLimits.graceTime
            else { return nil }
            return (hasAsked.load(ordering: .relaxed) ? 1 : 0, since)
        }
    }

    private let countMax: Int
    private let entries = Mutex<[ObjectIdentifier: Entry]>([:])

    init(countMax: Int) { self.countMax = countMax }

    /// Takes in a connection.
    ///
    /// - Returns: Its entry, and whether it is one of the reserve.
    func opened(_ channel: any Channel) -> (entry: Entry, isReserve: Bool) {
        let entry = Entry(channel)
        let (evicted, isReserve): (Entry?, Bool) = entries.withLock { entries in
            var oldest: Entry?
            let isOver = entries.count >= countMax
            if isOver {
                let now = NIODeadline.now()
                oldest =
                    entries.values.lazy
                    .compactMap { entry in entry.rank(at: now).map { (entry, $0) } }
                    .min { $0.1 < $1.1 }?.0
                if let oldest { entries[ObjectIdentifier(oldest)] = nil }
            }
            entries[ObjectIdentifier(entry)] = entry
            return (oldest, isOver && oldest == nil)
        }
        evicted?.channel.close(promise: nil)
        return (entry, isReserve)
    }

    func closed(_ entry: Entry) {
        entries.withLock { $0[ObjectIdentifier(entry)] = nil }
    }
}
