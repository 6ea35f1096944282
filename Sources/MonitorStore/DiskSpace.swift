import Foundation

/// This is how much room a file system has for those who are not root.
public struct DiskSpace: Sendable, Equatable {
    /// This is the room that is left, in bytes.
    public var freeBytes: Int64
    /// This is the size of the whole, in bytes.
    public var totalBytes: Int64

    /// Makes a reading.
    public init(freeBytes: Int64, totalBytes: Int64) {
        self.freeBytes = freeBytes
        self.totalBytes = totalBytes
    }

    /// This is the room where `directory` lies; nil where the system does not say.
    public static func reading(of directory: String) -> DiskSpace? {
        var status = statvfs()
        guard statvfs(directory, &status) == 0, status.f_blocks > 0 else { return nil }
        let unit = Int64(clamping: status.f_frsize)
        func bytes(_ blocks: fsblkcnt_t) -> Int64 {
            let (size, isOver) = Int64(clamping: blocks).multipliedReportingOverflow(by: unit)
            return isOver ? .max : size
        }
        return DiskSpace(
            freeBytes: bytes(status.f_bavail), totalBytes: bytes(status.f_blocks),
            // 0 of 0 is no bound.
            freeNameCount: status.f_files == 0 ? nil : Int64(clamping: status.f_favail))
    }

    /// Files that can still be made, at which there is no room: a snapshot makes some, and so does a backup.
    private static let nameCountMin: Int64 = 8

    /// Makes a reading of a file system that also bounds how many files there may be.
    ///
    /// No file can be made without an inode, so few of them are no room. Between eight and sixteen is room
    /// to go on, and not to begin again: giving back the reserve gives back one.
    public init(freeBytes: Int64, totalBytes: Int64, freeNameCount: Int64?) {
        var free = freeBytes
        if let count = freeNameCount, count <= 2 * Self.nameCountMin {
            let mark = StorageWatch.lowWaterBytes(of: totalBytes)
            free =
                count <= Self.nameCountMin
                ? 0 : min(free, mark + StorageWatch.reserveBytes(of: totalBytes) - 1)
        }
        self.init(freeBytes: free, totalBytes: totalBytes)
    }
}

/// This is the rule by which records are refused before the disk is full, and taken again.
///
/// Below the low-water mark, the larger of 256 MiB and 2 % of the disk, records are refused; on disks
/// under 2 GiB the mark is an eighth of the disk. Records are taken again when there is room for the mark
/// and for the reserve.
public struct StorageWatch: Sendable, Equatable {
    /// This is what must be done about the reserve.
    public enum Action: Sendable, Equatable {
        case nothing
        /// Its room is needed by what goes on without records: ticks, alerts, requests.
        case release
        /// There is room for it.
        case refill
    }

    /// This is true while records are refused.
    public private(set) var isFull = false
    /// This is the newest reading; nil before the first.
    public private(set) var space: DiskSpace?

    /// Makes a watch that has seen nothing.
    public init() {}

    /// This is the free room under which records are refused, in bytes.
    public static func lowWaterBytes(of totalBytes: Int64) -> Int64 {
        min(max(256 << 20, totalBytes / 50), totalBytes / 8)
    }

    /// This is the size of the reserve, in bytes: 64 MiB, and less on small disks.
    public static func reserveBytes(of totalBytes: Int64) -> Int64 {
        min(64 << 20, lowWaterBytes(of: totalBytes) / 4)
    }

    /// Takes a reading.
    ///
    /// - Parameters:
    ///   - reading: The room there is.
    ///   - isReserved: True where the reserve is there, which is not counted as free.
    /// - Returns: What to do; after `refill` records are taken again.
    public mutating func observe(_ reading: DiskSpace, isReserved: Bool) -> Action {
        space = reading
        let mark = Self.lowWaterBytes(of: reading.totalBytes)
        let reserve = Self.reserveBytes(of: reading.totalBytes)
        if reading.freeBytes < mark {
            isFull = true
            return isReserved ? .release : .nothing
        }
        // What is released is free at once, and must not be taken for room that came back.
        guard isReserved || reading.freeBytes - mark >= reserve else { return .nothing }
        isFull = false
        return isReserved ? .nothing : .refill
    }

    /// Takes the system's word that there is no room, whatever the readings say.
    public mutating func noteFull() { isFull = true }
}

/// This is a file that only holds room, so that what must go on can be written on a full disk.
public struct ReserveFile: Sendable {
    private let path: String

    /// Makes the reserve of a data directory; the file is made by `refill`.
    public init(directory: String) { path = "\(directory)/leeway.reserve" }

    /// This is true while the room is held.
    public var isHeld: Bool { access(path, F_OK) == 0 }

    /// Gives the room back.
    public func release() { unlink(path) }

    /// Takes the room; nothing is held where there is none.
    public func refill(sizeBytes: Int64) {
        let descriptor = open(path, O_WRONLY | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0o600)
        guard descriptor >= 0 else { return }
        defer { close(descriptor) }
        if posix_fallocate(descriptor, 0, off_t(sizeBytes)) != 0 { release() }
    }
}

/// This is what a file system promises of what is flushed.
public enum FileSystemKind: Sendable, Equatable {
    /// A file system of a disk.
    case disk
    /// Memory: everything is gone with the machine.
    case memory
    /// Another machine's, or a program's: what a flush means is theirs to say.
    case remote
    /// One of which nothing is known here.
    case unknown

    private static let kinds: [String: FileSystemKind] = [
        "ext2": .disk, "ext3": .disk, "ext4": .disk, "xfs": .disk, "btrfs": .disk, "zfs": .disk,
        "f2fs": .disk, "overlay": .disk, "tmpfs": .memory, "ramfs": .memory, "nfs": .remote,
        "nfs4": .remote, "cifs": .remote, "smb3": .remote, "9p": .remote, "virtiofs": .remote,
    ]

    /// This is the kind under `directory`; nil where the system does not say.
    public static func reading(of directory: String) -> FileSystemKind? {
        guard let real = realpath(directory, nil) else { return nil }
        defer { free(real) }
        let path = String(cString: real)
        guard let table = try? String(contentsOfFile: "/proc/self/mounts", encoding: .utf8) else {
            return nil
        }
        var found: (place: String, type: String)?
        // The last of the longest wins: a later mount hides an earlier one.
        for line in table.split(separator: "\n") {
            let fields = line.split(separator: " ")
            guard fields.count > 2 else { continue }
            let place = String(fields[1].replacing("\\040", with: " "))
            let isAbove = place == "/" || path == place || path.hasPrefix(place + "/")
            if isAbove, place.utf8.count >= found?.place.utf8.count ?? 0 {
                found = (place, String(fields[2]))
            }
        }
        return found.map { found in
            kinds[found.type] ?? (found.type.hasPrefix("fuse") ? .remote : .unknown)
        }
    }
}
