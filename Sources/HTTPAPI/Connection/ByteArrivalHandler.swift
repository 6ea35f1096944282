import NIOCore

/// This says that bytes have come in, before anybody knows what they are.
struct BytesArrived: Sendable {}

/// This stands before the parser and tells what is behind it that bytes arrive: only so can a head be
/// timed that never becomes complete.
final class ByteArrivalHandler: ChannelInboundHandler {
    typealias InboundIn = ByteBuffer
    typealias InboundOut = ByteBuffer

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        context.fireUserInboundEventTriggered(BytesArrived())
        context.fireChannelRead(data)
    }
}
