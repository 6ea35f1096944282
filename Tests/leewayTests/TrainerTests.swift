import Foundation
import Testing

@testable import leeway

@Suite struct TrainerTests {
    private let trainer = Trainer(
        task: .binary(positive: .text("yes"), negative: .text("no")), numericCount: 1,
        categoricalCount: 0)

    /// Outcomes whose label follows the sign of the one feature, reversed from `turn` on.
    private func outcomes(_ count: Int, turningAt turn: Int, seed: UInt64 = 5) -> [WorldEvent] {
        var random = SeededRandom(seed: seed)
        return (0..<count).map { index in
            let value = random.normal()
            let isPositive = (value > 0) == (index < turn)
            return WorldEvent(
                id: "\(index)", time: Int64(index), numbers: [value], categories: [],
                truth: isPositive ? 1 : 0, truthTime: Int64(index))
        }
    }

    @Test func `after an abrupt change only the newest part is used`() throws {
        let trained = try #require(trainer.train(on: outcomes(8_000, turningAt: 7_000)))

        #expect(trained.usedCount <= 1_000)
        #expect(trained.performance > 0.95)
    }

    @Test func `without a change the whole window may be used, and the acceptance rows cover it`()
        throws
    {
        let trained = try #require(trainer.train(on: outcomes(2_000, turningAt: 2_000)))

        #expect(trained.outcomeCount == 2_000)
        #expect(trained.acceptance.count == trained.usedCount)
        #expect(trained.performance > 0.95)
    }

    @Test func `too few outcomes train nothing`() {
        #expect(trainer.train(on: outcomes(199, turningAt: 199)) == nil)
    }
}
