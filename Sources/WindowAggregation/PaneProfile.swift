import MonitoringDomain
import StreamingStatistics

/// This is the outcomes of one pane, of either kind of task.
struct OutcomeProfile: Sendable, Equatable {
    /// Predictions with ground truth, whatever could be computed of them.
    var labelled: UInt64 = 0
    var binary: BinaryOutcomes
    var regression = RegressionOutcomes()
    let task: TaskKind?

    init(task: TaskKind?, scoreBinCount: Int) {
        self.task = task
        binary = BinaryOutcomes(binCount: scoreBinCount)
    }

    mutating func absorb(
        _ outcome: Outcome, edges: BinEdges, positiveLabel: String?, adding: Bool
    ) {
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
            // A score of several classes belongs to the predicted one: it has no positive class.
            let score = task == .binary ? outcome.score : nil
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

    mutating func merge(_ other: Self) {
        switch (self, other) {
        case (.numeric(var own), .numeric(let others)):
            own.merge(others)
            self = .numeric(own)
        case (.categorical(var own), .categorical(let others)):
            own.merge(others)
            self = .categorical(own)
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

    init(for reference: ModelReference, task: TaskKind?) {
        features = reference.features.map { feature in
            switch feature.content {
            case .numeric(let numeric): .numeric(numeric.emptyProfile())
            case .categorical(let categorical): .categorical(categorical.emptyProfile())
            }
        }
        prediction = reference.prediction.emptyProfile()
        outcomes = OutcomeProfile(
            task: task, scoreBinCount: reference.prediction.scoreEdges.binCount)
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
