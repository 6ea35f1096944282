import MonitoringTestSupport
import StreamingStatistics
import Testing

private struct DiscoveryVector: Decodable {
    let name: String
    let p: [Double?]
    let alpha: Double
    let adjusted: [Double?]
    let rejected: [Bool?]
}

/// The p-values of the package onlineFDR's examples.
private let pValues = [
    2.90e-8, 0.06743, 0.01514, 0.08174, 0.00171, 3.60e-5, 0.79149, 0.27201, 0.28295, 7.59e-8,
    0.69274, 0.30443, 0.00136, 0.72342, 0.54757,
]

@Suite struct FalseDiscoveryRateTests {
    @Test(.enabled(if: Vectors.areThere, "the vectors are not beside the repository"))
    func `adjusted p-values and rejections are the library's`() throws {
        for vector in try Vectors.read("fdr", as: [DiscoveryVector].self) {
            let found = benjaminiHochberg(vector.p, alpha: vector.alpha)

            #expect(found.map { $0?.isRejected } == vector.rejected, "\(vector.name)")
            for (one, expected) in zip(found, vector.adjusted) {
                #expect(isClose(one?.adjusted, expected), "\(vector.name)")
            }
        }
    }

    @Test func `of fifteen p-values Benjamini and Hochberg reject six, the careful form fewer`() {
        let usual = benjaminiHochberg(pValues, alpha: 0.05)
        let careful = benjaminiYekutieli(pValues, alpha: 0.05)

        #expect(usual.count { $0?.isRejected == true } == 6)
        #expect(careful.count { $0?.isRejected == true } == 5)
        for (one, other) in zip(usual, careful) {
            #expect((one?.adjusted ?? 1) <= (other?.adjusted ?? 0))
        }
    }

    @Test func `of eight e-values the four largest are rejected`() {
        let values: [Double?] = [1, 3, 250, 40, 0.2, 90, 900, 5]

        #expect(eBenjaminiHochberg(values, alpha: 0.1) == [2, 3, 5, 6])
        #expect(eBenjaminiHochberg(values + [nil], alpha: 0.1) == [2, 3, 5, 6])
        #expect(eBenjaminiHochberg([], alpha: 0.1) == [])
        #expect(eBenjaminiHochberg([.infinity, 0], alpha: 0.1) == [0])
    }

    /// A rejection needs at least K/α in sum, which is why e-BH on detectors keeps an alert budget.
    @Test(arguments: UInt64(0)..<64)
    func `each rejected one has K by alpha R, so their sum has K by alpha`(seed: UInt64) {
        var random = SeededGenerator(seed: seed)
        let values = (0..<30).map { _ in 1 / Double.random(in: 0.0005...1, using: &random) }
        let rejected = eBenjaminiHochberg(values, alpha: 0.1)
        let sum = rejected.reduce(0) { $0 + values[$1] }

        #expect(rejected.allSatisfy { values[$0] >= 300 / Double(rejected.count) - 1e-9 })
        #expect(rejected.isEmpty || sum >= 300 - 1e-9)
    }
}

@Suite struct FalseDiscoveryGuaranteeTests {
    private let runCount = 10_000
    private let alpha = 0.1
    /// Three standard errors of a share of that size.
    private var slack: Double { 3 * (alpha * (1 - alpha) / Double(runCount)).squareRoot() }

    @Test func `of independent nulls Benjamini and Hochberg reject any as seldom as promised`() {
        var random = SeededGenerator(seed: 51)
        var found = 0
        for _ in 0..<runCount {
            let values = (0..<5).map { _ -> Double? in Double.random(in: 0...1, using: &random) }
            let decisions = benjaminiHochberg(values, alpha: alpha)
            if decisions.contains(where: { $0?.isRejected == true }) { found += 1 }
        }

        #expect(Double(found) / Double(runCount) <= alpha + slack)
        // With nulls only the rate is exactly alpha: far below would be a fault too.
        #expect(Double(found) / Double(runCount) >= alpha - slack)
    }

    /// The null values share one random number: as dependent as can be.
    @Test func `of dependent e-values few false ones are named, all true ones`() {
        var random = SeededGenerator(seed: 52)
        var (falseShare, missed) = (0.0, 0)
        for _ in 0..<runCount {
            let shared = 0.5 / Double.random(in: 0.000_001...1, using: &random).squareRoot()
            let values: [Double?] = [shared, shared, shared, 500, 500, 500]
            let named = eBenjaminiHochberg(values, alpha: alpha)
            let falsely = named.count { $0 < 3 }
            falseShare += Double(falsely) / Double(max(1, named.count))
            if named.count - falsely < 3 { missed += 1 }
        }

        #expect(falseShare / Double(runCount) <= alpha / 2 + slack)
        #expect(missed == 0)
    }
}

@Suite struct OnlineFalseDiscoveryTests {
    private func rejections(_ decisions: [OnlineDecision]) -> [Int] {
        decisions.indices.filter { decisions[$0].isRejected }.map { $0 + 1 }
    }

    @Test func `LORD++ rejects 1, 6 and 10 at the formula's levels`() {
        var procedure = LORD(alpha: 0.05)
        let decisions = pValues.map { procedure.decide($0) }
        let levels = [
            0.00026758, 0.00246645, 0.00057328, 0.00048728, 0.00040591, 0.00034473, 0.0029745,
        ]

        #expect(rejections(decisions) == [1, 6, 10])
        for (found, expected) in zip(decisions, levels) {
            #expect(abs(found.level - expected) < 1e-8)
        }
    }

    @Test func `SAFFRON rejects 1, 5, 6, 10 and 13 at the formula's levels`() {
        var procedure = SAFFRON(alpha: 0.05)
        let decisions = pValues.map { procedure.decide($0) }
        let levels = [
            0.00546863, 0.01093725, 0.01093725, 0.01093725, 0.01093725, 0.02187451, 0.03281176,
            0.01082385,
        ]

        #expect(rejections(decisions) == [1, 5, 6, 10, 13])
        for (found, expected) in zip(decisions, levels) {
            #expect(abs(found.level - expected) < 1e-8)
        }
    }

    @Test func `the discounts sum to 1 at most`() {
        let lord = (1...20_000).reduce(0) { $0 + DiscountSequence.lord($1) }
        let saffron = (1...20_000).reduce(0) { $0 + DiscountSequence.saffron($1) }

        #expect(lord < 1 && lord > 0.3)
        #expect(saffron < 1 && saffron > 0.99)
    }

    @Test func `e-LOND's level rises with rejections`() {
        var procedure = ELOND(alpha: 0.05)
        let first = procedure.decide(1e9)
        let second = procedure.decide(1)
        let third = procedure.decide(1e9)

        #expect(first.level == 0.05 * DiscountSequence.lord(1))
        #expect(first.isRejected && !second.isRejected && third.isRejected)
        #expect(second.level == 2 * 0.05 * DiscountSequence.lord(2))
        #expect(third.level == 2 * 0.05 * DiscountSequence.lord(3))
    }

    @Test func `a batch's level is the formula's`() {
        var procedure = BatchBH(alpha: 0.05)
        let first = procedure.decide([1e-6, 0.5, 0.9])
        let gamma = (1...3).map { DiscountSequence.lord($0) }

        #expect(abs(first.level - 0.05 * gamma[0]) < 1e-15)
        #expect(first.isRejected == [true, false, false])
        // One rejection is had already; another p-value of 0 would make two.
        #expect(procedure.batches[0].rejectionCount == 1)
        #expect(procedure.batches[0].rejectionCountMax == 2)

        let second = procedure.decide([0.7, 0.8])
        let wealth = 0.05 * (gamma[0] + gamma[1]) - first.level * 2 / 2
        #expect(abs(second.level - wealth * 3 / 2) < 1e-15)
        #expect(second.isRejected == [false, false])

        #expect(procedure.decide([]).level == 0)
        #expect(procedure.batches.count == 3)
    }

    @Test(arguments: UInt64(0)..<16)
    func `the largest number of rejections is the naive one`(seed: UInt64) {
        var random = SeededGenerator(seed: seed)
        var procedure = BatchBH(alpha: 0.3)
        for _ in 0..<5 {
            let batch = (0..<12).map { _ in Double.random(in: 0...0.2, using: &random) }
            let level = procedure.decide(batch).level
            let naive = batch.indices.map { index in
                var changed = batch
                changed[index] = 0
                return benjaminiHochberg(changed, alpha: level)
                    .count { $0?.isRejected == true }
            }
            #expect(procedure.batches.last?.rejectionCountMax == naive.max())
        }
    }
}
