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

/// This is everything that is kept of one version in one pane, and, merged, of a window.
struct PaneProfile: Sendable, Equatable {
    var predictionCount: UInt64 = 0
    /// In the order of the reference's features.
    var features: [FeatureProfile]
    var prediction: NumericProfile
    var outcomes: OutcomeProfile

    init(for reference: ModelReference) {
        features = reference.features.map(\.content.emptyProfile)
        prediction = reference.prediction.emptyProfile()
        outcomes = OutcomeProfile(scoreBinCount: reference.scoreEdges.binCount)
    }

    init(
        predictionCount: UInt64, features: [FeatureProfile], prediction: NumericProfile,
        outcomes: OutcomeProfile
    ) {
        self.predictionCount = predictionCount
        self.features = features
        self.prediction = prediction
        self.outcomes = outcomes
    }
}
