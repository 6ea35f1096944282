public import MonitoringDomain
import StreamingStatistics

/// This is the pinned data that a model's windows are compared with: its bins, its categories, and its
/// own profiles and outcomes as the baseline.
public struct ModelReference: Sendable, Equatable {
    /// Where the rows came from.
    public enum Origin: String, Sendable, CaseIterable { case uploaded, learned }

    /// Categories of one feature that get a bin of their own; rarer ones count as unseen.
    public static let categoryCountMax = 10_000

    public let id: String
    public let pinnedAt: EventTime
    public let origin: Origin
    public let rowCount: Int
    /// What the score and the outcomes mean. Both are fixed with the reference, because outcomes that
    /// were counted in one way cannot be taken back in another.
    var task: TaskKind?
    var positiveLabel: String?
    var features: [FeatureReference]
    /// The prediction itself: the score, or the value of a regression.
    var prediction: NumericReference
    var outcomes: OutcomeProfile

    public init(
        id: String, pinnedAt: EventTime, origin: Origin, schema: ModelSchema,
        batches: [PredictionBatch]
    ) {
        self.id = id
        self.pinnedAt = pinnedAt
        self.origin = origin
        rowCount = batches.reduce(0) { $0 + $1.rowCount }
        task = schema.task
        positiveLabel = schema.positiveLabel
        features = schema.features.map { FeatureReference($0, batches) }
        prediction = NumericReference(batches.map { $0.predictionColumn(for: schema.task) })
        let edges = prediction.scoreEdges
        outcomes = OutcomeProfile(scoreBinCount: edges.binCount)
        for batch in batches {
            for row in 0..<batch.rowCount {
                guard let outcome = batch.inlineOutcome(at: row) else { continue }
                outcomes.absorb(
                    outcome, edges: edges, task: task, positiveLabel: positiveLabel, adding: true)
            }
        }
    }

    init(
        id: String, pinnedAt: EventTime, origin: Origin, rowCount: Int, task: TaskKind?,
        positiveLabel: String?, features: [FeatureReference], prediction: NumericReference, outcomes: OutcomeProfile
    ) {
        self.id = id
        self.pinnedAt = pinnedAt
        self.origin = origin
        self.rowCount = rowCount
        self.task = task
        self.positiveLabel = positiveLabel
        self.features = features
        self.prediction = prediction
        self.outcomes = outcomes
    }

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

/// This is one feature's part of a reference.
struct FeatureReference: Sendable, Equatable {
    let name: String
    var content: Content

    enum Content: Sendable, Equatable {
        case numeric(NumericReference)
        case categorical(CategoricalReference)
    }

    init(name: String, content: Content) {
        self.name = name
        self.content = content
    }

    init(_ schema: FeatureSchema, _ batches: [PredictionBatch]) {
        name = schema.name
        let columns = batches.map { batch in
            (batch.features.first { $0.name == schema.name }?.column, batch.rowCount)
        }
        switch schema.kind {
        case .numeric:
            content = .numeric(
                NumericReference(
                    columns.map { column, count in
                        if case .numeric(let values)? = column { return values }
                        return [Double](repeating: .nan, count: count)
                    }))
        case .categorical:
            content = .categorical(
                CategoricalReference(
                    columns.map { column, count in
                        if case .categorical(let texts)? = column { return texts }
                        return TextColumn(
                            codes: [UInt32](repeating: TextColumn.missing, count: count),
                            dictionary: [])
                    }))
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
        let present = values.filter { !$0.isNaN }
        var total = CompensatedSum()
        for value in present { total.add(value / Double(present.count)) }
        let mean = total.value
        profile = NumericProfile(binCount: edges.binCount, shift: mean.isFinite ? mean : 0)
        var bins: [UInt16] = []
        edges.bins(of: values.span, into: &bins)
        profile.absorb(values.span, bins: bins.span)
    }

    /// The bins for scores: the reference's, or equal ones where it had none.
    var scoreEdges: BinEdges { edges.edges.isEmpty ? Self.uniformScoreEdges ?? edges : edges }

    /// 1,024 bins: 1,022 equal ones in 0...1, one for 0 and below, one above 1.
    private static let uniformScoreEdges = BinEdges(
        edges: (0...1_022).map { Double($0) / 1_022 }, decileEdges: [])

    func emptyProfile() -> NumericProfile {
        NumericProfile(binCount: edges.binCount, shift: profile.shift)
    }
}

/// This is a categorical quantity's categories and its profile on the reference.
struct CategoricalReference: Sendable, Equatable {
    /// Sorted, so that the same rows in another order make the same bins.
    let categories: [String]
    let codeOfCategory: [String: Int]
    var profile: CategoricalProfile

    init(categories: [String], profile: CategoricalProfile) {
        self.categories = categories
        self.profile = profile
        var codes: [String: Int] = [:]
        for (code, category) in categories.enumerated() { codes[category] = code }
        codeOfCategory = codes
    }

    init(_ columns: [TextColumn]) {
        var frequency: [String: UInt64] = [:]
        var missing: UInt64 = 0
        for column in columns {
            for (code, count) in column.codeCounts {
                if let code {
                    frequency[column.dictionary[Int(code)], default: 0] += count
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
        self.init(categories: categories, profile: profile)
    }

    func emptyProfile() -> CategoricalProfile {
        CategoricalProfile(categoryCount: categories.count)
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
