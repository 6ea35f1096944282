import ByteCoding
import Foundation
import GRDB
import Synchronization

/// This is the log, the snapshots and the outbox in one SQLite file.
///
/// It guarantees that `append` returns after the entries are on stable storage: write-ahead log,
/// `synchronous=FULL`, both read back. Exactly one connection writes and checkpoints, because SQLite
/// before 3.51.3 can corrupt a file when two do. Its limit: one process per directory.
///
///     entry     position INTEGER PRIMARY KEY, payload BLOB          the log
///     snapshot  position INTEGER PRIMARY KEY, crc INTEGER, bytes    the newest two
///     effect    key TEXT PRIMARY KEY, kind, payload, position, delivered, failure: why it was set aside
public final class SQLiteStore: Sendable {
    /// The format in `user_version`.
    static let formatVersion = 2
    /// 16 KiB: half again as fast as 4 KiB for payloads of 100 KiB.
    static let pageSizeBytes = 16_384
    /// Bytes in the write-ahead log after which it is folded back.
    ///
    /// So few that a fold is over soon, and that the log's file, which is written from its start again
    /// after each one, does not grow: a flush then brings no change of the file's size to the disk.
    static let checkpointSizeBytes = 8 << 20
    /// The file is cut to this size again when a reader has kept it from being folded back for long.
    static let logSizeBytesMax = 64 << 20

    /// The data directory.
    public let directory: String
    private let lock: DirectoryLock?
    let writer: DatabaseQueue
    /// Bytes in the write-ahead log since the last fold, about.
    private let unfoldedSizeBytes = Mutex(0)
    /// The settings that durability rests on, read back.
    public let settings: [(name: String, value: String)]
    /// Keys of batches that are kept, by project.
    let keyCounts = Mutex<[String: Int]>([:])

    /// Opens or creates the store and reads its settings back.
    ///
    /// - Parameters:
    ///   - directory: The data directory; it is created where it is missing.
    ///   - readOnly: True takes no lock and writes nothing, so that it can look while a server runs.
    /// - Throws: `StoreError`: locked, not to be opened, unsafe settings, or of a newer program.
    public init(directory: String, readOnly: Bool = false) throws(StoreError) {
        self.directory = directory
        let manager = FileManager.default
        if !readOnly {
            do {
                try manager.createDirectory(
                    atPath: directory, withIntermediateDirectories: true,
                    attributes: [.posixPermissions: 0o700])
            } catch {
                throw .cannotOpen(error.localizedDescription)
            }
        }
        lock = readOnly ? nil : try DirectoryLock(directory: directory)
        var configuration = Configuration()
        configuration.readonly = readOnly
        configuration.busyMode = .timeout(10)
        configuration.prepareDatabase { database in
            guard !readOnly else { return }
            try database.execute(
                sql: """
                    PRAGMA page_size = \(Self.pageSizeBytes);
                    PRAGMA journal_mode = WAL;
                    PRAGMA synchronous = FULL;
                    PRAGMA mmap_size = 0;
                    PRAGMA wal_autocheckpoint = 0;
                    PRAGMA journal_size_limit = \(Self.logSizeBytesMax);
                    """)
        }
        do {
            writer = try DatabaseQueue(
                path: "\(directory)/leeway.sqlite", configuration: configuration)
            settings = try writer.read { database in try Self.readSettings(database) }
        } catch {
            throw .cannotOpen("\(error)")
        }
        let expected = readOnly ? [] : [("journal_mode", "wal"), ("synchronous", "2")]
        for (name, value) in expected {
            let found = settings.first { $0.name == name }?.value ?? "absent"
            guard found == value else {
                throw .setting(name: name, found: found, expected: value)
            }
        }
        try migrate(readOnly: readOnly)
        if !readOnly {
            let counts = try attempt {
                try writer.write { database in
                    try Self.createIdempotencyTable(database)
                    return try Self.countKeys(database)
                }
            }
            keyCounts.withLock { $0 = counts }
        }
    }

    private static func readSettings(_ database: Database) throws -> [(name: String, value: String)]
    {
        var settings: [(name: String, value: String)] = []
        for name in ["journal_mode", "synchronous", "page_size", "mmap_size", "wal_autocheckpoint"]
        {
            let value = try DatabaseValue.fetchOne(database, sql: "PRAGMA \(name)")
            settings.append((name, value.map { text(of: $0) } ?? "absent"))
        }
        let version = try String.fetchOne(database, sql: "SELECT sqlite_version()")
        settings.append(("sqlite_version", version ?? "unknown"))
        return settings
    }

    private static func text(of value: DatabaseValue) -> String {
        switch value.storage {
        case .int64(let number): "\(number)"
        case .string(let text): text
        case .double(let number): "\(number)"
        case .null, .blob: "absent"
        }
    }

    private func migrate(readOnly: Bool) throws(StoreError) {
        let found = try attempt {
            try writer.read { try Int.fetchOne($0, sql: "PRAGMA user_version") ?? 0 }
        }
        guard found <= Self.formatVersion else {
            throw .newerVersion(found: found, known: Self.formatVersion)
        }
        guard found < Self.formatVersion else { return }
        if readOnly {
            // The first format lacks only what nobody reads without writing.
            if found == 0 { throw .corrupt("there is no log in this directory") }
            return
        }
        try attempt {
            try writer.write { database in
                if found == 0 { try Self.createTables(database) }
                try database.execute(
                    sql: """
                        ALTER TABLE effect ADD COLUMN failure TEXT;
                        PRAGMA user_version = 2;
                        """)
            }
        }
    }

    private static func createTables(_ database: Database) throws {
        try database.execute(
            sql: """
                        CREATE TABLE entry (
                            position INTEGER PRIMARY KEY,
                            payload BLOB NOT NULL
                        ) STRICT;
                        CREATE TABLE snapshot (
                            position INTEGER PRIMARY KEY,
                            crc INTEGER NOT NULL,
                            bytes BLOB NOT NULL
                        ) STRICT;
                        CREATE TABLE effect (
                            key TEXT PRIMARY KEY,
                            kind TEXT NOT NULL,
                            payload TEXT NOT NULL,
                            position INTEGER NOT NULL,
                            is_delivered INTEGER NOT NULL DEFAULT 0
                        ) STRICT;
                        CREATE INDEX effect_pending ON effect (kind, position) WHERE is_delivered = 0;
                """)
    }

    /// This is a column's value; a damaged page may hold another type, on which `row[index]` traps.
    static func value<Value: DatabaseValueConvertible>(
        _ row: Row, _ index: Int
    ) throws(StoreError) -> Value {
        let stored: DatabaseValue = row[index]
        guard let value = Value.fromDatabaseValue(stored) else {
            throw .corrupt("a row holds \(stored) where another type is stored")
        }
        return value
    }

    func attempt<Result>(_ body: () throws -> Result) throws(StoreError) -> Result {
        do {
            return try body()
        } catch let error as StoreError {
            throw error
        } catch let error as DatabaseError where Self.isFull(error) {
            throw .full
        } catch {
            throw .io("\(error)")
        }
    }

    /// True where a transaction was undone for lack of room; the index of the write-ahead log has a code
    /// of its own for that.
    private static func isFull(_ error: DatabaseError) -> Bool {
        error.resultCode == .SQLITE_FULL || error.extendedResultCode == .SQLITE_IOERR_SHMSIZE
    }

    /// Closes the file; every later call throws.
    public func close() { try? writer.close() }

    // MARK: - Log

    /// Appends payloads in order, in one transaction.
    ///
    /// They are durable when it returns.
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
        return try attempt {
            var keyChanges: [String: Int] = [:]
            let range = try writer.write { database in
                let last =
                    try Int64.fetchOne(database, sql: "SELECT max(position) FROM entry") ?? 0
                let statement = try database.cachedStatement(
                    sql: "INSERT INTO entry (position, payload) VALUES (?, ?)")
                var position = last
                for payload in payloads {
                    position += 1
                    try statement.execute(arguments: [position, Data(payload)])
                }
                keyChanges = try Self.insert(records, into: database)
                return (last + 1)...position
            }
            keyCounts.withLock { $0.merge(keyChanges) { $0 + $1 } }
            // Besides the payloads, a transaction writes the last leaf and the pages above it again.
            let size = payloads.reduce(4 * Self.pageSizeBytes) { $0 + $1.count }
            unfoldedSizeBytes.withLock { $0 += size }
            return range
        }
    }

    /// Folds the write-ahead log back into the file where it has become long.
    ///
    /// It waits for no reader; what one still needs is folded back at a later call.
    ///
    /// - Throws: `full` where there is no room: the entries are durable in the write-ahead log, which grows
    ///   until there is. Another `StoreError` means that nothing more may be written.
    public func checkpointIfLong() throws(StoreError) {
        guard unfoldedSizeBytes.withLock({ $0 > Self.checkpointSizeBytes }) else { return }
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

    /// This is the newest position; 0 for an empty log.
    public var lastPosition: Int64 {
        get throws(StoreError) {
            try attempt {
                try writer.read {
                    try Int64.fetchOne($0, sql: "SELECT max(position) FROM entry") ?? 0
                }
            }
        }
    }

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
    public func forEachEntry(
        after position: Int64, through last: Int64?, _ body: (LogEntry) throws -> Void
    ) throws {
        try writer.read { database in
            let rows = try Row.fetchCursor(
                database,
                sql: """
                    SELECT position, payload FROM entry WHERE position > ? AND position <= ?
                    ORDER BY position
                    """, arguments: [position, last ?? Int64.max])
            while let row = try rows.next() {
                let payload: Data = try Self.value(row, 1)
                try body(LogEntry(position: try Self.value(row, 0), payload: [UInt8](payload)))
            }
        }
    }

    // MARK: - Snapshots and effects

    /// Stores effects, and a snapshot when there is one, in one transaction.
    ///
    /// A known effect stays as it is.
    public func commit(
        snapshot: [UInt8]?, effects: [StoredEffect], position: Int64
    ) throws(StoreError) {
        try attempt {
            try writer.write { database in
                let statement = try database.cachedStatement(
                    sql: """
                        INSERT INTO effect (key, kind, payload, position) VALUES (?, ?, ?, ?)
                        ON CONFLICT (key) DO NOTHING
                        """)
                for effect in effects {
                    try statement.execute(
                        arguments: [effect.key, effect.kind, effect.payload, effect.position])
                }
                guard let snapshot else { return }
                unfoldedSizeBytes.withLock { $0 += snapshot.count }
                try database.execute(
                    sql: "INSERT OR REPLACE INTO snapshot (position, crc, bytes) VALUES (?, ?, ?)",
                    arguments: [position, Int64(crc32c(snapshot)), Data(snapshot)])
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
