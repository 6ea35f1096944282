import Foundation
import StreamingStatistics

/// This makes the plots of docs/statistics.md, from the product's own statistics and simulations.
public enum DocumentationPlots {
    /// The streams that share a budget in the power curves, as in `FalseAlarmBenchmark`.
    private static let streamCount = 20
    /// Rows of the reference of the power curves and of the index' null.
    private static let referenceCount = 20_000
    /// Windows after the change in which it must be named.
    private static let windowCount = 10
    private static let deciles = (1..<10).map { normalQuantile(Double($0) / 10) }

    /// Makes every plot.
    ///
    /// - Parameter replicationCount: Simulated worlds for each point, positive.
    /// - Returns: File names and SVG texts.
    public static func all(replicationCount: Int) -> [(name: String, svg: String)] {
        precondition(replicationCount > 0, "replicationCount \(replicationCount)")
        return [
            ("psi-null.svg", indexNull(replicationCount)),
            ("power.svg", power(replicationCount)),
            ("false-alarms.svg", falseAlarms(replicationCount)),
        ]
    }

    // MARK: - The index without drift

    /// The index' spread without drift by the window's rows, beside the customary limits.
    private static func indexNull(_ replicationCount: Int) -> String {
        let sizes = [100, 200, 500, 1_000, 2_000, 5_000, 10_000, 20_000]
        let chances = [Double](repeating: 0.1, count: 10)
        var random = Randomness(seed: 11)
        var (median, high): ([(x: Double, y: Double)], [(x: Double, y: Double)]) = ([], [])
        for size in sizes {
            let found = (0..<replicationCount * 10).compactMap { _ in
                populationStabilityIndex(
                    window: random.multinomial(size, chances),
                    reference: random.multinomial(size, chances))?.value
            }.sorted()
            guard let last = found.indices.last else { continue }
            median.append((Double(size), found[last / 2]))
            high.append((Double(size), found[last * 95 / 100]))
        }
        func level(_ value: Double) -> [(x: Double, y: Double)] {
            [(100, value), (20_000, value)]
        }
        return Figure.lines(
            "PSI of two samples without drift, ten bins",
            x: Figure.Axis(
                title: "rows of the window, and as many of the reference", low: 100, high: 20_000,
                ticks: [100, 1_000, 10_000], isLogarithmic: true),
            y: Figure.Axis(
                title: "PSI, nats", low: 0.001, high: 1, ticks: [0.001, 0.01, 0.1, 1],
                isLogarithmic: true),
            [
                Figure.Line(name: "median without drift", points: median),
                Figure.Line(name: "95 % without drift", points: high),
                Figure.Line(name: "customary limit 0.1", points: level(0.1), isDashed: true),
                Figure.Line(name: "customary limit 0.2", points: level(0.2), isDashed: true),
            ])
    }

    // MARK: - Power

    /// How often a shift of one stream of twenty is named within ten windows of 1,000 rows.
    private static func power(_ replicationCount: Int) -> String {
        let shifts = [0, 0.03, 0.05, 0.075, 0.1, 0.15, 0.2, 0.3, 0.4]
        var lines = methods.map { Figure.Line(name: $0.name, points: []) }
        for shift in shifts {
            for (index, method) in methods.enumerated() {
                var random = Randomness(seed: 17)
                let count = (0..<replicationCount).reduce(0) { sum, _ in
                    sum + (method.names(shift, &random) ? 1 : 0)
                }
                lines[index].points.append((shift, Double(count) / Double(replicationCount)))
            }
        }
        return Figure.lines(
            "Named within ten windows of 1,000 rows",
            x: Figure.Axis(
                title: "shift of a normal feature, standard deviations", low: 0, high: 0.4,
                ticks: [0, 0.1, 0.2, 0.3, 0.4]),
            y: Figure.Axis(
                title: "share of worlds", low: 0, high: 1, ticks: [0, 0.25, 0.5, 0.75, 1]),
            lines)
    }

    private struct Method {
        let name: String
        let names: (_ shift: Double, _ random: inout Randomness) -> Bool
    }

    private static var methods: [Method] {
        func index(_ limit: Double) -> Method {
            Method(name: "psi > \(limit)") { shift, random in
                let reference = random.multinomial(referenceCount, chances(0))
                return (0..<windowCount).contains { _ in
                    let window = random.multinomial(1_000, chances(shift))
                    let found = populationStabilityIndex(window: window, reference: reference)
                    return (found?.value ?? 0) > limit
                }
            }
        }
        return [
            index(0.1), index(0.2), budgeted("budget, no tolerance", .withinTolerance, 0),
            budgeted("budget, ks: 0.03", .withinTolerance, 0.03),
            budgeted("budget, null: windows", .exchangeableWindows, 0),
        ]
    }

    private static func budgeted(
        _ name: String, _ null: BudgetedDetector.Null, _ tolerance: Double
    ) -> Method {
        Method(name: name) { shift, random in
            let reference = random.multinomial(referenceCount, chances(0))
            let plain = DriftStream(referenceCounts: [reference], isOrdered: true)
            // The null of windows learns from sixteen quiet weeks.
            let scores = (0..<112).compactMap { _ in
                plain.score(random.multinomial(1_000, chances(0)), seasonClass: 0)
            }
            let stream = DriftStream(
                referenceCounts: [reference], isOrdered: true,
                calibrationScores: null == .exchangeableWindows ? [scores] : [])
            guard let ks = DriftTolerance(ks: tolerance),
                let budget = AlertBudget(
                    falseAlarmCount: 1, per: .seconds(86_400 * 90), tolerance: ks)
            else { return false }
            var detector = BudgetedDetector(
                streams: [stream],
                level: budget.level(window: .seconds(86_400), streamCount: streamCount),
                null: null)
            return (0..<UInt64(windowCount)).contains { index in
                let counts = random.multinomial(1_000, chances(shift))
                return detector.absorb(DriftWindow(index: index, counts: [counts])).isAlarm
            }
        }
    }

    private static func chances(_ shift: Double) -> [Double] {
        let below = deciles.map { normalDistribution($0 - shift) }
        return zip(below + [1], [0] + below).map { $0 - $1 }
    }

    // MARK: - False alarms

    /// False alarms of twenty streams in ninety quiet windows, by method and kind of traffic.
    private static func falseAlarms(_ replicationCount: Int) -> String {
        let shown = [
            "PSI > 0.1", "PSI chi-square p < 0.05, BH", "budget: cumulative shares, no tolerance",
            "budget: cumulative shares, KS 0.05", "budget: conformal windows",
        ]
        let groups = [Traffic.independent, .autoregressive, .seasonal].map { traffic in
            let rows = FalseAlarmBenchmark.simulate(
                traffic, rowCount: 1_000,
                replicationCount: max(2, replicationCount / (traffic == .autoregressive ? 10 : 2)),
                seed: 1)
            return Figure.BarGroup(
                title: traffic.rawValue,
                values: shown.map { name in rows.first { $0.method == name }?.falseAlarms })
        }
        return Figure.bars(
            "False alarms in 90 quiet windows; dashed: the budget",
            y: Figure.Axis(
                title: "windows with an alarm, of 90", low: 0.01, high: 100,
                ticks: [0.01, 0.1, 1, 10, 100], isLogarithmic: true),
            names: shown.map { $0.replacingOccurrences(of: "cumulative shares", with: "rows") },
            groups: groups, level: 1)
    }
}
