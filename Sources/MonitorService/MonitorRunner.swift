public import ByteCoding
import Foundation
public import Logging
public import MonitorCore
public import MonitorStore
public import MonitoringDomain
public import RecordCoding
import Synchronization

/// This is the answer to a batch that is durable and applied.
public struct Receipt: Sendable, Equatable {
    /// This is how many records are stored, repeats among them.
    public var accepted: Int
    /// This is how many records repeat what was known.
    public var duplicates: Int
    /// This is the batch's place in the log.
    public var position: Int64
    /// This is how many records repeat an id with other content; the first one counts.
    public var conflicts = 0
    /// This is how many records are older than the model's horizon, and counted nowhere.
    public var tooOld = 0
    /// This is how many ground truths are older than their predictions; they are joined all the same.
    ///
    /// Of single predictions that were stored together it is not known whose they are: the model counts them.
    public var olderTruths = 0
    /// These are the first records in conflict, in order, at most 100.
    public internal(set) var conflictPlaces: [RowPlace] = []
    /// Inputs of the batch that were added.
    var inputCount = 0

    /// This is a record as the inputs of its batch have it.
    public struct RowPlace: Sendable, Equatable {
        /// The input's place in the batch.
        public let input: Int
        /// The row of the input.
        public let row: Int
    }

    /// Records in conflict that one answer names.
    static let conflictPlaceCountMax = 100

    /// This is the receipt as a JSON object, whose first members are the receipt's.
    ///
    /// - Parameter rest: What follows them.
    /// - Returns: The object.
    public func json(_ rest: [(String, JSONValue)] = []) -> JSONValue {
        var members: [(String, JSONValue)] = [
            ("accepted", .int(Int64(accepted))), ("duplicates", .int(Int64(duplicates))),
            ("position", .int(position)),
        ]
        if conflicts > 0 { members.append(("conflicts", .int(Int64(conflicts)))) }
        if tooOld > 0 { members.append(("too_old", .int(Int64(tooOld)))) }
        if olderTruths > 0 {
            members.append(("older_than_prediction", .int(Int64(olderTruths))))
        }
        return .object(members + rest)
    }

    /// Makes the receipt of records of which only the number is known.
    public init(
        accepted: Int, duplicates: Int, position: Int64, conflicts: Int = 0, tooOld: Int = 0
    ) {
        self.accepted = accepted
        self.duplicates = duplicates
        self.position = position
        self.conflicts = conflicts
        self.tooOld = tooOld
    }

    /// This is the receipt of a batch without records.
    public static func nothing(at position: Int64) -> Receipt {
        Receipt(accepted: 0, duplicates: 0, position: position)
    }
}

/// This is why a batch was not taken.
public enum SubmissionError: Error, Equatable {
    /// Rows that contradict what is known of their model; nothing was stored.
    case items([ItemError])
    /// Too many bytes wait; nothing was stored.
    case overloaded
    case shuttingDown
    /// The disk has no room; nothing was stored.
    case storageFull
    /// The project has as many keys of batches as are kept; nothing was stored.
    case tooManyKeys
    /// The disk refused. What was sent may or may not be stored.
    case storageFailed(String)
}

/// This is the owner of the log and of the state machine, with a thread for each.
///
/// The writer appends groups of batches with one flush; the machine's thread applies them in the log's
/// order, answers the senders, and answers questions in between. While the disk works on one group, the
/// one before it is applied. So a batch is answered when it is durable and applied, and a question sees
/// every batch that was answered before it was asked.
public final class MonitorRunner: Sendable {
    /// Encoded bytes that may wait for the writer; beyond, a batch is refused as overloaded.
    static let queueSizeBytesMax = 64 << 20
    /// What a few records are counted as in the queue, before they are encoded.
    private static let smallSizeBytes = 16 << 10
    /// Log without a snapshot beyond which records are refused (D-6), where nothing else is set.
    public static let tailSizeBytesMax = 256 << 20
    /// How long a snapshot that could not be stored is not tried again.
    static let snapshotRetryTime = Duration.seconds(10)
    /// A larger state is not snapshot: SQLite holds no value above 1 GB.
    ///
    /// It is folded from the log.
    static let snapshotSizeBytesMax = 512 << 20

    let store: SQLiteStore
    let files: PartitionFiles
    /// A snapshot is taken when the log since the last one is longer than this and than twice the last
    /// snapshot, so that snapshots never cost more than the log itself.
    let snapshotLogSizeBytes: Int
    /// Records are refused while the log without a snapshot is longer.
    let tailSizeBytesMax: Int
    /// Bytes of the log without a snapshot, as the machine's thread last knew.
    let tailSizeBytes = Atomic<Int>(0)
    let logger: Logger
    let queue = Mutex(Queue())
    /// Positions of corrupt entries, whose records count nowhere.
    public let quarantined: [Int64]
    /// Positions of entries before which something is missing.
    public let unlinked: [Int64]
    let wake = DispatchSemaphore(value: 0)
    let work = Mutex(WorkQueue())
    let workWake = DispatchSemaphore(value: 0)
    /// Open for one group: when the machine is behind the disk, the next group grows meanwhile.
    let room = DispatchSemaphore(value: 0)
    let finished = DispatchSemaphore(value: 0)
    let known: Mutex<KnownModels>
    /// What the machine knew of each model after the last input that named it.
    let schemas: Mutex<[ModelID: ModelSchema]>
    let initial: Mutex<State?>
    let storage = Mutex(StorageWatch())
    let reserve: ReserveFile
    let failure = Mutex<String?>(nil)
    /// Refoldings that were done in the background and wait for their activation.
    let offers = Mutex<[ModelID: (refolding: Refolding, start: Int64, position: Int64)]>([:])

    /// What the machine's thread owns.
    struct State: Sendable {
        var monitor: Monitor
        var logSizeSinceSnapshot = 0
        var snapshotSize = 0
        /// When a snapshot could not be stored.
        var snapshotFailure: ContinuousClock.Instant?
        /// A copy of the state is being written as a snapshot.
        var isSnapshotting = false
        /// Partitions of sealed ids are being merged.
        var isMerging = false
        /// Effects for which there was no room yet; the next snapshot must not be stored without them.
        var unstoredEffects: [StoredEffect] = []
        /// Answers for which there was no room yet, or that a recovery has corrected.
        var unsettledRecords: [IdempotencyRecord] = []
    }

    /// What waits for the writer.
    struct Queue {
        var submissions: [Submission] = []
        var sizeBytes = 0
        var isStopping = false
    }

    /// What waits for the machine's thread.
    struct WorkQueue {
        var items: [Work] = []
        /// The writer has ended.
        var isStopping = false
        /// Nothing more is taken.
        var isClosed = false
    }

    enum Work: Sendable {
        case apply(DurableGroup)
        case read(@Sendable (Monitor) -> Void)
        /// What another thread has prepared, and the machine's thread finishes.
        case finish(@Sendable (inout State) -> Void)
    }

    /// Submissions that are in the log.
    struct DurableGroup: Sendable {
        var submissions: [Submission]
        /// One behind the other.
        var entries: [GroupedEntry]
        /// The first entry's position.
        var position: Int64
        var sizeBytes: Int
        /// What is stored of the senders' keys.
        var claims: [IdempotencyRecord]
    }

    /// Inputs that are stored all or none, and who waits for it.
    struct Submission: Sendable {
        /// Without a payload where the input waits for others to be encoded with.
        var entries: [(input: Input, payload: [UInt8]?)]
        var claim: IdempotencyClaim?
        var answer: @Sendable (Result<Receipt, SubmissionError>) -> Void
    }

    /// Recovers the state: the newest snapshot, then the log's tail.
    ///
    /// Entries that are corrupt are left out, and named in the log and in the status.
    ///
    /// - Parameters:
    ///   - store: The log and its snapshots.
    ///   - clock: Where the rules' "now" comes from.
    ///   - logger: Told of what people must know.
    ///   - snapshotLogSizeBytes: The least log between two snapshots.
    ///   - tailSizeBytesMax: The log without a snapshot beyond which records are refused.
    /// - Throws: `StoreError` when the log cannot be read.
    public init(
        store: SQLiteStore, clock: Monitor.Clock, logger: Logger,
        snapshotLogSizeBytes: Int = 64 << 20,
        tailSizeBytesMax: Int = MonitorRunner.tailSizeBytesMax
    ) throws {
        self.tailSizeBytesMax = tailSizeBytesMax
        self.store = store
        self.logger = logger
        self.snapshotLogSizeBytes = snapshotLogSizeBytes
        files = PartitionFiles(dataDirectory: store.directory)
        reserve = ReserveFile(directory: store.directory)
        let recovery = try Self.recover(store, clock: clock, logger: logger)
        let monitor = recovery.monitor
        quarantined = recovery.quarantined
        unlinked = recovery.unlinked
        known = Mutex(KnownModels(monitor))
        schemas = Mutex(monitor.collector.models.mapValues(\.schema))
        // The tail counts, so that crash upon crash does not make it longer and longer.
        let size = try store.logSizeBytes(after: recovery.snapshotPosition)
        tailSizeBytes.store(size, ordering: .relaxed)
        initial = Mutex(State(monitor: monitor, logSizeSinceSnapshot: size))
    }

    /// Starts the threads; once.
    public func start() {
        guard let state = initial.withLock({ $0.take() }) else { return }
        let clock = state.monitor.clock
        room.signal()
        startThread("leeway-monitor") { [self] in runMachine(state) }
        startThread("leeway-writer") { [self] in runWriter(clock: clock) }
    }

    private func startThread(_ name: String, _ body: @escaping @Sendable () -> Void) {
        let thread = Thread(block: body)
        thread.name = name
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
    public func kindLookup() -> [ModelID: [ExactText: FeatureKind]] {
        known.withLock { $0.kinds }
    }

    /// These are the models whose scores of classes may have any sum, for the decoder.
    public var independentScores: Set<ModelID> { known.withLock { $0.independentScores } }

    /// This is why nothing more is stored by this process; nil while all is well.
    public var failureReason: String? { failure.withLock { $0 } ?? store.failureReason }

    /// This is what is known of each model, for the decoders of foreign formats: a question to the
    /// machine itself would end a group of submissions.
    public func schemaLookup() -> [ModelID: ModelSchema] { schemas.withLock { $0 } }

    /// Returns when the inputs are durable and applied, all or none.
    public func submit(
        _ inputs: [Input], claim: IdempotencyClaim? = nil
    ) async throws(SubmissionError) -> Receipt {
        let result = await withCheckedContinuation { continuation in
            do throws(SubmissionError) {
                try enqueue(inputs, claim: claim) { continuation.resume(returning: $0) }
            } catch {
                continuation.resume(returning: .failure(error))
            }
        }
        return try result.get()
    }

    /// Queues the inputs behind all that were queued before.
    ///
    /// - Parameters:
    ///   - inputs: What is stored all or none.
    ///   - claim: The sender's key.
    ///   - answer: Called when they are durable and applied, or when that has failed.
    /// - Throws: Why they were not queued.
    public func enqueue(
        _ inputs: [Input], claim: IdempotencyClaim? = nil,
        answer: @escaping @Sendable (Result<Receipt, SubmissionError>) -> Void
    ) throws(SubmissionError) {
        if isRefusedForRoom(inputs) { throw .storageFull }
        if isTailLong, inputs.contains(where: \.isIngest) { throw .overloaded }
        let isSmall = GroupedEntry.isSmall(inputs)
        let entries = inputs.map {
            (input: $0, payload: isSmall ? nil : LogPayload.encode($0))
        }
        let size = entries.reduce(0) { $0 + ($1.payload?.count ?? Self.smallSizeBytes) }
        let refusal: SubmissionError? = queue.withLock { queue in
            if queue.isStopping { return .shuttingDown }
            if queue.sizeBytes + size > Self.queueSizeBytesMax, !queue.submissions.isEmpty {
                return .overloaded
            }
            queue.submissions.append(Submission(entries: entries, claim: claim, answer: answer))
            queue.sizeBytes += size
            return nil
        }
        if let refusal { throw refusal }
        wake.signal()
    }

    /// True where a batch would be refused because too many bytes wait, for the disk or for a snapshot.
    public var isOverloaded: Bool {
        isTailLong || queue.withLock { $0.sizeBytes > Self.queueSizeBytesMax }
    }

    /// True while a recovery would have to fold more of the log than D-6 leaves it time for.
    private var isTailLong: Bool { tailSizeBytes.load(ordering: .relaxed) > tailSizeBytesMax }

    /// Answers a question from the state machine, between two groups of inputs.
    public func read<Answer: Sendable>(
        _ body: @escaping @Sendable (Monitor) -> Answer
    ) async throws(SubmissionError) -> Answer {
        let answer: Answer? = await withCheckedContinuation { continuation in
            let isQueued = hand(.read { continuation.resume(returning: body($0)) })
            if !isQueued { continuation.resume(returning: nil) }
        }
        guard let answer else { throw .shuttingDown }
        return answer
    }
}
