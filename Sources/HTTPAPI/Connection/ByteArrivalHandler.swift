import NIOCore

/// This says that bytes have come in, before anybody knows what they are.
struct BytesArrived: Sendable {}

/// This says that the parser has seen the bytes, and how they end.
struct BytesParsed: Sendable {
    let size: Int
    let tail: ByteTail
}

/// These are the last four bytes of something.
struct ByteTail: Equatable, Sendable {
    /// An empty line behind a line, with which every head ends, and every body in chunks.
    static let emptyLine = ByteTail(bytes: 0x0D0A_0D0A)

    private var bytes: UInt32

    /// Moves `buffer` in at the end.
    mutating func append(_ buffer: ByteBuffer) {
        buffer.withUnsafeReadableBytes {
            for byte in unsafe $0.suffix(4) { bytes = bytes << 8 | UInt32(byte) }
        }
    }
}

/// This stands before the parser and tells what is behind it that bytes arrive: only so can a head be
/// timed that never becomes complete.
final class ByteArrivalHandler: ChannelInboundHandler {
    typealias InboundIn = ByteBuffer
    typealias InboundOut = ByteBuffer

    private let lines: RequestLines

    init(_ lines: RequestLines) { self.lines = lines }

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        var tail = ByteTail.emptyLine
        let bytes = unwrapInboundIn(data)
        tail.append(bytes)
        lines.arrived(bytes)
        context.fireUserInboundEventTriggered(BytesArrived())
        context.fireChannelRead(data)
        context.fireUserInboundEventTriggered(BytesParsed(size: bytes.readableBytes, tail: tail))
    }
}
