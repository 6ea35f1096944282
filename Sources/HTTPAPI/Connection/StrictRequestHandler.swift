import ByteCoding
import HTTPTypes
import NIOCore
import NIOHTTP1
import RecordCoding

/// This is the gate between the parser and the router: it refuses what the parser lets through, holds
/// the limits and the deadlines of a connection, and gives every refusal a body.
///
/// Answers keep the order of requests. After a refusal that leaves the framing unclear, nothing more
/// of the connection is looked at: the answer is sent, the rest is read for a moment and dropped, so
/// that the answer is not lost with a reset, and the connection ends.
final class StrictRequestHandler: ChannelDuplexHandler {
    typealias InboundIn = HTTPServerRequestPart
    typealias InboundOut = HTTPServerRequestPart
    typealias OutboundIn = HTTPServerResponsePart
    typealias OutboundOut = HTTPServerResponsePart

    let gate: ConnectionGate
    private let lines: RequestLines
    private let entry: ConnectionRegistry.Entry
    private let isReserve: Bool
    private var reading: Reading
    private var isFirst = true
    var exchanges = CircularBuffer<Exchange>(initialCapacity: 2)
    /// What ends the connection as soon as the answers before it are out.
    private var ending: Problem?
    /// How that is written where it is the answer to a head by itself.
    private var endingEncoding: TelemetryEncoding?
    /// True when the router's answer, if it comes, comes too late.
    private var isCut = false
    private var isEnding = false
    private var isQuiescing = false
    private var isReadWanted = false
    /// What may still be read of a request that was refused.
    private var drain = 0
    /// How the request ends that is being read, or was read last.
    private var tail = ByteTail.emptyLine
    /// Bytes of the body that is being read, before they are handed on together.
    private var gathered: ByteBuffer?
    private var chunks = ChunkOverhead()
    var unwritten = CircularBuffer<NIODeadline>(initialCapacity: 4)
    private var tick: Scheduled<Void>?

    init(gate: ConnectionGate, lines: RequestLines, channel: any Channel) {
        self.gate = gate
        self.lines = lines
        (entry, isReserve) = gate.registry.opened(channel)
        reading = .idle(since: .now())
    }

    // MARK: - Life

    func handlerAdded(context: ChannelHandlerContext) {
        // Until a body is let in, its bytes may come in vain.
        read(1, context)
        // A thousand that came at once would all look at the same moment, and everybody else would wait.
        let time = tickTime.nanoseconds
        scheduleTick(context, after: .nanoseconds(.random(in: time / 2...time)))
    }

    func channelInactive(context: ChannelHandlerContext) {
        tick?.cancel()
        tick = nil
        failBody(context)
        for exchange in exchanges { gate.budget.give(exchange.heldSize) }
        exchanges.removeAll()
        if drain > 0 { gate.drain.give(drain) }
        gate.registry.closed(entry)
        context.fireChannelInactive()
    }

    private var tickTime: TimeAmount {
        isReserve ? ConnectionLimits.reserveTick : ConnectionLimits.tick
    }

    private func scheduleTick(_ context: ChannelHandlerContext, after time: TimeAmount) {
        tick = context.eventLoop.assumeIsolated().scheduleTask(in: time) {
            guard context.channel.isActive else { return }
            self.checkDeadlines(context)
            self.scheduleTick(context, after: self.tickTime)
        }
    }

    private func checkDeadlines(_ context: ChannelHandlerContext) {
        let now = NIODeadline.now()
        if let oldest = unwritten.first, now - oldest > ConnectionLimits.writeTime {
            return context.close(promise: nil)
        }
        switch reading {
        case .idle(let since):
            guard exchanges.isEmpty else { return }
            let limit =
                isReserve
                ? ConnectionLimits.reserveTime
                : isFirst ? ConnectionLimits.headTime : ConnectionLimits.idleTime
            if now - since > limit { context.close(promise: nil) }
        case .head(let since):
            let limit = isReserve ? ConnectionLimits.reserveTime : ConnectionLimits.headTime
            guard now - since > limit else { return }
            end(with: .requestTimeout("a head has 10 s"), context)
        case .body(var pace):
            // Where we have asked for nothing, the sender is not slow, we are.
            if !isReadWanted { pace.pardon(at: now) }
            if now - pace.start > ConnectionLimits.announcementTime { giveBackAnnounced() }
            let fault = pace.fault(at: now)
            reading = .body(pace)
            if let fault { end(with: .requestTimeout(fault), context) }
        case .nothing(let until):
            if let until, now > until { context.close(promise: nil) }
        }
    }

    func userInboundEventTriggered(context: ChannelHandlerContext, event: Any) {
        switch event {
        case is BytesArrived:
            if case .idle = reading { reading = .head(since: .now()) }
            chunks.begin(exchanges.last)
            return
        case let parsed as BytesParsed:
            if case .nothing = reading { return drain -= parsed.size }
            // Behind the end of a request there is more: a head has begun that has its own time.
            if !isFirst, case .idle = reading, parsed.tail != tail {
                reading = .head(since: .now())
            }
            if !chunks.isSound(after: parsed.size, exchanges.last) {
                end(with: HeadCheck.malformed("more bytes around chunks than in them"), context)
            }
            lines.parsed(reading)
            return
        case ChannelEvent.inputClosed:
            // A body that ended with the connection is not a body: nothing of it may be taken.
            failBody(context)
            if isEnding { return context.close(promise: nil) }
        case is ChannelShouldQuiesceEvent:
            isQuiescing = true
        default: break
        }
        context.fireUserInboundEventTriggered(event)
    }

    /// What has not arrived in time is room for others.
    private func giveBackAnnounced() {
        guard let last = exchanges.last, last.heldSize > last.bodySize else { return }
        gate.budget.give(last.heldSize - last.bodySize)
        exchanges[exchanges.index(before: exchanges.endIndex)].heldSize = last.bodySize
    }

    // MARK: - In

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        if case .nothing = reading { return }
        switch unwrapInboundIn(data) {
        case .head(let head): receive(head, context)
        case .body(let bytes): receive(bytes, context)
        case .end(let trailers):
            handOver(context)
            guard !exchanges.isEmpty else { return }
            let last = exchanges.endIndex
            exchanges[exchanges.index(before: last)].isBodyComplete = true
            isFirst = false
            reading = .idle(since: .now())
            entry.becameBusy()
            if exchanges[exchanges.index(before: last)].refusal == nil {
                context.fireChannelRead(wrapInboundOut(.end(trailers)))
            } else {
                answerRefusals(context)
            }
        }
    }

    func channelReadComplete(context: ChannelHandlerContext) {
        isReadWanted = false
        handOver(context)
        context.fireChannelReadComplete()
        if isEnding { readRest(context) }
    }

    func read(context: ChannelHandlerContext) {
        isReadWanted = true
        if case .nothing = reading { return }
        context.read()
    }

    /// Reads so many times before others have their turn.
    private func read(_ count: UInt, _ context: ChannelHandlerContext) {
        try? context.channel.syncOptions?.setOption(.maxMessagesPerRead, value: count)
    }

    /// Reads some more of what nobody will look at, where that is not too much of it.
    private func readRest(_ context: ChannelHandlerContext) {
        if drain <= 0, gate.drain.take(DrainBudget.partSizeBytes, at: .now()) {
            drain += DrainBudget.partSizeBytes
        }
        if drain > 0 { context.read() }
    }

    private func receive(_ found: HTTPRequestHead, _ context: ChannelHandlerContext) {
        var head = found
        head.uri = RequestTarget.normalized(head.uri)
        if let problem = gate.check.problem(of: head) { return end(with: problem, context) }
        if !lines.isSound(found) { return end(with: HeadCheck.malformedLine, context) }
        if isReserve, !ConnectionGate.isHealth(head) {
            return end(with: .overloaded("too many connections"), context)
        }
        let refusal = gate.refusal(of: &head, from: context.channel)
        // Only now is the path the route's.
        var exchange = Exchange(head)
        exchange.refusal = refusal
        if exchange.refusal == nil, !head.hasSmallBody,
            let length = head.headers.first(name: "Content-Length").flatMap({ Int($0) })
        {
            if gate.budget.takeAnnounced(length) {
                exchange.heldSize = length
                read(ConnectionLimits.largeReadCount, context)
            } else {
                exchange.refusal = .overloaded("too many bodies wait")
            }
        }
        exchange.awaitsContinue =
            head.version == .http1_1 && head.headers.contains(name: "Expect")
        if let refusal = exchange.refusal, exchange.awaitsContinue || !head.hasSmallBody {
            endingEncoding = exchange.telemetry
            return end(with: refusal, context)
        }
        reading = .body(BodyPace(at: .now()))
        tail = .emptyLine
        chunks = ChunkOverhead()
        entry.becameReceiving()
        let isHandedOn = exchange.refusal == nil
        exchanges.append(exchange)
        if exchanges.count == 1 { sendContinue(context) }
        if isHandedOn { context.fireChannelRead(wrapInboundOut(.head(head))) }
    }

    private func receive(_ bytes: ByteBuffer, _ context: ChannelHandlerContext) {
        guard !exchanges.isEmpty, case .body(var pace) = reading else { return }
        let size = bytes.readableBytes
        let last = exchanges.index(before: exchanges.endIndex)
        guard exchanges[last].bodySize <= ConnectionLimits.bodySizeBytesMax - size else {
            return end(with: .bodyTooLarge(ConnectionLimits.bodySizeBytesMax), context)
        }
        let missing = exchanges[last].bodySize + size - exchanges[last].heldSize
        if missing > 0 {
            guard gate.budget.take(missing) else {
                return end(with: .overloaded("too many bodies wait"), context)
            }
            exchanges[last].heldSize += missing
        }
        exchanges[last].bodySize += size
        exchanges[last].awaitsContinue = false
        if !exchanges[last].isChunked { tail.append(bytes) }
        pace.arrived(size)
        reading = .body(pace)
        guard exchanges[last].refusal == nil else { return }
        if gathered == nil {
            gathered = bytes
        } else {
            // Chunks of one byte are one part in the end, not a thousand.
            gathered?.writeImmutableBuffer(bytes)
        }
        if let gathered, gathered.readableBytes >= 1 << 15 { handOver(context) }
    }

    private func handOver(_ context: ChannelHandlerContext) {
        guard let bytes = gathered.take() else { return }
        context.fireChannelRead(wrapInboundOut(.body(bytes)))
    }

    func errorCaught(context: ChannelHandlerContext, error: any Error) {
        guard let error = error as? HTTPParserError else {
            failBody(context)
            context.close(promise: nil)
            return
        }
        // The parser calls the end of a connection in mid-body an error too; nobody hears an answer.
        if error == .invalidEOFState { return failBody(context) }
        end(with: HeadCheck.problem(of: error), context)
    }

    /// Lets the router's reading of an incomplete body fail, instead of end.
    private func failBody(_ context: ChannelHandlerContext) {
        gathered = nil
        guard let last = exchanges.last, !last.isBodyComplete, last.refusal == nil else { return }
        exchanges[exchanges.index(before: exchanges.endIndex)].closes = true
        if case .nothing = reading {} else { reading = .nothing(until: nil) }
        context.fireErrorCaught(HTTPParserError.invalidEOFState)
    }

    // MARK: - Out

    /// Stops reading, and ends the connection with `problem` after the answers before it.
    private func end(with problem: Problem?, _ context: ChannelHandlerContext) {
        guard ending == nil, !isEnding else { return }
        ending = problem
        gathered = nil
        reading = .nothing(until: nil)
        // Of a body that is cut nothing is kept, and the connection may linger.
        if let last = exchanges.last, !last.isBodyComplete {
            gate.budget.give(last.heldSize)
            exchanges[exchanges.index(before: exchanges.endIndex)].heldSize = 0
        }
        answerEnding(context)
    }

    private func answerEnding(_ context: ChannelHandlerContext) {
        guard let problem = ending, !isEnding else { return }
        if let first = exchanges.first, first.isBodyComplete { return }
        if let first = exchanges.first, first.hasAnswerBegun {
            return context.close(promise: nil)
        }
        let isHead = exchanges.first?.isHead ?? false
        let encoding = exchanges.isEmpty ? endingEncoding : exchanges.first?.telemetry
        isCut = true
        failBody(context)
        write(problem, encoding, isHead: isHead, closes: true, context)
        linger(context)
    }

    private func answerRefusals(_ context: ChannelHandlerContext) {
        while let first = exchanges.first, first.isBodyComplete, let problem = first.refusal {
            let closes = first.closes || isQuiescing
            write(problem, first.telemetry, isHead: first.isHead, closes: closes, context)
            finishFirst(closes: closes, context)
        }
    }

    func write(context: ChannelHandlerContext, data: NIOAny, promise: EventLoopPromise<Void>?) {
        guard !isCut, !exchanges.isEmpty else {
            // The router answers a request that has been answered for it.
            promise?.succeed()
            return
        }
        switch unwrapOutboundIn(data) {
        case .head(var head) where head.status.code >= 200:
            let first = exchanges[exchanges.startIndex]
            // Reading the rest of a refused body would cost more than a new connection.
            let isUnread = !first.isBodyComplete && head.status.code >= 400
            let closes =
                first.closes || isQuiescing || isUnread
                || head.headers[canonicalForm: "connection"].contains { $0.lowercased() == "close" }
            if closes { head.headers.replaceOrAdd(name: "Connection", value: "close") }
            exchanges[exchanges.startIndex].closes = closes
            exchanges[exchanges.startIndex].hasAnswerBegun = true
            context.write(wrapOutboundOut(.head(head)), promise: promise)
        case .head: context.write(data, promise: promise)
        case .body: context.write(data, promise: timed(promise, context))
        case .end:
            let closes = exchanges[exchanges.startIndex].closes
            context.writeAndFlush(data, promise: timed(promise, context))
            finishFirst(closes: closes, context)
            answerRefusals(context)
            answerEnding(context)
        }
    }

    /// The answer is complete: its request is forgotten, and the next one is at the head.
    ///
    /// A flush into a connection that was reset ends it at once: then all are forgotten already.
    private func finishFirst(closes: Bool, _ context: ChannelHandlerContext) {
        guard let first = exchanges.popFirst() else { return }
        gate.budget.give(first.heldSize)
        if closes {
            linger(context)
        } else {
            if exchanges.isEmpty, case .idle = reading {
                reading = .idle(since: .now())
                entry.becameIdle()
            }
            sendContinue(context)
        }
    }

    /// Ends our side, and the connection when the other side has ended or the time is over.
    private func linger(_ context: ChannelHandlerContext) {
        guard !isEnding else { return }
        isEnding = true
        isCut = true
        let time = isReserve ? ConnectionLimits.reserveTime : ConnectionLimits.lingerTime
        reading = .nothing(until: .now() + time)
        gate.registry.ending(entry)
        context.close(mode: .output, promise: nil)
        readRest(context)
    }
}
