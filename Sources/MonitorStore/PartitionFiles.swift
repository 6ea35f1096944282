import Foundation
import Synchronization

/// This is a file of the data directory that never changes, for reading.
public final class SealedFile: Sendable {
    /// Files that stay open; the others are opened for each reading.
    private static let openCountMax = 64
    private static let openCount = Atomic<Int>(0)

    /// Its size in bytes.
    public let count: Int
    private let path: String
    private let descriptor: Int32?

    /// Nil where the file cannot be opened or is empty.
    init?(path: String) {
        var status = stat()
        guard let descriptor = Self.open(path) else { return nil }
        guard fstat(descriptor, &status) == 0, status.st_size > 0 else {
            close(descriptor)
            return nil
        }
        count = Int(status.st_size)
        self.path = path
        if Self.openCount.add(1, ordering: .relaxed).newValue <= Self.openCountMax {
            self.descriptor = descriptor
        } else {
            Self.openCount.subtract(1, ordering: .relaxed)
            self.descriptor = nil
            close(descriptor)
        }
    }

    deinit {
        guard let descriptor else { return }
        close(descriptor)
        Self.openCount.subtract(1, ordering: .relaxed)
    }

    private static func open(_ path: String) -> Int32? {
        let descriptor = Glibc.open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW)
        return descriptor >= 0 ? descriptor : nil
    }

    /// Shows a range of the bytes; nothing where they cannot be read.
    ///
    /// They are copied from the system's cache: mapped, each place that is read would be a page of this
    /// process, found by a fault, until the process gave it back.
    ///
    /// - Precondition: the range is inside.
    public func read(_ range: Range<Int>, _ body: (UnsafeRawBufferPointer) -> Void) {
        precondition(range.lowerBound >= 0 && range.upperBound <= count, "\(range) of \(count)")
        guard let source = descriptor ?? Self.open(path) else { return }
        defer { if descriptor == nil { close(source) } }
        withUnsafeTemporaryAllocation(byteCount: range.count, alignment: 16) { buffer in
            var filled = 0
            while filled < range.count, let base = buffer.baseAddress {
                let size = pread(
                    source, base + filled, range.count - filled, off_t(range.lowerBound + filled))
                if size < 0, errno == EINTR { continue }
                guard size > 0 else { return }
                filled += size
            }
            body(UnsafeRawBufferPointer(buffer))
        }
    }
}

/// This is the folder of sealed ids: files that are written once and can be made again from the log.
///
/// A file is written under another name and moved, so that one with its name is whole; it is flushed
/// before a snapshot that names it is stored.
public final class PartitionFiles: Sendable {
    private let folder: String
    /// Files that may not be on stable storage yet.
    private let unflushed = Mutex<Set<String>>([])

    /// Opens the folder inside the data directory, which is made when the first file is.
    public init(dataDirectory: String) { folder = "\(dataDirectory)/join" }

    private func path(_ name: String) -> String { "\(folder)/\(name).ids" }

    /// Opens a file; nil where it is gone.
    public func open(_ name: String) -> SealedFile? { SealedFile(path: path(name)) }

    /// Writes a file of what is appended; nil where there is no room.
    public func make(
        _ name: String, _ write: (_ append: (UnsafeRawBufferPointer) -> Void) -> Void
    ) -> SealedFile? {
        mkdir(folder, 0o700)
        let temporary = "\(folder)/\(name).new"
        let descriptor = Glibc.open(
            temporary, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW, 0o600)
        guard descriptor >= 0 else { return nil }
        var isWritten = true
        write { bytes in
            guard isWritten else { return }
            isWritten = Self.write(bytes, to: descriptor)
        }
        isWritten = close(descriptor) == 0 && isWritten
        guard isWritten, rename(temporary, path(name)) == 0 else {
            unlink(temporary)
            return nil
        }
        unflushed.withLock { _ = $0.insert(name) }
        return open(name)
    }

    private static func write(_ bytes: UnsafeRawBufferPointer, to descriptor: Int32) -> Bool {
        var written = 0
        while written < bytes.count, let base = bytes.baseAddress {
            let count = Glibc.write(descriptor, base + written, bytes.count - written)
            if count < 0, errno == EINTR { continue }
            guard count > 0 else { return false }
            written += count
        }
        return true
    }

    /// Brings all files to stable storage.
    ///
    /// - Throws: `StoreError.io`, after which nobody may rely on them.
    public func flush() throws(StoreError) {
        let names = unflushed.withLock { names in
            defer { names = [] }
            return names
        }
        for path in names.map({ path($0) }) + (names.isEmpty ? [] : [folder]) {
            let descriptor = Glibc.open(path, O_RDONLY | O_CLOEXEC)
            // A file that a merge has replaced meanwhile need not be there.
            if descriptor < 0, errno == ENOENT { continue }
            guard descriptor >= 0 else { throw .io("open \(path): errno \(errno)") }
            defer { close(descriptor) }
            guard fsync(descriptor) == 0 else { throw .io("fsync \(path): errno \(errno)") }
        }
    }

    /// Removes every file that has none of these names.
    public func keepOnly(_ names: Set<String>) {
        let found = (try? FileManager.default.contentsOfDirectory(atPath: folder)) ?? []
        for file in found where file.hasSuffix(".ids") && !names.contains(String(file.dropLast(4)))
        {
            unlink("\(folder)/\(file)")
        }
    }
}
