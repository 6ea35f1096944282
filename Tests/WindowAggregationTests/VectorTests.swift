import Foundation
import MonitoringDomain
import MonitoringTestSupport
import Testing
import WindowAggregation

/// This is a value of a vector: a number, an infinity as text, a category, a boolean or null.
private struct Wire: Decodable {
    var number: Double?
    var text: String?

    init(from decoder: any Decoder) throws {
        let container = try decoder.singleValueContainer()
        if container.decodeNil() { return }
        if let flag = try? container.decode(Bool.self) {
            text = flag ? "true" : "false"
        } else if let number = try? container.decode(Double.self) {
            self.number = number
            text = "\(Int(exactly: number).map(String.init) ?? "\(number)")"
        } else {
            let text = try container.decode(String.self)
            self.text = text
            number = text == "Infinity" ? .infinity : text == "-Infinity" ? -.infinity : nil
        }
    }
}

private struct Vector: Decodable {
    let name: String
    let reference: [Wire]?
    let window: [Wire]?
    let quantiles: [Double]?
    let reference_edges: [Double]?
    let label: [Wire]?
    let predicted: [Wire]?
    let score: [Double]?

    static func read(_ file: String) throws -> [Vector] {
        try JSONDecoder().decode([Vector].self, from: data(file))
    }

    /// The expected values by name: numbers, null and whatever is of no one statistic.
    static func expected(_ file: String) throws -> [[String: Any]] {
        let all = try JSONSerialization.jsonObject(with: data(file)) as? [[String: Any]]
        return try #require(all).map { $0["expected"] as? [String: Any] ?? [:] }
    }

    private static func data(_ file: String) throws -> Data {
        try Data(contentsOf: Repository.streams.appendingPathComponent("vectors/\(file).json"))
    }
}

/// These take every vector through the aggregator, as production does: its reference pinned, its rows folded,
/// each statistic measured.
@Suite(.enabled(if: Repository.hasStreams, "the reference values are not beside the repository"))
struct VectorTests {
    private static let close = 1e-9

    /// True when both are none, or differ by at most 1e-9 relative.
    private func isEqual(_ found: Double?, _ expected: Any?, orAbove: Bool = false) -> Bool {
        guard let expected = expected as? Double else { return found == nil }
        guard let found else { return false }
        let slack = Self.close * max(abs(expected), 1e-3)
        return abs(found - expected) <= slack || (orAbove && found > expected)
    }

    private func holds(_ reading: Reading, _ expected: Any?) -> Bool {
        guard let expected = expected as? Double else { return reading.estimate == nil }
        guard let lower = reading.estimate?.lower, let upper = reading.estimate?.upper else {
            return false
        }
        let slack = Self.close * max(abs(expected), 1e-3)
        return lower - slack <= expected && expected <= upper + slack
    }

    private func floored(_ aggregator: ModelAggregator, _ feature: String) -> Double? {
        aggregator.measure(
            MeasurementQuery(
                model: aggregator.schema.model, statistic: .psi, feature: feature,
                smoothing: .floor), window: Samples.window(0..<1)
        ).reading.estimate?.value
    }

    @Test func `numeric vectors hold`() throws {
        for (vector, expected) in zip(
            try Vector.read("numeric"), try Vector.expected("numeric"))
        {
            let values = try #require(vector.reference).map { $0.number ?? .nan }
            // Of a reference with an infinity the libraries make no bins; the product gives it one of its own.
            let isFinite = values.allSatisfy { !$0.isInfinite }
            var aggregator = try Samples.aggregator(
                reference: values.map { Sample(amount: $0.isNaN ? nil : $0) })
            try aggregator.fold(try #require(vector.window).map { Sample(amount: $0.number) })
            func value(_ statistic: Statistic) -> Double? {
                aggregator.value(statistic, of: "amount")
            }
            #expect(isEqual(value(.missingRate), expected["missing_rate"]), "\(vector.name)")
            #expect(isEqual(value(.mean), expected["mean"]), "\(vector.name)")
            #expect(isEqual(value(.stddev), expected["std"]), "\(vector.name)")
            // Where deciles repeat, the product also sees moves to which they are blind.
            let isTied = Set(vector.reference_edges ?? []).count < 9
            for (found, name) in [
                (floored(aggregator, "amount"), "psi"), (value(.psi), "psi_half"),
                (value(.jensenShannon), "js"), (value(.hellinger), "hellinger"),
                (value(.totalVariation), "tv"),
            ] {
                #expect(
                    isFinite ? isEqual(found, expected[name], orAbove: isTied) : found != nil,
                    "\(vector.name): \(name)")
            }
            let ks = aggregator.reading(.ks, of: "amount")
            #expect(holds(ks, expected["ks_d"]), "\(vector.name): ks")
            if let estimate = ks.estimate, estimate.lower == estimate.upper {
                #expect(isEqual(estimate.pValue, expected["ks_p"]), "\(vector.name): ks_p")
            }
            #expect(
                holds(aggregator.reading(.wasserstein, of: "amount"), expected["w1"]),
                "\(vector.name): w1")
            #expect(
                holds(
                    aggregator.reading(.wassersteinNormalized, of: "amount"), expected["w1_norm"]),
                "\(vector.name): w1_norm")
            try checkQuantiles(aggregator, vector.quantiles, expected["q"], vector.name)
        }
    }

    private func checkQuantiles(
        _ aggregator: ModelAggregator, _ fractions: [Double]?, _ expected: Any?, _ name: String
    ) throws {
        guard let expected = expected as? [Double] else { return }
        for (fraction, value) in zip(try #require(fractions), expected) {
            let reading = aggregator.measure(
                MeasurementQuery(
                    model: aggregator.schema.model, statistic: .quantile, feature: "amount",
                    fraction: fraction), window: Samples.window(0..<1)
            ).reading
            #expect(holds(reading, value), "\(name): \(fraction)")
        }
    }

    @Test func `quantile vectors hold`() throws {
        let all = try JSONDecoder().decode(
            [QuantileVector].self,
            from: Data(
                contentsOf: Repository.streams.appendingPathComponent("vectors/quantile.json")))
        for vector in all {
            let rows = vector.values.map { Sample(amount: $0) }
            var aggregator = try Samples.aggregator(reference: rows)
            try aggregator.fold(rows)
            try checkQuantiles(aggregator, vector.q, vector.expected, vector.name)
        }
    }

    private struct QuantileVector: Decodable {
        let name: String
        let values: [Double]
        let q: [Double]
        let expected: [Double]
    }

    @Test func `categorical vectors hold`() throws {
        for (vector, expected) in zip(
            try Vector.read("categorical"), try Vector.expected("categorical"))
        {
            var aggregator = try Samples.aggregator(
                reference: try #require(vector.reference).map { Sample(colour: $0.text) })
            try aggregator.fold(try #require(vector.window).map { Sample(colour: $0.text) })
            func value(_ statistic: Statistic) -> Double? {
                aggregator.value(statistic, of: "colour")
            }
            for (found, name) in [
                (value(.missingRate), "missing_rate"), (value(.unseenRate), "new_share"),
                (floored(aggregator, "colour"), "psi"), (value(.psi), "psi_half"),
                (value(.jensenShannon), "js"), (value(.hellinger), "hellinger"),
                (value(.totalVariation), "tv"), (value(.chiSquare), "chi2"),
                (aggregator.reading(.chiSquare, of: "colour").estimate?.pValue, "chi2_p"),
            ] {
                #expect(isEqual(found, expected[name]), "\(vector.name): \(name)")
            }
        }
    }

    @Test func `binary vectors hold`() throws {
        for (vector, expected) in zip(try Vector.read("binary"), try Vector.expected("binary")) {
            func word(_ wire: Wire) -> String { wire.text == "1" ? "yes" : "no" }
            let (labels, predicted) = (
                try #require(vector.label), try #require(vector.predicted)
            )
            let rows = try #require(vector.score).indices.map { index in
                Sample(
                    label: word(predicted[index]), score: vector.score?[index],
                    truthLabel: word(labels[index]))
            }
            var aggregator = try Samples.aggregator(reference: rows.isEmpty ? nil : rows)
            try aggregator.fold(rows)
            for (statistic, name) in [
                (.accuracy, "accuracy"), (.logLoss, "log_loss"), (.brier, "brier"),
            ] as [(Statistic, String)] {
                #expect(
                    isEqual(aggregator.value(statistic), expected[name]),
                    "\(vector.name): \(name)")
            }
            let area = aggregator.reading(.rocAUC)
            #expect(holds(area, expected["roc_auc"]), "\(vector.name): \(area)")
        }
    }

    @Test func `regression and multiclass vectors hold`() throws {
        for (vector, expected) in zip(
            try Vector.read("regression"), try Vector.expected("regression"))
        {
            let truths = try #require(vector.label)
            let rows = try #require(vector.predicted).enumerated().map { index, value in
                Sample(value: value.number, truthValue: truths[index].number)
            }
            var aggregator = try Samples.aggregator(
                .regression, reference: rows.isEmpty ? nil : rows)
            try aggregator.fold(rows)
            #expect(isEqual(aggregator.value(.mae), expected["mae"]), "\(vector.name)")
            #expect(isEqual(aggregator.value(.rmse), expected["rmse"]), "\(vector.name)")
        }
        for (vector, expected) in zip(
            try Vector.read("multiclass"), try Vector.expected("multiclass"))
        {
            let truths = try #require(vector.label)
            let rows = try #require(vector.predicted).enumerated().map { index, label in
                Sample(label: label.text, truthLabel: truths[index].text)
            }
            var aggregator = try Samples.aggregator(.multiclass)
            try aggregator.fold(rows)
            #expect(isEqual(aggregator.value(.accuracy), expected["accuracy"]), "\(vector.name)")
        }
    }
}
