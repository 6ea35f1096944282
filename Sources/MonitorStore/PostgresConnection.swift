import CLibPQ
import Foundation

/// This is what PostgreSQL, or the way to it, answered.
///
/// The text never holds the password.
public struct PostgresError: Error, Equatable, CustomStringConvertible {
    /// This is what the server or libpq said, in one line.
    public let message: String
    /// Five characters; nil when the connection failed.
    public let sqlState: String?

    /// Makes an error from its parts.
    public init(message: String, sqlState: String?) {
        self.message = message
        self.sqlState = sqlState
    }

    /// What another attempt can hope for.
    public enum Kind: Sendable, Equatable {
        /// The server is away, busy or shutting down: nothing is said of the statement.
        case away
        /// The statement's own values are refused, and would be at every attempt.
        case refused
        /// Anything else: rights, a missing table, a fault of the server; a person must look.
        case other
    }

    /// This is what another attempt can hope for, by the SQLSTATE's class.
    public var kind: Kind {
        guard let sqlState else { return .away }
        switch sqlState.prefix(2) {
        // Connection, rollback, resources, object state (locks), intervention, system error.
        case "08", "25", "40", "53", "55", "57", "58": return .away
        // Data, constraint, program limit.
        case "22", "23", "54": return .refused
        default: return .other
        }
    }

    /// This is the message, with its SQLSTATE where there is one.
    public var description: String { sqlState.map { "\(message) (SQLSTATE \($0))" } ?? message }
}

/// This is a query's rows, as texts; nil is NULL.
public struct PostgresResult: Sendable, Equatable {
    /// These are the names of the columns.
    public let columns: [String]
    /// These are the values; each row has as many as there are columns.
    public let rows: [[String?]]
}

// Unchecked, because libpq's handle is a pointer; the rule of one thread at a time makes it safe.

/// This is one connection with blocking calls: use it from one thread at a time, not from an event loop.
public final class PostgresConnection: @unchecked Sendable {
    /// How long an answer is waited for: longer than the server itself allows a statement.
    ///
    /// Beyond it nobody answers any more: a server that is frozen, or a pooler whose server has gone.
    /// A new connection may find another, and a stop of ours must not wait for it.
    public static let answerTimeout = Duration.seconds(15)

    private var handle: OpaquePointer?
    private let answerTimeout: Duration

    /// Opens a connection to a server that takes writes.
    ///
    /// - Parameters:
    ///   - dsn: A URL or a keyword string, as libpq takes it.
    ///   - answerTimeout: How long a statement's answer is waited for; then the connection is closed.
    /// - Throws: `PostgresError` without a SQLSTATE when there is no such server.
    public init(
        dsn: String, answerTimeout: Duration = PostgresConnection.answerTimeout
    ) throws(PostgresError) {
        self.answerTimeout = answerTimeout
        // A frozen server or a black hole delays us by seconds, never for ever.
        let keywords = [
            "dbname", "connect_timeout", "tcp_user_timeout", "target_session_attrs",
            "application_name", "options",
        ]
        let values = [
            dsn, "5", "10000", "read-write", "leeway",
            "-c statement_timeout=10000 -c lock_timeout=5000 -c idle_in_transaction_session_timeout=30000",
        ]
        handle = Self.withCStrings(keywords) { names in
            Self.withCStrings(values) { PQconnectdbParams(names, $0, 1) }
        }
        guard let handle, PQstatus(handle) == CONNECTION_OK else {
            let text = handle.flatMap { PQerrorMessage($0) }.map { String(cString: $0) }
            if let handle { PQfinish(handle) }
            handle = nil
            throw PostgresError(
                message: Self.oneLine(text ?? "no connection"), sqlState: nil)
        }
        // Else sending to a server that reads nothing would wait for ever.
        PQsetnonblocking(handle, 1)
    }

    deinit { close() }

    /// Closes the connection; every later call throws.
    public func close() {
        if let handle { PQfinish(handle) }
        handle = nil
    }

    /// Runs one statement with parameters as texts.
    public func query(
        _ sql: String, _ parameters: [String?] = []
    ) throws(PostgresError) -> PostgresResult {
        guard let handle else {
            throw PostgresError(message: "the connection is closed", sqlState: nil)
        }
        let isSent = Self.withCStrings(parameters) {
            PQsendQueryParams(handle, sql, Int32(parameters.count), nil, $0, nil, nil, 0)
        }
        return try read(try answer(handle, isSent: isSent), handle)
    }

    /// Runs several statements without parameters: the contract's DDL.
    public func execute(script: String) throws(PostgresError) {
        guard let handle else {
            throw PostgresError(message: "the connection is closed", sqlState: nil)
        }
        _ = try read(try answer(handle, isSent: PQsendQuery(handle, script)), handle)
    }

    /// Waits for the last result of what was sent.
    private func answer(
        _ handle: OpaquePointer, isSent: Int32
    ) throws(PostgresError) -> OpaquePointer? {
        guard isSent == 1 else { throw broken(handle) }
        let deadline = ContinuousClock.now + answerTimeout
        var last: OpaquePointer?
        while true {
            do throws(PostgresError) {
                try waitForResult(handle, deadline)
            } catch {
                PQclear(last)
                throw error
            }
            guard let next = PQgetResult(handle) else { return last }
            PQclear(last)
            last = next
        }
    }

    /// Sends what is left to send and reads, until a result can be had without waiting.
    private func waitForResult(
        _ handle: OpaquePointer, _ deadline: ContinuousClock.Instant
    ) throws(PostgresError) {
        while true {
            let unsent = PQflush(handle)
            guard unsent >= 0 else { throw broken(handle) }
            if unsent == 0, PQisBusy(handle) == 0 { return }
            let rest = deadline - .now
            let events = Int16(POLLIN) | (unsent > 0 ? Int16(POLLOUT) : 0)
            var polled = pollfd(fd: PQsocket(handle), events: events, revents: 0)
            if rest > .zero { poll(&polled, 1, Int32(clamping: Int(rest / .milliseconds(1)) + 1)) }
            guard rest > .zero else {
                close()
                throw PostgresError(message: "no answer in \(answerTimeout)", sqlState: nil)
            }
            if polled.revents != 0, PQconsumeInput(handle) == 0 { throw broken(handle) }
        }
    }

    /// What libpq says of a connection that is of no use any more, which is closed.
    private func broken(_ handle: OpaquePointer) -> PostgresError {
        let text = PQerrorMessage(handle).map { String(cString: $0) } ?? "the connection broke"
        close()
        return PostgresError(message: Self.oneLine(text), sqlState: nil)
    }

    private func read(
        _ result: OpaquePointer?, _ handle: OpaquePointer
    ) throws(PostgresError) -> PostgresResult {
        defer { PQclear(result) }
        let status = PQresultStatus(result)
        guard status == PGRES_TUPLES_OK || status == PGRES_COMMAND_OK else {
            let state = PQresultErrorField(result, Int32(UInt8(ascii: "C")))
            let text =
                PQresultErrorField(result, Int32(UInt8(ascii: "M")))
                ?? PQerrorMessage(handle)
            throw PostgresError(
                message: Self.oneLine(text.map { String(cString: $0) } ?? "unknown error"),
                sqlState: state.map { String(cString: $0) })
        }
        let columnCount = PQnfields(result)
        let columns = (0..<columnCount).map { column in
            PQfname(result, column).map { String(cString: $0) } ?? ""
        }
        let rows = (0..<PQntuples(result)).map { row in
            (0..<columnCount).map { column -> String? in
                if PQgetisnull(result, row, column) == 1 { return nil }
                return PQgetvalue(result, row, column).map { String(cString: $0) }
            }
        }
        return PostgresResult(columns: columns, rows: rows)
    }

    private static func oneLine(_ text: String) -> String {
        text.split(separator: "\n").joined(separator: " ")
    }

    /// Lends an array of C strings, ended by a null pointer.
    private static func withCStrings<Result>(
        _ texts: [String?], _ body: (UnsafePointer<UnsafePointer<CChar>?>?) -> Result
    ) -> Result {
        var bytes: [CChar] = []
        var offsets: [Int?] = []
        for text in texts {
            guard let text else {
                offsets.append(nil)
                continue
            }
            offsets.append(bytes.count)
            bytes.append(contentsOf: text.utf8CString)
        }
        return bytes.withUnsafeBufferPointer { buffer in
            var pointers: [UnsafePointer<CChar>?] = offsets.map { offset in
                offset.flatMap { place in buffer.baseAddress.map { $0 + place } }
            }
            pointers.append(nil)
            return pointers.withUnsafeBufferPointer { body($0.baseAddress) }
        }
    }
}
