import Foundation
import MonitoringTestSupport

/// This is a way in which a client is slow.
enum SlowKind: String, CaseIterable, Sendable {
    case silent, heads, bodies, readers, idle, resets

    private static let postHead =
        "POST /v1/predictions HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n"
        + "Content-Length: 100000\r\n\r\n"
    private static let page = "GET /v1/openapi.yaml HTTP/1.1\r\nHost: localhost\r\n\r\n"

    /// What a client of the kind says first.
    var first: String {
        switch self {
        case .silent, .resets: ""
        case .heads: "GET /readyz HTTP/1.1\r\nX-Slow: "
        case .bodies: Self.postHead
        // Answers of 150 KB, of which the buffers between us hold a part.
        case .readers: String(repeating: Self.page, count: 3)
        case .idle: "GET /livez HTTP/1.1\r\nHost: localhost\r\n\r\n"
        }
    }

    /// What it says again and again.
    var drip: [UInt8] {
        switch self {
        case .heads: [UInt8(ascii: "a")]
        case .bodies: [UInt8(ascii: " ")]
        case .silent, .readers, .idle, .resets: []
        }
    }

    /// A client of the kind, which has said its first words.
    func client(_ port: UInt16) throws -> RawConnection {
        let connection = try RawConnection(
            port: port, timeout: 1, receiveSizeBytes: self == .readers ? 4_096 : nil)
        connection.send(first)
        if self == .resets {
            connection.send("POST /v1/pre")
            connection.resetAtClose()
        }
        return connection
    }
}

/// This is many clients of a kind, who come at once.
final class SlowCrowd: @unchecked Sendable {
    private static let threadCount = 16

    private let lock = NSLock()
    private var found: [RawConnection] = []
    private var working = SlowCrowd.threadCount

    /// These are those that got through: where the system's queue of a listener is full, some do not.
    var connections: [RawConnection] { lock.withLock { found } }

    init(_ kind: SlowKind, count: Int, port: UInt16) {
        // From several threads, because one that waits in the queue must not hold up the others.
        for _ in 0..<Self.threadCount {
            Thread.detachNewThread { [self] in
                for _ in 0..<count / Self.threadCount {
                    guard let one = try? kind.client(port) else { continue }
                    lock.withLock { found.append(one) }
                }
                lock.withLock { working -= 1 }
            }
        }
        wait(upTo: 60) { lock.withLock { working } == 0 }
    }
}
