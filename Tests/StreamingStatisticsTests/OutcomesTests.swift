import MonitoringTestSupport
import StreamingStatistics
import Testing

private struct Scored {
    let score: Double?
    let isPositive: Bool
    let isCorrect: Bool

    static func random(_ random: inout SeededGenerator) -> Scored {
        // Halves and quarters: the squared errors are exact.
        Scored(
            score: [nil, 0.25, 0.5, 0.75].randomElement(using: &random) ?? nil,
            isPositive: .random(using: &random), isCorrect: .random(using: &random))
    }
}

private let scoreEdges = BinEdges(reference: (0..<1_000).map { Double($0) / 1_000 })

extension BinaryOutcomes {
    fileprivate mutating func add(_ row: Scored) {
        add(
            score: row.score, scoreBin: row.score.map { scoreEdges.bin(of: $0) } ?? 0,
            isPositive: row.isPositive, isCorrect: row.isCorrect)
    }

    fileprivate mutating func remove(_ row: Scored) {
        remove(
            score: row.score, scoreBin: row.score.map { scoreEdges.bin(of: $0) } ?? 0,
            isPositive: row.isPositive, isCorrect: row.isCorrect)
    }
}

private struct BinaryVector: Decodable {
    struct Expected: Decodable {
        let n: UInt64
        let accuracy: Double?
        let rocAuc: Double?
        let logLoss: Double?
        let brier: Double?
    }

    let name: String
    let label: [Int]
    let predicted: [Int]
    let score: [Double]
    let expected: Expected
}

private struct RegressionVector: Decodable {
    struct Expected: Decodable {
        let n: UInt64
        let mae: Double?
        let mse: Double?
        let bias: Double?
    }

    let name: String
    let label: [Double]
    let predicted: [Double]
    let expected: Expected
}

@Suite struct OutcomesTests {
    @Test(arguments: UInt64(0)..<8)
    func `outcomes removed were never there`(seed: UInt64) {
        var random = SeededGenerator(seed: seed)
        let rows = (0..<100).map { _ in Scored.random(&random) }
        var kept = BinaryOutcomes(binCount: scoreEdges.binCount)
        for row in rows[..<40] { kept.add(row) }
        var found = kept
        for row in rows[40...] { found.add(row) }
        for row in rows[40...].shuffled(using: &random) { found.remove(row) }
        #expect(found.count == kept.count && found.correct == kept.correct)
        #expect(found.positives == kept.positives && found.negatives == kept.negatives)
        #expect(found.brierSum == kept.brierSum)
        #expect(isClose(found.logLossSum.value, kept.logLossSum.value, 1e-15))
    }

    @Test(arguments: UInt64(0)..<8)
    func `the merge laws hold`(seed: UInt64) {
        var random = SeededGenerator(seed: seed)
        let rows = (0..<100).map { _ in Scored.random(&random) }
        // Without scores of which the logarithms would be rounded.
        checkMergeLaws(
            BinaryOutcomes(binCount: scoreEdges.binCount), rows, cuts: randomCuts(100, &random)
        ) {
            $0.add(
                score: nil, scoreBin: 0, isPositive: $1.isPositive, isCorrect: $1.isCorrect)
        }
        let pairs = (0..<100).map { _ in Int.random(in: -80...80, using: &random) }
        checkMergeLaws(RegressionOutcomes(), pairs, cuts: randomCuts(100, &random)) {
            $0.add(prediction: Double($1) / 4, truth: 1)
        }
    }

    @Test(arguments: UInt64(0)..<8)
    func `merged parts hold what the whole holds`(seed: UInt64) {
        var random = SeededGenerator(seed: seed)
        let rows = (0..<100).map { _ in Scored.random(&random) }
        let empty = BinaryOutcomes(binCount: scoreEdges.binCount)
        var (whole, left, right) = (empty, empty, empty)
        for (index, row) in rows.enumerated() {
            whole.add(row)
            if index < 30 { left.add(row) } else { right.add(row) }
        }
        left.merge(right)
        #expect(left.positives == whole.positives && left.negatives == whole.negatives)
        #expect(left.scored == whole.scored && left.count == whole.count)
        #expect(isClose(left.logLossSum.value, whole.logLossSum.value, 1e-15))
    }

    @Test func `stored outcomes are refused when they contradict themselves`() {
        var two = BinCounts(binCount: 3)
        two.add(0, count: 2)
        var huge = BinCounts(binCount: 3)
        huge.add(0, count: .max)
        let none = BinCounts(binCount: 3)
        func stored(_ count: UInt64, _ correct: UInt64, _ a: BinCounts, _ b: BinCounts) -> Bool {
            BinaryOutcomes(
                count: count, correct: correct, logLossSum: CompensatedSum(),
                brierSum: CompensatedSum(), positives: a, negatives: b) != nil
        }
        #expect(stored(2, 2, two, none))
        #expect(!stored(1, 0, two, none))
        #expect(!stored(1, 2, none, none))
        #expect(!stored(5, 0, two, huge))
        #expect(!stored(5, 0, two, BinCounts(binCount: 4)))
    }

    @Test(.enabled(if: Vectors.areThere, "the reference values are not beside the repository"))
    func `binary metrics are the libraries'`() throws {
        for vector in try Vectors.read("binary", as: [BinaryVector].self) {
            let edges = BinEdges(reference: vector.score)
            var found = BinaryOutcomes(binCount: edges.binCount)
            for index in vector.label.indices {
                found.add(
                    score: vector.score[index], scoreBin: edges.bin(of: vector.score[index]),
                    isPositive: vector.label[index] == 1,
                    isCorrect: vector.label[index] == vector.predicted[index])
            }
            let expected = vector.expected
            #expect(found.count == expected.n && found.scored == expected.n, "\(vector.name)")
            let n = found.count == 0 ? Double?.none : Double(found.count)
            #expect(isClose(n.map { Double(found.correct) / $0 }, expected.accuracy))
            #expect(isClose(n.map { found.logLossSum.value / $0 }, expected.logLoss))
            #expect(isClose(n.map { found.brierSum.value / $0 }, expected.brier))
            // Each score has an edge of its own, so only equal scores share a bin.
            let area = binnedAUC(positives: found.positives, negatives: found.negatives)
            #expect(isClose(area?.value, expected.rocAuc), "\(vector.name)")
        }
    }

    @Test(.enabled(if: Vectors.areThere, "the reference values are not beside the repository"))
    func `regression metrics are the libraries'`() throws {
        for vector in try Vectors.read("regression", as: [RegressionVector].self) {
            var found = RegressionOutcomes()
            for (prediction, truth) in zip(vector.predicted, vector.label) {
                found.add(prediction: prediction, truth: truth)
            }
            let expected = vector.expected
            #expect(found.count == expected.n, "\(vector.name)")
            let n = found.count == 0 ? Double?.none : Double(found.count)
            #expect(isClose(n.map { found.absoluteSum.value / $0 }, expected.mae))
            #expect(isClose(n.map { found.squaredSum.value / $0 }, expected.mse))
            #expect(isClose(n.map { found.signedSum.value / $0 }, expected.bias))
            for (prediction, truth) in zip(vector.predicted, vector.label) {
                found.remove(prediction: prediction, truth: truth)
            }
            #expect(found == RegressionOutcomes(), "\(vector.name)")
        }
    }
}
