/// This is a monotone calibration: the increasing function of the score that is closest to the outcomes.
///
/// Formula: minimises Σ w (y − f(x))² over increasing f, by pooling adjacent violators after outcomes of equal scores are
/// averaged; between knots f is linear, outside it is flat.
/// Source: R. E. Barlow et al., Statistical Inference under Order Restrictions, Wiley 1972.
public struct IsotonicRegression: Equatable, Sendable {
    /// These are the scores at which the function bends, increasing.
    public let scores: [Double]
    /// [scores.count]: the function there, in 0...1, never decreasing.
    public let values: [Double]

    /// Fits the function; nil without scores.
    ///
    /// - Parameters:
    ///   - scores: Finite scores, in any order.
    ///   - isPositive: [scores.count]: what happened.
    public init?(scores: [Double], isPositive: [Bool]) {
        precondition(
            scores.count == isPositive.count, "\(scores.count) scores, \(isPositive.count) outcomes"
        )
        precondition(scores.allSatisfy { $0.isFinite }, "a score that is not finite")
        guard !scores.isEmpty else { return nil }
        var blocks: [Block] = []
        for (score, isPositive) in zip(scores, isPositive).sorted(by: { $0.0 < $1.0 }) {
            let row = Block(
                first: score, last: score, positiveCount: isPositive ? 1 : 0, count: 1)
            if let last = blocks.last, last.last == score, last.first == score {
                blocks[blocks.count - 1].pool(row)
            } else {
                blocks.append(row)
            }
        }
        var pooled: [Block] = []
        for block in blocks {
            var block = block
            // Equal neighbours are one block too: what lies between its ends would be no bend.
            while let last = pooled.last, !last.isBelow(block) {
                pooled.removeLast()
                block = last.pooling(block)
            }
            pooled.append(block)
        }
        self.scores = pooled.flatMap { $0.first == $0.last ? [$0.first] : [$0.first, $0.last] }
        values = pooled.flatMap {
            $0.first == $0.last ? [$0.mean] : [$0.mean, $0.mean]
        }
    }

    /// This is the calibrated probability of a score, in 0...1.
    public func value(at score: Double) -> Double {
        let place = scores.firstIndex { $0 >= score } ?? scores.count
        guard place < scores.count else { return values[values.count - 1] }
        guard place > 0, scores[place] > score else { return values[place] }
        let share = (score - scores[place - 1]) / (scores[place] - scores[place - 1])
        return values[place - 1] + share * (values[place] - values[place - 1])
    }

    private struct Block {
        var first: Double
        var last: Double
        var positiveCount: Int
        var count: Int

        var mean: Double { Double(positiveCount) / Double(count) }

        /// Exactly: means are compared as fractions.
        func isBelow(_ other: Block) -> Bool {
            positiveCount.multipliedFullWidth(by: other.count)
                < other.positiveCount.multipliedFullWidth(by: count)
        }

        mutating func pool(_ other: Block) {
            last = other.last
            positiveCount += other.positiveCount
            count += other.count
        }

        func pooling(_ other: Block) -> Block {
            var both = self
            both.pool(other)
            return both
        }
    }
}
