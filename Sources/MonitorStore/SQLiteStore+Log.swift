import ByteCoding
import Foundation
import GRDB
import Synchronization

/// The log: entries in order, each linked to those before it.
extension SQLiteStore {
    /// Appends payloads in order, in one transaction.
    ///
    /// They are durable when it returns, and the mark says so.
    ///
    /// - Parameters:
    ///   - payloads: The entries.
    ///   - records: What to remember of their senders' keys.
    /// - Returns: The entries' positions.
    /// - Throws: `StoreError`; then nobody knows what is stored.
    /// - Precondition: at least one payload.
    public func append(
        _ payloads: [[UInt8]], records: [IdempotencyRecord] = []
    ) throws(StoreError) -> ClosedRange<Int64> {
        precondition(!payloads.isEmpty, "nothing to append")
        let start = tail.withLock { $0 }
        return try attempt {
            var keyChanges: [String: Int] = [:]
            var (position, link) = start
            try writer.write { database in
                let statement = try database.cachedStatement(
                    sql: "INSERT INTO entry (position, payload, link) VALUES (?, ?, ?)")
                for payload in payloads {
                    position += 1
                    link = Self.link(after: link, position, payload)
                    try statement.execute(arguments: [position, Data(payload), Int64(link)])
                }
                keyChanges = try Self.insert(
                    records, after: start.position, at: now, into: database)
            }
            tail.withLock { [position, link] in $0 = (position, link) }
            mark?.write(DurableMark.Value(position: position, link: link, isClosed: false))
            keyCounts.withLock { $0.merge(keyChanges) { $0 + $1 } }
            // Besides the payloads, a transaction writes the last leaf and the pages above it again.
            let size = payloads.reduce(4 * Self.pageSizeBytes) { $0 + $1.count }
            unfoldedSizeBytes.withLock { $0 += size }
            return (start.position + 1)...position
        }
    }

    /// This is an entry's link: a checksum of the link before, of its place, and of its payload's ends.
    ///
    /// The payload has a checksum of its own; the link is for entries that are missing, or that are others.
    private static func link(after link: UInt32, _ position: Int64, _ payload: [UInt8]) -> UInt32 {
        var writer = ByteWriter()
        writer.write(link)
        writer.write(position)
        writer.write(UInt64(payload.count))
        for byte in payload.prefix(16) { writer.write(byte) }
        for byte in payload.suffix(16) { writer.write(byte) }
        return crc32c(writer.bytes)
    }

    /// Folds the write-ahead log back into the file where it has become long.
    ///
    /// It waits for no reader; what one still needs is folded back at a later call.
    ///
    /// - Throws: `full` where there is no room: the entries are durable in the write-ahead log, which grows
    ///   until there is. Another `StoreError` means that nothing more may be written.
    public func checkpointIfLong() throws(StoreError) {
        guard unfoldedSizeBytes.withLock({ $0 > Self.checkpointSizeBytes }) else { return }
        mark?.flush()
        try attempt {
            try writer.writeWithoutTransaction { database in
                do {
                    _ = try database.checkpoint(.passive)
                    unfoldedSizeBytes.withLock { $0 = 0 }
                } catch let error as DatabaseError where error.resultCode == .SQLITE_BUSY {
                    // Somebody else holds the log; the next call tries again.
                }
            }
        }
    }

    /// This is the newest position that was ever given away; 0 for an empty log.
    public var lastPosition: Int64 { tail.withLock { $0.position } }

    /// This is the size of the entries after `position`, in bytes, as they are stored.
    public func logSizeBytes(after position: Int64) throws(StoreError) -> Int {
        try attempt {
            try writer.read {
                try Int.fetchOne(
                    $0, sql: "SELECT total(length(payload)) FROM entry WHERE position > ?",
                    arguments: [position]) ?? 0
            }
        }
    }

    /// Visits entries in order, from after `position` to `last` or the end.
    ///
    /// `body` may visit entries itself: a reference that is put in force is folded in the middle of a replay.
    public func forEachEntry(
        after position: Int64, through last: Int64?, _ body: (LogEntry) throws -> Void
    ) throws {
        do {
            try writer.unsafeReentrantRead { database in
                let column = hasLinks ? "link" : "NULL"
                let rows = try Row.fetchCursor(
                    database,
                    sql: """
                        SELECT position, payload, \(column) FROM entry
                        WHERE position > ? AND position <= ? ORDER BY position
                        """, arguments: [position, last ?? Int64.max])
                var before = hasLinks ? try Self.linkBefore(database, position) : nil
                while let row = try rows.next() {
                    let payload: Data = try Self.value(row, 1)
                    let link = (try Self.value(row, 2) as Int64?).map {
                        UInt32(truncatingIfNeeded: $0)
                    }
                    let bytes = [UInt8](payload)
                    let position: Int64 = try Self.value(row, 0)
                    // What an earlier format wrote has no links, and nothing stands before the first.
                    let isLinked =
                        link == nil || before == nil
                        || before.map { Self.link(after: $0, position, bytes) } == link
                    before = link ?? 0
                    try body(LogEntry(position: position, payload: bytes, isLinked: isLinked))
                }
            }
        } catch let error as DatabaseError
            where [.SQLITE_CORRUPT, .SQLITE_NOTADB].contains(error.resultCode)
        {
            throw StoreError.corrupt("\(error)")
        }
    }

    /// This is the link of the last entry through `position`; nil where there is none.
    private static func linkBefore(_ database: Database, _ position: Int64) throws -> UInt32? {
        try Row.fetchOne(
            database,
            sql: "SELECT link FROM entry WHERE position <= ? ORDER BY position DESC LIMIT 1",
            arguments: [position]
        ).map { UInt32(truncatingIfNeeded: (try Self.value($0, 0) as Int64?) ?? 0) }
    }

    // MARK: - The end of the log

    /// This is the last entry; 0 where nothing was ever written.
    static func end(
        of queue: DatabaseQueue, hasLinks: Bool
    ) throws(StoreError) -> (position: Int64, link: UInt32) {
        try attempt {
            try queue.read { database in
                let position =
                    try Int64.fetchOne(database, sql: "SELECT max(position) FROM entry") ?? 0
                guard hasLinks else { return (position, 0) }
                let lost = try Int64.fetchOne(database, sql: "SELECT max(last) FROM lost") ?? 0
                let snapshot =
                    try Int64.fetchOne(database, sql: "SELECT max(position) FROM snapshot") ?? 0
                let link = try linkBefore(database, position) ?? 0
                return (max(position, lost, snapshot), link)
            }
        }
    }

    /// This is the link of the entry at `position`; nil where there is none.
    static func link(
        of queue: DatabaseQueue, at position: Int64
    ) throws(StoreError) -> UInt32? {
        try attempt {
            try queue.read { database in
                try Int64.fetchOne(
                    database, sql: "SELECT link FROM entry WHERE position = ?",
                    arguments: [position]
                ).map { UInt32(truncatingIfNeeded: $0) }
            }
        }
    }

    static func insertLost(
        _ range: ClosedRange<Int64>, into queue: DatabaseQueue
    ) throws(StoreError) {
        try attempt {
            try queue.write {
                try $0.execute(
                    sql: "INSERT OR REPLACE INTO lost (first, last, noticed_at) VALUES (?, ?, ?)",
                    arguments: [range.lowerBound, range.upperBound, milliseconds()])
            }
        }
    }

    static func lostRanges(
        of queue: DatabaseQueue
    ) throws(StoreError) -> [ClosedRange<Int64>] {
        try attempt {
            try queue.read { database in
                try Row.fetchAll(database, sql: "SELECT first, last FROM lost ORDER BY first")
                    .compactMap { row in
                        let (first, last): (Int64, Int64) = (
                            try value(row, 0), try value(row, 1)
                        )
                        return first <= last ? first...last : nil
                    }
            }
        }
    }
}
