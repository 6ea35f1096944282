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

    /// Makes a record.
    public init(scope: String, key: String, fingerprint: [UInt8], status: Int, answer: String) {
        self.scope = scope
        self.key = key
        self.fingerprint = fingerprint
        self.status = status
        self.answer = answer
    }
}

/// Records are written in the transaction of their batch, and dropped after a day.
extension SQLiteStore {
    /// How long a key is known.
    static let idempotencyMilliseconds: Int64 = 86_400_000

    static func createIdempotencyTable(_ database: Database) throws {
        try database.execute(
            sql: """
                CREATE TABLE IF NOT EXISTS idempotency (
                    scope TEXT NOT NULL,
                    key TEXT NOT NULL,
                    fingerprint BLOB NOT NULL,
                    status INTEGER NOT NULL,
                    answer TEXT NOT NULL,
                    created_at INTEGER NOT NULL,
                    PRIMARY KEY (scope, key)
                ) STRICT, WITHOUT ROWID;
                CREATE INDEX IF NOT EXISTS idempotency_age ON idempotency (created_at);
                """)
    }

    /// The project that a scope begins with.
    private static func project(of scope: String) -> String {
        String(scope.prefix { $0 != " " })
    }

    /// These are the keys that are kept, by project.
    static func countKeys(_ database: Database) throws -> [String: Int] {
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
            try writer.write { try Self.dropExpired(from: $0, at: Self.milliseconds()) }
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
        _ records: [IdempotencyRecord], into database: Database
    ) throws -> [String: Int] {
        guard !records.isEmpty else { return [:] }
        let now = milliseconds()
        var changes = try dropExpired(from: database, at: now)
        let statement = try database.cachedStatement(
            sql: """
                INSERT OR REPLACE INTO idempotency
                    (scope, key, fingerprint, status, answer, created_at) VALUES (?, ?, ?, ?, ?, ?)
                """)
        for record in records {
            try statement.execute(
                arguments: [
                    record.scope, record.key, Data(record.fingerprint), record.status,
                    record.answer, now,
                ])
            changes[project(of: record.scope), default: 0] += 1
        }
        return changes
    }

    /// Replaces the answers of stored records by what came out.
    public func settle(_ records: [IdempotencyRecord]) throws(StoreError) {
        try attempt {
            try writer.write { database in
                let statement = try database.cachedStatement(
                    sql: "UPDATE idempotency SET status = ?, answer = ? WHERE scope = ? AND key = ?"
                )
                for record in records {
                    try statement.execute(
                        arguments: [record.status, record.answer, record.scope, record.key])
                }
            }
        }
    }

    /// This is the record of a key that is not older than a day.
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
                        SELECT fingerprint, status, answer FROM idempotency
                        WHERE scope = ? AND key = ? AND created_at >= ?
                        """,
                    arguments: [scope, key, Self.milliseconds() - Self.idempotencyMilliseconds])
                return row.map { row in
                    let fingerprint: Data = row[0]
                    return IdempotencyRecord(
                        scope: scope, key: key, fingerprint: [UInt8](fingerprint), status: row[1],
                        answer: row[2])
                }
            }
        }
    }

    private static func milliseconds() -> Int64 {
        Int64((Date().timeIntervalSince1970 * 1_000).rounded(.down))
    }
}
