import Foundation
import GRDB

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

    static func insert(_ records: [IdempotencyRecord], into database: Database) throws {
        guard !records.isEmpty else { return }
        let now = milliseconds()
        try database.execute(
            sql: "DELETE FROM idempotency WHERE created_at < ?",
            arguments: [now - idempotencyMilliseconds])
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
        }
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
