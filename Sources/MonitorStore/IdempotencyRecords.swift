import ByteCoding
import Foundation
import GRDB
import Synchronization

/// This is what was answered to a batch under a key of its sender's, so that a repeat is answered alike.
public struct IdempotencyRecord: Sendable, Equatable {
    /// Whose key it is, and on which route.
    public let scope: String
    /// The sender's key.
    public let key: String
    /// SHA-256 of the decoded body.
    public let fingerprint: [UInt8]
    /// The answer's status.
    public var status: Int
    /// The answer's body.
    public var answer: String
    /// Where its batch is; nil where nobody needs to know.
    public var place: Place?

    /// This is where a batch lies among the entries that are appended together.
    public struct Place: Sendable, Equatable {
        /// Its entries, counted from the first that is appended.
        public var entries: Range<Int>
        /// Its rows, where it shares its one entry with others.
        public var rows: Range<Int>?

        /// Makes a place.
        public init(entries: Range<Int>, rows: Range<Int>? = nil) {
            self.entries = entries
            self.rows = rows
        }
    }

    /// This is a record of the log's tail, with the place of its batch.
    public struct Placed: Sendable {
        /// The record.
        public let record: IdempotencyRecord
        /// Its entries.
        public let positions: ClosedRange<Int64>
        /// Its rows, where it shares its one entry with others.
        public let rows: Range<Int>?
    }

    /// Makes a record.
    public init(
        scope: String, key: String, fingerprint: [UInt8], status: Int, answer: String,
        place: Place? = nil
    ) {
        self.scope = scope
        self.key = key
        self.fingerprint = fingerprint
        self.status = status
        self.answer = answer
        self.place = place
    }

    /// This is the checksum that is stored with it.
    fileprivate var checksum: Int64 {
        var bytes = Array("\(scope)\n\(key)\n\(status)\n\(answer)\n".utf8)
        bytes += fingerprint
        return Int64(crc32c(bytes))
    }
}

/// Records are written in the transaction of their batch, and dropped after a day.
extension SQLiteStore {
    /// How long a key is known.
    static let idempotencyMilliseconds: Int64 = 86_400_000

    /// The project that a scope begins with.
    private static func project(of scope: String) -> String {
        String(scope.prefix { $0 != " " })
    }

    static func keyCounts(of queue: DatabaseQueue) throws(StoreError) -> [String: Int] {
        try attempt { try queue.read { try countKeys($0) } }
    }

    /// These are the keys that are kept, by project.
    private static func countKeys(_ database: Database) throws -> [String: Int] {
        let rows = try Row.fetchCursor(
            database, sql: "SELECT scope, count(*) FROM idempotency GROUP BY scope")
        var counts: [String: Int] = [:]
        while let row = try rows.next() {
            counts[project(of: row[0]), default: 0] += row[1] as Int
        }
        return counts
    }

    /// This is true where a project has fewer keys than `countMax`, after dropping what has expired.
    ///
    /// - Throws: `StoreError`.
    public func hasRoomForKey(scope: String, countMax: Int) throws(StoreError) -> Bool {
        let project = Self.project(of: scope)
        func count() -> Int { keyCounts.withLock { $0[project] ?? 0 } }
        if count() < countMax { return true }
        let changes = try attempt {
            try writer.write { try Self.dropExpired(from: $0, at: now) }
        }
        keyCounts.withLock { $0.merge(changes) { $0 + $1 } }
        return count() < countMax
    }

    /// Drops records that are over a day old.
    ///
    /// - Returns: By how many the keys of each project have changed.
    private static func dropExpired(
        from database: Database, at now: Int64
    ) throws -> [String: Int] {
        let expired = try String.fetchCursor(
            database, sql: "DELETE FROM idempotency WHERE created_at < ? RETURNING scope",
            arguments: [now - idempotencyMilliseconds])
        var changes: [String: Int] = [:]
        while let scope = try expired.next() { changes[project(of: scope), default: 0] -= 1 }
        return changes
    }

    /// Inserts records and drops those that are over a day old.
    ///
    /// - Returns: By how many the keys of each project have changed.
    static func insert(
        _ records: [IdempotencyRecord], after position: Int64, at now: Int64,
        into database: Database
    ) throws -> [String: Int] {
        guard !records.isEmpty else { return [:] }
        var changes = try dropExpired(from: database, at: now)
        let statement = try database.cachedStatement(
            sql: """
                INSERT OR REPLACE INTO idempotency
                    (scope, key, fingerprint, status, answer, created_at, first_position,
                    last_position, first_row, row_count, crc)
                VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)
                """)
        for record in records {
            let first = record.place.map { position + 1 + Int64($0.entries.lowerBound) }
            let last = record.place.map { position + Int64($0.entries.upperBound) }
            let rows = record.place?.rows
            try statement.execute(
                arguments: [
                    record.scope, record.key, Data(record.fingerprint), record.status,
                    record.answer, now, first, last, rows?.lowerBound, rows?.count, record.checksum,
                ])
            changes[project(of: record.scope), default: 0] += 1
        }
        return changes
    }

    /// Replaces the answers of stored records by what came out.
    static func settle(_ records: [IdempotencyRecord], in database: Database) throws {
        guard !records.isEmpty else { return }
        let statement = try database.cachedStatement(
            sql: """
                UPDATE idempotency SET status = ?, answer = ?, crc = ?
                WHERE scope = ? AND key = ?
                """)
        for record in records {
            try statement.execute(
                arguments: [
                    record.status, record.answer, record.checksum, record.scope, record.key,
                ])
        }
    }

    /// These are the records of batches that lie after `position` in the log, in its order.
    ///
    /// - Throws: `StoreError`.
    public func idempotencyRecords(
        after position: Int64
    ) throws(StoreError) -> [IdempotencyRecord.Placed] {
        try attempt {
            try writer.read { database in
                try Row.fetchAll(
                    database,
                    sql: """
                        SELECT scope, key, fingerprint, status, answer, first_position, last_position,
                            first_row, row_count
                        FROM idempotency WHERE first_position > ? ORDER BY first_position
                        """, arguments: [position]
                ).compactMap { try Self.placed($0) }
            }
        }
    }

    private static func placed(_ row: Row) throws -> IdempotencyRecord.Placed? {
        let fingerprint: Data = try value(row, 2)
        let (first, last): (Int64, Int64) = (try value(row, 5), try value(row, 6))
        let (firstRow, rowCount): (Int?, Int?) = (try value(row, 7), try value(row, 8))
        guard first <= last else { return nil }
        var rows: Range<Int>?
        if let firstRow, let rowCount, firstRow >= 0, (0...1 << 20).contains(rowCount) {
            rows = firstRow..<firstRow + rowCount
        }
        return IdempotencyRecord.Placed(
            record: IdempotencyRecord(
                scope: try value(row, 0), key: try value(row, 1),
                fingerprint: [UInt8](fingerprint), status: try value(row, 3),
                answer: try value(row, 4)),
            positions: first...last, rows: rows)
    }

    /// This is the record of a key that is not older than a day.
    ///
    /// One whose checksum does not hold is no record: its batch is counted again, as repeats.
    ///
    /// - Parameters:
    ///   - scope: Whose key it is, and on which route.
    ///   - key: The sender's key.
    /// - Returns: The record, nil where there is none.
    /// - Throws: `StoreError`.
    public func idempotencyRecord(
        scope: String, key: String
    ) throws(StoreError) -> IdempotencyRecord? {
        try attempt {
            try writer.read { database in
                let row = try Row.fetchOne(
                    database,
                    sql: """
                        SELECT fingerprint, status, answer, crc FROM idempotency
                        WHERE scope = ? AND key = ? AND created_at >= ?
                        """,
                    arguments: [scope, key, now - Self.idempotencyMilliseconds])
                return try row.flatMap { row in
                    let fingerprint: Data = try Self.value(row, 0)
                    let record = IdempotencyRecord(
                        scope: scope, key: key, fingerprint: [UInt8](fingerprint),
                        status: try Self.value(row, 1), answer: try Self.value(row, 2))
                    let sum: Int64? = try Self.value(row, 3)
                    return sum == nil || sum == record.checksum ? record : nil
                }
            }
        }
    }

    static func milliseconds() -> Int64 {
        Int64((Date().timeIntervalSince1970 * 1_000).rounded(.down))
    }
}
