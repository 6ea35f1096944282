import ByteCoding
public import MonitoringDomain
import RecordCoding
public import RuleEvaluation
import RuleLanguage
import WindowAggregation

/// This is the second machine: it measures, evaluates rules, and verifies retrainings.
public struct Judge: Sendable {
    /// These are the state machines of the rules.
    public private(set) var engine = RuleEngine(rules: .empty)
    private var files: [RuleFile] = []
    /// Successful retrainings whose verdict is open, by request.
    private var watches: [String: Watch] = [:]
    /// The detectors that spend the groups' alert budgets.
    private var drift = DriftWatches()
    /// What the rules read lately, and what late rows made of it, by model.
    private var memories: [ModelID: JudgedMemory] = [:]
    /// The newest time that was judged; time never goes back.
    public private(set) var now: EventTime?
    /// True when all models must be looked at, because the rules are others.
    private var isEveryModelDue = true
    /// Lengths of time after which something is due though no input of a model came, each once, sorted.
    private var boundaries: [Int64] = [WindowSpan.minute]

    private struct Watch: Sendable, Equatable {
        var since: EventTime
    }

    /// Makes a judge without rules.
    public init() {}

    /// This is how often an open verdict is looked at again.
    private static let verificationIntervalMilliseconds = 10 * WindowSpan.minute

    /// Replaces the rules.
    ///
    /// Files that do not parse change nothing: they are checked before they are logged, so they
    /// come here only from a log that an older program wrote.
    mutating func load(_ files: [RuleFile]) -> [Effect] {
        guard let rules = Self.rules(from: files) else { return [] }
        self.files = files
        drift.plan(rules)
        boundaries = Self.boundaries(of: rules)
        isEveryModelDue = true
        return engine.replaceRules(rules, at: now ?? EventTime(milliseconds: 0))
    }

    /// No files are no rules; nil when a file does not parse.
    private static func rules(from files: [RuleFile]) -> RuleSet? {
        if files.isEmpty { return .empty }
        guard case .success(let rules) = RuleSet.parse(files) else { return nil }
        return rules
    }

    /// False while the model's windows were measured again a moment ago; then late rows wait.
    func isRestatementDue(of model: ModelID, at time: EventTime) -> Bool {
        memories[model]?.isDue(at: max(now ?? time, time)) ?? true
    }

    /// These are a model's windows that were judged and then changed by late rows, oldest first.
    public func restatements(of model: ModelID) -> [Restatement] {
        memories[model]?.restatements ?? []
    }

    /// Groups' intervals and drift's windows; whatever else waits for the clock waits for whole minutes.
    private static func boundaries(of rules: RuleSet) -> [Int64] {
        var lengths: Set<Int64> = [WindowSpan.minute]
        for group in rules.groups {
            lengths.insert(group.evaluationInterval)
            lengths.formUnion(group.driftPlans.map(\.span))
        }
        // A multiple of another is passed together with it.
        return lengths.sorted().reduce(into: []) { kept, length in
            if !kept.contains(where: { length % $0 == 0 }) { kept.append(length) }
        }
    }

    /// True when something can be due at `time` of a model of which no input came since it was last judged.
    ///
    /// Else only the others are looked at, so that an input costs the same among many models.
    func isEveryModelDue(at time: EventTime) -> Bool {
        guard let now, !isEveryModelDue else { return true }
        func start(_ time: EventTime, _ length: Int64) -> Int64 {
            let rest = time.milliseconds % length
            return time.milliseconds &- (rest < 0 ? rest &+ length : rest)
        }
        let next = max(now, time)
        return boundaries.contains { start(now, $0) != start(next, $0) }
    }

    /// Judges.
    ///
    /// - Parameters:
    ///   - collector: What was counted.
    ///   - time: The rules' time.
    ///   - models: The models to look at; nil for all.
    ///   - revisions: What late rows changed.
    /// - Returns: The effects, by model in the order of their names.
    mutating func evaluate(
        _ collector: Collector, at time: EventTime, models: Set<ModelID>?,
        revisions: [ModelID: TimeWindow]
    ) -> [Effect] {
        isEveryModelDue = isEveryModelDue && models != nil
        let isNewSlot =
            now.map {
                $0.milliseconds / Self.verificationIntervalMilliseconds
                    != time.milliseconds / Self.verificationIntervalMilliseconds
            } ?? true
        let current = max(now ?? time, time)
        now = current
        var effects: [Effect] = []
        for model in (models.map(Array.init) ?? Array(collector.models.keys)).sorted() {
            guard let state = collector.models[model] else { continue }
            drift.advance(state, to: current)
            let watches = drift
            let context = RuleContext(
                model: model, features: state.schema.featureNames,
                version: state.aggregator.newestVersion,
                reference: state.aggregator.reference?.id,
                segments: { state.aggregator.segmentValues(of: $0) },
                measure: { state.measure($0, window: state.aggregator.wholePanes(of: $1)) },
                baseline: { state.baseline($0, feature: $1, segment: $2) },
                drift: { watches.measure($0, of: state) },
                split: { state.aggregator.split($0, window: state.aggregator.wholePanes(of: $1)) })
            var memory = memories.removeValue(forKey: model) ?? JudgedMemory()
            let restated = memory.restate(revisions[model], of: state, at: current)
            let evaluation = engine.judge(at: current, in: context, restated: restated)
            effects += evaluation.effects
            memory.add(evaluation.judged, reference: context.reference)
            if !memory.isEmpty { memories[model] = memory }
        }
        if isNewSlot { effects += verify(collector, at: current) }
        return effects
    }

    /// This is what the budgeted detectors say of a model's window.
    public func measure(_ query: DriftQuery, of state: ModelCollector) -> Measurement {
        drift.measure(query, of: state)
    }

    mutating func receive(_ report: TrainerReport, at time: EventTime) -> [Effect] {
        let moment = now ?? time
        let effects = engine.report(report, at: moment)
        if report.state == .succeeded, report.newVersion != nil, !effects.isEmpty {
            watches[report.requestID] = Watch(since: moment)
        }
        return effects
    }

    private mutating func verify(_ collector: Collector, at time: EventTime) -> [Effect] {
        var effects: [Effect] = []
        for (id, watch) in watches.sorted(by: { $0.key < $1.key }) {
            guard let request = engine.requests.last(where: { $0.id == id }),
                let newVersion = request.newVersion,
                let state = collector.models[request.model], let task = state.schema.task
            else {
                watches[id] = nil
                continue
            }
            // Before: from the beginning of the evidence's window, so that the breach itself counts,
            // to the clock: the old version's rows end where the new version's begin.
            let start = request.alert.evidence.map(\.window.start).min() ?? request.alert.since
            let end = time.advanced(byMilliseconds: 1)
            let before = state.aggregator.outcomeSummary(
                version: request.modelVersion, window: TimeWindow(start: start, end: end))
            let after = state.aggregator.outcomeSummary(
                version: newVersion, window: TimeWindow(start: start, end: end))
            guard
                let verification = RetrainingVerification.verify(
                    RetrainingVerification.Question(
                        oldVersion: request.modelVersion, newVersion: newVersion, before: before,
                        after: after, task: task, watchedSince: watch.since, now: time))
            else { continue }
            effects += engine.record(verification, for: id)
            if verification.verdict != .watching { watches[id] = nil }
        }
        return effects
    }

    // MARK: - Snapshot

    func encode(to writer: inout ByteWriter) {
        writer.writeCount(files.count)
        for file in files {
            writer.write(file.name)
            writer.write(file.text)
        }
        writer.write(now != nil)
        writer.write(now?.milliseconds ?? 0)
        writer.write(isEveryModelDue)
        writer.writeCount(watches.count)
        for (id, watch) in watches.sorted(by: { $0.key < $1.key }) {
            writer.write(id)
            writer.write(watch.since.milliseconds)
        }
        engine.encode(to: &writer)
        drift.encode(to: &writer)
        writer.writeCount(memories.count)
        for (model, memory) in memories.sorted(by: { $0.key < $1.key }) {
            writer.write(model.rawValue)
            memory.encode(to: &writer)
        }
    }

    init(decoding reader: inout ByteReader) throws(ByteReadingError) {
        let fileCount = try reader.readCount()
        for _ in 0..<fileCount {
            files.append(RuleFile(name: try reader.readText(), text: try reader.readText()))
        }
        let hasTime = try reader.readBool()
        let time: Int64 = try reader.read()
        now = hasTime ? EventTime(milliseconds: time) : nil
        isEveryModelDue = try reader.readBool()
        let watchCount = try reader.readCount()
        for _ in 0..<watchCount {
            let id = try reader.readText()
            watches[id] = Watch(since: EventTime(milliseconds: try reader.read()))
        }
        guard let rules = Self.rules(from: files) else {
            throw .invalid(offset: reader.offset, reason: "the snapshot's rules do not parse")
        }
        engine = try RuleEngine(decoding: &reader, rules: rules)
        drift = try DriftWatches(decoding: &reader)
        drift.plan(rules)
        boundaries = Self.boundaries(of: rules)
        let memoryCount = try reader.readCount()
        for _ in 0..<memoryCount {
            guard let model = ModelID(try reader.readText()) else {
                throw .invalid(offset: reader.offset, reason: "not a model's name")
            }
            memories[model] = try JudgedMemory(decoding: &reader, model: model)
        }
    }
}
