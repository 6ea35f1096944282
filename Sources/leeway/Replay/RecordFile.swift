import Foundation
import MonitorService
import MonitoringDomain
import RecordCoding

/// This is a recorded file, read piece by piece, and expanded while it is read.
struct RecordFile {
    /// The bytes of one piece: large enough to spread its fixed cost, small enough for the cache.
    static let pieceSizeBytes = 1 << 20
    /// The largest record, or array of records: they are decoded in memory.
    private static let recordSizeBytesMax = 1 << 30

    /// The size on the disk; nil of standard input.
    let sizeBytes: Int?
    /// How much of that size has been read.
    private(set) var readBytes = 0
    /// True where what has been read can be read again: not of a pipe, and not of what is expanded.
    private(set) var isRereadable = false
    private let path: String
    private let handle: FileHandle
    private var expander: Expander?
    private var buffer: [UInt8] = []
    private var start = 0
    private var isAtEnd = false

    /// Opens a file, or standard input for `-`, and reads its start.
    init(_ path: String) throws {
        self.path = path
        if path == "-" {
            handle = .standardInput
            sizeBytes = nil
        } else {
            guard let handle = FileHandle(forReadingAtPath: path) else {
                throw CommandFailure(code: .dependency, message: "error: \(path) cannot be read")
            }
            self.handle = handle
            let attributes = try? FileManager.default.attributesOfItem(atPath: path)
            sizeBytes = (attributes?[.size] as? NSNumber)?.intValue
            isRereadable = attributes?[.type] as? FileAttributeType == .typeRegular
        }
        try fill(upTo: Self.pieceSizeBytes)
        if let format = Expander.Format(content: buffer) {
            do {
                let expander = try Expander(format)
                expander.feed(buffer)
                self.expander = expander
                isRereadable = false
            } catch {
                throw failure(error)
            }
            buffer = []
            isAtEnd = false
            try fill(upTo: Self.pieceSizeBytes)
        }
    }

    /// All bytes of a file, expanded.
    static func read(_ path: String) throws -> [UInt8] {
        var file = try RecordFile(path)
        try file.fill(upTo: .max)
        return file.buffer
    }

    /// The start of the content, enough to tell its format.
    var head: [UInt8] { Array(buffer.prefix(Self.pieceSizeBytes)) }

    private mutating func fill(upTo count: Int) throws {
        do {
            while !isAtEnd, buffer.count - start < count {
                if let expander, try expander.expand(into: &buffer) { continue }
                guard let data = try handle.read(upToCount: Self.pieceSizeBytes), !data.isEmpty
                else {
                    isAtEnd = true
                    try expander?.finish()
                    return
                }
                readBytes += data.count
                if let expander { expander.feed(data) } else { buffer += data }
            }
        } catch {
            throw failure(error)
        }
    }

    private var tooLarge: CommandFailure {
        CommandFailure(
            code: .negative,
            message: "error: \(path): a record, or an array of records, over "
                + "\(Self.recordSizeBytesMax >> 30) GiB")
    }

    private func failure(_ error: any Error) -> CommandFailure {
        CommandFailure(code: .negative, message: "error: \(path): \(error)")
    }

    /// Reads about `pieceSizeBytes` of whole records; nil at the end.
    ///
    /// An array of records is one piece, however long.
    mutating func next(_ format: FileFormat) throws -> RecordBody? {
        let isArray = format != .csv && buffer.first { $0 > 0x20 } == UInt8(ascii: "[")
        if format == .ndjson, !isArray, expander == nil, let lines = try nextLines() {
            return lines
        }
        var size = isArray ? Self.recordSizeBytesMax : Self.pieceSizeBytes
        while true {
            try fill(upTo: size)
            let available = buffer.count - start
            if available == 0 { return nil }
            let isLast = isAtEnd && available <= size
            guard isLast || !isArray else { throw tooLarge }
            let end = start + min(size, available)
            let whole = isLast ? end - start : wholeRecords(upTo: end, format)
            // A record longer than a piece needs a longer one.
            if whole == 0 {
                guard size < Self.recordSizeBytesMax else { throw tooLarge }
                size *= 2
                continue
            }
            let piece = RecordBody(capacity: whole) { memory in
                memory.copyBytes(from: buffer[start..<start + whole])
                return whole
            }
            start += whole
            if start > 8 * Self.pieceSizeBytes {
                buffer.removeFirst(start)
                start = 0
            }
            return piece
        }
    }

    /// Reads lines into the memory in which they are decoded; nil at the end, and where no line ends in a
    /// piece.
    private mutating func nextLines() throws -> RecordBody? {
        let known = buffer[start...]
        guard known.count < 2 * Self.pieceSizeBytes else { return nil }
        var rest: [UInt8] = []
        var filled = 0
        let piece = try RecordBody(
            capacity: max(Self.pieceSizeBytes, known.count) + Self.pieceSizeBytes
        ) { memory in
            memory.copyBytes(from: known)
            filled = known.count
            while !isAtEnd, filled < Self.pieceSizeBytes, let base = memory.baseAddress {
                let size = Glibc.read(
                    handle.fileDescriptor, base + filled, memory.count - filled)
                if size < 0, errno == EINTR { continue }
                guard size >= 0 else { throw failure(POSIXError(.init(rawValue: errno) ?? .EIO)) }
                isAtEnd = size == 0
                filled += size
                readBytes += size
            }
            guard !isAtEnd else { return filled }
            let text = UnsafeRawBufferPointer(rebasing: memory[..<filled])
            let whole = (text.lastIndex(of: 0x0A) ?? -1) + 1
            rest = Array(text[whole...])
            return whole
        }
        buffer = rest
        start = 0
        return piece.count > 0 ? piece : nil
    }

    private func wholeRecords(upTo end: Int, _ format: FileFormat) -> Int {
        // The quotes of CSV may hold line ends.
        guard format != .csv else {
            return FileDecoder.wholeRecords(in: Array(buffer[start..<end]), format)
        }
        return (buffer[start..<end].lastIndex(of: 0x0A) ?? start - 1) + 1 - start
    }

    /// This is how many lines end in a piece.
    static func lineCount(of piece: RecordBody) -> Int {
        piece.withUnsafeBytes { lineCount(in: $0) }
    }

    /// This is how many lines end in the first bytes of the file, which are read again.
    ///
    /// - Throws: Where they cannot be read.
    func lineCount(ofFirst count: Int) throws -> Int {
        guard let again = FileHandle(forReadingAtPath: path) else { return 0 }
        var lines = 0
        var rest = count
        while rest > 0,
            let data = try again.read(upToCount: min(rest, Self.pieceSizeBytes)), !data.isEmpty
        {
            lines += data.withUnsafeBytes { Self.lineCount(in: $0) }
            rest -= data.count
        }
        return lines
    }

    private static func lineCount(in raw: UnsafeRawBufferPointer) -> Int {
        var count = 0
        var offset = 0
        // The system's search looks at many bytes at once.
        while offset < raw.count, let base = raw.baseAddress,
            let found = memchr(base + offset, 0x0A, raw.count - offset)
        {
            count += 1
            offset = UnsafeRawPointer(found) - base + 1
        }
        return count
    }
}

/// This is a line on standard error that says how far a file has been read, at most once a second.
struct ReplayProgress {
    private let file: String
    private let isShown: Bool
    private var last = Date()
    private let begin = Date()

    init(file: String, isShown: Bool) {
        self.file = file
        self.isShown = isShown
    }

    mutating func show(_ source: RecordFile, rowCount: Int) {
        guard isShown, Date().timeIntervalSince(last) >= 1 else { return }
        last = Date()
        let rate = Double(rowCount) / max(last.timeIntervalSince(begin), 1e-3)
        var share = "\(source.readBytes >> 20) MiB"
        if let size = source.sizeBytes, size > 0 {
            share = "\(Int(Double(source.readBytes) / Double(size) * 100)) % read"
        }
        Terminal.error("\(file): \(share), \(rowCount) records, \(Int(rate))/s")
    }
}
