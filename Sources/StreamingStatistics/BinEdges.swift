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
    private let table: EdgeTable<Double>

    /// The number of bins, `edges.count + 1`.
    public var binCount: Int { edges.count + 1 }

    /// More counts than bins are needed while values are counted.
    static let spareCount = EdgeTable<Double>.spareCount
    /// Tail bins on each side beyond the reference's range, of widths that double.
    static let tailBinCount = 16

    /// Makes the bins of a reference.
    ///
    /// - Parameters:
    ///   - values: The reference, in any order; what is not finite shapes no edge.
    ///   - binCountMax: At most so many bins, 64 to 65,535.
    public init(reference values: [Double], binCountMax: Int = 1_024) {
        precondition((64...65_535).contains(binCountMax), "binCountMax \(binCountMax)")
        let sorted = values.filter(\.isFinite).sorted()
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
            for edge in [first - distance, last + distance] where edge.isFinite {
                chosen.insert(edge)
            }
        }
        chosen.formUnion(
            Self.inner(Self.runs(sorted), sorted.count, binCountMax - 1 - chosen.count))
        self.init(
            checked: chosen.filter(\.isFinite).sorted(),
            decileEdges: Array(Set(deciles.map(Self.canonical))).sorted())
    }

    /// This is at most `budget` edges: two around each atom, the others so that the bins between hold
    /// equally many rows, or one at every value when there are few distinct ones.
    private static func inner(
        _ runs: [(value: Double, count: Int)], _ rowCount: Int, _ budget: Int
    ) -> Set<Double> {
        let hasEdgeEach = runs.count <= budget
        // Atoms take at most half, so that many values of equal weight still leave edges for the rest.
        let atoms = Self.atoms(runs, rowCount, hasEdgeEach ? budget - runs.count : budget / 4)
        var chosen: Set<Double> = []
        for atom in atoms { chosen.formUnion([canonical(atom.nextDown), canonical(atom)]) }
        guard !hasEdgeEach else { return chosen.union(runs.map { canonical($0.value) }) }
        let others = runs.filter { !atoms.contains($0.value) }
        let width = Double(others.reduce(0) { $0 + $1.count }) / Double(budget - chosen.count + 1)
        var (sum, next) = (0, width)
        for run in others where chosen.count < budget {
            sum += run.count
            // An observed value, not an interpolated one: then few distinct values need few bins.
            guard Double(sum) >= next else { continue }
            chosen.insert(canonical(run.value))
            next = ((Double(sum) / width).rounded(.down) + 1) * width
        }
        return chosen
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

    /// This is the same bins with the deciles of other counts: of rows that lie in a part of them.
    ///
    /// Formula: the k-th decile edge is the first edge at or below which lie at least k/10 of the counts; so
    /// a decile is at most one bin too high.
    ///
    /// - Precondition: `counts` are of these bins.
    /// - Returns: The same edges; the same deciles where nothing is counted.
    public func withDeciles(of counts: BinCounts) -> BinEdges {
        precondition(counts.binCount == binCount, "\(counts.binCount) of \(binCount) bins")
        guard counts.total > 0 else { return self }
        var chosen: [Double] = []
        var (sum, next) = (0.0, 1.0)
        let tenth = Double(counts.total) / 10
        counts.forEachNonZero { bin, count in
            sum += Double(count)
            guard bin < edges.count, next <= 9, sum >= next * tenth else { return }
            chosen.append(edges[bin])
            while next <= 9, sum >= next * tenth { next += 1 }
        }
        return BinEdges(self, decileEdges: chosen)
    }

    private init(_ other: BinEdges, decileEdges: [Double]) {
        edges = other.edges
        self.decileEdges = decileEdges
        decileOfBin = Self.deciles(of: other.edges, decileEdges)
        isAtom = other.isAtom
        table = other.table
    }

    private static func deciles(of edges: [Double], _ decileEdges: [Double]) -> [UInt8] {
        (0...edges.count).map { bin in
            guard bin < edges.count else { return UInt8(decileEdges.count) }
            return UInt8(decileEdges.count { $0 < edges[bin] })
        }
    }

    private init(checked edges: [Double], decileEdges: [Double]) {
        self.edges = edges
        self.decileEdges = decileEdges
        decileOfBin = Self.deciles(of: edges, decileEdges)
        isAtom = (0...edges.count).map { bin in
            bin > 0 && bin < edges.count && edges[bin - 1].nextUp == edges[bin]
        }
        table = EdgeTable(edges: edges)
    }

    /// True when both have the same edges and deciles.
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
        let weight = place - Double(index)
        // The difference of huge values of opposite sign is beyond a double's range.
        guard (high - low).isFinite else { return low * (1 - weight) + high * weight }
        return low + weight * (high - low)
    }

    /// This is each distinct value with its number of rows.
    private static func runs(_ sorted: [Double]) -> [(value: Double, count: Int)] {
        var runs: [(value: Double, count: Int)] = []
        var start = 0
        while start < sorted.count {
            var end = start + 1
            while end < sorted.count, sorted[end] == sorted[start] { end += 1 }
            runs.append((sorted[start], end - start))
            start = end
        }
        return runs
    }

    /// These are the most frequent values that repeat more than the 1,024th part of the reference,
    /// or all values when there are few distinct ones.
    private static func atoms(
        _ runs: [(value: Double, count: Int)], _ rowCount: Int, _ countMax: Int
    ) -> Set<Double> {
        let areFew = runs.count <= countMax && runs.count * 4 <= rowCount
        let atoms = runs.filter { areFew || ($0.count > 1 && $0.count * 1_024 > rowCount) }
        return Set(
            atoms.sorted { ($0.count, $0.value) > ($1.count, $1.value) }
                .prefix(max(0, countMax)).map(\.value))
    }

    /// This is the bin of one value, by binary search.
    ///
    /// - Precondition: `value` is not NaN, which has no bin.
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

    /// Adds to the counts of bins, [binCount + `spareCount`]; returns how many values were NaN.
    func count(_ values: Span<Double>, into counts: inout [UInt64]) -> UInt64 {
        table.count(values, into: &counts)
    }
}
