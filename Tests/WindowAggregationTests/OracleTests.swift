import MonitoringDomain
import MonitoringTestSupport
import StreamingStatistics
import Testing
import WindowAggregation

/// Real streams, folded in batches, against values that other libraries computed.
@Suite(.enabled(if: Repository.hasStreams, "the real streams are not beside the repository"))
struct OracleTests {
    @Test(
        .timeLimit(.minutes(5)),
        arguments: [
            ("elec2", ["day", "week"]), ("elec2", ["count1000"]), ("carloan", ["month"]),
            ("carloan", ["count5000"]), ("bike", ["week", "month"]), ("bike", ["count500"]),
            ("steel", ["week"]), ("steel", ["count1000"]),
        ])
    func `every measurement is the oracle's`(name: String, schemes: [String]) throws {
        let stream = try OracleStream(name)
        let aggregator = try fold(stream, eventCount: Int(schemes[0].trimmingPrefix("count")))
        let constant = try stream.constantColumns()
        var comparison = Comparison(aggregator: aggregator)

        for scheme in schemes {
            let drift = try stream.drift(scheme)
            for (column, values) in drift.columns.sorted(by: { $0.key < $1.key }) {
                for (statistic, expected) in values.statistics {
                    try comparison.compare(
                        statistic, of: column, with: expected, in: drift.windows,
                        isLowerBound: constant.contains(column))
                }
                try comparison.compare(values, of: column, at: drift.quantiles, in: drift.windows)
            }
            let performance = try stream.performance(scheme)
            // Of several classes, what rests on the classes' own scores has tests of its own.
            let isOfClasses = try stream.schema().task == .multiclass
            for (statistic, expected) in performance.statistics
            where !isOfClasses || [.accuracy, .coverage, .volume].contains(statistic) {
                try comparison.compare(
                    statistic, of: nil, with: expected, in: performance.windows,
                    isLowerBound: false)
            }
        }
        #expect(comparison.differences.prefix(12) == [], "\(comparison.differences.count) in all")
        for (statistic, count) in comparison.counts { #expect(count > 0, "\(statistic)") }
        // Bounds that held everything would be certain, and useless. Those of distances of shares are of what
        // the rows are drawn from, and as wide as there are few rows.
        let ofPopulation: Set = [
            Statistic.jensenShannon, .hellinger, .totalVariation, .kl, .wasserstein,
        ]
        for (statistic, width) in comparison.certifiedWidths where !ofPopulation.contains(statistic)
        {
            let count = Double(comparison.counts[statistic] ?? 0)
            #expect(width / count < 0.01, "\(statistic)")
        }
    }

    @Test(arguments: [
        ("elec2", ["day", "week", "count1000"]), ("carloan", ["month", "count5000"]),
        ("bike", ["week", "month", "count500"]), ("steel", ["week", "count1000"]),
    ])
    func `p-values of a window's columns are corrected as the oracle's`(
        name: String, schemes: [String]
    ) throws {
        for scheme in schemes {
            let drift = try OracleStream(name).drift(scheme)
            for (index, adjusted) in drift.bh.adjusted.enumerated() {
                let pValues = drift.bh.order.map { name in
                    let column = drift.columns[name]
                    return (column?.ks_p ?? column?.chi2_p)?[index]
                }
                let found = benjaminiHochberg(pValues, alpha: drift.bh.alpha)
                #expect(found.map { $0?.isRejected } == drift.bh.rejected[index].map { $0 == 1 })
                for (found, expected) in zip(found, adjusted) {
                    let difference = abs((found?.adjusted ?? -1) - (expected ?? -1))
                    #expect(difference <= 1e-9 * max(expected ?? 0, 1e-300))
                }
            }
        }
    }

    /// Folds a stream; a window of so many events becomes a pane of its own, by its number.
    private func fold(_ stream: OracleStream, eventCount: Int?) throws -> ModelAggregator {
        let schema = try stream.schema()
        var aggregator = ModelAggregator(schema: schema)
        aggregator.pin(
            ModelReference(
                id: "r-1", pinnedAt: EventTime(milliseconds: 0), origin: .uploaded, schema: schema,
                batches: [try stream.batch("reference")]))
        var production = try stream.batch("production")
        if let eventCount {
            production.times = production.times.indices.map {
                Int64($0 / eventCount) * schema.paneMilliseconds
            }
        }
        for start in stride(from: 0, to: production.rowCount, by: 5_000) {
            aggregator.absorb(
                production, rows: Array(start..<min(start + 5_000, production.rowCount)))
        }
        for row in 0..<production.rowCount {
            let label = production.truthLabels.text(at: row)
            let value = production.truthValues[row]
            guard label != nil || !value.isNaN else { continue }
            aggregator.absorb(
                Outcome(
                    version: "1", time: EventTime(milliseconds: production.times[row]),
                    predictedLabel: production.labels.text(at: row),
                    score: production.scores[row].isNaN ? nil : production.scores[row],
                    predictedValue: production.values[row].isNaN ? nil : production.values[row],
                    truthLabel: label, truthValue: value.isNaN ? nil : value),
                adding: true)
        }
        return aggregator
    }
}

/// This is how many values were compared, and which differ.
private struct Comparison {
    let aggregator: ModelAggregator
    var counts: [Statistic: Int] = [:]
    /// The sums of the certified intervals' widths.
    var certifiedWidths: [Statistic: Double] = [:]
    var differences: [String] = []

    init(aggregator: ModelAggregator) { self.aggregator = aggregator }

    mutating func compare(
        _ statistic: Statistic, of feature: String?, with expected: [Double?],
        in windows: OracleWindows, isLowerBound: Bool
    ) throws {
        let query = MeasurementQuery(
            model: aggregator.schema.model, statistic: statistic, feature: feature)
        counts[statistic, default: 0] += 0
        for (index, expected) in expected.enumerated() {
            let reading = aggregator.measure(query, window: try windows.window(index)).reading
            let place = "\(statistic)(\(feature ?? "")) of \(windows.start[index])"
            guard let expected else {
                if reading.estimate != nil { differences.append("\(place): \(reading), not none") }
                continue
            }
            counts[statistic, default: 0] += 1
            if let estimate = reading.estimate, estimate.isCertified,
                let lower = estimate.lower, let upper = estimate.upper
            {
                certifiedWidths[statistic, default: 0] += upper - lower
            }
            if !matches(reading, expected, statistic, isLowerBound: isLowerBound) {
                differences.append("\(place): \(reading), not \(expected)")
            }
        }
    }

    /// Compares what is not one number a window: quantiles, and the test's p-value.
    mutating func compare(
        _ column: OracleDrift.Column, of feature: String, at fractions: [Double],
        in windows: OracleWindows
    ) throws {
        for (index, expected) in (column.q ?? []).enumerated() {
            guard let expected else { continue }
            for (fraction, value) in zip(fractions, expected) {
                let query = MeasurementQuery(
                    model: aggregator.schema.model, statistic: .quantile, feature: feature,
                    fraction: fraction)
                let reading = aggregator.measure(query, window: try windows.window(index)).reading
                counts[.quantile, default: 0] += 1
                if !matches(reading, value, .quantile, isLowerBound: false) {
                    differences.append(
                        "q\(fraction)(\(feature)) \(index): \(reading), not \(value)")
                }
            }
        }
        // The test's distance lies between two bounds, the p-value is the lower one's: never too small.
        for (index, expected) in (column.ks_p ?? []).enumerated() {
            let query = MeasurementQuery(
                model: aggregator.schema.model, statistic: .ks, feature: feature)
            let estimate = aggregator.measure(query, window: try windows.window(index)).reading
                .estimate
            guard let expected, let estimate, let found = estimate.pValue else { continue }
            let isPoint = estimate.lower == estimate.upper
            let isRight =
                isPoint
                ? abs(found - expected) <= 1e-9 * max(expected, 1e-6)
                : found >= expected - 1e-9 * max(expected, 1e-6)
            if !isRight {
                differences.append("ks_p(\(feature)) \(index): \(found), not \(expected)")
            }
        }
        for (index, expected) in (column.chi2_p ?? []).enumerated() {
            let query = MeasurementQuery(
                model: aggregator.schema.model, statistic: .chiSquare, feature: feature)
            let reading = aggregator.measure(query, window: try windows.window(index)).reading
            guard let expected, let found = reading.estimate?.pValue else { continue }
            if abs(found - expected) > 1e-9 * max(expected, 1e-6) {
                differences.append("chi2_p(\(feature)) \(index): \(found), not \(expected)")
            }
        }
    }

    /// The oracle has twelve significant digits; the exact statistics agree to 1e-9 relative, those
    /// from histograms hold its value between their bounds.
    private func matches(
        _ reading: Reading, _ expected: Double, _ statistic: Statistic, isLowerBound: Bool
    ) -> Bool {
        guard let estimate = reading.estimate else { return false }
        let slack = 1e-9 * max(abs(expected), 1e-3)
        if [.ks, .rocAUC, .wasserstein, .wassersteinNormalized, .quantile].contains(statistic) {
            guard let lower = estimate.lower, let upper = estimate.upper else { return false }
            return lower - slack <= expected && expected <= upper + slack
                && lower <= estimate.value && estimate.value <= upper
        }
        let isBinned = [.psi, .jensenShannon, .hellinger, .totalVariation].contains(statistic)
        return isLowerBound && isBinned
            ? estimate.value >= expected - slack : abs(estimate.value - expected) <= slack
    }
}
