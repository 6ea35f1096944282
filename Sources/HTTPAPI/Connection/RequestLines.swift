import NIOCore
import NIOHTTP1

/// This is the bytes of a connection as far as they may begin a request, and the comparison of a request's
/// first line with what the parser made of it.
///
/// The parser takes several spaces for one and other protocols' names for HTTP, and what it hands on does
/// not show it. So a line is written again from what it has handed on, and must be what was sent. Where a
/// request begins is known: at the connection's start, and behind the body before, whose size its head
/// says. Behind a body in chunks the line is looked for in the bytes that brought its end.
final class RequestLines {
    /// From the earliest byte that may begin the next request; nil where none may.
    private var held: ByteBuffer?
    /// Bytes of a body that are still to come.
    private var missingSize = 0
    /// True within a body in chunks, which ends where the parser says.
    private var isInChunks = false

    private static let lineEnd = Array("\r\n".utf8)
    private static let headEnd = Array("\r\n\r\n".utf8)

    /// Bytes have arrived that the parser has not seen yet.
    func arrived(_ bytes: ByteBuffer) {
        var bytes = bytes
        let passed = min(missingSize, bytes.readableBytes)
        missingSize -= passed
        bytes.moveReaderIndex(forwardBy: passed)
        if held == nil { held = bytes } else { held?.writeImmutableBuffer(bytes) }
    }

    /// The parser has seen them: what cannot begin a request is not needed any more.
    func parsed(_ reading: Reading) {
        switch reading {
        case .idle where isInChunks:
            // The body has ended with the last byte.
            isInChunks = false
            held = nil
        case .idle, .head: break
        case .body, .nothing: held = nil
        }
        if held?.readableBytes == 0 { held = nil }
    }

    /// False where the request's first line is not what the parser's head says.
    func isSound(_ head: HTTPRequestHead) -> Bool {
        guard var bytes = held else { return false }
        let line = Array(
            "\(head.method.rawValue) \(head.uri) HTTP/\(head.version.major).\(head.version.minor)\r\n"
                .utf8)
        if isInChunks {
            // Somewhere behind the end of a body, which only the parser has seen.
            guard let start = bytes.offsetOfLine(line) else { return false }
            bytes.moveReaderIndex(forwardBy: start)
            isInChunks = false
        } else {
            // Empty lines may be before a request.
            while bytes.starts(with: Self.lineEnd) { bytes.moveReaderIndex(forwardBy: 2) }
            guard bytes.starts(with: line) else { return false }
        }
        guard let end = bytes.offset(of: Self.headEnd) else { return false }
        bytes.moveReaderIndex(forwardBy: end + Self.headEnd.count)
        if head.headers.contains(name: "Transfer-Encoding") {
            isInChunks = true
        } else if let text = head.headers.first(name: "Content-Length"), let size = Int(text) {
            let passed = min(size, bytes.readableBytes)
            missingSize = size - passed
            bytes.moveReaderIndex(forwardBy: passed)
        }
        held = bytes
        return true
    }
}

extension ByteBuffer {
    fileprivate func starts(with bytes: [UInt8]) -> Bool {
        readableBytesView.starts(with: bytes)
    }

    /// This is where `bytes` are found first, counted from the first readable byte.
    fileprivate func offset(of bytes: [UInt8], from start: Int = 0) -> Int? {
        let whole = readableBytesView
        let last = whole.endIndex - bytes.count
        var place = whole.startIndex + start
        while place <= last {
            guard let found = whole[place...last].firstIndex(of: bytes[0]) else { return nil }
            if whole[found...].starts(with: bytes) { return found - whole.startIndex }
            place = found + 1
        }
        return nil
    }

    /// The same of `bytes` at the beginning of a line.
    fileprivate func offsetOfLine(_ bytes: [UInt8]) -> Int? {
        var start = 0
        while let found = offset(of: bytes, from: start) {
            if found == 0 || getInteger(at: readerIndex + found - 1, as: UInt8.self) == 0x0A {
                return found
            }
            start = found + 1
        }
        return nil
    }
}
