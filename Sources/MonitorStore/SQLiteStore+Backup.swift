import Foundation
import GRDB

extension SQLiteStore {
    /// Writes a copy of the log, the snapshots and the outbox to a new file, as they are at one moment.
    ///
    /// Another process may write meanwhile: this reads in one transaction, as every reader does. The
    /// copy is on stable storage when it returns. To restore it, put it into an empty directory as
    /// `leeway.sqlite`; the files of sealed ids are in it, and are written out again by the next start.
    ///
    /// - Throws: `StoreError.exists` where the file is there already, `StoreError.io`.
    public func backUp(to path: String) throws(StoreError) {
        guard !FileManager.default.fileExists(atPath: path) else {
            throw .exists(path)
        }
        let temporary = path + ".partial"
        try? FileManager.default.removeItem(atPath: temporary)
        Self.restrict(temporary)
        try attempt {
            try writer.writeWithoutTransaction {
                try $0.execute(sql: "VACUUM INTO ?", arguments: [temporary])
            }
            try packFiles(into: temporary)
        }
        let descriptor = Glibc.open(temporary, O_RDONLY | O_CLOEXEC)
        guard descriptor >= 0 else { throw .io("\(temporary): errno \(errno)") }
        defer { Glibc.close(descriptor) }
        guard fsync(descriptor) == 0 else { throw .io("\(temporary): errno \(errno)") }
        guard rename(temporary, path) == 0 else { throw .io("\(path): errno \(errno)") }
    }

    /// Puts the files that the copy's snapshots read into the copy.
    ///
    /// A file that is gone meanwhile is one that the log can make again.
    private func packFiles(into path: String) throws {
        let copy = try DatabaseQueue(path: path)
        let files = PartitionFiles(dataDirectory: directory)
        try copy.write { database in
            guard try database.tableExists("sealed_file") else { return }
            let lists = try String.fetchAll(
                database, sql: "SELECT files FROM snapshot WHERE files IS NOT NULL")
            for name in Set(lists.flatMap { $0.split(separator: "\n").map { String($0) } }) {
                guard let file = files.open(name) else { continue }
                var bytes = Data()
                file.read(0..<file.count) { bytes = Data($0) }
                guard bytes.count == file.count else {
                    throw StoreError.io("\(name): the file of sealed ids cannot be read")
                }
                try database.execute(
                    sql: "INSERT OR REPLACE INTO sealed_file (name, bytes) VALUES (?, ?)",
                    arguments: [name, bytes])
            }
        }
        try copy.close()
    }

    /// Writes out the files that came with a backup.
    static func unpackFiles(of queue: DatabaseQueue, _ directory: String) throws(StoreError) {
        let names = try attempt {
            try queue.read { try String.fetchAll($0, sql: "SELECT name FROM sealed_file") }
        }
        guard !names.isEmpty else { return }
        let files = PartitionFiles(dataDirectory: directory)
        for name in names where !name.contains("/") && files.open(name) == nil {
            let bytes = try attempt {
                try queue.read {
                    try Data.fetchOne(
                        $0, sql: "SELECT bytes FROM sealed_file WHERE name = ?", arguments: [name])
                }
            }
            guard let bytes,
                files.make(name, { append in bytes.withUnsafeBytes { append($0) } }) != nil
            else {
                throw .io("\(name): the file of sealed ids could not be written")
            }
        }
        try files.flush()
        try attempt { try queue.write { try $0.execute(sql: "DELETE FROM sealed_file") } }
    }
}
