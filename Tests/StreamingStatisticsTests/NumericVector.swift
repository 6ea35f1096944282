import StreamingStatistics

/// This is one row of the numeric reference values.
struct NumericVector: Decodable {
    struct Expected: Decodable {
        let n: Int
        let missing: UInt64
        let mean: Double?
        let std: Double?
        let min: WireNumber?
        let max: WireNumber?
        let bins: [UInt64]?
        let psi: Double?
        let psiHalf: Double?
        let ksD: Double?
        let ksP: Double?
        let js: Double?
        let hellinger: Double?
        let tv: Double?
        let w1: Double?
        let w1Norm: Double?
    }

    let name: String
    let reference: [WireNumber?]
    let window: [WireNumber?]
    let referenceEdges: [Double]
    let expected: Expected

    var referenceValues: [Double] { reference.map { $0?.value ?? .nan } }
    var windowValues: [Double] { window.map { $0?.value ?? .nan } }
    /// The libraries make no edges from a reference with an infinity; Leeway leaves it out.
    var isFiniteReference: Bool { referenceValues.allSatisfy { !$0.isInfinite } }

    func profile(_ values: [Double], _ edges: BinEdges) -> NumericProfile {
        let finite = referenceValues.filter(\.isFinite)
        let mean = finite.isEmpty ? 0 : finite.reduce(0, +) / Double(finite.count)
        var profile = NumericProfile(binCount: edges.binCount, shift: mean)
        var bins: [UInt16] = []
        edges.bins(of: values.span, into: &bins)
        profile.absorb(values.span, bins: bins.span)
        return profile
    }
}

extension NumericProfile {
    /// This is the decile bins' counts, missing last.
    func decileCounts(_ edges: BinEdges) -> [UInt64] {
        var counts = [UInt64](repeating: 0, count: edges.decileEdges.count + 2)
        self.counts.forEachNonZero { counts[Int(edges.decileOfBin[$0])] += $1 }
        counts[counts.count - 1] = missing
        return counts
    }
}
