import StreamingStatistics

/// This measures what a tick costs when a window has ended: its step in the budgeted detectors, the same with
/// late rows that restate all retained windows, and each distance from the reference.
///
/// Ratios say how many times as long the case's step takes as adding the window's counts to others, without
/// which no window is judged.
public enum DriftBenchmark {
    static let featureCount = 100
    static let rowCount = 10_000
    /// As many windows as the service retains.
    static let retainedCount = 32

    /// Runs all cases, some seconds.
    public static func run() -> [BenchmarkResult] {
        detectors + distances
    }

    /// A feature's window, of so many rows in the reference's deciles and missing.
    private static func counts(_ rows: Int, _ random: inout Randomness) -> [UInt64] {
        random.multinomial(rows, [Double](repeating: 0.099, count: 10) + [0.01])
    }

    private static func window(_ index: Int, _ random: inout Randomness) -> DriftWindow {
        DriftWindow(
            index: UInt64(index),
            counts: (0..<featureCount).map { _ in counts(rowCount, &random) })
    }

    /// In microseconds, of one feature and window.
    private static func shortest(_ windowCount: Int, _ body: () -> Void) -> Double {
        shortestTime(of: 7, over: 1, partSize: 1) { _ in body() } / 1e3
            / Double(featureCount * windowCount)
    }

    private static var detectors: [BenchmarkResult] {
        var random = Randomness(seed: 1)
        let windows = (0..<retainedCount).map { window($0, &random) }
        let late = window(0, &random)
        let adding = shortest(retainedCount) {
            var sums = [UInt64](repeating: 0, count: 11)
            for window in windows {
                for counts in window.counts {
                    for (bin, count) in (counts ?? []).enumerated() { sums[bin] &+= count }
                }
            }
            blackHole(sums[0])
        }
        let level = BudgetLevel(
            alpha: 1.0 / 90, streamCount: featureCount, tolerance: 0.03, referenceAlpha: 1e-4)
        return [BudgetedDetector.Null.withinTolerance, .exchangeableWindows].flatMap { null in
            let streams = (0..<featureCount).map { _ in
                DriftStream(
                    referenceCounts: [counts(100_000, &random)], isOrdered: true,
                    calibrationScores: null == .exchangeableWindows ? [[]] : [])
            }
            let detector = BudgetedDetector(streams: streams, level: level, null: null)
            var history = BudgetedHistory(detector, retainedCountMax: retainedCount)
            for window in windows { _ = history.absorb(window) }
            let step = shortest(retainedCount) {
                var detector = detector
                for window in windows { blackHole(detector.absorb(window).index) }
            }
            let restatement = shortest(1) { blackHole(history.restate(late)?.count ?? 0) }
            let name = null == .withinTolerance ? "rows" : "windows"
            return [
                result("null \(name): a window's step", step, adding),
                result(
                    "null \(name): late rows in the oldest of \(retainedCount) windows",
                    restatement, adding),
            ]
        }
    }

    private static var distances: [BenchmarkResult] {
        let all = SyntheticValues.all[0]
        let edges = BinEdges(reference: all.values(count: 100_000, seed: 1))
        func profile(_ count: Int, seed: UInt64) -> NumericProfile {
            let values = all.values(count: count, seed: seed)
            var bins: [UInt16] = []
            edges.bins(of: values.span, into: &bins)
            var profile = NumericProfile(binCount: edges.binCount, shift: 0, range: -5...5)
            profile.absorb(values.span, bins: bins.span)
            return profile
        }
        let window = profile(rowCount, seed: 2)
        let comparison = NumericComparison(
            window: window, reference: profile(100_000, seed: 1), edges: edges)
        func time(_ body: () throws -> Void) -> Double {
            shortest(1) { for _ in 0..<featureCount { try? body() } }
        }
        var sum = window
        let adding = time { sum.merge(window) }
        let cases: [(String, () throws -> Double)] = [
            ("psi", { try comparison.populationStability().value }),
            ("ks", { try comparison.kolmogorovSmirnov().value }),
            ("wasserstein", { try comparison.wasserstein().value }),
            ("jensen_shannon", { try comparison.jensenShannon().value }),
            ("hellinger", { try comparison.hellinger().value }),
            ("total_variation", { try comparison.totalVariation().value }),
            ("kl", { try comparison.kullbackLeibler().value }),
            ("chi_square", { try comparison.chiSquare().value }),
            ("mean_shift", { try comparison.meanShift().value }),
        ]
        return cases.map { name, find in
            result(
                "\(name), \(edges.binCount) bins", time { blackHole(Int(try find() * 1e6)) },
                adding)
        }
    }

    private static func result(_ name: String, _ value: Double, _ adding: Double) -> BenchmarkResult
    {
        BenchmarkResult(
            "drift", name, value, "us/feature and window", [("adding up", value / adding)])
    }
}
