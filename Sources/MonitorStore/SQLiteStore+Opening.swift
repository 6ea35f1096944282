import Foundation
import GRDB
import Synchronization

/// The opening of the file: settings, tables, and the check after a stop that was no orderly one.
extension SQLiteStore {
    /// How long the check may take: D-6 leaves a start five seconds.
    static let checkSeconds = 1.0

    static func path(_ directory: String) -> String { "\(directory)/leeway.sqlite" }

    static func open(_ directory: String, readOnly: Bool) throws(StoreError) -> DatabaseQueue {
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
        if !readOnly { restrict(path(directory)) }
        let queue: DatabaseQueue
        do {
            queue = try DatabaseQueue(path: path(directory), configuration: configuration)
        } catch let error as DatabaseError
            where [.SQLITE_CORRUPT, .SQLITE_NOTADB].contains(error.resultCode)
        {
            throw .corrupt(
                "\(path(directory)) is no database any more (\(error)); put a backup in its place, or move "
                    + "it away to begin anew; it is untouched")
        } catch {
            throw .cannotOpen("\(error)")
        }
        try migrate(queue, readOnly: readOnly)
        return queue
    }

    /// Makes the file where it is missing, and keeps everybody but its owner from it.
    ///
    /// Features may be personal. What SQLite puts beside it has the same rights.
    static func restrict(_ path: String) {
        let descriptor = Glibc.open(path, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0o600)
        guard descriptor < 0 else {
            Glibc.close(descriptor)
            return
        }
        // Of an earlier version.
        for name in [path, path + "-wal", path + "-shm"] { chmod(name, 0o600) }
    }

    // MARK: - Settings

    static func settings(
        of queue: DatabaseQueue, readOnly: Bool
    ) throws(StoreError) -> [(name: String, value: String)] {
        let settings = try attempt { try queue.read { try readSettings($0) } }
        let expected = readOnly ? [] : [("journal_mode", "wal"), ("synchronous", "2")]
        for (name, value) in expected {
            let found = settings.first { $0.name == name }?.value ?? "absent"
            guard found == value else {
                throw .setting(name: name, found: found, expected: value)
            }
        }
        return settings
    }

    private static func readSettings(
        _ database: Database
    ) throws -> [(name: String, value: String)] {
        var settings: [(name: String, value: String)] = []
        for name in ["journal_mode", "synchronous", "page_size", "mmap_size", "wal_autocheckpoint"]
        {
            let value = try DatabaseValue.fetchOne(database, sql: "PRAGMA \(name)")
            settings.append((name, value.map { text(of: $0) } ?? "absent"))
        }
        let version = try String.fetchOne(database, sql: "SELECT sqlite_version()")
        settings.append(("sqlite_version", version ?? "unknown"))
        let options = try String.fetchAll(database, sql: "PRAGMA compile_options")
        settings.append(("compile_options", options.joined(separator: " ")))
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

    // MARK: - Format

    static func format(of queue: DatabaseQueue) throws(StoreError) -> Int {
        try attempt { try queue.read { try Int.fetchOne($0, sql: "PRAGMA user_version") ?? 0 } }
    }

    private static func migrate(
        _ queue: DatabaseQueue, readOnly: Bool
    ) throws(StoreError) {
        let found = try format(of: queue)
        guard found <= formatVersion else {
            throw .newerVersion(found: found, known: formatVersion)
        }
        guard found < formatVersion else { return }
        if readOnly {
            // Earlier formats lack only what nobody reads without writing.
            if found == 0 { throw .corrupt("there is no log in this directory") }
            return
        }
        // One transaction a step: killed anywhere, it is the old format or the new one.
        for step in steps.dropFirst(found) {
            try attempt { try queue.write { try $0.execute(sql: step) } }
        }
    }

    /// By format before: what makes the next one of it.
    private static let steps = [
        """
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
        PRAGMA user_version = 1;
        """,
        """
        ALTER TABLE effect ADD COLUMN failure TEXT;
        PRAGMA user_version = 2;
        """,
        """
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
        ALTER TABLE idempotency ADD COLUMN first_position INTEGER;
        ALTER TABLE idempotency ADD COLUMN last_position INTEGER;
        ALTER TABLE idempotency ADD COLUMN first_row INTEGER;
        ALTER TABLE idempotency ADD COLUMN row_count INTEGER;
        ALTER TABLE idempotency ADD COLUMN crc INTEGER;
        CREATE INDEX idempotency_position ON idempotency (first_position);
        ALTER TABLE entry ADD COLUMN link INTEGER;
        ALTER TABLE effect ADD COLUMN crc INTEGER;
        ALTER TABLE snapshot ADD COLUMN made_at INTEGER NOT NULL DEFAULT 0;
        ALTER TABLE snapshot ADD COLUMN log_start INTEGER NOT NULL DEFAULT 0;
        ALTER TABLE snapshot ADD COLUMN is_milestone INTEGER NOT NULL DEFAULT 0;
        ALTER TABLE snapshot ADD COLUMN reaches INTEGER;
        ALTER TABLE snapshot ADD COLUMN files TEXT;
        CREATE TABLE lost (
            first INTEGER PRIMARY KEY,
            last INTEGER NOT NULL,
            noticed_at INTEGER NOT NULL
        ) STRICT;
        CREATE TABLE sealed_file (
            name TEXT PRIMARY KEY,
            bytes BLOB NOT NULL
        ) STRICT;
        PRAGMA user_version = 3;
        """,
    ]

    // MARK: - Check

    /// Looks through the tables, the small ones first, for a second at most.
    ///
    /// - Returns: What is wrong, and whether everything was seen.
    static func quickCheck(_ queue: DatabaseQueue) -> (damage: [String], isComplete: Bool) {
        let isOver = Mutex(false)
        let ending = DispatchWorkItem {
            isOver.withLock { isOver in
                if !isOver { queue.interrupt() }
            }
        }
        DispatchQueue.global().asyncAfter(deadline: .now() + checkSeconds, execute: ending)
        defer {
            isOver.withLock { $0 = true }
            ending.cancel()
        }
        let start = ContinuousClock.now
        for table in ["effect", "lost", "sealed_file", "idempotency", "snapshot", "entry"] {
            guard ContinuousClock.now - start < .seconds(checkSeconds) else { return ([], false) }
            do {
                let lines = try queue.read {
                    try String.fetchAll($0, sql: "PRAGMA quick_check(\(table))")
                }
                if lines != ["ok"] { return (Array(lines.prefix(10)), true) }
            } catch let error as DatabaseError where error.resultCode == .SQLITE_INTERRUPT {
                return ([], false)
            } catch {
                return (["\(table): \(error)"], true)
            }
        }
        return ([], true)
    }
}
