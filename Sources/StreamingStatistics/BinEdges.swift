/// This is the fixed binning of one numeric quantity, made from its reference.
///
/// Bin j holds the values x with edges[j−1] < x ≤ edges[j]; bin 0 those ≤ edges[0], the last bin those
/// above all edges. A value that holds much of the reference has a bin of its own (an atom), so that moves
/// away from it, in either direction, are seen.
public struct BinEdges: Equatable, Sendable {
    /// Strictly increasing and finite; empty when the reference had no values.
    public let edges: [Double]
    /// [binCount]: the decile bin, 0...9, of each bin; non-decreasing.
    public let decileOfBin: [UInt8]
    /// [binCount]: true where the bin can hold one value only.
    public let isAtom: [Bool]
    /// The reference's deciles without repeats, a subset of `edges`.
    public let decileEdges: [Double]
    private let table: EdgeTable

    /// The number of bins, `edges.count + 1`.
    public var binCount: Int { edges.count + 1 }

    /// Tail bins on each side beyond the reference's range, of widths that double.
    static let tailBinCount = 16

    /// Makes the bins of a reference.
    ///
    /// - Parameters:
    ///   - values: The reference, in any order; NaN is skipped.
    ///   - binCountMax: At most so many bins, 64 to 65,535.
    public init(reference values: [Double], binCountMax: Int = 1_024) {
        precondition((64...65_535).contains(binCountMax), "binCountMax \(binCountMax)")
        let sorted = values.filter { !$0.isNaN }.sorted()
        guard let first = sorted.first, let last = sorted.last else {
            self.init(checked: [], decileEdges: [])
            return
        }
        let deciles = (1...9).map { Self.quantile(sorted, Double($0) / 10) }
        var chosen = Set(deciles.map(Self.canonical))
        chosen.insert(Self.canonical(first.nextDown))
        chosen.insert(Self.canonical(last))
        let range = last > first ? last - first : max(abs(first), 1)
        for step in 1...Self.tailBinCount {
            // Distances from 1/16 of the range to 2^11 times the range.
            let distance = range * Double(1 << step) / 32
            for edge in [first - distance, last + distance] where edge.isFinite { chosen.insert(edge) }
        }
        let budget = binCountMax - 1
        for atom in Self.atoms(sorted, budget: (budget - chosen.count) / 2) {
            chosen.insert(Self.canonical(atom.nextDown))
            chosen.insert(Self.canonical(atom))
        }
        let steps = max(1, budget - chosen.count)
        for step in 1...steps {
            if chosen.count >= budget { break }
            // An observed value, not an interpolated one: then few distinct values need few bins.
            let index = Int(Double(sorted.count - 1) * Double(step) / Double(steps + 1))
            chosen.insert(Self.canonical(sorted[index]))
        }
        self.init(
            checked: chosen.filter(\.isFinite).sorted(),
            decileEdges: Array(Set(deciles.map(Self.canonical))).sorted())
    }

    /// Nil unless the edges are finite and strictly increasing, and the deciles at most nine of them.
    public init?(edges: [Double], decileEdges: [Double]) {
        guard edges.count < Int(UInt16.max), edges.allSatisfy(\.isFinite),
            zip(edges, edges.dropFirst()).allSatisfy({ $0 < $1 }), decileEdges.count <= 9,
            zip(decileEdges, decileEdges.dropFirst()).allSatisfy({ $0 < $1 }),
            Set(decileEdges).isSubset(of: edges)
        else { return nil }
        self.init(checked: edges, decileEdges: decileEdges)
    }

    private init(checked edges: [Double], decileEdges: [Double]) {
        self.edges = edges
        self.decileEdges = decileEdges
        decileOfBin = (0...edges.count).map { bin in
            guard bin < edges.count else { return UInt8(decileEdges.count) }
            return UInt8(decileEdges.count { $0 < edges[bin] })
        }
        isAtom = (0...edges.count).map { bin in
            bin > 0 && bin < edges.count && edges[bin - 1].nextUp == edges[bin]
        }
        table = EdgeTable(edges: edges)
    }

    public static func == (left: Self, right: Self) -> Bool {
        left.edges == right.edges && left.decileEdges == right.decileEdges
    }

    /// −0 and +0 are one value and one edge.
    private static func canonical(_ value: Double) -> Double { value == 0 ? 0 : value }

    /// This is NumPy's `linear` quantile of sorted values.
    static func quantile(_ sorted: [Double], _ fraction: Double) -> Double {
        let place = Double(sorted.count - 1) * fraction
        let index = Int(place)
        guard index + 1 < sorted.count else { return sorted[sorted.count - 1] }
        let low = sorted[index]
        let high = sorted[index + 1]
        return low + (place - Double(index)) * (high - low)
    }

    /// These are the most frequent values that repeat more than the 1,024th part of the reference,
    /// or all values when there are few distinct ones.
    private static func atoms(_ sorted: [Double], budget: Int) -> [Double] {
        var runs: [(value: Double, count: Int)] = []
        var start = 0
        while start < sorted.count {
            var end = start + 1
            while end < sorted.count, sorted[end] == sorted[start] { end += 1 }
            runs.append((sorted[start], end - start))
            start = end
        }
        let fewDistinct = runs.count <= budget && runs.count * 4 <= sorted.count
        let atoms = runs.filter { fewDistinct || ($0.count > 1 && $0.count * 1_024 > sorted.count) }
        return atoms.sorted { ($0.count, $0.value) > ($1.count, $1.value) }
            .prefix(max(0, budget)).map(\.value)
    }

    /// This is the bin of one value, by binary search.
    public func bin(of value: Double) -> Int {
        var low = 0
        var high = edges.count
        while low < high {
            let middle = (low + high) / 2
            if edges[middle] < value { low = middle + 1 } else { high = middle }
        }
        return low
    }

    /// Writes the bin of each value; `UInt16.max` for NaN.
    ///
    /// - Complexity: O(values) for usual edges; allocates only when `bins` must grow.
    public func bins(of values: Span<Double>, into bins: inout [UInt16]) {
        if bins.count != values.count { bins = [UInt16](repeating: 0, count: values.count) }
        table.bins(of: values, into: &bins)
    }
}
