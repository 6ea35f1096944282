import Glibc
import Synchronization

/// This is a proxy from a port of 127.0.0.1 to a server's Unix socket that breaks connections where it is told to.
///
/// A cut falls on a byte: so many have been passed on in one direction, and then both sides are closed. So
/// the server may have done what it was asked to, and the client never hears of it.
public final class CutProxy: Sendable {
    /// This is where the bytes of a direction come from.
    public enum Sender: Sendable, Equatable { case client, server }

    /// This is what becomes of one connection.
    public enum Plan: Sendable, Equatable {
        /// Everything is passed on.
        case pass
        /// Both sides are closed once so many bytes of `Sender` have been passed on.
        case cut(Sender, after: Int)
        /// From there on nothing is passed on in either direction, and nothing is closed.
        case silence(Sender, after: Int)
        /// Both sides are closed in place of the server's n-th answer, from 1, that holds the text.
        case cutAnswer(holding: String, number: Int)
        /// Silence in its place.
        case silenceAnswer(holding: String, number: Int)
    }

    private struct State {
        var plans: [Plan] = []
        var counts: [Sender: Int] = [:]
        var connectionCount = 0
        var brokenCount = 0
    }

    /// This is the port on 127.0.0.1.
    public let port: UInt16
    private let listener: Int32
    private let path: String
    private let state = Mutex(State())

    /// Listens, in front of the server on the Unix socket `path`.
    public init(to path: String) throws {
        self.path = path
        port = try freePort()
        listener = socket(AF_INET, Int32(SOCK_STREAM.rawValue), 0)
        var isReused: Int32 = 1
        setsockopt(
            listener, SOL_SOCKET, SO_REUSEADDR, &isReused, socklen_t(MemoryLayout<Int32>.size))
        let descriptor = listener
        guard withLoopback(port: port, { bind(descriptor, $0, $1) }) == 0,
            listen(listener, 64) == 0
        else { throw HTTPFailure(reason: "the proxy cannot listen: errno \(errno)") }
        startThread { [weak self] in
            while true {
                let client = accept(descriptor, nil, nil)
                guard client >= 0, let self else {
                    if client >= 0 { close(client) }
                    return
                }
                let plan = self.state.withLock { state in
                    state.connectionCount += 1
                    state.counts = [:]
                    return state.plans.isEmpty ? Plan.pass : state.plans.removeFirst()
                }
                startThread { self.carry(client, plan) }
            }
        }
    }

    deinit {
        shutdown(listener, Int32(SHUT_RDWR))
        close(listener)
    }

    /// Sets what becomes of the next connections, one each; those after them pass.
    public func plan(_ plans: Plan...) { self.plan(plans) }

    /// Sets what becomes of the next connections, one each; those after them pass.
    public func plan(_ plans: [Plan]) { state.withLock { $0.plans = plans } }

    /// This is how many connections there have been.
    public var connectionCount: Int { state.withLock { $0.connectionCount } }

    /// This is how many connections were cut or silenced.
    public var brokenCount: Int { state.withLock { $0.brokenCount } }

    /// This is how many bytes of the newest connection were passed on.
    public func passedCount(from sender: Sender) -> Int {
        state.withLock { $0.counts[sender] ?? 0 }
    }

    private func carry(_ client: Int32, _ plan: Plan) {
        defer { close(client) }
        guard let server = connectedToPath(path) else { return }
        defer { close(server) }
        var passed: [Sender: Int] = [:]
        var answerCount = 0
        var buffer = [UInt8](repeating: 0, count: 1 << 16)
        while true {
            var polled = [
                pollfd(fd: client, events: Int16(POLLIN), revents: 0),
                pollfd(fd: server, events: Int16(POLLIN), revents: 0),
            ]
            guard poll(&polled, 2, 60_000) > 0 else { return }
            for (index, sender) in [Sender.client, .server].enumerated()
            where polled[index].revents != 0 {
                let count = read(polled[index].fd, &buffer, buffer.count)
                guard count > 0 else { return }
                let already = passed[sender] ?? 0
                var allowed = count
                var isSilent = false
                switch plan {
                case .pass: break
                case .cut(sender, let limit): allowed = min(count, max(0, limit - already))
                case .silence(sender, let limit):
                    allowed = min(count, max(0, limit - already))
                    isSilent = true
                case .cut, .silence: break
                case .cutAnswer(let text, let number), .silenceAnswer(let text, let number):
                    guard sender == .server, holds(buffer[..<count], text) else { break }
                    answerCount += 1
                    if answerCount == number { allowed = 0 }
                    if case .silenceAnswer = plan { isSilent = true }
                }
                guard writeAll(buffer[..<allowed], to: index == 0 ? server : client) else { return }
                passed[sender] = already + allowed
                state.withLock { $0.counts = passed }
                if allowed < count {
                    state.withLock { $0.brokenCount += 1 }
                    if isSilent { waitForEnd(of: client) }
                    return
                }
            }
        }
    }

    /// Says nothing, until the client has gone.
    private func waitForEnd(of client: Int32) {
        var buffer = [UInt8](repeating: 0, count: 1 << 10)
        while read(client, &buffer, buffer.count) > 0 {}
    }

    private func holds(_ bytes: ArraySlice<UInt8>, _ text: String) -> Bool {
        let pattern = Array(text.utf8)
        return bytes.indices.dropLast(max(0, pattern.count - 1)).contains {
            bytes[$0...].starts(with: pattern)
        }
    }

    private func writeAll(_ bytes: ArraySlice<UInt8>, to descriptor: Int32) -> Bool {
        bytes.withUnsafeBytes { buffer in
            var sent = 0
            while sent < buffer.count {
                let count = send(
                    descriptor, buffer.baseAddress?.advanced(by: sent), buffer.count - sent,
                    Int32(MSG_NOSIGNAL))
                if count <= 0 { return false }
                sent += count
            }
            return true
        }
    }
}

/// Starts a thread that nobody waits for.
private func startThread(_ body: @escaping @Sendable () -> Void) {
    final class Work: Sendable {
        let body: @Sendable () -> Void
        init(_ body: @escaping @Sendable () -> Void) { self.body = body }
    }
    var thread = pthread_t()
    let work = Unmanaged.passRetained(Work(body)).toOpaque()
    pthread_create(
        &thread, nil,
        { argument in
            if let argument { Unmanaged<Work>.fromOpaque(argument).takeRetainedValue().body() }
            return nil
        }, work)
    pthread_detach(thread)
}

private func connectedToPath(_ path: String) -> Int32? {
    let descriptor = socket(AF_UNIX, Int32(SOCK_STREAM.rawValue), 0)
    guard descriptor >= 0 else { return nil }
    var address = sockaddr_un()
    address.sun_family = sa_family_t(AF_UNIX)
    let bytes = Array(path.utf8)
    guard bytes.count < MemoryLayout.size(ofValue: address.sun_path) else { return nil }
    withUnsafeMutableBytes(of: &address.sun_path) { $0.copyBytes(from: bytes) }
    let status = withUnsafePointer(to: &address) { pointer in
        pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) {
            connect(descriptor, $0, socklen_t(MemoryLayout<sockaddr_un>.size))
        }
    }
    guard status == 0 else {
        close(descriptor)
        return nil
    }
    return descriptor
}
