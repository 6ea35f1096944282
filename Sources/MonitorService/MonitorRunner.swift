import ByteCoding
import Foundation
public import Logging
public import MonitorCore
public import MonitorStore
public import MonitoringDomain
public import RecordCoding
import RuleEvaluation
import RuleLanguage
import Synchronization
import WindowAggregation

/// This is the answer to a batch that is durable and applied.
public struct Receipt: Sendable, Equatable {
    /// This is how many records are stored, repeats among them.
    public var accepted: Int
    /// This is how many records repeat what was known.
    public var duplicates: Int
    /// This is the batch's place in the log.
    public var position: Int64
}

/// This is why a batch was not taken.
public enum SubmissionError: Error, Equatable {
    /// Rows that contradict what is known of their model; nothing was stored.
    case items([ItemError])
    /// Too many bytes wait; nothing was stored.
    case overloaded
    case shuttingDown
    /// The disk refused. What was sent may or may not be stored.
    case storageFailed(String)
}

/// This is the owner of the state machine: one thread that appends groups of batches with one flush,
/// applies them, and answers questions, in one order.
public final class MonitorRunner: Sendable {
    /// Encoded bytes that may wait for the writer; beyond, a batch is refused as overloaded.
    static let queueSizeBytesMax = 64 << 20
    /// Models that may be known; records of a further one are refused.
    static let modelCountMax = 1_000
    /// Features a model may have; a further one is refused.
    static let featureCountMax = 2_000
    /// A snapshot is taken when the log since the last one is longer than this and than twice the last
    /// snapshot, so that snapshots never cost more than the log itself.
    static let snapshotLogSizeBytesMin = 16 << 20
    /// A larger state is not snapshot: SQLite holds no value above 1 GB.
    ///
    /// It is folded from the log.
    static let snapshotSizeBytesMax = 512 << 20

    private let store: SQLiteStore
    private let logger: Logger
    private let queue = Mutex(Queue())
    private let wake = DispatchSemaphore(value: 0)
    private let finished = DispatchSemaphore(value: 0)
    private let kinds: Mutex<[ModelID: [String: FeatureKind]]>
    /// What the machine knew of each model after the last input that named it.
    private let schemas: Mutex<[ModelID: ModelSchema]>
    private let initial: Mutex<State?>

    /// What the thread owns.
    private struct State: Sendable {
        var monitor: Monitor
        var logSizeSinceSnapshot = 0
        var snapshotSize = 0
        var isFailed = false
    }

    private struct Queue {
        var jobs: [Job] = []
        var sizeBytes = 0
        var isStopping = false
    }

    private enum Job: Sendable {
        case submit(
            [(input: Input, payload: [UInt8])],
            CheckedContinuation<Result<Receipt, SubmissionError>, Never>)
        case read(@Sendable (Monitor) -> Void)
    }

    /// Recovers the state: the newest snapshot, then the log's tail.
    ///
    /// - Throws: `StoreError` when the log cannot be read; `ByteReadingError` when an entry is corrupt.
    public init(store: SQLiteStore, clock: Monitor.Clock, logger: Logger) throws {
        self.store = store
        self.logger = logger
        let monitor = try Self.recover(store, clock: clock, logger: logger)
        var known: [ModelID: [String: FeatureKind]] = [:]
        for (model, state) in monitor.collector.models {
            for feature in state.schema.features {
                known[model, default: [:]][feature.name] = feature.kind
            }
        }
        kinds = Mutex(known)
        schemas = Mutex(monitor.collector.models.mapValues(\.schema))
        initial = Mutex(State(monitor: monitor))
    }

    /// This is the state machine after the newest snapshot and the log's tail.
    ///
    /// - Parameters:
    ///   - store: The log and its snapshots.
    ///   - clock: Where the rules' "now" comes from.
    ///   - logger: Told of a snapshot that is passed over.
    ///   - keepsEffects: True for the owner of the log: effects of the tail whose commit was cut off
    ///     are stored now. A reader leaves the store as it is.
    /// - Returns: The state after the log's last entry.
    /// - Throws: `StoreError`, and `ByteReadingError` for an entry that cannot be read.
    public static func recover(
        _ store: SQLiteStore, clock: Monitor.Clock, logger: Logger, keepsEffects: Bool = true
    ) throws -> Monitor {
        var monitor = Monitor(clock: clock)
        if let snapshot = try store.newestSnapshot() {
            do {
                let restored = try Monitor(
                    snapshot: try LogPayload.decompress(snapshot.bytes))
                if restored.clock == clock { monitor = restored }
            } catch {
                logger.warning(
                    "snapshot not usable, folding the whole log",
                    metadata: ["reason": "\(error)"])
            }
        }
        let start = monitor.position
        var effects: [StoredEffect] = []
        try store.forEachEntry(after: start, through: nil) { entry in
            let input = try LogPayload.decode(entry.payload)
            let application = monitor.apply(input, at: entry.position)
            effects += application.effects.map { StoredEffect($0, position: entry.position) }
            if let model = application.refold {
                try refold(model, of: &monitor, through: entry.position - 1, from: store)
            }
        }
        // Keys that are known are left as they are.
        if keepsEffects, !effects.isEmpty {
            try store.commit(snapshot: nil, effects: effects, position: monitor.position)
        }
        return monitor
    }

    private static func refold(
        _ model: ModelID, of monitor: inout Monitor, through position: Int64,
        from store: SQLiteStore
    ) throws {
        guard position > 0 else { return }
        var copy = monitor
        try store.forEachEntry(after: 0, through: position) { entry in
            copy.refold(try LogPayload.decode(entry.payload), of: model)
        }
        monitor = copy
    }

    /// Starts the thread; once.
    public func start() {
        let thread = Thread { [self] in run() }
        thread.name = "leeway-monitor"
        thread.stackSize = 8 << 20
        thread.start()
    }

    /// Stops after what is queued, with a snapshot, and waits for it.
    public func stop() async {
        queue.withLock { $0.isStopping = true }
        wake.signal()
        await withCheckedContinuation { continuation in
            DispatchQueue.global().async { [finished] in
                finished.wait()
                continuation.resume()
            }
        }
    }

    // MARK: - What others call

    /// This is the kind of a known feature, for the decoder.
    public func kindLookup() -> [ModelID: [String: FeatureKind]] { kinds.withLock { $0 } }

    /// This is what is known of each model, for the decoders of foreign formats: a question to the
    /// machine itself would end a group of submissions.
    public func schemaLookup() -> [ModelID: ModelSchema] { schemas.withLock { $0 } }

    /// Returns when the inputs are durable and applied, all or none.
    public func submit(_ inputs: [Input]) async throws(SubmissionError) -> Receipt {
        let payloads = inputs.map { (input: $0, payload: LogPayload.encode($0)) }
        let size = payloads.reduce(0) { $0 + $1.payload.count }
        let result = await withCheckedContinuation { continuation in
            let refusal: SubmissionError? = queue.withLock { queue in
                if queue.isStopping { return .shuttingDown }
                if queue.sizeBytes + size > Self.queueSizeBytesMax, !queue.jobs.isEmpty {
                    return .overloaded
                }
                queue.jobs.append(.submit(payloads, continuation))
                queue.sizeBytes += size
                return nil
            }
            if let refusal {
                continuation.resume(returning: .failure(refusal))
            } else {
                wake.signal()
            }
        }
        return try result.get()
    }

    /// Answers a question from the state machine, between two inputs.
    public func read<Answer: Sendable>(
        _ body: @escaping @Sendable (Monitor) -> Answer
    ) async throws(SubmissionError) -> Answer {
        let answer: Answer? = await withCheckedContinuation { continuation in
            let isQueued = queue.withLock { queue in
                if queue.isStopping { return false }
                queue.jobs.append(.read { continuation.resume(returning: body($0)) })
                return true
            }
            if isQueued { wake.signal() } else { continuation.resume(returning: nil) }
        }
        guard let answer else { throw .shuttingDown }
        return answer
    }

    // MARK: - The thread

    private func run() {
        guard var state = initial.withLock({ $0.take() }) else { return }
        while true {
            wake.wait()
            let (jobs, isStopping) = queue.withLock { queue in
                defer {
                    queue.jobs = []
                    queue.sizeBytes = 0
                }
                return (queue.jobs, queue.isStopping)
            }
            carryOut(jobs, on: &state)
            if isStopping { break }
        }
        if !state.isFailed { snapshot(&state) }
        finished.signal()
    }

    /// Runs of submissions share one transaction; a question in between sees what came before it.
    private func carryOut(_ jobs: [Job], on state: inout State) {
        var group: [Submission] = []
        for job in jobs {
            switch job {
            case .submit(let entries, let continuation):
                group.append(Submission(entries: entries, continuation: continuation))
            case .read(let body):
                write(group, to: &state)
                group = []
                body(state.monitor)
            }
        }
        write(group, to: &state)
    }

    private struct Submission {
        var entries: [(input: Input, payload: [UInt8])]
        var continuation: CheckedContinuation<Result<Receipt, SubmissionError>, Never>
    }

    private func write(_ group: [Submission], to state: inout State) {
        guard !group.isEmpty else { return }
        if state.isFailed {
            for submission in group {
                submission.continuation.resume(
                    returning: .failure(.storageFailed("an earlier write failed")))
            }
            return
        }
        var admitted: [Submission] = []
        for submission in group {
            let errors = admit(submission.entries.map(\.input))
            if errors.isEmpty {
                admitted.append(submission)
            } else {
                submission.continuation.resume(returning: .failure(.items(errors)))
            }
        }
        guard !admitted.isEmpty else { return }
        do {
            let payloads = admitted.flatMap { $0.entries.map(\.payload) }
            var position = try store.append(payloads).lowerBound
            state.logSizeSinceSnapshot += payloads.reduce(0) { $0 + $1.count }
            var effects: [StoredEffect] = []
            var receipts: [Receipt] = []
            for submission in admitted {
                var receipt = Receipt(accepted: 0, duplicates: 0, position: position)
                for entry in submission.entries {
                    let application = state.monitor.apply(entry.input, at: position)
                    receipt.accepted += entry.input.rowCount - application.duplicateCount
                    receipt.duplicates += application.duplicateCount
                    receipt.position = position
                    publishSchema(of: entry.input, in: state.monitor)
                    effects += application.effects.map { StoredEffect($0, position: position) }
                    if let model = application.refold {
                        try Self.refold(
                            model, of: &state.monitor, through: position - 1, from: store)
                    }
                    position += 1
                }
                receipts.append(receipt)
            }
            if !effects.isEmpty {
                try store.commit(
                    snapshot: nil, effects: effects, position: state.monitor.position)
            }
            for (submission, receipt) in zip(admitted, receipts) {
                submission.continuation.resume(returning: .success(receipt))
            }
        } catch {
            // After a failed write the file's state is unknown until it is opened again, so nothing
            // more is acknowledged by this process.
            state.isFailed = true
            logger.error("storage failed, refusing writes", metadata: ["reason": "\(error)"])
            for submission in admitted {
                submission.continuation.resume(returning: .failure(.storageFailed("\(error)")))
            }
            return
        }
        if state.logSizeSinceSnapshot > max(Self.snapshotLogSizeBytesMin, 2 * state.snapshotSize) {
            snapshot(&state)
        }
    }

    private func snapshot(_ state: inout State) {
        guard state.monitor.position > 0, state.logSizeSinceSnapshot > 0 else { return }
        let bytes = LogPayload.compress(state.monitor.snapshot())
        state.snapshotSize = bytes.count
        state.logSizeSinceSnapshot = 0
        guard bytes.count <= Self.snapshotSizeBytesMax else { return }
        do {
            try store.commit(snapshot: bytes, effects: [], position: state.monitor.position)
        } catch {
            logger.warning("snapshot not stored", metadata: ["reason": "\(error)"])
        }
    }

    private func publishSchema(of input: Input, in monitor: Monitor) {
        guard let model = input.model, let schema = monitor.collector.models[model]?.schema else {
            return
        }
        schemas.withLock { schemas in
            if schemas[model] != schema { schemas[model] = schema }
        }
    }

    // MARK: - Admission

    /// Checks a batch against what is known of its model, and remembers what it adds.
    private func admit(_ inputs: [Input]) -> [ItemError] {
        kinds.withLock { kinds in
            var next = kinds
            for input in inputs {
                let (model, features): (ModelID, [(String, FeatureKind)])
                switch input {
                case .predictions(let batch), .pinReference(let batch, _):
                    model = batch.model
                    features = batch.features.map { ($0.name, $0.column.kind) }
                case .declareSchema(let schema):
                    model = schema.model
                    features = schema.features.map { ($0.name, $0.kind) }
                case .groundTruth(let batch):
                    model = batch.model
                    features = []
                case .inference(let half):
                    model = half.batch.model
                    features = half.batch.features.map { ($0.name, $0.column.kind) }
                case .rules, .tick, .report: continue
                }
                if next[model] == nil {
                    guard next.count < Self.modelCountMax else {
                        return [
                            ItemError(
                                line: 1, pointer: "/model", code: "cardinality-limit",
                                detail: "\(Self.modelCountMax) models are known already")
                        ]
                    }
                    next[model] = [:]
                }
                for (name, kind) in features {
                    let known = next[model]?[name]
                    if let known, known != kind {
                        return [
                            ItemError(
                                line: 1, pointer: "/features/\(name)",
                                code: "feature-type-conflict",
                                detail: "\(kind.rawValue) found, \(known.rawValue) expected")
                        ]
                    }
                    next[model]?[name] = kind
                }
                guard next[model].map({ $0.count <= Self.featureCountMax }) ?? true else {
                    return [
                        ItemError(
                            line: 1, pointer: "/features", code: "cardinality-limit",
                            detail: "more than \(Self.featureCountMax) features")
                    ]
                }
            }
            kinds = next
            return []
        }
    }
}
