import Foundation

/// This is an open-loop sender over many connections in one thread: a request leaves when it is due, and not
/// when the one before it is answered.
///
/// A connection carries one request at a time. One that is due while all are busy is counted as unsent, as by
/// a sender that gives up.
final class OverloadClient {
    /// This is what came of one phase.
    struct Tally {
        var offered = 0
        var unsent = 0
        var accepted = 0
        /// Of those, the ones that were answered while requests were due.
        var acceptedInTime = 0
        var refused: [Int: Int] = [:]
        /// Connections that ended before an answer.
        var broken = 0
        var acceptedSeconds: [Double] = []
        var refusedSeconds: [Double] = []
        /// How long requests were due.
        var seconds = 0.0
        /// Processor time of the two in these seconds.
        var serverSeconds = 0.0
        var clientSeconds = 0.0

        /// Accepted requests a second.
        var goodput: Double { Double(acceptedInTime) / seconds }
    }

    private struct Connection {
        var descriptor: Int32 = -1
        /// Which request is on the way; nil for an idle connection.
        var request: [UInt8]?
        var sentCount = 0
        var answer: [UInt8] = []
        var due = ContinuousClock.now
    }

    /// What a connection's send buffer holds.
    ///
    /// A larger one is filled with what is refused: the copying would be the client's limit, and nobody's gain.
    private static let sendBufferSizeBytes: Int32 = 128 << 10

    private let server: BenchmarkServer
    private var connections: [Connection]
    private var idle: [Int] = []
    /// What is waited for, at the connection's place.
    private var polled: [pollfd]
    private var buffer = [UInt8](repeating: 0, count: 1 << 16)
    private var tally = Tally()

    init(_ server: BenchmarkServer, connectionCount: Int) throws {
        self.server = server
        connections = [Connection](repeating: Connection(), count: connectionCount)
        polled = [pollfd](repeating: pollfd(), count: connectionCount)
        for index in connections.indices {
            try open(index)
            idle.append(index)
        }
    }

    deinit {
        for connection in connections where connection.descriptor >= 0 {
            close(connection.descriptor)
        }
    }

    private func open(_ index: Int) throws {
        let descriptor = socket(
            AF_INET, Int32(SOCK_STREAM.rawValue) | Int32(SOCK_NONBLOCK.rawValue), 0)
        guard descriptor >= 0 else { throw BenchmarkError("socket: errno \(errno)") }
        var size = Self.sendBufferSizeBytes
        setsockopt(
            descriptor, SOL_SOCKET, SO_SNDBUF, &size, socklen_t(MemoryLayout<Int32>.size))
        let status = connectToLoopback(descriptor, port: server.port)
        guard status == 0 || errno == EINPROGRESS else {
            close(descriptor)
            throw BenchmarkError("connect: errno \(errno)")
        }
        connections[index] = Connection(descriptor: descriptor)
        polled[index] = pollfd(fd: descriptor, events: Int16(POLLIN), revents: 0)
    }

    /// Offers so many requests a second for a time, and waits for the last answers.
    ///
    /// - Parameters:
    ///   - rate: Requests a second; nil for as many as the connections carry, one behind the other.
    ///   - duration: How long requests are due.
    ///   - next: Makes the next request.
    /// - Returns: What came of it, over the time in which requests were due.
    /// - Throws: `BenchmarkError` where no connection can be made.
    func run(
        rate: Double?, for duration: Duration, _ next: () -> [UInt8]
    ) throws -> Tally {
        tally = Tally()
        let start = ContinuousClock.now
        let spent = spentSeconds()
        while true {
            let passed = ContinuousClock.now - start
            if passed < duration {
                if let rate {
                    let count = Int(rate * passed.seconds)
                    while tally.offered < count {
                        try offer(due: start + .seconds(Double(tally.offered) / rate), next)
                    }
                } else {
                    while !idle.isEmpty { try offer(due: .now, next) }
                }
            } else {
                if tally.seconds == 0 {
                    tally.seconds = passed.seconds
                    tally.acceptedInTime = tally.accepted
                    (tally.serverSeconds, tally.clientSeconds) = (
                        spentSeconds().server - spent.server, spentSeconds().client - spent.client
                    )
                }
                if idle.count == connections.count || passed > duration + .seconds(10) { break }
            }
            try turn()
        }
        return tally
    }

    private func spentSeconds() -> (server: Double, client: Double) {
        (processorSeconds(server.processIdentifier), processorSeconds())
    }

    private func offer(due: ContinuousClock.Instant, _ next: () -> [UInt8]) throws {
        tally.offered += 1
        guard let index = idle.popLast() else {
            tally.unsent += 1
            return
        }
        connections[index].request = next()
        connections[index].sentCount = 0
        connections[index].due = due
        try push(index)
    }

    /// Sends what the system takes.
    private func push(_ index: Int) throws {
        guard let request = connections[index].request else { return }
        let start = connections[index].sentCount
        guard start < request.count else { return }
        let descriptor = connections[index].descriptor
        let count = request.withUnsafeBytes { raw in
            raw.baseAddress.map {
                Glibc.send(descriptor, $0 + start, raw.count - start, Int32(MSG_NOSIGNAL))
            } ?? 0
        }
        if count > 0 {
            connections[index].sentCount += count
        } else if errno != EAGAIN {
            // The answer may be there all the same: a refusal is sent before the body has come.
            connections[index].sentCount = request.count
        }
        let isOver = connections[index].sentCount >= request.count
        polled[index].events = Int16(POLLIN) | (isOver ? 0 : Int16(POLLOUT))
    }

    private func turn() throws {
        // Looking at all of them costs a tenth of a millisecond.
        usleep(200)
        guard poll(&polled, nfds_t(polled.count), 1) > 0 else { return }
        for index in polled.indices where polled[index].revents != 0 {
            let events = polled[index].revents
            if events & Int16(POLLOUT) != 0 { try push(index) }
            if events & ~Int16(POLLOUT) != 0 { try pull(index) }
        }
    }

    private func pull(_ index: Int) throws {
        let descriptor = connections[index].descriptor
        let count = recv(descriptor, &buffer, buffer.count, 0)
        if count < 0, errno == EAGAIN { return }
        guard count > 0 else { return try reopen(index) }
        connections[index].answer += buffer[..<count]
        guard let (status, closes) = Self.answer(connections[index].answer) else { return }
        let seconds = (ContinuousClock.now - connections[index].due).seconds
        if status == 202 {
            tally.accepted += 1
            tally.acceptedSeconds.append(seconds)
        } else {
            tally.refused[status, default: 0] += 1
            tally.refusedSeconds.append(seconds)
        }
        let isSent = connections[index].sentCount >= connections[index].request?.count ?? 0
        connections[index].answer = []
        connections[index].request = nil
        if closes || !isSent {
            try reopen(index)
        } else {
            idle.append(index)
        }
    }

    private func reopen(_ index: Int) throws {
        if connections[index].request != nil { tally.broken += 1 }
        // An idle connection that the server has ended is in the list of idle ones already.
        let wasIdle = connections[index].request == nil && idle.contains(index)
        close(connections[index].descriptor)
        try open(index)
        if !wasIdle { idle.append(index) }
    }

    /// This is a complete answer's status, and whether the connection ends with it.
    private static func answer(_ bytes: [UInt8]) -> (status: Int, closes: Bool)? {
        (bytes + [0]).withUnsafeBufferPointer { buffer in
            buffer.withMemoryRebound(to: CChar.self) { text in
                func place(of word: String) -> Int? {
                    guard let base = text.baseAddress, let found = strstr(base, word) else {
                        return nil
                    }
                    return UnsafePointer(found) - base
                }
                func number(at start: Int) -> Int {
                    bytes[start...].prefix { (0x30...0x39).contains($0) }
                        .reduce(0) { 10 * $0 + Int($1 - 0x30) }
                }
                guard let end = place(of: "\r\n\r\n"),
                    // Names come as they are written here, or in lower case.
                    let field = place(of: "ontent-Length: ") ?? place(of: "ontent-length: "),
                    bytes.count >= end + 4 + number(at: field + 15)
                else { return nil }
                return (number(at: 9), place(of: "onnection: close") != nil)
            }
        }
    }
}
