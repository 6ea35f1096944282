import Foundation
import GRDB

/// What can be read of a damaged file goes on in a new one; the damaged one is kept beside it.
extension SQLiteStore {
    /// Damaged files that are kept; older ones make room.
    private static let damagedCountMax = 2

    /// Copies what can be read, row by row where whole runs cannot be, and puts the copy in the file's place.
    ///
    /// - Throws: `StoreError.corrupt` where not even the list of tables can be read: then nothing is changed.
    static func salvage(_ directory: String) throws(StoreError) -> StartFindings.Salvage {
        var salvage = StartFindings.Salvage(file: "leeway.sqlite.damaged-*")
        let temporary = "\(directory)/salvage"
        try? FileManager.default.removeItem(atPath: temporary)
        do {
            try FileManager.default.createDirectory(
                atPath: temporary, withIntermediateDirectories: true)
        } catch {
            throw .cannotOpen(error.localizedDescription)
        }
        defer { try? FileManager.default.removeItem(atPath: temporary) }
        let copy = try open(temporary, readOnly: false)
        var configuration = Configuration()
        configuration.readonly = true
        let source: DatabaseQueue
        do {
            source = try DatabaseQueue(path: path(directory), configuration: configuration)
        } catch {
            throw .corrupt("\(path(directory)) cannot be read: \(error); it is untouched")
        }
        for table in ["entry", "snapshot", "effect", "lost", "sealed_file"] {
            let lost = try copyRows(of: table, from: source, to: copy)
            if table == "entry" {
                salvage.positions = lost
            } else {
                salvage.otherRowCount += lost.reduce(0) { $0 + $1.count }
            }
        }
        salvage.otherRowCount += copyKeys(from: source, to: copy) ? 0 : 1
        for range in salvage.positions { try insertLost(range, into: copy) }
        try attempt {
            try copy.writeWithoutTransaction { _ = try $0.checkpoint(.truncate) }
            try source.close()
            try copy.close()
        }
        try move(path(temporary), to: salvaged(directory))
        flushFolder(directory)
        try finishSalvage(directory)
        return salvage
    }

    /// Copies a table by its row numbers, and finds the next that can be read where one cannot.
    ///
    /// - Returns: Runs of row numbers in which nothing could be read.
    private static func copyRows(
        of table: String, from source: DatabaseQueue, to copy: DatabaseQueue
    ) throws(StoreError) -> [ClosedRange<Int64>] {
        var lost: [ClosedRange<Int64>] = []
        var next: Int64 = 1
        while true {
            var (last, isAtEnd) = try copyRun(of: table, rows: next...Int64.max, source, to: copy)
            if isAtEnd { return lost }
            guard let found = nextReadable(of: table, after: last, in: source) else {
                return lost
            }
            if found > last + 1 { lost.append((last + 1)...(found - 1)) }
            next = found
            // A row that can be found and not be reached in order would be tried for ever.
            if last < found {
                (last, isAtEnd) = try copyRun(of: table, rows: found...found, source, to: copy)
                next = found + 1
            }
        }
    }

    /// Copies rows until one cannot be read.
    ///
    /// - Returns: The last row that was copied, or the one before the first; true where the run has ended.
    private static func copyRun(
        of table: String, rows numbers: ClosedRange<Int64>, _ source: DatabaseQueue,
        to copy: DatabaseQueue
    ) throws(StoreError) -> (last: Int64, isAtEnd: Bool) {
        var last = numbers.lowerBound - 1
        var isAtEnd = false
        try attempt {
            try copy.write { target in
                do {
                    try source.read { database in
                        let rows = try Row.fetchCursor(
                            database,
                            sql: """
                                SELECT rowid, * FROM \(table) WHERE rowid BETWEEN ? AND ?
                                ORDER BY rowid
                                """, arguments: [numbers.lowerBound, numbers.upperBound])
                        while let row = try rows.next() {
                            let number: Int64 = try value(row, 0)
                            guard number > last else { return }
                            try insert(Array(row.databaseValues.dropFirst()), into: table, target)
                            last = number
                        }
                        isAtEnd = true
                    }
                } catch let error as DatabaseError where isDamage(error) {
                    return
                } catch StoreError.corrupt {
                    return
                }
            }
        }
        return (last, isAtEnd)
    }

    private static func insert(
        _ values: [DatabaseValue], into table: String, _ target: Database
    ) throws {
        let marks = values.map { _ in "?" }.joined(separator: ", ")
        try target.execute(
            sql: "INSERT OR IGNORE INTO \(table) VALUES (\(marks))",
            arguments: StatementArguments(values))
    }

    /// True where a row cannot be read, or holds what its table does not take.
    private static func isDamage(_ error: DatabaseError) -> Bool {
        [.SQLITE_CORRUPT, .SQLITE_NOTADB, .SQLITE_CONSTRAINT].contains(error.resultCode)
    }

    /// This is the next row number behind a damaged run; nil where none is found.
    ///
    /// Steps double, so that a large hole costs little, and the last step is searched by halves.
    private static func nextReadable(
        of table: String, after last: Int64, in source: DatabaseQueue
    ) -> Int64? {
        func isReadable(_ number: Int64) -> Bool {
            let row = try? source.read {
                try Row.fetchOne(
                    $0, sql: "SELECT * FROM \(table) WHERE rowid = ?", arguments: [number])
            }
            return row.flatMap { $0 } != nil
        }
        var bad = last
        var step: Int64 = 1
        while step < 1 << 40 {
            let (place, isOver) = last.addingReportingOverflow(step)
            if isOver { return nil }
            if isReadable(place) {
                var (low, high) = (bad, place)
                while low + 1 < high {
                    let middle = low + (high - low) / 2
                    if isReadable(middle) { high = middle } else { low = middle }
                }
                return high
            }
            bad = place
            // Neighbours first: damaged pages hold few rows.
            step = step < 256 ? step + 1 : step * 2
        }
        return nil
    }

    /// Copies the senders' keys as far as they can be read; false where some cannot.
    private static func copyKeys(from source: DatabaseQueue, to copy: DatabaseQueue) -> Bool {
        var isWhole = false
        try? copy.write { target in
            do {
                try source.read { database in
                    let rows = try Row.fetchCursor(database, sql: "SELECT * FROM idempotency")
                    while let row = try rows.next() {
                        try insert(Array(row.databaseValues), into: "idempotency", target)
                    }
                }
                isWhole = true
            } catch {
                // What has been read is kept.
            }
        }
        return isWhole
    }

    private static func salvaged(_ directory: String) -> String {
        "\(directory)/leeway.sqlite.salvaged"
    }

    /// Puts a copy that is complete in the file's place, and the file aside; nothing where there is no copy.
    ///
    /// The copy has a name of its own until this is over, so that a process that dies in between goes on here.
    static func finishSalvage(_ directory: String) throws(StoreError) {
        let copy = salvaged(directory)
        guard access(copy, F_OK) == 0 else { return }
        let aside = "\(directory)/leeway.sqlite.damaged-\(milliseconds() / 1_000)"
        let file = path(directory)
        // A write-ahead log that stayed would be taken for the copy's.
        for suffix in ["-wal", ""] where access(file + suffix, F_OK) == 0 {
            try move(file + suffix, to: aside + suffix)
        }
        unlink(file + "-shm")
        try move(copy, to: file)
        flushFolder(directory)
        let names = (try? FileManager.default.contentsOfDirectory(atPath: directory)) ?? []
        let old = names.filter { $0.hasPrefix("leeway.sqlite.damaged-") && !$0.hasSuffix("-wal") }
        for name in old.sorted().dropLast(damagedCountMax) {
            unlink("\(directory)/\(name)")
            unlink("\(directory)/\(name)-wal")
        }
    }

    private static func move(_ from: String, to: String) throws(StoreError) {
        guard rename(from, to) == 0 else { throw .io("rename \(from): errno \(errno)") }
    }

    private static func flushFolder(_ directory: String) {
        let folder = Glibc.open(directory, O_RDONLY | O_CLOEXEC)
        guard folder >= 0 else { return }
        fsync(folder)
        Glibc.close(folder)
    }
}
