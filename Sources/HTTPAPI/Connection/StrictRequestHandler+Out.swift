import NIOCore
import NIOHTTP1
import RecordCoding

/// What the gate writes by itself.
extension StrictRequestHandler {
    func write(
        _ problem: Problem, _ encoding: TelemetryEncoding?, isHead: Bool, closes: Bool,
        _ context: ChannelHandlerContext
    ) {
        let (head, body) = Refusal.parts(of: problem, encoding, closes: closes)
        context.write(wrapOutboundOut(.head(head)), promise: nil)
        if !isHead { context.write(wrapOutboundOut(.body(.byteBuffer(body))), promise: nil) }
        context.writeAndFlush(wrapOutboundOut(.end(nil)), promise: timed(nil, context))
    }

    func sendContinue(_ context: ChannelHandlerContext) {
        guard let first = exchanges.first, first.awaitsContinue, first.refusal == nil else {
            return
        }
        exchanges[exchanges.startIndex].awaitsContinue = false
        let head = HTTPResponseHead(version: .http1_1, status: .continue)
        context.writeAndFlush(wrapOutboundOut(.head(head)), promise: nil)
    }

    /// Adds the write to those that the deadline is for.
    func timed(
        _ promise: EventLoopPromise<Void>?, _ context: ChannelHandlerContext
    ) -> EventLoopPromise<Void> {
        let written = promise ?? context.eventLoop.makePromise(of: Void.self)
        unwritten.append(.now())
        written.futureResult.assumeIsolated().whenComplete { _ in
            if !self.unwritten.isEmpty { self.unwritten.removeFirst() }
        }
        return written
    }
}
