import Foundation
import Testing

@testable import leeway

@Suite struct LogisticRegressionTests {
    private let labels = WorldTask.binary(positive: .text("yes"), negative: .text("no"))

    private func event(
        _ numbers: [Double], _ categories: [String?] = [], truth: Double?
    ) -> WorldEvent {
        WorldEvent(
            id: "e", time: 0, numbers: numbers, categories: categories, truth: truth, truthTime: 0)
    }

    @Test func `a linear regression finds the line that made the data`() {
        let rows = (0..<400).map { index -> WorldEvent in
            let value = Double(index) / 7
            return event([value], truth: 3 * value - 20)
        }

        let model = TrainedModel(
            fittedOn: rows, task: .regression, numericCount: 1, categoricalCount: 0)

        for value in [0.5, 20, 50] {
            let predicted = model.prediction(for: event([value], truth: nil)).value
            // The ridge is one row in 400: it shrinks the slope by as much.
            #expect(abs(predicted - (3 * value - 20)) < 0.3, "at \(value): \(predicted)")
        }
    }

    @Test(arguments: UInt64(1)...4)
    func `a logistic regression finds the probabilities that made the data`(seed: UInt64) {
        var random = SeededRandom(seed: seed)
        func probability(_ value: Double, _ category: String) -> Double {
            1 / (1 + exp(-(1.5 * value + (category == "a" ? 1 : -1))))
        }
        let rows = (0..<4_000).map { _ -> WorldEvent in
            let value = random.normal()
            let category = random.uniform() < 0.5 ? "a" : "b"
            let isTrue = random.uniform() < probability(value, category)
            return event([value], [category], truth: isTrue ? 1 : 0)
        }

        let model = TrainedModel(
            fittedOn: rows, task: labels, numericCount: 1, categoricalCount: 1)

        for (value, category) in [(0.0, "a"), (0, "b"), (1, "a"), (-1, "b"), (1, "b")] {
            let predicted = model.prediction(for: event([value], [category], truth: nil)).value
            // Four standard errors of a proportion of 500 rows near the point.
            #expect(abs(predicted - probability(value, category)) < 0.07)
        }
    }

    @Test func `missing, unknown and constant values still get a finite prediction`() {
        let rows = (0..<100).map { index -> WorldEvent in
            let hole: Double = index % 3 == 0 ? .nan : 1.5
            let category: String? = index % 2 == 0 ? "a" : nil
            let numbers = [Double(index % 10) + 0.5, 7, hole]
            return event(numbers, [category], truth: index % 10 < 5 ? 1 : 0)
        }
        let model = TrainedModel(
            fittedOn: rows, task: labels, numericCount: 3, categoricalCount: 1)

        for strange in [
            event([.nan, .nan, .nan], [nil], truth: nil),
            event([1e300, -1e300, 0], ["never seen"], truth: nil),
        ] {
            let predicted = model.prediction(for: strange).value
            #expect(predicted > 0 && predicted < 1)
        }
    }

    @Test func `few whole values are taken as categories`() {
        // Neither growing nor falling with the hour: no line could follow it.
        let rows = (0..<480).map { event([Double($0 % 24)], truth: $0 % 24 % 2 == 0 ? 10 : 0) }

        let model = TrainedModel(
            fittedOn: rows, task: .regression, numericCount: 1, categoricalCount: 0)

        #expect(model.prediction(for: event([4], truth: nil)).value > 9)
        #expect(model.prediction(for: event([5], truth: nil)).value < 1)
    }

    @Test func `several classes get shares that sum to 1, the largest for the true one`() {
        let classes = WorldTask.multiclass([.text("low"), .text("middle"), .text("high")])
        // Two features, because one against the rest is a line: the middle lies beyond none.
        let rows = (0..<600).map { index -> WorldEvent in
            let angle = Double(index % 3) * 2.1
            let (x, y) = (cos(angle) + Double(index % 7) / 20, sin(angle) + Double(index % 5) / 20)
            return event([x + 0.01, y + 0.01], truth: Double(index % 3))
        }

        let model = TrainedModel(
            fittedOn: rows, task: classes, numericCount: 2, categoricalCount: 0)

        for row in rows.prefix(30) {
            let output = model.prediction(for: row)
            #expect(output.value == row.truth)
            #expect(abs(output.shares.reduce(0, +) - 1) < 1e-9)
            #expect(output.shares.max() == output.shares[Int(output.value)])
        }
    }
}
