import GRDB

/// The outbox: effects that wait until somebody confirms them.
extension SQLiteStore {
    /// These are the oldest effects of a kind that nobody has confirmed.
    ///
    /// One whose checksum does not hold is set aside: nobody is told what nobody has decided.
    public func pendingDeliveries(kind: String, limit: Int) throws(StoreError) -> [StoredEffect] {
        let (whole, damaged) = try attempt {
            try writer.read { database in
                let rows = try Row.fetchAll(
                    database,
                    sql: """
                        SELECT key, kind, payload, position, crc FROM effect
                        WHERE kind = ? AND is_delivered = 0 AND failure IS NULL
                        ORDER BY position, key LIMIT ?
                        """, arguments: [kind, limit])
                var (whole, damaged): ([StoredEffect], [String]) = ([], [])
                for row in rows {
                    let effect = StoredEffect(
                        key: try Self.value(row, 0), kind: try Self.value(row, 1),
                        payload: try Self.value(row, 2), position: try Self.value(row, 3))
                    let sum: Int64? = try Self.value(row, 4)
                    if sum == nil || sum == Int64(effect.checksum) {
                        whole.append(effect)
                    } else {
                        damaged.append(effect.key)
                    }
                }
                return (whole, damaged)
            }
        }
        for key in damaged { try setAside(key: key, because: Self.damagedPayload) }
        return whole
    }

    /// These are the keys of effects whose checksum does not hold, delivered ones among them.
    public func damagedEffects() throws(StoreError) -> [String] {
        try attempt {
            try writer.read { database in
                let rows = try Row.fetchCursor(
                    database,
                    sql: """
                        SELECT key, kind, payload, position, crc FROM effect
                        WHERE crc IS NOT NULL ORDER BY position, key
                        """)
                var damaged: [String] = []
                while let row = try rows.next() {
                    let effect = StoredEffect(
                        key: try Self.value(row, 0), kind: try Self.value(row, 1),
                        payload: try Self.value(row, 2), position: try Self.value(row, 3))
                    let sum: Int64 = try Self.value(row, 4)
                    if sum != Int64(effect.checksum) { damaged.append(effect.key) }
                }
                return damaged
            }
        }
    }

    /// The reason of effects that were stored whole and are not any more.
    public static let damagedPayload = "the stored payload is damaged: its checksum does not hold"

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
