import StreamingStatistics
import WindowAggregation

/// This measures what a profile of one (feature, pane) takes when stored.
public enum MemoryBenchmark {
    /// Bytes that 1,024 dense bins may take.
    static let storedByteCountMax = 6_144.0

    /// Runs all cases.
    public static func run() -> [BenchmarkResult] {
        numeric + categorical
    }

    private static var numeric: [BenchmarkResult] {
        let reference = SyntheticValues.all[0].values(count: 100_000, seed: 1)
        let edges = BinEdges(reference: reference)
        return [0, 30, 1_000, 100_000].map { count in
            let values = SyntheticValues.all[0].values(count: count, seed: 2)
            var profile = NumericProfile(
                binCount: edges.binCount, shift: 0, range: -4...4)
            var bins: [UInt16] = []
            edges.bins(of: values.span, into: &bins)
            profile.absorb(values.span, bins: bins.span)
            return result("numeric, \(edges.binCount) bins, \(count) rows", profile.storedByteCount)
        }
            + [1 << 14, 1 << 21, 1 << 28].map { perBin in
                // Every bin full: so many rows in one pane need no generator.
                var profile = NumericProfile(binCount: edges.binCount, shift: 0, range: -4...4)
                let value = [0.1]
                for bin in 0..<edges.binCount {
                    let bins = [UInt16(bin)]
                    profile.absorb(value.span, bins: bins.span)
                }
                // Doubling by merging with itself.
                for _ in 0..<perBin.trailingZeroBitCount - 1 { profile.merge(profile) }
                return result(
                    "numeric, \(edges.binCount) bins, \(perBin / 2) rows in each",
                    profile.storedByteCount)
            }
    }

    private static var categorical: [BenchmarkResult] {
        [(12, 0), (12, 10), (1_000, 0), (12, 500), (12, 100_000)].map { categories, unseen in
            var profile = CategoricalProfile(categoryCount: categories)
            for category in 0..<categories { profile.absorb(category: category, times: 1_000) }
            for index in 0..<unseen { profile.absorbUnseen("new-value-\(index)") }
            return result(
                "categorical, \(categories) categories, \(unseen) unseen texts",
                profile.storedByteCount)
        }
    }

    private static func result(_ name: String, _ byteCount: Int) -> BenchmarkResult {
        BenchmarkResult(
            "memory", name, Double(byteCount), "bytes",
            [("limit of 6 KiB", Double(byteCount) / storedByteCountMax)])
    }
}
