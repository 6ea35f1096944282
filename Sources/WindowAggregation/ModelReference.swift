public import MonitoringDomain
import StreamingStatistics

/// This is the pinned data that a model's windows are compared with: its bins, its categories, and its
/// own profiles and outcomes as the baseline.
public struct ModelReference: Sendable, Equatable {
    /// Where the rows came from.
    public enum Origin: String, Sendable, CaseIterable {
        case uploaded, learned, moving
        /// Rows of production, of a span of event time.
        case production
    }

    /// Categories of one feature that get a bin of their own; rarer ones count as unseen.
    public static let categoryCountMax = 10_000

    /// `r-` and the number of the model's reference.
    public internal(set) var id: String
    /// The event time from which it counts.
    public internal(set) var pinnedAt: EventTime
    /// Who chose the rows.
    public internal(set) var origin: Origin
    /// The window that each window is compared with in place of the reference's own rows.
    public internal(set) var moving: MovingReference?
    /// Rows, with missing values and without.
    public internal(set) var rowCount: Int
    /// What the score and the outcomes mean.
    ///
    /// Both are fixed with the reference, because outcomes that were counted in one way cannot be taken
    /// back in another.
    var task: TaskKind?
    var positiveLabel: String?
    var features: [FeatureReference]
    /// The prediction itself: the score, or the value of a regression.
    var prediction: NumericReference
    /// The predicted label.
    var label: CategoricalReference
    /// What turned out to be true: labels, or values in the bins of the reference's own.
    var truth: FeatureReference.Content
    /// The bins in which scores with ground truth are counted.
    let scoreEdges: BinEdges
    /// The baseline of performance: of the rows' inline ground truth, or of what came later for the
    /// predictions of `outcomeWindow`.
    var outcomes: OutcomeProfile
    /// The baseline of ground truth itself.
    var truthCounts: TruthProfile
    /// The event times of rows whose ground truth comes after the reference was made; nil where it is inline.
    public let outcomeWindow: TimeWindow?
    /// The same rows by the values of the declared segment keys.
    var segments = ReferenceSegments(keys: [])

    /// Makes the bins, categories and baselines of the batches' rows, with ground truth where it is inline.
    ///
    /// Texts and vectors are measured through the numbers that stand for them.
    public init(
        id: String, pinnedAt: EventTime, origin: Origin, schema: ModelSchema,
        batches: [PredictionBatch], outcomeWindow: TimeWindow? = nil
    ) {
        self.id = id
        self.pinnedAt = pinnedAt
        self.origin = origin
        self.outcomeWindow = outcomeWindow
        rowCount = batches.reduce(0) { $0 + $1.rowCount }
        task = schema.task
        positiveLabel = schema.positiveLabel
        let batches = batches.map(\.measured)
        features = schema.measuredFeatures.map { FeatureReference($0, batches) }
        prediction = NumericReference(batches.map { $0.predictionColumn(for: schema.task) })
        label = CategoricalReference(batches.map(\.labels))
        truth = Self.truth(batches, task: schema.task, label: label, prediction: prediction)
        scoreEdges = prediction.edges.forScores
        outcomes = OutcomeProfile(scoreBinCount: scoreEdges.binCount)
        truthCounts = TruthProfile(for: truth)
        for batch in batches {
            for row in 0..<batch.rowCount {
                guard let outcome = batch.inlineOutcome(at: row) else { continue }
                absorb(outcome, adding: true)
            }
        }
        segments = ReferenceSegments(keys: schema.segments, batches: batches, of: self)
    }

    /// Counts an outcome in the baseline, or takes it back.
    mutating func absorb(_ outcome: Outcome, adding: Bool) {
        outcomes.absorb(
            outcome, edges: scoreEdges, task: task, positiveLabel: positiveLabel, adding: adding)
        truthCounts.absorb(outcome, content: truth, adding: adding)
        segments.absorb(outcome, as: (task, positiveLabel), adding: adding)
    }

    init(
        id: String, pinnedAt: EventTime, origin: Origin, rowCount: Int, task: TaskKind?,
        positiveLabel: String?, features: [FeatureReference], prediction: NumericReference,
        label: CategoricalReference, truth: FeatureReference.Content, outcomeWindow: TimeWindow?
    ) {
        self.id = id
        self.pinnedAt = pinnedAt
        self.origin = origin
        self.rowCount = rowCount
        self.task = task
        self.positiveLabel = positiveLabel
        self.features = features
        self.prediction = prediction
        self.label = label
        self.truth = truth
        self.outcomeWindow = outcomeWindow
        truthCounts = TruthProfile(for: truth)
        scoreEdges = prediction.edges.forScores
        outcomes = OutcomeProfile(scoreBinCount: scoreEdges.binCount)
    }

    /// The bins of ground truth: those of the rows' own, and where they have none those of the predictions,
    /// because ground truth of production comes later than its reference.
    private static func truth(
        _ batches: [PredictionBatch], task: TaskKind?, label: CategoricalReference,
        prediction: NumericReference
    ) -> FeatureReference.Content {
        if task == .regression {
            let own = NumericReference(batches.map(\.truthValues))
            return .numeric(own.profile.count > 0 ? own.emptied : prediction.emptied)
        }
        let own = CategoricalReference(batches.map(\.truthLabels))
        let categories = own.categories.exactSet.union(label.categories.exactSet).sorted()
            .map(\.string)
        return .categorical(
            CategoricalReference(
                categories: categories,
                profile: CategoricalProfile(categoryCount: categories.count)))
    }

    /// This is the same reference under another name and date, before the log is folded again: a baseline
    /// that comes from the log is counted again with it.
    public func restarted(id: String, pinnedAt: EventTime) -> ModelReference {
        var reference = ModelReference(
            id: id, pinnedAt: pinnedAt, origin: origin, rowCount: rowCount, task: task,
            positiveLabel: positiveLabel, features: features, prediction: prediction, label: label,
            truth: truth, outcomeWindow: outcomeWindow)
        reference.moving = moving
        guard outcomeWindow == nil else { return reference }
        reference.outcomes = outcomes
        reference.truthCounts = truthCounts
        return reference
    }

    /// This is the same reference under another name and date, compared with a window that moves.
    public func moved(
        id: String, pinnedAt: EventTime, by moving: MovingReference
    ) -> ModelReference {
        var reference = self
        (reference.id, reference.pinnedAt, reference.origin) = (id, pinnedAt, .moving)
        reference.moving = moving
        return reference
    }

    /// This is the event time of the newest row that the reference was made of: rows up to it are no new
    /// evidence against it; nil when its rows are not of the stream itself.
    public var learnedThrough: EventTime? {
        switch origin {
        case .uploaded: nil
        case .learned, .production, .moving: outcomeWindow?.end ?? pinnedAt
        }
    }

    /// These are the names of the features that it knows, in its order.
    public var featureNames: [String] { features.map(\.name) }

    /// This is the number of bins of each feature: for a categorical one its categories.
    public var binCounts: [(feature: String, bins: Int)] {
        features.map { feature in
            switch feature.content {
            case .numeric(let numeric): (feature.name, numeric.edges.binCount)
            case .categorical(let categorical): (feature.name, categorical.categories.count)
            }
        }
    }
}

/// This is a numeric quantity's bins and its profile on the reference.
struct NumericReference: Sendable, Equatable {
    let edges: BinEdges
    var profile: NumericProfile

    init(edges: BinEdges, profile: NumericProfile) {
        self.edges = edges
        self.profile = profile
    }

    init(_ columns: [[Double]]) {
        let values = columns.flatMap { $0 }
        edges = BinEdges(reference: values)
        let present = values.filter(\.isFinite)
        var total = CompensatedSum()
        for value in present { total.add(value / Double(present.count)) }
        let mean = total.value
        var range: ClosedRange<Double>?
        if let low = present.min(), let high = present.max() { range = low...high }
        profile = NumericProfile(
            binCount: edges.binCount, shift: mean.isFinite ? mean : 0, range: range)
        var bins: [UInt16] = []
        edges.bins(of: values.span, into: &bins)
        profile.absorb(values.span, bins: bins.span)
    }

    /// The same bins without rows.
    var emptied: NumericReference { NumericReference(edges: edges, profile: emptyProfile()) }

    func emptyProfile() -> NumericProfile {
        NumericProfile(binCount: edges.binCount, shift: profile.shift, range: profile.range)
    }
}

/// This is a categorical quantity's categories and its profile on the reference.
struct CategoricalReference: Sendable, Equatable {
    /// Sorted, so that the same rows in another order make the same bins.
    let categories: [String]
    let codeOfCategory: [ExactText: Int]
    var profile: CategoricalProfile

    init(categories: [String], profile: CategoricalProfile) {
        self.categories = categories
        self.profile = profile
        var codes: [ExactText: Int] = [:]
        for (code, category) in categories.enumerated() { codes[ExactText(category)] = code }
        codeOfCategory = codes
    }

    init(_ columns: [TextColumn]) {
        var frequency: [ExactText: UInt64] = [:]
        var missing: UInt64 = 0
        for column in columns {
            for (code, count) in column.codeCounts {
                if let code {
                    frequency[ExactText(column.dictionary[Int(code)]), default: 0] += count
                } else {
                    missing += count
                }
            }
        }
        let kept = frequency.sorted { ($1.value, $0.key) < ($0.value, $1.key) }
            .prefix(ModelReference.categoryCountMax)
        let categories = kept.map(\.key).sorted()
        var profile = CategoricalProfile(categoryCount: categories.count)
        for (code, category) in categories.enumerated() {
            profile.absorb(category: code, times: frequency[category] ?? 0)
        }
        let rest = frequency.values.reduce(0, +) - kept.reduce(0) { $0 + $1.value }
        profile.absorb(category: categories.count, times: rest)
        profile.absorb(category: nil, times: missing)
        self.init(categories: categories.map(\.string), profile: profile)
    }

    func emptyProfile() -> CategoricalProfile {
        CategoricalProfile(categoryCount: categories.count)
    }
}

extension BinEdges {
    /// The octaves towards 0, and towards 1, that get bins of their own: down to 2⁻¹³.
    private static let scoreOctaveCount = 12
    /// Bins of each of these octaves; and so the relative width of a bin, at most 5 %.
    private static let scoreStepCount = 20

    /// Those of a reference without scores are one value: every model has it that learns its reference.
    private static let forNoScores = BinEdges(reference: []).refinedForScores

    /// This is the bins in which scores with ground truth are counted.
    fileprivate var forScores: BinEdges { edges.isEmpty ? Self.forNoScores : refinedForScores }

    /// This is the bins of scores for the area under the curve: of the reference's edges in 0...1 its atoms
    /// and every second other one, and a fixed grid that is as fine near 0 and 1 as it is in the middle.
    ///
    /// A model that has drifted gives scores where its reference had hardly any, and in one wide bin the area
    /// would be unknown. The grid is plain arithmetic, so every machine makes the same one.
    private var refinedForScores: BinEdges {
        var chosen: Set<Double> = [Double(0).nextDown, 0, 0.5, Double(1).nextDown, 1]
        for octave in 1...Self.scoreOctaveCount {
            let start = 1 / Double(2 << octave)
            for step in 0..<Self.scoreStepCount {
                let edge = start * (1 + Double(step) / Double(Self.scoreStepCount))
                chosen.formUnion([edge, 1 - edge])
            }
        }
        for (index, edge) in edges.enumerated() where edge > 0 && edge < 1 {
            if index.isMultiple(of: 2) || isAtom[index] || isAtom[index + 1] { chosen.insert(edge) }
        }
        if edges.isEmpty { chosen.formUnion((1..<512).map { Double($0) / 512 }) }
        return BinEdges(edges: chosen.sorted(), decileEdges: []) ?? self
    }
}

extension TextColumn {
    /// This is how often each code stands, missing (nil) last.
    var codeCounts: [(code: UInt32?, count: UInt64)] {
        var counts = [UInt64](repeating: 0, count: dictionary.count + 1)
        for code in codes { counts[code == Self.missing ? dictionary.count : Int(code)] += 1 }
        return counts.enumerated().map { index, count in
            (index == dictionary.count ? nil : UInt32(index), count)
        }
    }
}

extension PredictionBatch {
    /// This is the numeric side of the prediction: the value of a regression, else the score.
    func predictionColumn(for task: TaskKind?) -> [Double] {
        switch task {
        case .regression: values
        case .binary, .multiclass: scores
        // Row by row, so that it does not depend on how rows were batched.
        case nil: zip(scores, values).map { $0.isNaN ? $1 : $0 }
        }
    }

    /// This is a row's outcome by its inline ground truth; nil without any.
    func inlineOutcome(at row: Int) -> Outcome? {
        let label = truthLabels.text(at: row)
        let value = truthValues[row]
        guard label != nil || !value.isNaN else { return nil }
        return Outcome(
            version: versions.text(at: row) ?? "default",
            time: EventTime(milliseconds: times[row]), predictedLabel: labels.text(at: row),
            score: scores[row].isNaN ? nil : scores[row],
            predictedValue: values[row].isNaN ? nil : values[row], truthLabel: label,
            truthValue: value.isNaN ? nil : value)
    }
}
