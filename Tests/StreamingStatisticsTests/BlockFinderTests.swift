import MonitoringTestSupport
import Testing

@testable import StreamingStatistics

@Suite struct BlockFinderTests {
    /// Edges for which a table compares once, twice, … four times, and none that a table holds.
    private static func edges(comparisons: Int) throws -> BinEdges {
        let cuts: [Double]
        switch comparisons {
        case 0:
            // Each distance is the square of the one before: no centre spreads them.
            cuts = (0..<40).flatMap { place in
                let centre = Double(place * place * place)
                return [centre, centre.nextUp, centre.nextUp.nextUp, centre + 1e-9, centre + 1e-8]
            }
        case 1: cuts = (0..<900).map { Double($0) / 8 }
        default:
            // As many neighbours at each place, so close that their distances from the centre are one.
            cuts = (1..<100).flatMap { place in
                (0..<comparisons).map { Double(place) + 0.3 + Double($0) * 1e-7 }
            }
        }
        return try #require(BinEdges(edges: cuts, decileEdges: []))
    }

    private static func naive(_ values: [Double], _ edges: BinEdges) -> BinCounts {
        var counts = BinCounts(binCount: edges.binCount)
        for value in values where !value.isNaN { counts.add(edges.bin(of: value)) }
        return counts
    }

    private static func values(_ count: Int, _ edges: BinEdges, seed: UInt64) -> [Double] {
        var random = SeededGenerator(seed: seed)
        return (0..<count).map { _ in
            let edge = edges.edges.randomElement(using: &random) ?? 0
            switch Int.random(in: 0..<9, using: &random) {
            case 0: return .nan
            case 1: return -.nan
            case 2: return edge.nextUp
            case 3: return edge.nextDown
            case 4: return [.infinity, -.infinity, 0, -0.0].randomElement(using: &random) ?? 0
            case 5: return Double.random(in: -1e9...1e9, using: &random)
            default: return edge
            }
        }
    }

    @Test(arguments: 0...4)
    func `a table compares as often as edges lie close`(comparisons: Int) throws {
        let table = EdgeTable<Double>(edges: try Self.edges(comparisons: comparisons).edges)
        #expect((table.cells?.fix ?? 0) == comparisons)
    }

    /// Less than a block, whole ones, and one more.
    @Test(arguments: 0...4, [1, 3, 1_023, 1_024, 1_027, 2_048, 3_079])
    func `counts are those of single values, whatever the length`(
        comparisons: Int, count: Int
    ) throws {
        let edges = try Self.edges(comparisons: comparisons)
        let values = Self.values(count, edges, seed: UInt64(count))
        let missing = UInt64(values.count { $0.isNaN })

        var wide = BinCounts(binCount: edges.binCount)
        let missingWide = wide.add(values.span, edges: edges)
        let floats = values.map { Float($0) }
        var narrow = BinCounts(binCount: edges.binCount)
        let missingNarrow = narrow.add(floats.span, edges: NarrowBinEdges(edges))
        var bins: [UInt16] = []
        edges.bins(of: values.span, into: &bins)

        #expect(missingWide == missing && missingNarrow == missing)
        #expect(wide == Self.naive(values, edges))
        #expect(narrow == Self.naive(floats.map { Double($0) }, edges))
        #expect(bins == values.map { $0.isNaN ? .max : UInt16(edges.bin(of: $0)) })
    }

    @Test func `one value may repeat more often than a lane of 16 bits can count`() throws {
        let edges = try Self.edges(comparisons: 1)
        let values = [Float](repeating: 3, count: 270_000)
        var counts = BinCounts(binCount: edges.binCount)
        let missing = counts.add(values.span, edges: NarrowBinEdges(edges))
        #expect(missing == 0)
        #expect(counts[edges.bin(of: 3)] == 270_000 && counts.total == 270_000)
    }
}
