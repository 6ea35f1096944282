import MonitorCore
public import MonitoringDomain
public import RecordCoding
import Synchronization

/// This is a look at what the runner would refuse, without storing anything.
public struct Admission: Sendable {
    private var known: KnownModels
    private let now: EventTime?

    init(_ known: KnownModels, at now: EventTime?) {
        self.known = known
        self.now = now
    }

    /// Says what is wrong with an input that comes after those that were asked for before.
    public mutating func errors(of input: Input) -> [ItemError] { known.admit([input], at: now) }
}

extension MonitorRunner {
    /// This is what would be refused now.
    ///
    /// - Parameter now: The clock's reading; nil where time comes from the records themselves.
    /// - Returns: A copy, which asking changes.
    public func admission(at now: EventTime?) -> Admission {
        Admission(known.withLock { $0 }, at: now)
    }
}

extension Service {
    /// These are the event times of recorded streams: from 1970 to 2200, in milliseconds.
    ///
    /// By the event clock now is unknown, so only what no stream of records holds is refused.
    public static let recordedTimes: ClosedRange<Int64> = 0...7_258_118_400_000
}

/// This is what is known of models before their records are stored: what does not fit is refused, and
/// nothing of its batch is stored.
struct KnownModels: Sendable {
    /// Models that may be known; records of a further one are refused.
    static let modelCountMax = 1_000
    /// Features a model may have, a text or a vector as many as the numbers that stand for it; a further one
    /// is refused.
    static let featureCountMax = 2_000
    /// Records further ahead of the clock are refused: a wrong clock must not move the horizon.
    static let futureMillisecondsMax: Int64 = 600_000

    /// What helps those who send a stream of the past.
    private static let tooOld =
        "beyond the model's horizon; pin a reference of that time first, or declare a longer horizon"

    /// Errors that one answer names.
    static let errorCountMax = 100

    private(set) var kinds: [ModelID: [ExactText: FeatureKind]] = [:]
    /// Models whose scores of classes may have any sum.
    private(set) var independentScores: Set<ModelID> = []
    private var horizons: [ModelID: Int64] = [:]
    /// The first row of each model's uploaded references.
    private var referenceStarts: [ModelID: Int64] = [:]

    /// The first event time that any model takes: no record before it can be taken.
    func earliestTime(at now: EventTime) -> Int64 {
        let models = Set(horizons.keys).union(referenceStarts.keys)
        return models.reduce(earliestTime(at: now, horizon: nil, referenceStart: nil)) {
            min(
                $0,
                earliestTime(
                    at: now, horizon: horizons[$1], referenceStart: referenceStarts[$1]))
        }
    }

    /// The longest time that a record of any model is taken for.
    var longestHorizon: Int64 {
        let spans = kinds.keys.map { horizons[$0] ?? ModelSchema.defaultRetentionMilliseconds }
        return spans.max() ?? ModelSchema.defaultRetentionMilliseconds
    }

    /// The first event time that a model takes: the horizon behind the clock, or the first row of its
    /// reference, whichever is earlier.
    ///
    /// So a stream of the past is taken when its reference was pinned.
    private func earliestTime(
        at now: EventTime, horizon: Int64?, referenceStart: Int64?
    ) -> Int64 {
        let behind = now.advanced(
            byMilliseconds: -(horizon ?? ModelSchema.defaultRetentionMilliseconds)
        ).milliseconds
        return referenceStart.map { min($0, behind) } ?? behind
    }

    init(_ monitor: Monitor) {
        for (model, state) in monitor.collector.models {
            kinds[model] = [:]
            horizons[model] = state.schema.horizonMilliseconds
            if state.schema.scores == .independent { independentScores.insert(model) }
            referenceStarts[model] = state.referenceStart?.milliseconds
            for feature in state.schema.features {
                kinds[model]?[ExactText(feature.name)] = feature.kind
            }
        }
    }

    /// Checks inputs, and remembers what they add when there is nothing against them.
    ///
    /// - Parameters:
    ///   - inputs: What is to be stored, all or none.
    ///   - now: The clock's reading; nil where time comes from the records themselves.
    /// - Returns: What is wrong; nothing where they may be stored.
    mutating func admit(_ inputs: [Input], at now: EventTime?) -> [ItemError] {
        var additions = Additions()
        for input in inputs {
            let errors = check(input, at: now, &additions)
            if !errors.isEmpty { return errors }
        }
        for (model, features) in additions.kinds { kinds[model] = features }
        for (model, horizon) in additions.horizons { horizons[model] = horizon }
        for (model, scores) in additions.scores {
            switch scores {
            case .independent: independentScores.insert(model)
            case .distribution: independentScores.remove(model)
            }
        }
        for (model, start) in additions.referenceStarts { referenceStarts[model] = start }
        return []
    }

    /// What inputs add while they are checked: only of the models that they name, so that a new one costs the
    /// same however many there are.
    private struct Additions {
        var kinds: [ModelID: [ExactText: FeatureKind]] = [:]
        var horizons: [ModelID: Int64] = [:]
        var scores: [ModelID: ClassScores] = [:]
        var referenceStarts: [ModelID: Int64] = [:]
        var newModelCount = 0
    }

    private func check(
        _ input: Input, at now: EventTime?, _ additions: inout Additions
    ) -> [ItemError] {
        switch input {
        case .predictions(let batch):
            let errors = timeErrors(batch.times, of: batch.model, at: now, additions)
            return errors.isEmpty ? check(batch.model, columns(of: batch), &additions) : errors
        case .pinReference(let batch, _):
            let errors = check(batch.model, columns(of: batch), &additions)
            if errors.isEmpty, let first = batch.times.min() {
                let known = additions.referenceStarts[batch.model] ?? referenceStarts[batch.model]
                additions.referenceStarts[batch.model] = min(known ?? first, first)
            }
            return errors
        case .inference(let half):
            return check(half.batch.model, columns(of: half.batch), &additions)
        case .groundTruth(let batch):
            let errors = timeErrors(batch.times, of: batch.model, at: now, additions)
            return errors.isEmpty ? check(batch.model, [], &additions) : errors
        case .declareSchema(let schema):
            if let horizon = schema.horizonMilliseconds {
                additions.horizons[schema.model] = horizon
            }
            if let scores = schema.scores { additions.scores[schema.model] = scores }
            return check(schema.model, schema.features.map { ($0.name, $0.kind) }, &additions)
        case .rules, .tick, .report, .chooseReference, .activateReference, .typeErrors, .trimLog:
            return []
        }
    }

    private func columns(of batch: PredictionBatch) -> [(String, FeatureKind)] {
        batch.features.map { ($0.name, $0.column.kind) }
    }

    private func timeErrors(
        _ times: [Int64], of model: ModelID, at now: EventTime?, _ additions: Additions
    ) -> [ItemError] {
        guard let now else { return [] }
        let earliest = earliestTime(
            at: now, horizon: additions.horizons[model] ?? horizons[model],
            referenceStart: additions.referenceStarts[model] ?? referenceStarts[model])
        let latest = now.advanced(byMilliseconds: Self.futureMillisecondsMax).milliseconds
        var errors: [ItemError] = []
        for (row, time) in times.enumerated() where time < earliest || time > latest {
            let isOld = time < earliest
            errors.append(
                ItemError(
                    line: row + 1, pointer: "/ts",
                    code: isOld ? "event-too-old" : "event-in-future",
                    detail: "\(EventTime(milliseconds: time)) is "
                        + (isOld ? Self.tooOld : "over 10 min ahead of the clock"))
            )
            if errors.count == Self.errorCountMax { break }
        }
        return errors
    }

    private func check(
        _ model: ModelID, _ features: [(String, FeatureKind)], _ additions: inout Additions
    ) -> [ItemError] {
        if kinds[model] == nil, additions.kinds[model] == nil {
            guard kinds.count + additions.newModelCount < Self.modelCountMax else {
                return [
                    ItemError(
                        line: 1, pointer: "/model", code: "cardinality-limit",
                        detail: "\(Self.modelCountMax) models are known already")
                ]
            }
            additions.kinds[model] = [:]
            additions.newModelCount += 1
        }
        let known = additions.kinds[model] ?? kinds[model] ?? [:]
        // Nothing is copied for a batch that adds nothing, which is nearly every one.
        for (text, kind) in features where known[ExactText(text)] != kind {
            let name = ExactText(text)
            if let other = additions.kinds[model]?[name] ?? known[name], other != kind {
                return [
                    ItemError(
                        line: 1, pointer: pointer(to: text), code: "feature-type-conflict",
                        detail: "\(kind) found, \(other) expected")
                ]
            }
            additions.kinds[model, default: known][name] = kind
        }
        return additions.kinds[model].map { additionErrors($0) } ?? []
    }

    /// What is wrong with the features of a model after some were added.
    private func additionErrors(_ kinds: [ExactText: FeatureKind]) -> [ItemError] {
        let features = kinds.map { FeatureSchema(name: $0.key.string, kind: $0.value) }
        guard features.reduce(0, { $0 + $1.measured.count }) <= Self.featureCountMax else {
            return [
                ItemError(
                    line: 1, pointer: "/features", code: "cardinality-limit",
                    detail: "more than \(Self.featureCountMax) features; a text counts as "
                        + "\(FeatureKind.textMeasures.count), a vector as "
                        + "\(FeatureKind.vectorMeasures.count)")
            ]
        }
        for feature in features where !feature.kind.measures.isEmpty {
            for measure in feature.measured where kinds[ExactText(measure.name)] != nil {
                return [
                    ItemError(
                        line: 1, pointer: pointer(to: measure.name), code: "feature-type-conflict",
                        detail: "\"\(measure.name)\" is a measure of \"\(feature.name)\", "
                            + "\(feature.kind)")
                ]
            }
        }
        return []
    }

    private func pointer(to feature: String) -> String { "/features/\(feature)" }
}
