import Glibc
import MonitoringTestSupport
import Testing

@testable import StreamingStatistics

@Suite struct ShareRegionTests {
    private typealias Distance = @Sendable ([UInt64], [UInt64]) throws -> StatisticValue

    private static let all: [(name: String, find: Distance)] = [
        ("jensen_shannon", { try jensenShannon(window: $0, reference: $1) }),
        ("hellinger", { try hellinger(window: $0, reference: $1) }),
        ("total_variation", { try totalVariation(window: $0, reference: $1) }),
        ("kl", { try kullbackLeibler(window: $0, reference: $1) }),
    ]

    /// The same distances of shares, written down again.
    private static func exact(_ name: String, _ p: [Double], _ reference: [UInt64]) -> Double {
        let m = reference.reduce(0.0) { $0 + Double($1) }
        let added = name == "kl" ? 0.5 : 0
        let q = reference.map { (Double($0) + added) / (m + added * Double(reference.count)) }
        func entropy(_ x: [Double]) -> Double {
            -x.reduce(0) { $0 + ($1 > 0 ? $1 * log2($1) : 0) }
        }
        switch name {
        case "total_variation": return zip(p, q).reduce(0) { $0 + max(0, $1.0 - $1.1) }
        case "hellinger":
            return (1 - zip(p, q).reduce(0) { $0 + ($1.0 * $1.1).squareRoot() }).squareRoot()
        case "jensen_shannon":
            let middle = zip(p, q).map { ($0 + $1) / 2 }
            return max(0, entropy(middle) - (entropy(p) + entropy(q)) / 2).squareRoot()
        default: return zip(p, q).reduce(0) { $0 + ($1.0 > 0 ? $1.0 * log($1.0 / $1.1) : 0) }
        }
    }

    private static func draw(
        _ count: Int, _ shares: [Double], _ random: inout SeededGenerator
    ) -> [UInt64] {
        var counts = [UInt64](repeating: 0, count: shares.count)
        for _ in 0..<count {
            var left = Double.random(in: 0..<1, using: &random)
            var bin = 0
            while bin < shares.count - 1, left >= shares[bin] {
                left -= shares[bin]
                bin += 1
            }
            counts[bin] += 1
        }
        return counts
    }

    /// Even bins, one of almost all the weight, and ones that the reference never saw.
    private static let worlds: [(shares: [Double], reference: [UInt64])] = [
        ([0.1, 0.1, 0.1, 0.1, 0.1, 0.1, 0.1, 0.1, 0.2], [10, 10, 10, 10, 10, 10, 10, 10, 20]),
        ([0.97, 0.01, 0.01, 0.01], [400, 300, 200, 100]),
        ([0.4, 0.1, 0.1, 0.4], [50, 50, 0, 0]),
    ]

    @Test(arguments: all.map(\.name), 0..<3)
    func `the interval holds what the rows are drawn from at every number of rows`(
        name: String, world: Int
    ) throws {
        let find = try #require(Self.all.first { $0.name == name }).find
        let (shares, reference) = Self.worlds[world]
        let truth = Self.exact(name, shares, reference)
        var random = SeededGenerator(seed: UInt64(world))
        for count in [1, 20, 200] {
            let rounds = 40
            var held = 0
            for _ in 0..<rounds {
                let found = try find(Self.draw(count, shares, &random), reference)
                #expect(found.lower <= found.value && found.value <= found.upper)
                #expect(found.lower >= 0 && found.upper.isFinite && found.method == .concentration)
                if found.lower - 1e-12 <= truth, truth <= found.upper + 1e-12 { held += 1 }
            }
            // 95 % less three standard errors of a share among so many rounds.
            #expect(held >= 34, "\(held) of \(rounds) at \(count) rows")
        }
    }

    /// An interval that held everything would be proven, and useless.
    @Test(arguments: all.map(\.name))
    func `the interval shrinks with the root of the rows and leaves 0 when shares differ`(
        name: String
    ) throws {
        let find = try #require(Self.all.first { $0.name == name }).find
        let window: [UInt64] = [600, 200, 100, 100]
        let reference: [UInt64] = [1_000, 2_000, 3_000, 4_000]
        let few = try find(window, reference)
        let many = try find(window.map { $0 * 100 }, reference)
        #expect(few.lower > 0 && few.lower < few.value)
        let ratio = (few.upper - few.lower) / (many.upper - many.lower)
        #expect((7...13).contains(ratio), "\(ratio)")
    }

    @Test func `the radius is the root of its equation`() {
        for (rows, bins) in [(1.0, 2), (1_000, 11), (1e6, 1_000)] {
            let region = ShareRegion(rowCount: rows, binCount: bins)
            let x = region.divergence * rows / Double(bins - 1)
            #expect(x > 1)
            #expect(isClose(Double(bins - 1) * (x - 1 - log(x)), log(20), 1e-6))
        }
        #expect(ShareRegion(rowCount: 5, binCount: 1).divergence == 0)
    }

    /// The Chernoff bound of one bin, and both ends at certain shares.
    @Test func `bounds of a bin are those where the divergence is the radius`() {
        let region = ShareRegion(rowCount: 100, binCount: 2)
        let none = region.bounds(of: 0)
        #expect(none.lower == 0 && isClose(none.upper, 1 - exp(-region.divergence), 1e-9))
        let all = region.bounds(of: 1)
        #expect(all.upper == 1 && isClose(all.lower, exp(-region.divergence), 1e-9))
        let some = region.bounds(of: 0.3)
        for end in [some.lower, some.upper] {
            let found = 0.3 * log(0.3 / end) + 0.7 * log(0.7 / (1 - end))
            #expect(isClose(found, region.divergence, 1e-6))
        }
    }

    @Test(arguments: UInt64(0)..<8)
    func `all shares in the region diverge within the bounds`(seed: UInt64) {
        var random = SeededGenerator(seed: seed)
        let bins = Int.random(in: 2...6, using: &random)
        func shares() -> [Double] {
            let weights = (0..<bins).map { _ in Double.random(in: 0.01...1, using: &random) }
            let sum = weights.reduce(0, +)
            return weights.map { $0 / sum }
        }
        let (own, reference) = (shares(), shares())
        let region = ShareRegion(rowCount: 40, binCount: bins)
        let ends = region.divergences(of: own, near: shares(), from: reference)
        func divergence(_ p: [Double], _ q: [Double]) -> Double {
            zip(p, q).reduce(0) { $0 + $1.0 * log($1.0 / $1.1) }
        }
        var seen = 0
        for _ in 0..<300 {
            let (other, weight) = (shares(), Double.random(in: 0...1, using: &random))
            let p = zip(own, other).map { $0 * (1 - weight) + $1 * weight }
            guard divergence(own, p) <= region.divergence else { continue }
            seen += 1
            let found = divergence(p, reference)
            #expect(ends.lower - 1e-12 <= found && found <= ends.upper + 1e-12)
        }
        #expect(seen > 50)
    }
}
