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
///     entry     position INTEGER PRIMARY KEY, payload BLOB, link: checksum with those before it    the log
///     snapshot  position INTEGER PRIMARY KEY, crc INTEGER, bytes          the newest two
///     effect    key TEXT PRIMARY KEY, kind, payload, position, delivered, failure: why it was set aside, crc
///     lost      first, last, noticed_at                                   positions that were durable and are gone
///
/// Beside it lies `leeway.mark`, by which a log that has lost its end is found out.
public final class SQLiteStore: Sendable {
    /// The format in `user_version`.
    static let formatVersion = 3
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
    let isReadOnly: Bool
    /// True where entries have links: a reader may look at a file of an earlier format.
    let hasLinks: Bool
    let mark: DurableMark?
    /// The end of the log, to which the next entry is linked.
    let tail: Mutex<(position: Int64, link: UInt32)>
    /// What was found when the directory was opened.
    public let findings: StartFindings
    /// Bytes in the write-ahead log since the last fold, about.
    let unfoldedSizeBytes = Mutex(0)
    /// The settings that durability rests on, read back.
    public let settings: [(name: String, value: String)]
    /// The first failure of the disk under this handle.
    private let failure = Mutex<String?>(nil)
    /// How much of the log is kept.
    let retention = Mutex(LogRetention())
    /// The clock of what is stored, in milliseconds since the epoch.
    private let clock = Mutex(Clock { SQLiteStore.milliseconds() })

    /// A function as such would be wrapped anew at each look into the mutex, and each call go through all wraps.
    private struct Clock: Sendable {
        let read: @Sendable () -> Int64
    }

    /// Keys of batches that are kept, by project.
    let keyCounts = Mutex<[String: Int]>([:])

    /// Opens or creates the store, reads its settings back, and looks for what is missing.
    ///
    /// After a stop that was no orderly one the file is checked, for a second at most; what is damaged is
    /// left behind in a file of its own, and what can be read goes on in a new one.
    ///
    /// - Parameters:
    ///   - directory: The data directory; it is created where it is missing.
    ///   - readOnly: True takes no lock and writes nothing, so that it can look while a server runs.
    ///   - isDamaged: True where the file is known to hold what cannot be read.
    /// - Throws: `StoreError`: locked, not to be opened, unsafe settings, or of a newer program.
    public init(
        directory: String, readOnly: Bool = false, isDamaged: Bool = false
    ) throws(StoreError) {
        self.directory = directory
        isReadOnly = readOnly
        if !readOnly {
            do {
                try FileManager.default.createDirectory(
                    atPath: directory, withIntermediateDirectories: true,
                    attributes: [.posixPermissions: 0o700])
            } catch {
                throw .cannotOpen(error.localizedDescription)
            }
        }
        lock = readOnly ? nil : try DirectoryLock(directory: directory)
        mark = readOnly ? nil : try DurableMark(directory: directory)
        // A reader looks at the mark first: the server goes on meanwhile.
        let marked = readOnly ? DurableMark.reading(of: directory) : mark?.found
        if !readOnly { try Self.finishSalvage(directory) }
        var queue = try Self.open(directory, readOnly: readOnly)
        var findings = StartFindings()
        if !readOnly {
            findings.isMarkDamaged = mark?.isDamaged ?? false
            findings.wasClosed = mark?.found?.isClosed ?? true
            findings.damage = isDamaged ? ["the file could not be read"] : []
            if !findings.wasClosed, !isDamaged {
                (findings.damage, findings.isCheckComplete) = Self.quickCheck(queue)
            }
            if !findings.damage.isEmpty {
                try? queue.close()
                findings.salvage = try Self.salvage(directory)
                queue = try Self.open(directory, readOnly: false)
            }
        }
        if !readOnly { try Self.unpackFiles(of: queue, directory) }
        writer = queue
        hasLinks = try Self.format(of: queue) >= 3
        settings = try Self.settings(of: queue, readOnly: readOnly)
        let end = try Self.end(of: queue, hasLinks: hasLinks)
        var position = end.position
        if let marked {
            if marked.position > position {
                findings.newlyLost = (position + 1)...marked.position
                position = marked.position
            } else if hasLinks {
                let link = try Self.link(of: queue, at: marked.position)
                findings.isForked = link != nil && link != marked.link
            }
        }
        tail = Mutex((position, end.link))
        if !readOnly {
            if let range = findings.newlyLost { try Self.insertLost(range, into: queue) }
            keyCounts.withLock { [counts = try Self.keyCounts(of: queue)] in $0 = counts }
        }
        findings.lost = hasLinks ? try Self.lostRanges(of: queue) : []
        if let range = findings.newlyLost, readOnly { findings.lost.append(range) }
        self.findings = findings
        mark?.write(DurableMark.Value(position: position, link: end.link, isClosed: false))
        mark?.flush()
    }

    /// Says which clock tells how old keys and snapshots are; the wall clock until then.
    public func readTime(_ clock: @escaping @Sendable () -> Int64) {
        self.clock.withLock { $0 = Clock(read: clock) }
    }

    /// This is the clock's reading.
    var now: Int64 { clock.withLock { $0 }.read() }

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

    /// This is why nothing more is read or written through this handle; nil while all is well.
    public var failureReason: String? { failure.withLock { $0 } }

    /// Does what reads or writes the file, and nothing more after a failure of the disk.
    ///
    /// After a write or a flush that failed, the system may say that a second one worked, and have
    /// dropped what it did not write: nobody knows what is on the disk until the file is opened again.
    func attempt<Result>(_ body: () throws -> Result) throws(StoreError) -> Result {
        if let failureReason { throw .io(failureReason) }
        return try Self.attempt {
            do {
                return try body()
            } catch let error as DatabaseError
                where error.resultCode == .SQLITE_IOERR && !Self.isFull(error)
            {
                note(failure: "\(error)")
                throw error
            }
        }
    }

    /// Takes the first failure of the disk as the handle's end.
    private func note(failure reason: String) {
        let isFirst = failure.withLock { failure in
            defer { failure = failure ?? reason }
            return failure == nil
        }
        // Never closed: a close would fold what was not flushed back into the file.
        if isFirst { _ = Unmanaged.passRetained(writer) }
    }

    static func attempt<Result>(_ body: () throws -> Result) throws(StoreError) -> Result {
        do {
            return try body()
        } catch let error as StoreError {
            throw error
        } catch let error as DatabaseError {
            if isFull(error) { throw .full }
            if [.SQLITE_CORRUPT, .SQLITE_NOTADB].contains(error.resultCode) {
                throw .corrupt("\(error)")
            }
            throw .io("\(error)")
        } catch {
            throw .io("\(error)")
        }
    }

    /// True where a transaction was undone for lack of room; the index of the write-ahead log has a code
    /// of its own for that.
    private static func isFull(_ error: DatabaseError) -> Bool {
        error.resultCode == .SQLITE_FULL || error.extendedResultCode == .SQLITE_IOERR_SHMSIZE
    }

    /// Closes the file without saying that it is whole.
    public func abandon() {
        if failureReason == nil { try? writer.close() }
        lock?.release()
    }

    /// Closes the file; every later call throws.
    public func close() {
        guard failureReason == nil, (try? writer.close()) != nil else { return }
        if let mark {
            let end = tail.withLock { $0 }
            mark.write(
                DurableMark.Value(position: end.position, link: end.link, isClosed: true))
            mark.flush()
        }
        lock?.release()
    }

}
