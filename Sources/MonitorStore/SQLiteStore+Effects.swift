import GRDB

/// The outbox: effects that wait until somebody confirms them.
extension SQLiteStore {
    /// These are the oldest effects of a kind that nobody has confirmed.
    public func pendingDeliveries(kind: String, limit: Int) throws(StoreError) -> [StoredEffect] {
        try attempt {
            try writer.read { database in
                try Row.fetchAll(
                    database,
                    sql: """
                        SELECT key, kind, payload, position FROM effect
                        WHERE kind = ? AND is_delivered = 0 AND failure IS NULL
                        ORDER BY position, key LIMIT ?
                        """, arguments: [kind, limit]
                ).map {
                    StoredEffect(
                        key: try Self.value($0, 0), kind: try Self.value($0, 1),
                        payload: try Self.value($0, 2), position: try Self.value($0, 3))
                }
            }
        }
    }

    /// Sets an effect aside that can never be carried out, with the reason; those behind it go on.
    public func setAside(key: String, because reason: String) throws(StoreError) {
        try attempt {
            try writer.write {
                try $0.execute(
                    sql: "UPDATE effect SET failure = ? WHERE key = ? AND is_delivered = 0",
                    arguments: [reason, key])
            }
        }
    }

    /// These are the newest effects that were set aside, with their reasons, and how many there are.
    public func setAsideDeliveries(
        limit: Int
    ) throws(StoreError) -> (count: Int, newest: [(key: String, reason: String)]) {
        try attempt {
            try writer.read { database in
                let set = "FROM effect WHERE is_delivered = 0 AND failure IS NOT NULL"
                let count = try Int.fetchOne(database, sql: "SELECT count(*) \(set)") ?? 0
                let rows = try Row.fetchAll(
                    database,
                    sql: "SELECT key, failure \(set) ORDER BY position DESC, key LIMIT ?",
                    arguments: [limit])
                return (count, try rows.map { (try Self.value($0, 0), try Self.value($0, 1)) })
            }
        }
    }

    /// This is how many effects of these kinds wait to be confirmed.
    public func pendingDeliveryCount(kinds: [String]) throws(StoreError) -> Int {
        try attempt {
            try writer.read { database in
                try kinds.reduce(0) { sum, kind in
                    sum
                        + (try Int.fetchOne(
                            database,
                            sql: """
                                SELECT count(*) FROM effect
                                WHERE kind = ? AND is_delivered = 0 AND failure IS NULL
                                """, arguments: [kind]) ?? 0)
                }
            }
        }
    }

    /// Marks an effect as carried out; unknown keys change nothing.
    public func confirmDelivery(key: String) throws(StoreError) {
        try attempt {
            try writer.write {
                try $0.execute(
                    sql: "UPDATE effect SET is_delivered = 1 WHERE key = ?", arguments: [key])
            }
        }
    }
}
