import MonitoringTestSupport
import StreamingStatistics
import Testing

/// This is a named way to draw values.
struct Distribution: CustomTestStringConvertible, Sendable {
    let testDescription: String
    let draw: @Sendable (inout SeededGenerator) -> Double

    func values(_ count: Int, seed: UInt64) -> [Double] {
        var random = SeededGenerator(seed: seed)
        return (0..<count).map { _ in draw(&random) }
    }

    /// Uniform, of many magnitudes, with many equal values, far from 0, extreme.
    static let all = [
        Distribution(testDescription: "uniform") { .random(in: -1...1, using: &$0) },
        Distribution(testDescription: "many magnitudes") {
            let size = Double.random(in: -300...300, using: &$0)
            let scale = Double(sign: .plus, exponent: Int(size), significand: 1)
            return scale * .random(in: -1...1, using: &$0)
        },
        Distribution(testDescription: "mostly zero") {
            Bool.random(using: &$0) ? 0 : .random(in: 0...10, using: &$0)
        },
        Distribution(testDescription: "a hundred integers") {
            Double(Int.random(in: 0..<100, using: &$0))
        },
        Distribution(testDescription: "seven hundred integers") {
            Double(Int.random(in: 0..<700, using: &$0))
        },
        Distribution(testDescription: "epoch seconds") {
            1.7e9 + .random(in: 0..<86_400, using: &$0)
        },
        Distribution(testDescription: "constant") { _ in 7 },
        Distribution(testDescription: "subnormal") {
            Double.leastNonzeroMagnitude * Double(Int.random(in: -50...50, using: &$0))
        },
        Distribution(testDescription: "the whole range of doubles") {
            .greatestFiniteMagnitude * .random(in: -1...1, using: &$0)
        },
    ]
}

/// This is the bin of a value, found by walking the edges.
private func naiveBin(_ value: Double, _ edges: [Double]) -> UInt16 {
    if value.isNaN { return .max }
    var bin = 0
    while bin < edges.count, edges[bin] < value { bin += 1 }
    return UInt16(bin)
}

@Suite struct BinEdgesTests {
    @Test(arguments: Distribution.all)
    func `all ways to find a bin agree with a walk over the edges`(distribution: Distribution) {
        let reference = distribution.values(3_000, seed: 1)
        let edges = BinEdges(reference: reference)
        var probes = distribution.values(500, seed: 2)
        // Blocks with more values outside the core than inside, then with few.
        probes += probes.map { $0 * 3 + 10 } + distribution.values(500, seed: 3)
        for index in stride(from: 0, to: edges.edges.count, by: 5) {
            let edge = edges.edges[index]
            probes += [edge.nextDown, edge, edge.nextUp]
        }
        probes += [.nan, .infinity, -.infinity, 0, -0.0, .greatestFiniteMagnitude, 1]
        let expected = probes.map { naiveBin($0, edges.edges) }
        var random = SeededGenerator(seed: 4)
        let order = Array(probes.indices).shuffled(using: &random)
        var bins: [UInt16] = [1, 2, 3]
        edges.bins(of: probes.span, into: &bins)
        #expect(bins == expected)
        let shuffled = order.map { probes[$0] }
        edges.bins(of: shuffled.span, into: &bins)
        #expect(bins == order.map { expected[$0] })
        // Blocks that are not a multiple of what is searched at once.
        for count in 0..<10 {
            let last = Array(probes.suffix(count))
            edges.bins(of: last.span, into: &bins)
            #expect(bins == Array(expected.suffix(count)))
        }
        let present = probes.indices.filter { !probes[$0].isNaN }
        #expect(present.allSatisfy { edges.bin(of: probes[$0]) == Int(expected[$0]) })
    }

    @Test(arguments: Distribution.all, [64, 200, 1_024])
    func `edges increase, are finite, few enough, and make the same bins when decoded`(
        distribution: Distribution, binCountMax: Int
    ) throws {
        let values = distribution.values(2_000, seed: 5)
        let edges = BinEdges(reference: values, binCountMax: binCountMax)
        #expect(edges.binCount <= binCountMax)
        #expect(edges == BinEdges(reference: values.reversed(), binCountMax: binCountMax))
        let decoded = try #require(BinEdges(edges: edges.edges, decileEdges: edges.decileEdges))
        #expect(decoded == edges)
        #expect(decoded.decileOfBin == edges.decileOfBin)
        #expect(decoded.isAtom == edges.isAtom)
        let highest = edges.edges + [.infinity]
        let deciles = highest.map { value in UInt8(edges.decileEdges.count { $0 < value }) }
        #expect(edges.decileOfBin == deciles)
    }

    @Test(arguments: Distribution.all)
    func `no bin but an atom holds more than a 200th of a reference`(distribution: Distribution) {
        let values = distribution.values(20_000, seed: 6)
        let edges = BinEdges(reference: values)
        var counts = BinCounts(binCount: edges.binCount)
        var bins: [UInt16] = []
        edges.bins(of: values.span, into: &bins)
        counts.add(bins: bins.span)
        counts.forEachNonZero { bin, count in
            if !edges.isAtom[bin] { #expect(count <= 100, "bin \(bin)") }
        }
    }

    @Test func `values of equal weight that are too many for atoms have bins of few values`() {
        let values = (0..<3_500).map { Double($0 % 700) }
        let edges = BinEdges(reference: values)
        var counts = BinCounts(binCount: edges.binCount)
        for value in values { counts.add(edges.bin(of: value)) }
        #expect(counts.dense().max() == 5)
    }

    @Test func `a constant has a bin of its own, so moves either way are seen`() {
        for constant in [7, 0, -0.0, -1e300, .leastNonzeroMagnitude] {
            let edges = BinEdges(reference: [Double](repeating: constant, count: 50))
            let bin = edges.bin(of: constant)
            #expect(edges.isAtom[bin])
            #expect(edges.bin(of: constant.nextDown) == bin - 1)
            #expect(edges.bin(of: constant.nextUp) == bin + 1)
        }
    }

    @Test func `a repeated value has a bin of its own among others`() {
        var random = SeededGenerator(seed: 7)
        let values = (0..<5_000).map { $0 % 50 == 0 ? 3 : Double.random(in: 0...9, using: &random) }
        let edges = BinEdges(reference: values)
        let bin = edges.bin(of: 3)
        #expect(edges.isAtom[bin])
        #expect(edges.bin(of: 3.0.nextDown) == bin - 1)
    }

    @Test func `without finite values there is one bin`() {
        for values in [[], [.nan], [.infinity, -.infinity, .nan]] as [[Double]] {
            let edges = BinEdges(reference: values)
            #expect(edges.binCount == 1)
            #expect(edges.edges.isEmpty && edges.decileEdges.isEmpty)
            var bins: [UInt16] = []
            edges.bins(of: [1, .nan, -.infinity].span, into: &bins)
            #expect(bins == [0, .max, 0])
        }
    }

    @Test(
        arguments: [
            ([1, 1], []), ([2, 1], []), ([1, .infinity], []), ([.nan], []), ([1, 2], [3]),
            ([1, 2], [2, 1]), ([1, 2], [1, 1]),
            ((0..<10).map(Double.init), (0..<10).map(Double.init)),
            ((0..<65_535).map(Double.init), []),
        ] as [([Double], [Double])])
    func `edges that cannot be are refused`(edges: [Double], deciles: [Double]) {
        #expect(BinEdges(edges: edges, decileEdges: deciles) == nil)
    }

    @Test func `the most edges that can be are searched rightly`() throws {
        let count = 65_534
        let cuts = (0..<count).map { Double($0) * Double($0) }
        let edges = try #require(BinEdges(edges: cuts, decileEdges: []))
        let values = stride(from: 0, to: count, by: 97).flatMap {
            [cuts[$0].nextDown, cuts[$0], cuts[$0].nextUp]
        }
        var bins: [UInt16] = []
        edges.bins(of: values.span, into: &bins)
        #expect(bins.map(Int.init) == values.map { edges.bin(of: $0) })
        #expect(edges.bin(of: .infinity) == count)
    }

    @Test(.enabled(if: Vectors.areThere, "the reference values are not beside the repository"))
    func `deciles are NumPy's`() throws {
        for vector in try Vectors.read("numeric", as: [NumericVector].self)
        where vector.isFiniteReference {
            let edges = BinEdges(reference: vector.referenceValues)
            let expected = Set(vector.referenceEdges).sorted()
            #expect(edges.decileEdges == expected, "\(vector.name)")
        }
    }
}

@Suite struct NarrowedDecilesTests {
    @Test(arguments: UInt64(0)..<8)
    func `deciles of a part of the rows are its quantiles, to the width of a bin`(seed: UInt64) {
        var random = SeededGenerator(seed: seed)
        let whole = (0..<5_000).map { _ in Double.random(in: 0..<100, using: &random) }
        let part = whole.filter { $0 < 3 }.sorted()
        let edges = BinEdges(reference: whole)
        var counts = BinCounts(binCount: edges.binCount)
        for value in part { counts.add(edges.bin(of: value)) }

        let own = edges.withDeciles(of: counts)

        #expect(own.edges == edges.edges)
        #expect(own.decileEdges.count == 9)
        for (index, edge) in own.decileEdges.enumerated() {
            let below = part.count { $0 <= edge }
            #expect(10 * below >= (index + 1) * part.count)
            let before = edges.edges[(edges.edges.firstIndex(of: edge) ?? 1) - 1]
            #expect(10 * part.count { $0 <= before } < (index + 1) * part.count)
        }
        #expect(BinEdges(edges: own.edges, decileEdges: own.decileEdges) == own)
        #expect(
            BinEdges(edges: own.edges, decileEdges: own.decileEdges)?.decileOfBin
                == own.decileOfBin)
        #expect(edges.withDeciles(of: BinCounts(binCount: edges.binCount)) == edges)
    }
}
