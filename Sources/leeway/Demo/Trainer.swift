import Foundation

/// This is a model version that a trainer hands over, with the rows that it is accepted on.
struct TrainedVersion: Sendable {
    var model: TrainedModel
    /// Each row with a prediction of a model that did not see it.
    var acceptance: [(event: WorldEvent, prediction: ModelOutput)]
    /// How many outcomes the training window held, and how many of the newest were used.
    var outcomeCount: Int
    var usedCount: Int
    /// Accuracy or mean absolute error on the acceptance rows.
    var performance: Double
}

/// This is the team's training pipeline: it fits the same kind of model again, on as much of the past as
/// still predicts the present.
struct Trainer: Sendable {
    var task: WorldTask
    var numericCount: Int
    var categoricalCount: Int

    /// With fewer outcomes nothing is trained.
    static let outcomeCountMin = 200
    /// A part of the window is tried when it holds so many rows besides the newest, held-out ones.
    private static let partCountMin = 150
    /// The parts of the training window that are tried, newest rows first.
    private static let partDivisors = [1, 2, 4, 8, 16]
    private static let foldCount = 5

    /// Nil when there are too few outcomes.
    ///
    /// The newest twentieth is held out; the part of the window whose model predicts it best wins, and
    /// is fitted again with it. Acceptance rows are predicted by cross-validation over time blocks.
    func train(on outcomes: [WorldEvent]) -> TrainedVersion? {
        guard outcomes.count >= Self.outcomeCountMin else { return nil }
        let heldOutCount = min(outcomes.count / 4, max(100, outcomes.count / 20))
        let heldOut = outcomes.suffix(heldOutCount)
        let candidates = Self.partDivisors.map { outcomes.count / $0 }
            .filter { $0 - heldOutCount >= Self.partCountMin }
        var best: (count: Int, loss: Double)?
        for count in candidates {
            let model = fit(Array(outcomes.suffix(count).dropLast(heldOutCount)))
            let loss = heldOut.reduce(0.0) { sum, event in
                sum + self.loss(of: model.prediction(for: event), for: event)
            }
            if best.map({ loss < $0.loss }) ?? true { best = (count, loss) }
        }
        let chosen = Array(outcomes.suffix(best?.count ?? outcomes.count))
        let acceptance = crossPredictions(of: chosen)
        return TrainedVersion(
            model: fit(chosen), acceptance: acceptance, outcomeCount: outcomes.count,
            usedCount: chosen.count, performance: performance(of: acceptance))
    }

    func fit(_ rows: [WorldEvent]) -> TrainedModel {
        TrainedModel(
            fittedOn: rows, task: task, numericCount: numericCount,
            categoricalCount: categoricalCount)
    }

    /// This is the accuracy, or the mean absolute error, of predictions whose truth is known.
    func performance(of rows: [(event: WorldEvent, prediction: ModelOutput)]) -> Double {
        var sum = 0.0
        var count = 0.0
        for row in rows {
            guard let truth = row.event.truth else { continue }
            sum += score(of: row.prediction, truth: truth)
            count += 1
        }
        return count == 0 ? .nan : sum / count
    }

    /// This is 1 for a right and 0 for a wrong label, or the absolute error.
    func score(of prediction: ModelOutput, truth: Double) -> Double {
        switch task {
        case .binary: (prediction.value >= 0.5) == (truth >= 0.5) ? 1 : 0
        case .multiclass: prediction.value == truth ? 1 : 0
        case .regression: abs(prediction.value - truth)
        }
    }

    private func loss(of prediction: ModelOutput, for event: WorldEvent) -> Double {
        guard let truth = event.truth else { return 0 }
        switch task {
        case .binary:
            let probability = min(1 - 1e-6, max(1e-6, prediction.value))
            return -log(truth >= 0.5 ? probability : 1 - probability)
        case .multiclass: return -log(max(1e-6, prediction.shares[Int(truth)]))
        case .regression: return abs(prediction.value - truth)
        }
    }

    private func crossPredictions(
        of rows: [WorldEvent]
    ) -> [(event: WorldEvent, prediction: ModelOutput)] {
        var predicted: [(event: WorldEvent, prediction: ModelOutput)] = []
        for fold in 0..<Self.foldCount {
            let lower = rows.count * fold / Self.foldCount
            let upper = rows.count * (fold + 1) / Self.foldCount
            let model = fit(Array(rows[..<lower] + rows[upper...]))
            predicted += rows[lower..<upper].map { ($0, model.prediction(for: $0)) }
        }
        return predicted
    }
}
