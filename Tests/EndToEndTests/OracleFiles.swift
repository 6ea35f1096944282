import Foundation
import MonitoringTestSupport

/// This is a real stream and what public libraries computed of it.
struct OracleStream {
    struct Feature: Decodable {
        let name: String
        let kind: String
    }

    /// This is a label in the metadata: a text or a whole number.
    struct Label: Decodable {
        let text: String
        init(from decoder: any Decoder) throws {
            let container = try decoder.singleValueContainer()
            if let number = try? container.decode(Int.self) {
                text = String(number)
            } else {
                text = try container.decode(String.self)
            }
        }
    }

    struct Metadata: Decodable {
        let model: String
        let task: String
        let features: [Feature]
        let positiveLabel: Label?

        enum CodingKeys: String, CodingKey {
            case model, task, features
            case positiveLabel = "positive_label"
        }
    }

    let name: String
    let metadata: Metadata

    init(_ name: String) throws {
        self.name = name
        metadata = try Self.read("streams/\(name)/meta.json")
    }

    static func read<Value: Decodable>(_ path: String) throws -> Value {
        let file = Repository.streams.appendingPathComponent(path)
        return try JSONDecoder().decode(Value.self, from: Data(contentsOf: file))
    }

    /// This is the lines of one of the stream's four files.
    func lines(_ file: String) throws -> [String] {
        let path = Repository.streams.appendingPathComponent("streams/\(name)/\(file).ndjson.gz")
            .path
        let run = try CommandRun("/usr/bin/env", ["gzip", "-dc", path])
        guard run.status == 0 else { throw HTTPFailure(reason: "gzip: \(run.errors)") }
        // The stream's ground truth is named `label` for every task; on the wire a number of a
        // regression is a `value`.
        let isValue = metadata.task == "regression" && file.hasSuffix("labels")
        return run.output.split(separator: UInt8(ascii: "\n")).map {
            let line = String(decoding: $0, as: UTF8.self)
            return isValue ? line.replacingOccurrences(of: "\"label\":", with: "\"value\":") : line
        }
    }

    /// This is the reference's predictions with their ground truth inline.
    func referenceLines() throws -> [String] {
        var truths: [Substring: Substring] = [:]
        for line in try lines("reference.labels") {
            guard let id = Self.id(of: line), let comma = line.lastIndex(of: ",") else { continue }
            truths[id] = line[comma...].dropLast()
        }
        return try lines("reference.predictions").map { line in
            guard let id = Self.id(of: line), let truth = truths[id] else { return line }
            return line.dropLast() + truth + "}"
        }
    }

    /// This is the text after `{"id":"`, with which every line of the streams begins.
    private static func id(of line: String) -> Substring? {
        let start = #"{"id":""#
        guard line.hasPrefix(start) else { return nil }
        return line.dropFirst(start.count).prefix { $0 != "\"" }
    }

    /// This is the declaration of the model: its task, its positive label and its features.
    var declaration: [UInt8] {
        let features = metadata.features.map { #"{"name":"\#($0.name)","kind":"\#($0.kind)"}"# }
        let positive = metadata.positiveLabel.map { #""positive_label":"\#($0.text)","# } ?? ""
        return Array(
            (#"{"task":"\#(metadata.task)",\#(positive)"features":["#
                + features.joined(separator: ",") + "]}").utf8)
    }
}

/// This is the windows of an oracle file, as columns.
struct OracleWindows: Decodable {
    let start: [String]
    let end: [String]
    let n: [Int]
}

/// This is `drift.<scheme>.json`.
struct OracleDrift: Decodable {
    struct Column: Decodable {
        let kind: String
        let missingRate: [Double?]
        /// With the customary floor, which the API gives on request.
        let psi: [Double?]
        let psiHalf: [Double?]
        let unseenRate: [Double?]?
        let ks: [Double?]?
        let mean: [Double?]?
        let stddev: [Double?]?
        let min: [Double?]?
        let max: [Double?]?

        enum CodingKeys: String, CodingKey {
            case kind, psi, mean, min, max
            case missingRate = "missing_rate"
            case psiHalf = "psi_half"
            case unseenRate = "new_share"
            case ks = "ks_d"
            case stddev = "std"
        }

        /// This is the oracle's values by the product's names.
        var statistics: [(name: String, values: [Double?])] {
            [
                ("psi", psiHalf), ("missing_rate", missingRate), ("unseen_rate", unseenRate),
                ("ks", ks), ("mean", mean), ("stddev", stddev), ("min", min), ("max", max),
            ].compactMap { name, values in values.map { (name, $0) } }
        }
    }

    let windows: OracleWindows
    let columns: [String: Column]
}

/// This is `performance.<scheme>.json`.
struct OraclePerformance: Decodable {
    let windows: OracleWindows
    let labelled: [Int]
    let metrics: [String: [Double?]]

    enum CodingKeys: String, CodingKey {
        case windows, metrics
        case labelled = "n_labelled"
    }

    /// This is the oracle's values by the product's names.
    var statistics: [(name: String, values: [Double?])] {
        let names = ["accuracy", "roc_auc", "log_loss", "brier", "mae", "rmse"]
        let coverage = zip(labelled, windows.n).map { $1 == 0 ? nil : Double($0) / Double($1) }
        return names.compactMap { name in metrics[name].map { (name, $0) } } + [
            ("coverage", coverage)
        ]
    }
}

/// This is `reference.json`.
struct OracleReference: Decodable {
    struct Column: Decodable {
        let edges: [Double]?

        /// True when two decile edges are one value: then decile bins see moves in one direction
        /// only, and the product, which gives that value its own bin, sees at least as much.
        var hasRepeatedEdges: Bool { edges.map { Set($0).count < $0.count } ?? false }
    }

    let columns: [String: Column]
}
