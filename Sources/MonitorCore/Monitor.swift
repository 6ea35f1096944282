public import ByteCoding
public import MonitoringDomain
import RecordCoding
import RuleEvaluation
import RuleLanguage
public import WindowAggregation

/// This is the whole deterministic state machine: inputs in log order in, effects out.
///
/// It guarantees: the same inputs give the same snapshots, byte for byte, and the same effects with
/// the same keys; no clock, no randomness and no I/O is inside. Its limits: one value of it is used
/// from one thread; its memory grows with the number of ids and panes that it retains.
public struct Monitor: Sendable {
    /// Where the rules' "now" comes from.
    public enum Clock: String, Sendable, CaseIterable {
        /// From ticks: production.
        case wall
        /// From the newest event time seen: recorded or compressed streams.
        case event
    }

    /// This is the first machine: what was counted.
    public private(set) var collector: Collector
    /// This is the second machine: what was decided.
    public private(set) var judge = Judge()
    /// This is where the rules' "now" comes from; it is fixed for the life of a log.
    public let clock: Clock
    /// The position of the newest input applied; 0 before the first.
    public private(set) var position: Int64 = 0
    /// Models of which an input came since they were last judged.
    private var touched: Set<ModelID> = []

    /// This is where the log begins, as far as anything is read from it again.
    public private(set) var logStart = LogStart()

    /// This is the end of what was taken away from the log's beginning.
    public struct LogStart: Sendable, Equatable {
        /// The last position that nothing reads any more; 0 where the log is whole.
        public var position: Int64 = 0
        /// Rows of later event times lie all behind it; nil where the log is whole.
        public var time: EventTime?
    }

    /// Makes the monitor of an empty log.
    ///
    /// - Parameters:
    ///   - clock: Where the rules' "now" comes from.
    ///   - storage: Where each model's sealed ids live.
    public init(
        clock: Clock,
        storage: @escaping @Sendable (ModelID) -> PartitionStorage = { _ in .memory }
    ) {
        self.clock = clock
        collector = Collector(storage: storage)
    }

    /// This is what one input did.
    public struct Application: Sendable {
        /// This is what became of the batch's rows that are not new.
        public var absorption = Absorption()
        /// These are what the shell must carry out, in the order in which they were decided.
        public var effects: [Effect] = []
        /// The work that must be done over the log through this input, and then handed to `finish`, before
        /// the next input is applied.
        public var refolding: Refolding?
    }

    /// Applies the input that lies at `position` of the log.
    ///
    /// - Precondition: positions grow.
    public mutating func apply(_ input: Input, at position: Int64) -> Application {
        precondition(position > self.position, "position \(position) after \(self.position)")
        self.position = position
        if let model = input.model { touched.insert(model) }
        var application = Application()
        switch input {
        case .predictions(let batch):
            application.absorption = collector.absorb(batch, on: occasion)
            if clock == .event { application.effects = judgeAtWatermark() }
        case .groundTruth(let batch):
            application.absorption = collector.absorb(batch, on: occasion)
            if clock == .event { application.effects = judgeAtWatermark() }
        case .inference(let half):
            application.absorption = collector.absorb(half, on: occasion)
            if clock == .event { application.effects = judgeAtWatermark() }
        case .typeErrors(let batch, let features):
            collector.absorb(typeErrorsOf: batch, features: features)
        case .pinReference(let batch, let time):
            collector.pin(batch, at: time, position: position)
        case .chooseReference(let model, let source, let time):
            collector.choose(source, of: model, at: time, position: position)
        case .activateReference(let model, let id):
            // Another one was asked for meanwhile: then its own activation follows.
            let refolding = collector.models[model]?.refolding
            if refolding?.id == id { application.refolding = refolding }
        case .declareSchema(let schema): collector.declare(schema, at: position)
        case .trimLog(let end, let time):
            if end > logStart.position, end < position {
                logStart = LogStart(position: end, time: max(logStart.time ?? time, time))
            }
        case .rules(let files):
            application.effects = judge.load(files)
            collector.watch(judge.engine.rules)
        case .tick(let now):
            collector.expireHalves(at: now, on: occasion)
            application.effects = clock == .wall ? judge(at: now) : judgeAtWatermark()
        case .report(let report, let time):
            application.effects = judge.receive(report, at: time)
        }
        if let model = input.model, let urgent = collector.models[model]?.urgentRefolding {
            application.refolding = urgent
        }
        return application
    }

    /// Puts the reference in force whose refolding has folded every input through the newest one.
    public mutating func finish(_ refolding: consuming Refolding) {
        touched.insert(refolding.model)
        collector.finish(refolding, since: logStart.time)
    }

    private var occasion: ModelCollector.Occasion {
        ModelCollector.Occasion(position: position, judgedAt: judge.now)
    }

    /// Replaces partitions of sealed ids by what they were merged into; false where they are gone.
    public mutating func adopt(
        _ merged: SealedPartition, of merge: PartitionMerge, model: ModelID
    ) -> Bool {
        collector.adopt(merged, of: merge, model: model)
    }

    private mutating func judgeAtWatermark() -> [Effect] {
        guard let now = collector.watermark else { return [] }
        return judge(at: now)
    }

    private mutating func judge(at now: EventTime) -> [Effect] {
        let models = judge.isEveryModelDue(at: now) ? nil : touched
        touched = []
        let revisions = collector.takeRevisions(of: models) { [judge] in
            judge.isRestatementDue(of: $0, at: now)
        }
        return judge.evaluate(collector, at: now, models: models, revisions: revisions)
    }

    // MARK: - Snapshot

    /// The format of a snapshot; another number means that the log is folded from its start.
    private static let snapshotVersion: UInt32 = 13
    /// The one before lacked a form of counts.
    private static let readableVersions: ClosedRange<UInt32> = 12...13

    /// This is the whole state as bytes; equal states have equal bytes.
    public func snapshot() -> [UInt8] {
        var writer = ByteWriter()
        writer.write(Self.snapshotVersion)
        writer.write(clock == .event)
        writer.write(position)
        writer.write(logStart.position)
        writer.write(logStart.time?.milliseconds ?? 0)
        collector.encode(to: &writer)
        judge.encode(to: &writer)
        writer.write(touched.map(\.rawValue).sorted())
        return writer.bytes
    }

    /// Restores what `snapshot` wrote.
    ///
    /// - Throws: `ByteReadingError` for anything else, also for bytes of another version.
    public init(
        snapshot: [UInt8],
        storage: @escaping @Sendable (ModelID) -> PartitionStorage = { _ in .memory }
    ) throws(ByteReadingError) {
        var reader = ByteReader(snapshot)
        let version: UInt32 = try reader.read()
        guard Self.readableVersions.contains(version) else {
            throw .invalid(offset: 0, reason: "snapshot version \(version)")
        }
        clock = try reader.readBool() ? .event : .wall
        position = try reader.read()
        guard position >= 0 else {
            throw .invalid(offset: reader.offset, reason: "position \(position)")
        }
        let start: Int64 = try reader.read()
        let time: Int64 = try reader.read()
        guard (0...position).contains(start) else {
            throw .invalid(offset: reader.offset, reason: "the log begins after \(start)")
        }
        logStart = LogStart(
            position: start, time: start > 0 ? EventTime(milliseconds: time) : nil)
        collector = try Collector(decoding: &reader, storage: storage)
        judge = try Judge(decoding: &reader)
        collector.watch(judge.engine.rules)
        for name in try reader.readTexts() {
            guard let model = ModelID(name) else {
                throw .invalid(offset: reader.offset, reason: "not a model's name")
            }
            touched.insert(model)
        }
        guard reader.isAtEnd else {
            throw .invalid(offset: reader.offset, reason: "\(reader.remaining) bytes too many")
        }
    }
}
