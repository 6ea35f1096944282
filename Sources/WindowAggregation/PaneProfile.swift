import MonitoringDomain
import StreamingStatistics

/// This is the outcomes of one pane, of either kind of task.
struct OutcomeProfile: Sendable, Equatable {
    /// Predictions with ground truth, whatever could be computed of them.
    var labelled: UInt64 = 0
    var binary: BinaryOutcomes
    var regression = RegressionOutcomes()

    init(scoreBinCount: Int) {
        binary = BinaryOutcomes(binCount: scoreBinCount)
    }

    /// Counts an outcome, or takes back one that was counted with the same task, label and edges.
    mutating func absorb(
        _ outcome: Outcome, edges: BinEdges, task: TaskKind?, positiveLabel: String?, adding: Bool
    ) {
        precondition(adding || labelled > 0, "an outcome of \(outcome.version) was not counted")
        labelled = adding ? labelled + 1 : labelled - 1
        switch task {
        case .regression:
            guard let prediction = outcome.predictedValue, let truth = outcome.truthValue else {
                return
            }
            if adding {
                regression.add(prediction: prediction, truth: truth)
            } else {
                regression.remove(prediction: prediction, truth: truth)
            }
        case .binary, .multiclass, nil:
            guard let truth = outcome.truthLabel, let label = outcome.predictedLabel else { return }
            // A score of several classes belongs to the predicted one: it has no positive class. And
            // a score whose class is not known would count every outcome as a negative.
            let score = task == .binary && positiveLabel != nil ? outcome.score : nil
            let bin = score.map { edges.bin(of: $0) } ?? 0
            if adding {
                binary.add(
                    score: score, scoreBin: bin, isPositive: truth == positiveLabel,
                    isCorrect: truth == label)
            } else {
                binary.remove(
                    score: score, scoreBin: bin, isPositive: truth == positiveLabel,
                    isCorrect: truth == label)
            }
        }
    }

    mutating func merge(_ other: Self) {
        labelled += other.labelled
        binary.merge(other.binary)
        regression.merge(other.regression)
    }
}

/// This is one feature's profile in one pane.
enum FeatureProfile: Sendable, Equatable {
    case numeric(NumericProfile)
    case categorical(CategoricalProfile)

    /// What stands in a profile's place while it is changed; it allocates nothing.
    static let placeholder = FeatureProfile.numeric(NumericProfile(binCount: 1, shift: 0))

    /// - Precondition: both are of one feature of one reference.
    mutating func merge(_ other: Self) {
        var own = FeatureProfile.placeholder
        swap(&own, &self)
        switch (consume own, other) {
        case (.numeric(var numeric), .numeric(let others)):
            numeric.merge(others)
            self = .numeric(numeric)
        case (.categorical(var categorical), .categorical(let others)):
            categorical.merge(others)
            self = .categorical(categorical)
        case (.numeric, .categorical), (.categorical, .numeric):
            preconditionFailure("profiles of one feature are of one kind")
        }
    }
}

/// This is everything that is kept of one series in one pane, and, merged, of a window.
struct PaneProfile: Sendable, Equatable {
    var predictionCount: UInt64 = 0
    /// In the order of the reference's features.
    var features: [FeatureProfile]
    /// The score, or the value of a regression.
    var prediction: NumericProfile
    /// The predicted label; without values in a regression.
    var label: CategoricalProfile
    var truth: TruthProfile
    var outcomes: OutcomeProfile
    var serving = ServingProfile()
    /// In the order of the features: values of another type, whose records were refused; empty while there
    /// are none.
    var typeErrors: [UInt64] = []
    var revision = PaneRevision()

    init(for reference: ModelReference) {
        features = reference.features.map(\.content.emptyProfile)
        prediction = reference.prediction.emptyProfile()
        label = reference.label.emptyProfile()
        truth = TruthProfile(for: reference.truth)
        outcomes = OutcomeProfile(scoreBinCount: reference.scoreEdges.binCount)
    }

    mutating func absorb(serving batch: PredictionBatch, rows: [Int]) {
        predictionCount += UInt64(rows.count)
        serving.absorb(batch, rows: rows)
    }

    mutating func absorb(_ outcome: Outcome, reference: ModelReference, adding: Bool) {
        outcomes.absorb(
            outcome, edges: reference.scoreEdges, task: reference.task,
            positiveLabel: reference.positiveLabel, adding: adding)
        truth.absorb(outcome, content: reference.truth, adding: adding)
    }

    /// Counts what another pane of the same series has counted.
    mutating func merge(_ other: Self) {
        predictionCount += other.predictionCount
        for index in features.indices { features[index].merge(other.features[index]) }
        prediction.merge(other.prediction)
        label.merge(other.label)
        truth.merge(other.truth)
        outcomes.merge(other.outcomes)
        serving.merge(other.serving)
        if typeErrors.isEmpty {
            typeErrors = other.typeErrors
        } else {
            for (index, count) in other.typeErrors.enumerated() { typeErrors[index] += count }
        }
        revision.merge(other.revision)
    }
}
