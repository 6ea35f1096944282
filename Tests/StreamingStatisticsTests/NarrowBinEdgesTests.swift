import MonitoringTestSupport
import StreamingStatistics
import Testing

@Suite struct NarrowBinEdgesTests {
    private static func probes(_ distribution: Distribution, _ edges: BinEdges) -> [Float] {
        var probes = distribution.values(1_300, seed: 2).map { Float($0) }
        for edge in edges.edges {
            let near = Float(edge)
            probes += [near.nextDown, near, near.nextUp]
        }
        probes += [.nan, -.nan, .infinity, -.infinity, 0, -0.0, .greatestFiniteMagnitude, 1]
        return probes
    }

    @Test(arguments: Distribution.all)
    func `a value has the bin that it has as a double`(distribution: Distribution) {
        let edges = BinEdges(reference: distribution.values(3_000, seed: 1))
        let probes = Self.probes(distribution, edges)
        var narrow: [UInt16] = []
        NarrowBinEdges(edges).bins(of: probes.span, into: &narrow)
        let expected = probes.map { $0.isNaN ? UInt16.max : UInt16(edges.bin(of: Double($0))) }
        #expect(narrow == expected)
    }

    @Test(arguments: Distribution.all)
    func `counting values is counting their bins, in either precision`(distribution: Distribution) {
        let edges = BinEdges(reference: distribution.values(3_000, seed: 1))
        let probes = Self.probes(distribution, edges)
        var expected = BinCounts(binCount: edges.binCount)
        for probe in probes where !probe.isNaN { expected.add(edges.bin(of: Double(probe))) }
        var narrow = BinCounts(binCount: edges.binCount)
        var wide = narrow
        let missing = narrow.add(probes.span, edges: NarrowBinEdges(edges))
        let doubles = probes.map { Double($0) }
        let missingDoubles = wide.add(doubles.span, edges: edges)
        #expect(missing == 2 && missingDoubles == 2)
        #expect(narrow == expected && wide == expected)
        let none: [Float] = []
        let missingOfNone = narrow.add(none.span, edges: NarrowBinEdges(edges))
        #expect(missingOfNone == 0 && narrow == expected)
    }
}
