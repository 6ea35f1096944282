import Foundation
import StreamingStatistics

/// This measures the counting of values into arbitrary edges, in both precisions, and beside it, in the same
/// run on the same values: a sweep that only adds them up, which is the limit; a naive binary search; and
/// `numpy.histogram` with the same edges, where python3 with numpy is there.
///
/// Ratios say how many times as fast the kernel is; to the memory sweep, which part of the limit it reaches.
public enum HistogramBenchmark {
    /// Values of a data set: more than the caches of one core hold in either precision.
    static let valueCount = 8_000_000
    /// The naive search is slow and its time per value does not depend on how many there are.
    static let naiveCount = 200_000
    static let binCounts = [10, 64, 256, 1_024]

    /// Runs all data sets, about two minutes, and shows each line when it is there.
    public static func run(_ show: (BenchmarkResult) -> Void) {
        for set in SyntheticValues.all {
            let reference = set.values(count: 100_000, seed: 1)
            let values = set.values(count: valueCount, seed: 2)
            let bins = binCounts.map { edges(reference, binCount: $0) }
            let peer = NumpyHistogram(values: values, edges: bins.map(\.edges))
            let narrow = values.map { Float($0) }
            measure("float32", set, narrow, bins, peer.nanoseconds(of: "float32")) {
                values, edges in
                let edges = NarrowBinEdges(edges)
                return { counts, part in
                    blackHole(counts.add(values.span.extracting(part), edges: edges))
                }
            }.forEach(show)
            measure("float64", set, values, bins, peer.nanoseconds(of: "float64")) {
                values, edges in
                { counts, part in
                    blackHole(counts.add(values.span.extracting(part), edges: edges))
                }
            }.forEach(show)
        }
    }

    private static func measure<Scalar: BinaryFloatingPoint & SIMDScalar>(
        _ type: String, _ set: SyntheticValues, _ values: [Scalar], _ bins: [BinEdges],
        _ numpy: [Double]?, kernel: ([Scalar], BinEdges) -> (inout BinCounts, Range<Int>) -> Void
    ) -> [BenchmarkResult] {
        let perValue = 1 / Double(values.count)
        let sweep =
            shortestTime(of: 7, over: values.count) { blackHole(Self.sweep(values, $0)) }
            * perValue
        var results = [
            BenchmarkResult(
                "histogram", "\(set.name) \(type) memory sweep", sweep, "ns/value",
                note: "the limit: every value is read once")
        ]
        for (place, edges) in bins.enumerated() {
            let count = kernel(values, edges)
            var counts = BinCounts(binCount: edges.binCount)
            let own =
                shortestTime(of: 9, over: values.count) { count(&counts, $0) } * perValue
            let few = Array(values.prefix(naiveCount))
            let cuts = edges.edges.map { Scalar($0) }
            let naive =
                shortestTime(of: 3, over: naiveCount, partSize: 20_000) {
                    blackHole(Self.naive(few, $0, cuts))
                } / Double(naiveCount)
            var ratios = [("memory sweep", sweep / own), ("naive binary search", naive / own)]
            if let numpy { ratios.append(("numpy.histogram", numpy[place] / own)) }
            results.append(
                BenchmarkResult(
                    "histogram", "\(set.name) \(type) B=\(binCounts[place])",
                    own, "ns/value", ratios,
                    note: numpy == nil ? "python3 with numpy is not there" : nil))
        }
        return results
    }

    /// As the product makes them; ten are the deciles alone.
    private static func edges(_ reference: [Double], binCount: Int) -> BinEdges {
        let all = BinEdges(reference: reference, binCountMax: max(64, binCount))
        guard binCount < 64 else { return all }
        return BinEdges(edges: all.decileEdges, decileEdges: all.decileEdges) ?? all
    }

    @inline(never)
    private static func sweep<Scalar: BinaryFloatingPoint & SIMDScalar>(
        _ values: [Scalar], _ part: Range<Int>
    ) -> Int {
        if let values = values as? [Float] { return sum(values, part) }
        if let values = values as? [Double] { return sum(values, part) }
        preconditionFailure("no sweep of \(Scalar.self)")
    }

    private static func sum(_ values: [Float], _ part: Range<Int>) -> Int {
        values.withUnsafeBytes { raw in
            var total = SIMD16<Float>()
            for offset in stride(from: 4 * part.lowerBound, to: 4 * part.upperBound - 63, by: 64) {
                total += raw.loadUnaligned(fromByteOffset: offset, as: SIMD16<Float>.self)
            }
            return Int(total.sum().bitPattern)
        }
    }

    private static func sum(_ values: [Double], _ part: Range<Int>) -> Int {
        values.withUnsafeBytes { raw in
            var total = SIMD8<Double>()
            for offset in stride(from: 8 * part.lowerBound, to: 8 * part.upperBound - 63, by: 64) {
                total += raw.loadUnaligned(fromByteOffset: offset, as: SIMD8<Double>.self)
            }
            return Int(truncatingIfNeeded: total.sum().bitPattern)
        }
    }

    /// What one would write first.
    @inline(never)
    @_specialize(where Scalar == Float)
    @_specialize(where Scalar == Double)
    private static func naive<Scalar: BinaryFloatingPoint>(
        _ values: [Scalar], _ part: Range<Int>, _ cuts: [Scalar]
    ) -> Int {
        var counts = [Int](repeating: 0, count: cuts.count + 1)
        for value in values[part] {
            var (low, high) = (0, cuts.count)
            while low < high {
                let middle = (low + high) / 2
                if cuts[middle] < value { low = middle + 1 } else { high = middle }
            }
            counts[low] += 1
        }
        return counts[cuts.count / 2]
    }
}
