import Glibc
import MonitoringTestSupport
import StreamingStatistics
import Testing

private typealias BinDistance = @Sendable ([UInt64], [UInt64]) throws -> StatisticValue

@Suite struct BinDistancesTests {
    private static let all: [(name: String, find: BinDistance)] = [
        ("jensen_shannon", { try jensenShannon(window: $0, reference: $1) }),
        ("hellinger", { try hellinger(window: $0, reference: $1) }),
        ("total_variation", { try totalVariation(window: $0, reference: $1) }),
        ("kl", { try kullbackLeibler(window: $0, reference: $1) }),
        ("chi_square", { try chiSquareHomogeneity(window: $0, reference: $1) }),
    ]

    @Test func `worked examples`() throws {
        let (window, reference): ([UInt64], [UInt64]) = ([1, 3], [3, 1])
        #expect(try totalVariation(window: window, reference: reference).value == 0.5)
        let overlap = 3.0.squareRoot() / 2
        #expect(
            isClose(
                try hellinger(window: window, reference: reference).value,
                (1 - overlap).squareRoot(), 1e-14))
        // a = ½ in both bins: √(1 − entropy of ¼).
        let entropy = 0.25 * 2 + 0.75 * log2(4.0 / 3)
        #expect(
            isClose(
                try jensenShannon(window: window, reference: reference).value,
                (1 - entropy).squareRoot(), 1e-14))
        // With ½ added: (1.5, 3.5) / 5 against (3.5, 1.5) / 5.
        #expect(
            isClose(
                try kullbackLeibler(window: window, reference: reference).value,
                0.4 * log(3.5 / 1.5), 1e-14))
        let test = try chiSquareHomogeneity(window: window, reference: reference)
        #expect(test.value == 2 && test.degreesOfFreedom == 1)
    }

    @Test(arguments: all.map(\.name), UInt64(0)..<8)
    func `coarser bins never raise a distance, and order does not matter`(
        name: String, seed: UInt64
    ) throws {
        let find = try #require(Self.all.first { $0.name == name }).find
        var random = SeededGenerator(seed: seed)
        func counts() -> [UInt64] { (0..<12).map { _ in .random(in: 1...40, using: &random) } }
        let (window, reference) = (counts(), counts())
        func merged(_ counts: [UInt64]) -> [UInt64] {
            stride(from: 0, to: 12, by: 3).map { counts[$0] + counts[$0 + 1] + counts[$0 + 2] }
        }
        let fine = try find(window, reference)
        // Half a count per bin is less smoothing in fewer bins, so the divergence is only nearly lower.
        let slack = name == "kl" ? 1.05 : 1 + 1e-12
        #expect(try find(merged(window), merged(reference)).value <= fine.value * slack)
        #expect(isClose(try find(window.reversed(), reference.reversed()).value, fine.value, 1e-12))
        #expect(fine.lower <= fine.value && fine.value <= fine.upper)
        let same = try find(window, window)
        #expect(isClose(same.value, 0, 1e-7) && isClose(same.pValue ?? 1, 1, 1e-9))
    }

    @Test(arguments: all.map(\.name))
    func `an empty side has its reason, and one bin is no distance`(name: String) throws {
        let find = try #require(Self.all.first { $0.name == name }).find
        #expect(throws: UndefinedStatistic.windowEmpty) { try find([0, 0], [1, 2]) }
        #expect(throws: UndefinedStatistic.referenceEmpty) { try find([1, 2], [0, 0]) }
        #expect(throws: UndefinedStatistic.windowEmpty) { try find([], []) }
        guard name != "chi_square" else {
            #expect(throws: UndefinedStatistic.oneBin) { try find([0, 7], [0, 9]) }
            return
        }
        let one = try find([0, 7], [0, 9])
        #expect(one.value == 0 && one.lower == 0)
    }

    /// The 5 % test of two samples of one distribution fires in about one of twenty.
    @Test(arguments: ["jensen_shannon", "hellinger", "kl", "chi_square"])
    func `the null distribution is kept`(name: String) throws {
        let find = try #require(Self.all.first { $0.name == name }).find
        var random = SeededGenerator(seed: 11)
        let rounds = 400
        var fired = 0
        for _ in 0..<rounds {
            func sample(_ count: Int) -> [UInt64] {
                var counts = [UInt64](repeating: 0, count: 6)
                for _ in 0..<count {
                    // Triangular, so that bins differ in weight.
                    let one = Int.random(in: 0..<6, using: &random)
                    counts[max(one, Int.random(in: 0..<6, using: &random))] += 1
                }
                return counts
            }
            if (try find(sample(300), sample(500)).pValue ?? 1) < 0.05 { fired += 1 }
        }
        // Four standard errors around 5 %, and a lower floor for the smoothed one.
        #expect((5...38).contains(fired), "\(fired) of \(rounds)")
    }

    @Test(.enabled(if: Vectors.areThere, "the reference values are not beside the repository"))
    func `numeric values are the libraries'`() throws {
        for vector in try Vectors.read("numeric", as: [NumericVector].self)
        where vector.isFiniteReference && vector.expected.js != nil {
            let edges = BinEdges(reference: vector.referenceValues)
            let window = vector.profile(vector.windowValues, edges).decileCounts(edges)
            let reference = vector.profile(vector.referenceValues, edges).decileCounts(edges)
            let expected = vector.expected
            let found = (
                try jensenShannon(window: window, reference: reference).value,
                try hellinger(window: window, reference: reference).value,
                try totalVariation(window: window, reference: reference).value
            )
            #expect(isClose(found.0, expected.js), "\(vector.name)")
            #expect(isClose(found.1, expected.hellinger), "\(vector.name)")
            #expect(isClose(found.2, expected.tv), "\(vector.name)")
        }
    }
}
