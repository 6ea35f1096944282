import ByteCoding
import Foundation
import GRDB
import Synchronization

/// Snapshots, and the effects that are stored with them or before.
extension SQLiteStore {
    /// Stores effects, settled answers, and a snapshot when there is one, in one transaction.
    ///
    /// A known effect stays as it is.
    public func commit(
        snapshot: [UInt8]?, effects: [StoredEffect], position: Int64,
        settled: [IdempotencyRecord] = []
    ) throws(StoreError) {
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
                unfoldedSizeBytes.withLock { $0 += snapshot.count }
                try database.execute(
                    sql: """
                        INSERT OR REPLACE INTO snapshot (position, crc, bytes, made_at)
                        VALUES (?, ?, ?, ?)
                        """,
                    arguments: [
                        position, Int64(crc32c(snapshot)), Data(snapshot), Self.milliseconds(),
                    ])
                // Two are kept, so that a corrupt one costs time and not the state.
                try database.execute(
                    sql: """
                        DELETE FROM snapshot WHERE position NOT IN
                            (SELECT position FROM snapshot ORDER BY position DESC LIMIT 2)
                        """)
            }
        }
    }

    /// These are the snapshots whose checksums hold, the newest first.
    public func snapshots() throws(StoreError) -> [(position: Int64, bytes: [UInt8])] {
        try attempt {
            try writer.read { database in
                let rows = try Row.fetchAll(
                    database,
                    sql: "SELECT position, crc, bytes FROM snapshot ORDER BY position DESC")
                return try rows.compactMap { row in
                    let bytes = [UInt8](try Self.value(row, 2) as Data)
                    guard Int64(crc32c(bytes)) == (try Self.value(row, 1) as Int64) else {
                        return nil
                    }
                    return (try Self.value(row, 0), bytes)
                }
            }
        }
    }

    func vacuum(into path: String) throws(StoreError) {
        try attempt {
            try writer.writeWithoutTransaction {
                try $0.execute(sql: "VACUUM INTO ?", arguments: [path])
            }
        }
    }

    /// Removes the snapshots, so that the next start folds the whole log.
    public func dropSnapshots() throws(StoreError) {
        try attempt { try writer.write { try $0.execute(sql: "DELETE FROM snapshot") } }
    }
}
