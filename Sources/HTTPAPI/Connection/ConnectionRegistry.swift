import NIOCore
import Synchronization

/// This is the list of open connections, so that the limit hits those that ask for nothing.
///
/// Beyond the limit, every new connection ends the one that has been idle longest, first among those
/// that never asked, and last one whose body does not come. So connections that only stay open cannot keep anybody out. Where all are busy,
/// a new connection is one of the reserve.
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
        fileprivate func rank(at now: NIODeadline) -> (Int, UInt64)? {
            let since = start.load(ordering: .relaxed)
            let number = kind.load(ordering: .relaxed)
            let grace =
                number == Kind.receiving.rawValue
                ? ConnectionLimits.bodyGraceTime : ConnectionLimits.graceTime
            guard number != Kind.busy.rawValue, now - .uptimeNanoseconds(since) >= grace else {
                return nil
            }
            return (number, since)
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
