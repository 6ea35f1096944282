public import ByteCoding
import Foundation
public import Logging
import MonitorCore
public import MonitorStore
import MonitoringDomain
public import RecordCoding
import RuleLanguage
import Synchronization

/// This is why rule files were refused, as the reader of an answer or of a terminal sees it.
public struct RulesError: Error, CustomStringConvertible {
    /// This is what was refused, for a terminal.
    public let description: String
    /// These are the faults one by one, for an answer.
    public let items: [ItemError]
}

/// This is the running service: the runner, the clock, the relay to PostgreSQL, and the rules' files.
public final class Service: Sendable {
    /// This is what the service was told.
    public let configuration: ServiceConfiguration
    /// This is the owner of the state machine.
    public let runner: MonitorRunner
    fileprivate let store: SQLiteStore
    private let relay: RequestRelay?
    /// This folds the log again when a reference was asked for.
    public let references: ReferenceWorker
    /// This is what was sent and not taken.
    public let rejects: RejectLog
    private let logger: Logger
    private let rules = Mutex(RuleSet.empty)
    private let isReady = Mutex(false)
    private let isDraining = Mutex(false)
    private let startedAt = WallClock.now()
    private let clock = SteadyClock()
    private let space: @Sendable (String) -> DiskSpace?

    /// Opens the data directory and recovers.
    ///
    /// - Parameters:
    ///   - configuration: What the service is told.
    ///   - logger: Told of what people must know.
    ///   - space: The room on the disk of a directory; nil where nobody knows.
    /// - Throws: `StoreError` and `ByteReadingError` from recovery, `RulesError` for bad rule files.
    public init(
        configuration: ServiceConfiguration, logger: Logger,
        space: @escaping @Sendable (String) -> DiskSpace? = { DiskSpace.reading(of: $0) }
    ) throws {
        self.configuration = configuration
        rejects = RejectLog(directory: configuration.dataDirectory)
        self.space = space
        self.logger = logger
        let (store, runner) = try Self.recover(configuration, logger)
        relay = configuration.postgresDSN.map {
            RequestRelay(dsn: $0, store: store, runner: runner, logger: logger)
        }
        references = ReferenceWorker(
            directory: configuration.dataDirectory, runner: runner, logger: logger)
        self.store = store
        self.runner = runner
        store.readTime { [clock] in clock.now().milliseconds }
    }

    /// Opens the log and recovers; once more with what can be read of it where some cannot.
    private static func recover(
        _ configuration: ServiceConfiguration, _ logger: Logger
    ) throws -> (SQLiteStore, MonitorRunner) {
        let directory = configuration.dataDirectory
        func runner(_ store: SQLiteStore) throws -> MonitorRunner {
            try MonitorRunner(
                store: store, clock: configuration.clock, logger: logger,
                tailSizeBytesMax: configuration.tailSizeBytesMax)
        }
        do {
            let store = try SQLiteStore(directory: directory)
            say(store.findings, logger)
            do {
                return (store, try runner(store))
            } catch StoreError.corrupt(let reason) {
                store.abandon()
                throw StoreError.corrupt(reason)
            }
        } catch StoreError.corrupt(let reason) {
            logger.error("the file is damaged", metadata: ["reason": "\(reason)"])
            let store = try SQLiteStore(directory: directory, isDamaged: true)
            say(store.findings, logger)
            return (store, try runner(store))
        }
    }

    private static func say(_ findings: StartFindings, _ logger: Logger) {
        if !findings.wasClosed {
            logger.notice(
                "the process before did not stop in order",
                metadata: ["checked": "\(findings.isCheckComplete ? "whole" : "in part")"])
        }
        for sentence in findings.sentences { logger.error("\(sentence)") }
    }

    /// Runs until the task is cancelled, then stops with a snapshot.
    public func run() async throws {
        warnOfFileSystem()
        // First, because a full disk's reserve may be what the rules are logged in.
        runner.observe(space(configuration.dataDirectory))
        runner.start()
        do {
            try await reloadRules()
        } catch SubmissionError.storageFailed(let reason) {
            throw StoreError.io(reason)
        } catch SubmissionError.storageFull {
            throw StoreError.full
        }
        isReady.withLock { $0 = true }
        defer { isReady.withLock { $0 = false } }
        // Not in the group below, whose end would wait for a PostgreSQL that says nothing.
        let relaying = relay.map { relay in Task { await relay.run() } }
        defer { relaying?.cancel() }
        await withTaskGroup(of: Void.self) { group in
            group.addTask { [references] in await references.run() }
            if configuration.clock == .wall { group.addTask { [self] in await tick() } }
            group.addTask { [self] in await watchSpace() }
            group.addTask { [self] in
                await withTaskExecutorPreference(BackgroundExecutor("leeway-retention")) {
                    await keepLog()
                }
            }
        }
        isReady.withLock { $0 = false }
        await runner.stop()
        store.close()
    }

    /// A failed write leaves the file unknown until it is opened again: the process must end, and
    /// whoever supervises it starts the next one, which recovers.
    ///
    /// - Throws: `StoreError.io`, soon after the failure.
    public func watchStorage() async throws {
        while !Task.isCancelled {
            if let reason = runner.failureReason { throw StoreError.io(reason) }
            try? await Task.sleep(for: .milliseconds(500))
        }
    }

    private func warnOfFileSystem() {
        let warning: String? =
            switch FileSystemKind.reading(of: configuration.dataDirectory) {
            case .memory: "THE DATA LIES IN MEMORY: everything is lost with the machine"
            case .remote: "the data lies on another's file system, whose flushes may mean less"
            case .unknown: "the data lies on a file system of which nothing is known here"
            case .disk, nil: nil
            }
        if let warning {
            logger.warning("\(warning)", metadata: ["directory": "\(configuration.dataDirectory)"])
        }
    }

    private func watchSpace() async {
        while !Task.isCancelled {
            runner.observe(space(configuration.dataDirectory))
            if let jump = clock.look(), jump.isSaid {
                logger.warning(
                    "the wall clock has jumped",
                    metadata: [
                        "milliseconds": "\(jump.milliseconds)", "jumps": "\(clock.jumpCount)",
                    ])
            }
            try? await Task.sleep(for: .milliseconds(500))
        }
    }

    /// Lets the log begin later as time goes by, and removes what it no longer needs in small steps.
    private func keepLog() async {
        while !Task.isCancelled {
            do {
                // Event time says nothing of when records came, unless somebody has said how long.
                let isTimed =
                    configuration.clock == .wall || configuration.logKeeping.span != .horizon
                try await runner.decideLogStart(
                    keeping: configuration.logKeeping,
                    at: isTimed && clock.isTrusted ? WallClock.now() : nil)
                while try runner.removeTrimmedEntries() {
                    try await Task.sleep(for: .milliseconds(100))
                }
                try await Task.sleep(for: .seconds(30))
            } catch is CancellationError {
                return
            } catch {
                logger.warning("the log was not shortened", metadata: ["reason": "\(error)"])
                try? await Task.sleep(for: .seconds(30))
            }
        }
    }

    /// The clock's reading goes through the log, so that a replay sees the same time; a jump does not, because the
    /// rules' time never goes back.
    private func tick() async {
        while !Task.isCancelled {
            let shortest =
                rules.withLock { $0.groups.map(\.evaluationInterval).min() } ?? 15_000
            try? await Task.sleep(for: .milliseconds(max(1_000, min(15_000, shortest))))
            let hasModels = try? await runner.read { !$0.collector.models.isEmpty }
            guard !Task.isCancelled, hasModels == true else { continue }
            do {
                _ = try await runner.submit([.tick(clock.now())])
            } catch {
                logger.warning("a tick was not taken", metadata: ["reason": "\(error)"])
            }
        }
    }

    // MARK: - Rules

    /// Reads and checks the rules folder, then swaps the rules at once.
    ///
    /// An error keeps the old ones.
    public func reloadRules() async throws {
        let files: [RuleFile]
        do {
            files = try RuleFiles.read(configuration.rulesDirectory)
        } catch {
            throw RulesError(description: error.description, items: [])
        }
        let set: RuleSet
        if files.isEmpty {
            set = .empty
        } else {
            switch RuleSet.parse(files) {
            case .success(let parsed): set = parsed
            case .failure(let diagnostics):
                throw RulesError(
                    description: diagnostics.description,
                    items: diagnostics.diagnostics.map {
                        ItemError(
                            line: $0.line, pointer: "\($0.file):\($0.line):\($0.column)",
                            code: "rule-file-invalid", detail: $0.message)
                    })
            }
        }
        _ = try await runner.submit([.rules(files)])
        rules.withLock { $0 = set }
    }

    /// These are the rules in force, as the API shows them.
    public var rulesJSON: JSONValue {
        let set = rules.withLock { $0 }
        return .object([
            (
                "groups",
                .array(
                    set.groups.map { group in
                        .object([
                            ("group", .string(group.name)),
                            ("model", .string(group.modelPattern)),
                            (
                                "every",
                                .string(WindowSpan.milliseconds(group.evaluationInterval).text)
                            ),
                            (
                                "rules",
                                .array(
                                    group.rules.map {
                                        .object([
                                            ("name", .string($0.name)),
                                            ("expr", .string($0.expressionText)),
                                        ])
                                    })
                            ),
                        ])
                    })
            )
        ])
    }

    // MARK: - State

    /// These are the event times that are taken now, in milliseconds since the epoch.
    ///
    /// By the wall clock: as far back as any model reaches, and ten minutes ahead for clocks that are wrong. By
    /// the event clock now is unknown, so only what no stream of records holds is refused.
    public var acceptedTimes: ClosedRange<Int64> {
        switch configuration.clock {
        case .event: return Self.recordedTimes
        case .wall:
            let now = WallClock.now()
            let earliest = runner.known.withLock { $0.earliestTime(at: now) }
            let ahead = KnownModels.futureMillisecondsMax
            return earliest...now.advanced(byMilliseconds: ahead).milliseconds
        }
    }

    /// These are the reasons why the service is not ready; empty when it is.
    public var unreadiness: [String] {
        if isDraining.withLock({ $0 }) { return ["shutting down"] }
        return isReady.withLock { $0 } ? [] : ["starting or shutting down"]
    }

    /// Says from now on that the service is not ready; requests are still served.
    public func beginDraining() { isDraining.withLock { $0 = true } }

    /// This is the service's own state, as the API shows it.
    public func statusJSON() async throws -> JSONValue {
        let (position, ids, start) = try await runner.read { monitor in
            (monitor.position, monitor.collector.models.count, monitor.logStart)
        }
        return .object([
            ("service", .string("leeway")), ("version", .string(LeewayVersion.text)),
            ("started_at", .string("\(startedAt)")), ("position", .int(position)),
            ("applied", .int(position)), ("models", .int(Int64(ids))),
            ("clock", .string(configuration.clock.rawValue)),
            ("clock_jump_total", .int(Int64(clock.jumpCount))),
            (
                "log",
                .object([
                    ("begins_after", .int(start.position)),
                    ("whole_since", start.time.map { .string("\($0)") } ?? .null),
                ])
            ),
            ("postgres", .string(relay?.state ?? "not configured")),
            ("deliveries", try deliveriesJSON()), ("storage", storageJSON),
            ("ingest", rejects.json(since: startedAt)),
            ("settings", .object(store.settings.map { ($0.name, .string($0.value)) })),
        ])
    }
}

extension Service {
    /// Entries of the outbox that were set aside and are shown with their reasons.
    private static let setAsideCountMax = 20

    /// This is whether there is room, as the API shows it.
    fileprivate var storageJSON: JSONValue {
        let space = runner.diskSpace
        return .object([
            ("full", .bool(runner.isStorageFull)),
            ("quarantined", .array(runner.quarantined.map { .int($0) })),
            ("unlinked", .array(runner.unlinked.map { .int($0) })),
            (
                "lost",
                .array(
                    store.findings.lost.map {
                        .object([("first", .int($0.lowerBound)), ("last", .int($0.upperBound))])
                    })
            ),
            ("findings", .array(store.findings.sentences.map { .string($0) })),
            ("free_bytes", space.map { .int($0.freeBytes) } ?? .null),
            (
                "low_water_bytes",
                space.map { .int(StorageWatch.lowWaterBytes(of: $0.totalBytes)) } ?? .null
            ),
        ])
    }

    /// This is what waits to be told to others, and what was given up.
    fileprivate func deliveriesJSON() throws -> JSONValue {
        let setAside = try store.setAsideDeliveries(limit: Self.setAsideCountMax)
        let pending = try store.pendingDeliveryCount(kinds: ["file-request", "verdict"])
        return .object([
            ("pending", .int(Int64(pending))), ("given_up", .int(Int64(setAside.count))),
            (
                "reasons",
                .array(
                    setAside.newest.map {
                        .object([("key", .string($0.key)), ("reason", .string($0.reason))])
                    })
            ),
        ])
    }
}

/// This is the program's version.
public enum LeewayVersion {
    /// This is major, minor and patch, as `leeway --version` prints them.
    public static let text = "0.1.0"
}
