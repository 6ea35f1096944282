import Foundation
import GRDB
import Synchronization

/// This is how much of the log is kept.
public struct LogRetention: Sendable, Equatable {
    /// Entries are kept for so long after they came; nil for ever.
    public var milliseconds: Int64?
    /// The log may be so large, about; nil for no bound.
    public var sizeBytes: Int?

    /// Makes a retention that keeps everything, unless told otherwise.
    public init(milliseconds: Int64? = nil, sizeBytes: Int? = nil) {
        self.milliseconds = milliseconds
        self.sizeBytes = sizeBytes
    }
}

/// The log's beginning is taken away in small steps, once a state before it is stored that needs no more.
///
/// A milestone is a snapshot that is kept until the log begins behind it: from it the log is folded again when it
/// is verified or when files of sealed ids are damaged. What the newest two snapshots still need stays.
extension SQLiteStore {
    /// Milestones in the time, or the size, that is kept.
    private static let milestoneCount = 4
    /// Clocks of senders may be ahead: rows that came before may be younger by this.
    private static let skewMilliseconds: Int64 = 600_000
    /// Entries that one step removes, so that nobody waits for it for long.
    static let stepCountMax = 64

    static func isMilestoneDue(
        _ retention: LogRetention, at now: Int64, in database: Database
    ) throws -> Bool {
        guard retention.milliseconds != nil || retention.sizeBytes != nil else { return false }
        let last = try Row.fetchOne(
            database,
            sql: """
                SELECT position, made_at FROM snapshot WHERE is_milestone = 1
                ORDER BY position DESC LIMIT 1
                """)
        guard let last else { return true }
        let (position, madeAt): (Int64, Int64) = (try value(last, 0), try value(last, 1))
        if let time = retention.milliseconds, now - madeAt >= time / Int64(milestoneCount) {
            return true
        }
        guard let size = retention.sizeBytes else { return false }
        return try sizeBytes(after: position, in: database) >= size / milestoneCount
    }

    private static func sizeBytes(after position: Int64, in database: Database) throws -> Int {
        try Int.fetchOne(
            database, sql: "SELECT total(length(payload)) FROM entry WHERE position > ?",
            arguments: [position]) ?? 0
    }

    /// Says how much of the log is kept from now on.
    public func keep(_ retention: LogRetention) { self.retention.withLock { $0 = retention } }

    /// This is the first position of the log; nil for an empty one.
    public var firstPosition: Int64? {
        get throws(StoreError) {
            try attempt {
                try writer.read { try Int64.fetchOne($0, sql: "SELECT min(position) FROM entry") }
            }
        }
    }

    /// True where the log's beginning was taken away, and is not merely lost.
    public var isTrimmed: Bool {
        get throws(StoreError) {
            guard let first = try firstPosition, first > 1 else { return false }
            return !findings.lost.contains { $0.contains(first - 1) }
        }
    }

    /// This is where the log may begin now.
    ///
    /// - Parameter now: The clock's reading in milliseconds; nil where it cannot be trusted, so that
    ///   only the size counts.
    /// - Returns: The last position that is not needed, and the newest event time until there; nil where the
    ///   log begins there already.
    /// - Throws: `StoreError`.
    public func nextLogStart(
        at now: Int64?
    ) throws(StoreError) -> (position: Int64, reaches: Int64)? {
        let retention = retention.withLock { $0 }
        return try attempt {
            try writer.read { database in
                let newest = try Row.fetchAll(
                    database,
                    sql: """
                        SELECT position, log_start FROM snapshot ORDER BY position DESC LIMIT 2
                        """)
                guard newest.count == 2 else { return nil }
                let start: Int64 = try Self.value(newest[0], 1)
                let end: Int64 = try Self.value(newest[1], 0)
                let milestones = try Row.fetchAll(
                    database,
                    sql: """
                        SELECT position, made_at, reaches FROM snapshot
                        WHERE is_milestone = 1 AND position > ? AND position <= ? ORDER BY position
                        """, arguments: [start, end])
                var found: (Int64, Int64)?
                for row in milestones {
                    let (position, madeAt): (Int64, Int64) = (
                        try Self.value(row, 0), try Self.value(row, 1)
                    )
                    let reaches: Int64? = try Self.value(row, 2)
                    var isOld = false
                    if let now, let time = retention.milliseconds {
                        isOld = madeAt < now - time - Self.skewMilliseconds
                    }
                    // The first milestone behind which the rest is small enough, and no later one.
                    if !isOld, let size = retention.sizeBytes {
                        let before = found?.0 ?? start
                        isOld = try Self.sizeBytes(after: before, in: database) > size
                    }
                    guard isOld else { break }
                    found = (position, reaches ?? .min)
                }
                return found
            }
        }
    }

    /// Removes some entries that neither of the newest two snapshots needs.
    ///
    /// - Returns: How many were removed; 0 when nothing is left to do.
    /// - Throws: `StoreError`.
    public func trimStep() throws(StoreError) -> Int {
        try attempt {
            try writer.write { database in
                let starts = try Int64.fetchAll(
                    database,
                    sql: "SELECT log_start FROM snapshot ORDER BY position DESC LIMIT 2")
                guard starts.count == 2, let start = starts.min(), start > 0 else { return 0 }
                try database.execute(
                    sql: """
                        DELETE FROM entry WHERE position IN
                            (SELECT position FROM entry WHERE position <= ? ORDER BY position LIMIT ?)
                        """, arguments: [start, Self.stepCountMax])
                let count = database.changesCount
                if count < Self.stepCountMax {
                    try database.execute(
                        sql: "DELETE FROM snapshot WHERE is_milestone = 1 AND position < ?",
                        arguments: [start])
                }
                unfoldedSizeBytes.withLock { $0 += count * Self.pageSizeBytes }
                return count
            }
        }
    }
}
