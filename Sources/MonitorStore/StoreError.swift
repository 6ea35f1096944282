import ByteCoding

/// This is what the disk, or another process, may do to us.
public enum StoreError: Error, Equatable, CustomStringConvertible {
    case locked(directory: String)
    case cannotOpen(String)
    /// A file that would be overwritten.
    case exists(String)
    /// A setting that durability rests on is not what it must be.
    case setting(name: String, found: String, expected: String)
    case newerVersion(found: Int, known: Int)
    case corrupt(String)
    case io(String)
    /// There was no room; the transaction is undone, and the file is as it was.
    case full

    /// This is what was found, what was expected, and what to do where something helps.
    public var description: String {
        switch self {
        case .locked(let directory):
            "\(directory) is in use by another leeway process; stop it, or name another directory"
        case .cannotOpen(let reason): "the data directory cannot be opened: \(reason)"
        case .exists(let path): "\(path) is there already"
        case .setting(let name, let found, let expected):
            "SQLite's \(name) is \(found), and must be \(expected): acknowledged records would not be safe"
        case .newerVersion(let found, let known):
            "the data was written by a newer leeway (format \(found), known up to \(known)); it is untouched"
        case .corrupt(let what): "the data is corrupt: \(what)"
        case .io(let reason): "the disk failed: \(reason)"
        case .full: "the disk is full"
        }
    }

    /// This is what `error` says, without the words that a failure of the disk begins with: whoever keeps it
    /// says them again.
    public static func reason(of error: any Error) -> String {
        if case .io(let reason)? = error as? StoreError { return reason }
        return "\(error)"
    }
}

/// This is an effect as it is stored until it is delivered.
public struct StoredEffect: Sendable, Equatable {
    /// This is the key under which the store takes the effect once.
    public let key: String
    /// This is the name of what must be carried out.
    public let kind: String
    /// JSON.
    public let payload: String
    /// This is the log position whose input caused the effect.
    public let position: Int64

    /// Makes a stored effect from its parts.
    public init(key: String, kind: String, payload: String, position: Int64) {
        self.key = key
        self.kind = kind
        self.payload = payload
        self.position = position
    }

    /// This is the checksum that is stored with it.
    var checksum: UInt32 { crc32c(Array("\(kind)\n\(key)\n\(payload)".utf8)) }
}

/// This is one entry of the log.
public struct LogEntry: Sendable, Equatable {
    /// This is the place in the log, from 1.
    public let position: Int64
    /// This is the input, in the log's form.
    public let payload: [UInt8]
    /// False where the entry before is not the one that it was appended to.
    public let isLinked: Bool
}
