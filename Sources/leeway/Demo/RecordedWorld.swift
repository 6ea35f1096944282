import Foundation
import MonitoringDomain

/// This is a recorded stream as a world: its features and its ground truth, not its predictions.
///
/// The first part of the stream's reference trains version 1, the rest is what it is accepted on; the
/// production part is replayed. The format is one folder with `meta.json` and four files,
/// `{reference,production}.{predictions,labels}.ndjson`, plain or gzipped.
struct RecordedWorld {
    /// The share of the reference that version 1 is trained on.
    private static let historyShare = 0.6
    /// With fewer rows neither a model nor a baseline means much.
    private static let referenceCountMin = 500
    /// Each class has a model of its own; more would take longer than anybody watches.
    private static let classCountMax = 20

    static func read(_ folder: URL) throws -> World {
        let meta = try JSONDecoder().decode(
            RecordedMeta.self, from: contents(of: folder.appending(path: "meta.json")))
        let positive = meta.positiveLabel.flatMap(WorldLabel.init)
        let classes = (meta.classes ?? []).compactMap(WorldLabel.init)
        var labels = TruthReader(
            positive: positive, classes: meta.task == .multiclass ? classes : [])
        switch meta.task {
        case .binary where positive == nil:
            throw DemoError("\(folder.path)/meta.json: a binary stream needs \"positive_label\"")
        case .multiclass where classes.count < 3 || classes.count > Self.classCountMax:
            throw DemoError(
                "\(folder.path)/meta.json: a multiclass stream needs \"classes\", 3 to "
                    + "\(Self.classCountMax)")
        case .binary, .multiclass, .regression: break
        }
        let past = try events(
            "reference", in: folder, meta: meta, labels: &labels, truths: nil)
        var truths: [WorldTruth] = []
        let production = try events(
            "production", in: folder, meta: meta, labels: &labels, truths: { truths = $0 })
        guard past.count >= referenceCountMin, !production.isEmpty else {
            throw DemoError(
                "\(folder.path): found \(past.count) reference and \(production.count) production "
                    + "events, expected at least \(referenceCountMin) and 1")
        }
        let cut = Int(Double(past.count) * historyShare)
        let task: WorldTask =
            switch (meta.task, positive) {
            case (.binary, let positive?):
                .binary(positive: positive, negative: labels.negative ?? .text("other"))
            case (.multiclass, _): .multiclass(classes)
            case (.binary, nil), (.regression, _): .regression
            }
        return World(
            title: "\(meta.name), a recorded stream", model: meta.model, task: task,
            numericNames: meta.names(of: .numeric), categoricalNames: meta.names(of: .categorical),
            history: Array(past[..<cut]), reference: Array(past[cut...]), production: production,
            groundTruth: truths,
            drifts: (meta.knownDrift ?? []).compactMap { $0.drift }
                .filter { $0.time >= (production.first?.time ?? 0) })
    }

    private static func events(
        _ part: String, in folder: URL, meta: RecordedMeta, labels: inout TruthReader,
        truths keep: (([WorldTruth]) -> Void)?
    ) throws -> [WorldEvent] {
        let truths = try lines(RecordedTruth.self, of: "\(part).labels.ndjson", in: folder)
            .map { line in
                WorldTruth(
                    id: line.id, time: try line.time, truth: try labels.truth(of: line.label))
            }
        keep?(truths.sorted { $0.time < $1.time })
        // The first record of an id is when its ground truth came; later ones repeat it.
        var byID: [String: WorldTruth] = [:]
        for truth in truths where byID[truth.id] == nil { byID[truth.id] = truth }
        let numericNames = meta.names(of: .numeric)
        let categoricalNames = meta.names(of: .categorical)
        let events = try lines(RecordedEvent.self, of: "\(part).predictions.ndjson", in: folder)
            .map { line in
                let truth = byID[line.id]
                return WorldEvent(
                    id: line.id, time: try line.time,
                    numbers: numericNames.map { line.features[$0]?.flatMap(\.number) ?? .nan },
                    categories: categoricalNames.map { line.features[$0]?.flatMap(\.text) },
                    truth: truth?.truth, truthTime: truth?.time)
            }
        return events.sorted { $0.time < $1.time }
    }

    private static func lines<Line: Decodable>(
        _ type: Line.Type, of name: String, in folder: URL
    ) throws -> [Line] {
        let plain = folder.appending(path: name)
        let isPlain = FileManager.default.fileExists(atPath: plain.path)
        let file = isPlain ? plain : folder.appending(path: name + ".gz")
        let bytes = try contents(of: file)
        let decoder = JSONDecoder()
        var decoded: [Line] = []
        for line in bytes.split(separator: UInt8(ascii: "\n")) {
            do {
                decoded.append(try decoder.decode(type, from: Data(line)))
            } catch {
                throw DemoError("\(file.path):\(decoded.count + 1): \(error)")
            }
        }
        return decoded
    }

    private static func contents(of file: URL) throws -> Data {
        guard FileManager.default.fileExists(atPath: file.path) else {
            throw DemoError(
                "\(file.path): not there; a stream is a folder with meta.json, and "
                    + "{reference,production}.{predictions,labels}.ndjson or .ndjson.gz")
        }
        return Data(try RecordFile.read(file.path))
    }
}

/// This is a stream's description.
private struct RecordedMeta: Decodable {
    var name: String
    var task: Task
    var model: String
    var positiveLabel: RecordedValue?
    var classes: [RecordedValue]?
    var features: [Feature]
    var knownDrift: [Drift]?

    enum Task: String, Decodable { case binary, multiclass, regression }
    enum Kind: String, Decodable { case numeric, categorical }

    struct Feature: Decodable {
        var name: String
        var kind: Kind
    }

    struct Drift: Decodable {
        var from: String?
        var kind: String?
        var what: String

        /// Nil where the time is not known.
        var drift: WorldDrift? {
            guard let from, let time = EventTime(rfc3339: from.utf8) else { return nil }
            return WorldDrift(time: time.milliseconds, kind: kind ?? "known", what: what)
        }
    }

    enum CodingKeys: String, CodingKey {
        case name, task, model, features, classes
        case positiveLabel = "positive_label"
        case knownDrift = "known_drift"
    }

    func names(of kind: Kind) -> [String] { features.filter { $0.kind == kind }.map(\.name) }
}

private struct RecordedEvent: Decodable {
    var id: String
    var ts: String
    var features: [String: RecordedValue?]

    var time: Int64 { get throws { try eventTime(ts) } }
}

private struct RecordedTruth: Decodable {
    var id: String
    var ts: String
    var label: RecordedValue

    var time: Int64 { get throws { try eventTime(ts) } }
}

private func eventTime(_ text: String) throws -> Int64 {
    guard let time = EventTime(rfc3339: text.utf8) else {
        throw DemoError("\"ts\": found \"\(text)\", expected RFC 3339")
    }
    return time.milliseconds
}

/// This is a JSON scalar of a stream.
private enum RecordedValue: Decodable {
    case bool(Bool)
    case number(Double)
    case text(String)

    init(from decoder: any Decoder) throws {
        let container = try decoder.singleValueContainer()
        if let value = try? container.decode(Double.self) {
            self = .number(value)
        } else if let value = try? container.decode(String.self) {
            self = .text(value)
        } else {
            self = .bool(try container.decode(Bool.self))
        }
    }

    var number: Double? {
        if case .number(let value) = self { return value }
        return nil
    }

    /// Booleans compare by their text; a number in a categorical column does too.
    var text: String? {
        switch self {
        case .bool(let value): value ? "true" : "false"
        case .number(let value): "\(value)"
        case .text(let value): value
        }
    }
}

extension WorldLabel {
    fileprivate init?(_ value: RecordedValue) {
        switch value {
        case .bool(let value): self = .text(value ? "true" : "false")
        case .text(let value): self = .text(value)
        case .number(let value):
            guard let whole = Int64(exactly: value) else { return nil }
            self = .whole(whole)
        }
    }
}

/// This turns labels into truths, and learns the name of the negative label on its way.
private struct TruthReader {
    var positive: WorldLabel?
    /// Of several classes; else empty.
    var classes: [WorldLabel]
    var negative: WorldLabel?

    mutating func truth(of value: RecordedValue) throws -> Double {
        if !classes.isEmpty {
            guard let label = WorldLabel(value), let index = classes.firstIndex(of: label) else {
                throw DemoError("\"label\": found a class that meta.json does not name")
            }
            return Double(index)
        }
        guard let positive else {
            guard let number = value.number else {
                throw DemoError("\"label\": found a text, expected a number")
            }
            return number
        }
        guard let label = WorldLabel(value) else {
            throw DemoError("\"label\": found a fraction, expected a class")
        }
        if label == positive { return 1 }
        if let negative, negative != label {
            throw DemoError("\"label\": found a third class \(label), expected two")
        }
        negative = label
        return 0
    }
}
