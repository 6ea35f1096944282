import Foundation
import GRDB

extension SQLiteStore {
    /// Writes a copy of the log, the snapshots and the outbox to a new file, as they are at one moment.
    ///
    /// Another process may write meanwhile: this reads in one transaction, as every reader does. The
    /// copy is on stable storage when it returns. To restore it, put it into an empty directory as
    /// `leeway.sqlite`; sealed ids are made again from the log.
    ///
    /// - Throws: `StoreError.cannotOpen` where the file is there already, `StoreError.io`.
    public func backUp(to path: String) throws(StoreError) {
        guard !FileManager.default.fileExists(atPath: path) else {
            throw .cannotOpen("\(path) is there already")
        }
        let temporary = path + ".partial"
        try? FileManager.default.removeItem(atPath: temporary)
        try vacuum(into: temporary)
        let descriptor = Glibc.open(temporary, O_RDONLY | O_CLOEXEC)
        guard descriptor >= 0 else { throw .io("\(temporary): errno \(errno)") }
        defer { Glibc.close(descriptor) }
        guard fsync(descriptor) == 0 else { throw .io("\(temporary): errno \(errno)") }
        guard rename(temporary, path) == 0 else { throw .io("\(path): errno \(errno)") }
    }
}
