import ByteCoding
import Foundation
import GRDB
import Synchronization

/// This is a state's bytes, and what the store must know of it.
public struct StoredSnapshot: Sendable {
    /// The state.
    public let bytes: [UInt8]
    /// The last position that the state does not need from the log any more.
    public let logStart: Int64
    /// The newest event time that was seen, in milliseconds; nil before the first row.
    public let reaches: Int64?
    /// The names of the files that the state reads.
    public let files: [String]

    /// Makes a snapshot from its parts.
    public init(
        bytes: [UInt8], logStart: Int64 = 0, reaches: Int64? = nil, files: [String] = []
    ) {
        self.bytes = bytes
        self.logStart = logStart
        self.reaches = reaches
        self.files = files
    }
}

/// Snapshots, and the effects that are stored with them or before.
extension SQLiteStore {
    /// Stores effects, settled answers, and a snapshot when there is one, in one transaction.
    ///
    /// A known effect stays as it is. Two snapshots are kept, so that a corrupt one costs time and not the
    /// state, and besides them the milestones at which the log may begin one day.
    public func commit(
        snapshot: StoredSnapshot?, effects: [StoredEffect], position: Int64,
        settled: [IdempotencyRecord] = []
    ) throws(StoreError) {
        let retention = retention.withLock { $0 }
        try attempt {
            try writer.write { database in
                let statement = try database.cachedStatement(
                    sql: """
                        INSERT INTO effect (key, kind, payload, position, crc) VALUES (?, ?, ?, ?, ?)
                        ON CONFLICT (key) DO NOTHING
                        """)
                for effect in effects {
                    try statement.execute(
                        arguments: [
                            effect.key, effect.kind, effect.payload, effect.position,
                            Int64(effect.checksum),
                        ])
                }
                try Self.settle(settled, in: database)
                guard let snapshot else { return }
                unfoldedSizeBytes.withLock { $0 += snapshot.bytes.count }
                try Self.insert(snapshot, position, retention, at: now, into: database)
            }
        }
    }

    private static func insert(
        _ snapshot: StoredSnapshot, _ position: Int64, _ retention: LogRetention,
        at now: Int64, into database: Database
    ) throws {
        let isMilestone = try isMilestoneDue(retention, at: now, in: database)
        try database.execute(
            sql: """
                INSERT OR REPLACE INTO snapshot
                    (position, crc, bytes, made_at, log_start, is_milestone, reaches, files)
                VALUES (?, ?, ?, ?, ?, ?, ?, ?)
                """,
            arguments: [
                position, Int64(crc32c(snapshot.bytes)), Data(snapshot.bytes), now,
                snapshot.logStart, isMilestone, snapshot.reaches,
                snapshot.files.joined(separator: "\n"),
            ])
        try database.execute(
            sql: """
                DELETE FROM snapshot WHERE is_milestone = 0 AND position NOT IN
                    (SELECT position FROM snapshot ORDER BY position DESC LIMIT 2)
                """)
    }

    /// These are the positions of the snapshots, the newest first.
    public func snapshotPositions() throws(StoreError) -> [Int64] {
        try attempt {
            try writer.read {
                try Int64.fetchAll($0, sql: "SELECT position FROM snapshot ORDER BY position DESC")
            }
        }
    }

    /// This is the snapshot at `position`; nil where its checksum does not hold.
    public func snapshot(at position: Int64) throws(StoreError) -> [UInt8]? {
        try attempt {
            try writer.read { database in
                let row = try Row.fetchOne(
                    database, sql: "SELECT crc, bytes FROM snapshot WHERE position = ?",
                    arguments: [position])
                guard let row else { return nil }
                let bytes = [UInt8](try Self.value(row, 1) as Data)
                return Int64(crc32c(bytes)) == (try Self.value(row, 0) as Int64) ? bytes : nil
            }
        }
    }

    /// These are the names of the files that any snapshot reads; nil where one of them does not say.
    public func snapshotFiles() throws(StoreError) -> Set<String>? {
        try attempt {
            try writer.read { database in
                let lists = try Row.fetchAll(database, sql: "SELECT files FROM snapshot")
                    .map { try Self.value($0, 0) as String? }
                guard !lists.contains(nil) else { return nil }
                return Set(lists.flatMap { ($0 ?? "").split(separator: "\n").map { String($0) } })
            }
        }
    }

    /// Removes the snapshots, so that the next start folds the whole log; where its beginning was taken
    /// away, the state before it is kept.
    public func dropSnapshots() throws(StoreError) {
        try attempt {
            try writer.write { database in
                let starts = try Int64.fetchAll(
                    database,
                    sql: "SELECT log_start FROM snapshot ORDER BY position DESC LIMIT 2")
                try database.execute(
                    sql: "DELETE FROM snapshot WHERE position != ?",
                    arguments: [starts.min() ?? 0])
            }
        }
    }
}
