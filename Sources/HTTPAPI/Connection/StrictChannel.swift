import HTTPTypes
import HummingbirdCore
import Logging
import NIOCore
import NIOHTTP1
import NIOHTTPTypes
import NIOHTTPTypesHTTP1
import NIOSSL

/// This is what all connections of a server share.
final class ConnectionGate: Sendable {
    let limits: ConnectionLimits
    let check: HeadCheck
    let registry: ConnectionRegistry
    let budget = BodyBudget(limitBytes: ConnectionLimits.bodyBudgetBytes)
    let drain = DrainBudget()
    /// Why a request with a sound head is refused before its body: rights, rates, load.
    private let admission: @Sendable (inout HTTPRequestHead, any Channel) -> Problem?

    init(
        limits: ConnectionLimits, hosts: HostList,
        admission: @escaping @Sendable (inout HTTPRequestHead, any Channel) -> Problem?
    ) {
        self.limits = limits
        check = HeadCheck(hosts: hosts)
        registry = ConnectionRegistry(limits: limits)
        self.admission = admission
    }

    func refusal(of head: inout HTTPRequestHead, from channel: any Channel) -> Problem? {
        if let problem = admission(&head, channel) { return problem }
        let length = head.headers.first(name: "Content-Length").flatMap { Int($0) } ?? 0
        guard budget.hasRoom(for: length) else { return .overloaded("too many bodies wait") }
        return nil
    }

    /// True for what must be answered under every load.
    static func isHealth(_ head: HTTPRequestHead) -> Bool {
        guard head.method == .GET || head.method == .HEAD else { return false }
        let path = head.uri.prefix { $0 != "?" }
        return ["/livez", "/readyz", "/healthz", "/metrics"].contains(String(path))
    }
}

/// This sets up a connection: optional TLS, the parser with our limits, the gate, and the router.
struct StrictChannel: ServerChildChannel, HTTPChannelHandler {
    typealias Value = NIOAsyncChannel<HTTPRequestPart, HTTPResponsePart>

    let gate: ConnectionGate
    let tls: TLSContexts?
    let responder: HTTPChannelHandler.Responder

    func setup(channel: any Channel, logger: Logger) -> EventLoopFuture<Value> {
        channel.eventLoop.makeCompletedFuture {
            let pipeline = channel.pipeline.syncOperations
            if let tls { try pipeline.addHandler(NIOSSLServerHandler(context: tls.current)) }
            let lines = RequestLines()
            try pipeline.addHandler(ByteArrivalHandler(lines))
            var limits = NIOHTTPDecoderLimitConfiguration()
            limits.maxHeaderFieldSize = ConnectionLimits.fieldSizeBytesMax
            limits.maxHeaderListSize = ConnectionLimits.fieldListSizeBytesMax
            limits.maxHeaderFieldCount = ConnectionLimits.fieldCountMax
            try pipeline.configureHTTPServerPipeline(
                withPipeliningAssistance: false, withErrorHandling: false,
                withOutboundHeaderValidation: false, withEncoderConfiguration: .init(),
                withDecoderLimitConfiguration: limits)
            try pipeline.addHandler(
                StrictRequestHandler(gate: gate, lines: lines, channel: channel))
            try pipeline.addHandler(HTTP1ToHTTPServerCodec(secure: tls != nil))
            // It closes idle connections when the server stops; the times are the gate's.
            try pipeline.addHandler(HTTPConnectionStateHandler(idleTimeout: nil, logger: logger))
            return try NIOAsyncChannel(
                wrappingChannelSynchronously: channel,
                configuration: .init(isOutboundHalfClosureEnabled: true))
        }
    }

    func handle(value: Value, logger: Logger) async {
        await handleHTTP(asyncChannel: value, logger: logger)
    }
}
