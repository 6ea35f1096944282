import Logging
import MonitorCore
public import MonitorStore
public import MonitoringDomain
import Synchronization

/// This is what is told about how much of the log is kept.
public struct LogKeeping: Sendable, Equatable {
    /// How long an entry is kept.
    public enum Span: Sendable, Equatable {
        /// As long as the longest horizon of any model: no record needs the log after that.
        case horizon
        case milliseconds(Int64)
        case forever
    }

    /// How long an entry is kept.
    public var span = Span.horizon
    /// The log may be so large, about; nil for no bound.
    public var sizeBytes: Int?

    /// Keeps entries for the horizon, unless told otherwise.
    public init(span: Span = .horizon, sizeBytes: Int? = nil) {
        self.span = span
        self.sizeBytes = sizeBytes
    }
}

extension MonitorRunner {
    /// Decides where the log begins from now on, and logs that: a replay must read it from there too.
    ///
    /// - Parameters:
    ///   - keeping: How much is kept.
    ///   - now: The clock's reading; nil where it cannot be trusted, or says nothing of the records.
    /// - Returns: The last position that is no longer needed; nil where nothing has changed.
    /// - Throws: `SubmissionError`.
    @discardableResult
    public func decideLogStart(
        keeping: LogKeeping, at now: EventTime?
    ) async throws -> Int64? {
        let span: Int64? =
            switch keeping.span {
            case .horizon: known.withLock { $0.longestHorizon }
            case .milliseconds(let span): span
            case .forever: nil
            }
        store.keep(LogRetention(milliseconds: span, sizeBytes: keeping.sizeBytes))
        guard let next = try store.nextLogStart(at: now?.milliseconds) else { return nil }
        let start = try await read { $0.logStart.position }
        // Decided already; the entries go when two snapshots say so.
        guard next.position > start else { return nil }
        _ = try await submit([
            .trimLog(
                through: next.position, reaching: EventTime(milliseconds: next.reaches))
        ])
        logger.notice(
            "the log begins later from now on", metadata: ["after": "\(next.position)"])
        return next.position
    }

    /// Removes some of what the log no longer needs.
    ///
    /// - Returns: True where there may be more.
    /// - Throws: `StoreError`.
    public func removeTrimmedEntries() throws(StoreError) -> Bool {
        failureReason == nil ? try store.trimStep() > 0 : false
    }
}
