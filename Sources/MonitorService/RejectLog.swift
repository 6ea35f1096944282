public import ByteCoding
import Foundation
public import MonitoringDomain
import RecordCoding
import Synchronization

/// This is what was sent and not taken: counts by way and reason, and copies of what loggers sent, who
/// neither read an answer nor send again.
///
/// Counts are since the start. Copies are kept in memory for a look and in `rejects.ndjson` of the data
/// directory, from which the newest come back after a restart; the file is replaced by an empty one at
/// 4 MiB, with its predecessor beside it. A copy that cannot be written is only counted: nothing was
/// acknowledged, so nothing is owed.
public final class RejectLog: Sendable {
    /// This is one refused body.
    public struct Copy: Sendable, Equatable {
        /// When it came.
        public var time: EventTime
        /// The path that it came to.
        public var route: String
        /// The type of the problem.
        public var code: String
        /// What was wrong.
        public var detail: String
        /// The size of the body in bytes.
        public var sizeBytes: Int
        /// The start of the body, at most `bodySizeBytesMax`.
        public var body: [UInt8]

        /// Makes a copy that keeps as much of `body` as is kept of any.
        public init(
            time: EventTime, route: String, code: String, detail: String, body: [UInt8]
        ) {
            self.time = time
            self.route = route
            self.code = code
            self.detail = detail
            sizeBytes = body.count
            self.body = Array(body.prefix(RejectLog.bodySizeBytesMax))
        }
    }

    /// Bytes of one body that are kept.
    public static let bodySizeBytesMax = 16 << 10
    /// Copies that are kept in memory, the newest ones.
    public static let copyCountMax = 100
    /// Copies that wait to be written; beyond, they are only counted.
    private static let queueCountMax = 256
    private static let fileSizeBytesMax = 4 << 20
    /// Distinct reasons that are counted apart; ours are far fewer.
    private static let reasonCountMax = 500

    private struct Reason: Hashable {
        let route: String
        let code: String
    }

    private struct State {
        var rejected: [Reason: UInt64] = [:]
        var ignored: [Reason: UInt64] = [:]
        var copies: [Copy] = []
        var queuedCount = 0
        var unwrittenCount: UInt64 = 0
    }

    private let state = Mutex(State())
    private let file: URL
    private let queue = DispatchQueue(label: "leeway.rejects", qos: .utility)

    /// Opens the log of a data directory, with the newest copies of an earlier run.
    public init(directory: String) {
        file = URL(fileURLWithPath: directory).appendingPathComponent("rejects.ndjson")
        guard let text = try? Data(contentsOf: file) else { return }
        let lines = text.split(separator: UInt8(ascii: "\n")).suffix(Self.copyCountMax)
        let copies = lines.compactMap { Copy(line: Array($0)) }
        state.withLock { $0.copies = copies }
    }

    /// Counts records or bodies that were refused.
    public func count(_ count: Int = 1, route: String, code: String) {
        state.withLock { Self.add(count, Reason(route: route, code: code), to: &$0.rejected) }
    }

    /// Counts what was taken and is none of the monitor's business.
    public func ignore(_ count: Int = 1, route: String, reason: String) {
        state.withLock { Self.add(count, Reason(route: route, code: reason), to: &$0.ignored) }
    }

    private static func add(_ count: Int, _ reason: Reason, to counts: inout [Reason: UInt64]) {
        guard counts[reason] != nil || counts.count < reasonCountMax else { return }
        counts[reason, default: 0] &+= UInt64(clamping: count)
    }

    /// Keeps a copy; never waits.
    public func keep(_ copy: Copy) {
        let isQueued = state.withLock { state in
            state.copies.append(copy)
            if state.copies.count > Self.copyCountMax { state.copies.removeFirst() }
            guard state.queuedCount < Self.queueCountMax else {
                state.unwrittenCount &+= 1
                return false
            }
            state.queuedCount += 1
            return true
        }
        guard isQueued else { return }
        queue.async { [self] in
            let isWritten = write(copy)
            state.withLock {
                $0.queuedCount -= 1
                if !isWritten { $0.unwrittenCount &+= 1 }
            }
        }
    }

    /// Waits until every copy so far has been written or given up.
    public func flush() { queue.sync {} }

    private func write(_ copy: Copy) -> Bool {
        do {
            let size =
                (try? FileManager.default.attributesOfItem(atPath: file.path)[.size] as? NSNumber)?
                .intValue
            if let size, size > Self.fileSizeBytesMax {
                let old = file.deletingPathExtension().appendingPathExtension("1.ndjson")
                try? FileManager.default.removeItem(at: old)
                try FileManager.default.moveItem(at: file, to: old)
            }
            if !FileManager.default.fileExists(atPath: file.path) {
                // Bodies hold what people sent: nobody else reads them.
                guard
                    FileManager.default.createFile(
                        atPath: file.path, contents: nil, attributes: [.posixPermissions: 0o600])
                else { return false }
            }
            let handle = try FileHandle(forWritingTo: file)
            defer { try? handle.close() }
            try handle.seekToEnd()
            try handle.write(contentsOf: Data((copy.json.text + "\n").utf8))
            return true
        } catch {
            return false
        }
    }

    /// These are the copies in memory, the newest first.
    public var copies: [Copy] { state.withLock { $0.copies.reversed() } }

    /// These are the counts, as the API shows them.
    ///
    /// - Parameter start: Since when they are counted.
    /// - Returns: An object.
    public func json(since start: EventTime) -> JSONValue {
        let state = state.withLock { $0 }
        func list(_ counts: [Reason: UInt64], _ name: String) -> JSONValue {
            .array(
                counts.sorted { ($0.key.route, $0.key.code) < ($1.key.route, $1.key.code) }.map {
                    .object([
                        ("route", .string($0.key.route)), (name, .string($0.key.code)),
                        ("count", .int(Int64(clamping: $0.value))),
                    ])
                })
        }
        return .object([
            ("since", .string("\(start)")),
            ("rejected", list(state.rejected, "code")), ("ignored", list(state.ignored, "reason")),
            ("copies", .int(Int64(state.copies.count))),
            ("copies_not_written", .int(Int64(clamping: state.unwrittenCount))),
        ])
    }
}

extension RejectLog.Copy {
    /// This is the copy as the API and the file show it: the body as text where it is UTF-8, else in
    /// base64.
    public var json: JSONValue {
        let text = String(validating: body, as: UTF8.self)
        return .object([
            ("at", .string("\(time)")), ("route", .string(route)), ("code", .string(code)),
            ("detail", .string(detail)), ("size_bytes", .int(Int64(sizeBytes))),
            text.map { ("body", .string($0)) }
                ?? ("body_base64", .string(Data(body).base64EncodedString())),
        ])
    }

    /// Reads a line that `json` has written; nil for others.
    fileprivate init?(line: [UInt8]) {
        guard let value = try? WireValue.parse(line),
            let time = value["at"]?.string.flatMap({ EventTime(rfc3339: $0.utf8) }),
            let route = value["route"]?.string, let code = value["code"]?.string,
            case .integer(let size)? = value["size_bytes"]
        else { return nil }
        let encoded = value["body_base64"]?.string.flatMap { Data(base64Encoded: $0) }
        self.init(
            time: time, route: route, code: code, detail: value["detail"]?.string ?? "",
            body: value["body"]?.string.map { Array($0.utf8) } ?? encoded.map { Array($0) } ?? [])
        sizeBytes = Int(clamping: size)
    }
}
