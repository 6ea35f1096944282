import ByteCoding
import Foundation
import Synchronization

/// This is the small file beside the database that says how far the log is durable.
///
/// SQLite ends its write-ahead log at the first frame whose checksum does not hold, and calls the rest a
/// write that was cut off: one flipped bit takes every later commit with it, and nothing is said. The mark
/// is written after each commit, so a log that ends before it has lost what was acknowledged.
///
///     0    magic "LWYMARK1", sequence u64, position i64, link u32, is closed u32, CRC-32C u32
///     512  the same, of the write before or after: the valid one with the larger sequence counts
///
/// It is not flushed with each commit. The page cache keeps it when the process dies; after a power cut it may be
/// older, never newer, than the log.
final class DurableMark: Sendable {
    /// This is what the mark says.
    struct Value: Equatable, Sendable {
        /// The newest durable position.
        var position: Int64
        /// The entry's link to those before it.
        var link: UInt32
        /// True after an orderly stop.
        var isClosed: Bool
    }

    private static let magic = Array("LWYMARK1".utf8)
    private static let slotSizeBytes = 512
    private static let bodySizeBytes = 32

    /// What the process before has left; nil where there is no file yet.
    let found: Value?
    /// True where there is a file and no slot of it is whole.
    let isDamaged: Bool
    private let descriptor: Int32
    private let sequence: Mutex<UInt64>

    /// Opens or makes the file of a data directory.
    ///
    /// - Throws: `StoreError.cannotOpen`.
    init(directory: String) throws(StoreError) {
        let path = Self.path(directory)
        descriptor = open(path, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0o600)
        guard descriptor >= 0 else {
            throw .cannotOpen("\(path): \(String(cString: strerror(errno)))")
        }
        guard let slots = Self.slots(of: descriptor) else {
            close(descriptor)
            throw .cannotOpen("\(path) cannot be read: \(String(cString: strerror(errno)))")
        }
        let newest = slots.whole.max { $0.sequence < $1.sequence }
        found = newest?.value
        isDamaged = newest == nil && slots.isThere
        sequence = Mutex(newest?.sequence ?? 0)
    }

    deinit { close(descriptor) }

    private static func path(_ directory: String) -> String { "\(directory)/leeway.mark" }

    /// This is what the mark of a directory says, for a reader; nil without a whole one.
    static func reading(of directory: String) -> Value? {
        let descriptor = open(path(directory), O_RDONLY | O_CLOEXEC | O_NOFOLLOW)
        guard descriptor >= 0 else { return nil }
        defer { close(descriptor) }
        return slots(of: descriptor)?.whole.max { $0.sequence < $1.sequence }?.value
    }

    /// Writes the mark; a failure leaves the older one, which claims less.
    func write(_ value: Value) {
        sequence.withLock { sequence in
            sequence &+= 1
            var writer = ByteWriter()
            for byte in Self.magic { writer.write(byte) }
            writer.write(sequence)
            writer.write(value.position)
            writer.write(value.link)
            writer.write(UInt32(value.isClosed ? 1 : 0))
            writer.write(crc32c(writer.bytes))
            let place = off_t(sequence % 2) * off_t(Self.slotSizeBytes)
            _ = writer.bytes.withUnsafeBytes {
                pwrite(descriptor, $0.baseAddress, $0.count, place)
            }
        }
    }

    /// Brings the mark to stable storage.
    func flush() { fdatasync(descriptor) }

    /// Nil where the file cannot be read.
    private static func slots(
        of descriptor: Int32
    ) -> (whole: [(sequence: UInt64, value: Value)], isThere: Bool)? {
        var bytes = [UInt8](repeating: 0, count: 2 * slotSizeBytes)
        var count = pread(descriptor, &bytes, bytes.count, 0)
        while count < 0, errno == EINTR { count = pread(descriptor, &bytes, bytes.count, 0) }
        guard count >= 0 else { return nil }
        let whole = [0, slotSizeBytes].compactMap { start -> (UInt64, Value)? in
            let body = Array(bytes[start..<start + bodySizeBytes])
            let rest = Array(bytes[start..<start + bodySizeBytes + 4])
            var reader = ByteReader(Array(rest.dropFirst(magic.count)))
            guard body.starts(with: magic), let sequence: UInt64 = try? reader.read(),
                let position: Int64 = try? reader.read(), let link: UInt32 = try? reader.read(),
                let flag: UInt32 = try? reader.read(), let sum: UInt32 = try? reader.read(),
                sum == crc32c(body)
            else { return nil }
            return (sequence, Value(position: position, link: link, isClosed: flag == 1))
        }
        return (whole, count > 0)
    }
}
