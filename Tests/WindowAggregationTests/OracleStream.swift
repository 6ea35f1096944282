import Foundation
import MonitoringDomain
import MonitoringTestSupport

/// This is a real stream, folded, and what public libraries computed of it.
struct OracleStream {
    let name: String
    private let metadata: Metadata

    private struct Metadata: Decodable {
        struct Feature: Decodable {
            let name: String
            let kind: String
        }

        let task: String
        let features: [Feature]
    }

    init(_ name: String) throws {
        self.name = name
        metadata = try Self.read("streams/\(name)/meta.json")
    }

    static func read<Value: Decodable>(_ path: String) throws -> Value {
        let file = Repository.streams.appendingPathComponent(path)
        return try JSONDecoder().decode(Value.self, from: Data(contentsOf: file))
    }

    func drift(_ scheme: String) throws -> OracleDrift {
        try Self.read("oracles/\(name)/drift.\(scheme).json")
    }

    func performance(_ scheme: String) throws -> OraclePerformance {
        try Self.read("oracles/\(name)/performance.\(scheme).json")
    }

    /// These are the columns that are constant in the reference: there the product also sees moves downwards,
    /// to which decile bins are blind, so its value is at least the oracle's.
    func constantColumns() throws -> Set<String> {
        let reference: OracleReference = try Self.read("oracles/\(name)/reference.json")
        return Set(
            reference.columns.filter { _, column in
                column.edges.map { Set($0).count == 1 } ?? false
            }.keys)
    }

    func schema() throws -> ModelSchema {
        guard let model = ModelID(name), let task = TaskKind(rawValue: metadata.task) else {
            throw SampleError()
        }
        let positive = ["elec2": "UP", "carloan": "1"]
        return ModelSchema(
            model: model, task: task,
            features: metadata.features.map {
                FeatureSchema(
                    name: $0.name, kind: $0.kind == "numeric" ? .numeric : .categorical)
            }, positiveLabel: positive[name], paneMilliseconds: WindowSpan.day / 4)
    }

    // MARK: - Events

    /// This is one part of the stream, with its ground truth inline.
    func batch(_ part: String) throws -> PredictionBatch {
        let schema = try schema()
        var truths: [String: Any] = [:]
        for event in try events("\(part).labels") {
            if let id = event["id"] as? String { truths[id] = event["label"] }
        }
        var labels = TextBuilder()
        var truthLabels = TextBuilder()
        var numbers = schema.features.map { _ in [Double]() }
        var texts = schema.features.map { _ in TextBuilder() }
        var batch = PredictionBatch(model: schema.model)
        for event in try events("\(part).predictions") {
            guard let text = event["ts"] as? String, let time = EventTime(rfc3339: text.utf8),
                let id = event["id"] as? String,
                let features = event["features"] as? [String: Any],
                let prediction = event["prediction"] as? [String: Any]
            else { throw SampleError() }
            batch.rowCount += 1
            batch.times.append(time.milliseconds)
            for (index, feature) in schema.features.enumerated() {
                let value = features[feature.name]
                switch feature.kind {
                case .numeric: numbers[index].append(value as? Double ?? .nan)
                case .categorical:
                    let truth = (value as? Bool).map { $0 ? "true" : "false" }
                    texts[index].append(value as? String ?? truth)
                case .single, .text, .vector: throw SampleError()
                }
            }
            let truth = truths[id]
            labels.append(Self.label(prediction["label"]))
            batch.scores.append(prediction["score"] as? Double ?? .nan)
            batch.values.append(prediction["value"] as? Double ?? .nan)
            let isRegression = schema.task == .regression
            truthLabels.append(isRegression ? nil : Self.label(truth))
            batch.truthValues.append(isRegression ? truth as? Double ?? .nan : .nan)
        }
        batch.identities = [RecordIdentity](repeating: .none, count: batch.rowCount)
        batch.versions = TextColumn(
            codes: [UInt32](repeating: 0, count: batch.rowCount), dictionary: ["1"])
        batch.features = schema.features.enumerated().map { index, feature in
            (
                feature.name,
                feature.kind == .numeric
                    ? .numeric(numbers[index]) : .categorical(texts[index].column)
            )
        }
        batch.labels = labels.column
        batch.truthLabels = truthLabels.column
        return batch
    }

    private static func label(_ value: Any?) -> String? {
        value as? String ?? (value as? Int).map { "\($0)" }
    }

    private func events(_ file: String) throws -> [[String: Any]] {
        let path = Repository.streams.appendingPathComponent("streams/\(name)/\(file).ndjson.gz")
            .path
        let run = try CommandRun("/usr/bin/env", ["gzip", "-dc", path])
        // One document is read faster than as many as there are lines.
        var document = Data([UInt8(ascii: "[")])
        document.append(contentsOf: run.output)
        while document.last == UInt8(ascii: "\n") { document.removeLast() }
        document = Data(document.map { $0 == UInt8(ascii: "\n") ? UInt8(ascii: ",") : $0 })
        document.append(UInt8(ascii: "]"))
        guard run.status == 0,
            let events = try JSONSerialization.jsonObject(with: document) as? [[String: Any]]
        else { throw SampleError() }
        return events
    }
}

/// This is a text column in the making.
private struct TextBuilder {
    var column = TextColumn()
    private var codes: [String: UInt32] = [:]

    mutating func append(_ text: String?) {
        guard let text else {
            column.codes.append(TextColumn.missing)
            return
        }
        let code = codes[text] ?? UInt32(codes.count)
        if codes.updateValue(code, forKey: text) == nil { column.dictionary.append(text) }
        column.codes.append(code)
    }
}

/// This is the windows of an oracle file, as columns.
struct OracleWindows: Decodable {
    let start: [String]
    let end: [String]
    let n: [Int]
    /// Only where windows count events.
    let partial_last: Bool?

    /// Windows of events are panes by their number: see `OracleTests`.
    func window(_ index: Int) throws -> TimeWindow {
        if partial_last != nil {
            let start = EventTime(milliseconds: Int64(index) * WindowSpan.day / 4)
            return TimeWindow(
                start: start, end: start.advanced(byMilliseconds: WindowSpan.day / 4))
        }
        guard let start = EventTime(rfc3339: start[index].utf8),
            let end = EventTime(rfc3339: end[index].utf8)
        else { throw SampleError() }
        return TimeWindow(start: start, end: end)
    }
}

/// This is `drift.<scheme>.json`.
struct OracleDrift: Decodable {
    struct Column: Decodable {
        let missing_rate: [Double?]
        let psi_half: [Double?]
        let new_share: [Double?]?
        let ks_d: [Double?]?
        let mean: [Double?]?
        let std: [Double?]?
        let min: [Double?]?
        let max: [Double?]?
        let q: [[Double]?]?
        let js: [Double?]
        let hellinger: [Double?]
        let tv: [Double?]
        let w1: [Double?]?
        let w1_norm: [Double?]?
        let chi2: [Double?]?
        let chi2_p: [Double?]?
        let ks_p: [Double?]?

        var statistics: [(statistic: Statistic, values: [Double?])] {
            [
                (.missingRate, missing_rate), (.psi, psi_half), (.unseenRate, new_share),
                (.ks, ks_d), (.mean, mean), (.stddev, std), (.min, min), (.max, max),
                (.jensenShannon, js), (.hellinger, hellinger), (.totalVariation, tv),
                (.wasserstein, w1), (.wassersteinNormalized, w1_norm), (.chiSquare, chi2),
            ].compactMap { statistic, values in values.map { (statistic, $0) } }
        }
    }

    /// Benjamini and Hochberg's correction over the columns of each window.
    struct Corrections: Decodable {
        let alpha: Double
        let order: [String]
        /// [windows][columns].
        let adjusted: [[Double?]]
        let rejected: [[Int?]]
    }

    let quantiles: [Double]
    let windows: OracleWindows
    let columns: [String: Column]
    let bh: Corrections
}

/// This is `performance.<scheme>.json`.
struct OraclePerformance: Decodable {
    let windows: OracleWindows
    let n_labelled: [Int]
    let metrics: [String: Metric]

    /// One number for each window; nil for what is a table.
    struct Metric: Decodable {
        let values: [Double?]?

        init(from decoder: any Decoder) throws {
            values = try? decoder.singleValueContainer().decode([Double?].self)
        }
    }

    var statistics: [(statistic: Statistic, values: [Double?])] {
        let known: [Statistic] = [.accuracy, .rocAUC, .logLoss, .brier, .mae, .rmse]
        let coverage = zip(n_labelled, windows.n).map { $1 == 0 ? nil : Double($0) / Double($1) }
        return known.compactMap { statistic in
            metrics[statistic.rawValue]?.values.map { (statistic, $0) }
        } + [(.coverage, coverage), (.volume, windows.n.map { Double($0) })]
    }
}

private struct OracleReference: Decodable {
    struct Column: Decodable {
        let edges: [Double]?
    }

    let columns: [String: Column]
}
