import ByteCoding
import MonitoringDomain

/// This writes the world's events as Leeway's records.
struct WireRecords: Sendable {
    let world: World

    /// This is one prediction per line; with `truth`, ground truth is inline, as in a reference.
    func predictions(
        _ rows: [(event: WorldEvent, prediction: ModelOutput)], version: String,
        withTruth: Bool = false
    ) -> [UInt8] {
        var bytes: [UInt8] = []
        bytes.reserveCapacity(rows.count * 320)
        for row in rows {
            var features: [(String, JSONValue)] = []
            for (name, value) in zip(world.numericNames, row.event.numbers) {
                features.append((name, value.isNaN ? .null : .double(value)))
            }
            for (name, value) in zip(world.categoricalNames, row.event.categories) {
                features.append((name, .optional(value)))
            }
            var members: [(String, JSONValue)] = [
                ("id", .string(row.event.id)), ("ts", time(row.event.time)),
                ("model", .string(world.model)), ("version", .string(version)),
                ("features", .object(features)), ("prediction", prediction(row.prediction)),
            ]
            if withTruth, let truth = row.event.truth { members.append(outcome(truth)) }
            JSONValue.object(members).write(to: &bytes)
            bytes.append(UInt8(ascii: "\n"))
        }
        return bytes
    }

    /// This is one record of ground truth per line.
    func groundTruth(_ rows: ArraySlice<WorldTruth>) -> [UInt8] {
        var bytes: [UInt8] = []
        for row in rows {
            JSONValue.object([
                ("id", .string(row.id)), ("ts", time(row.time)), ("model", .string(world.model)),
                outcome(row.truth),
            ]).write(to: &bytes)
            bytes.append(UInt8(ascii: "\n"))
        }
        return bytes
    }

    /// This is the model's declaration: what its owner knows before the first record.
    func schema(pane: Int64) -> [UInt8] {
        var members: [(String, JSONValue)] = []
        switch world.task {
        case .binary(let positive, _):
            members = [("task", .string("binary")), ("positive_label", label(positive))]
        case .multiclass: members = [("task", .string("multiclass"))]
        case .regression: members = [("task", .string("regression"))]
        }
        func features(_ names: [String], _ kind: FeatureKind) -> [JSONValue] {
            names.map {
                .object([("name", .string($0)), ("kind", .string(kind.name))])
            }
        }
        members.append(
            (
                "features",
                .array(
                    features(world.numericNames, .numeric)
                        + features(world.categoricalNames, .categorical))
            ))
        members.append(("pane", .string(WindowSpan.milliseconds(pane).text)))
        return Array(JSONValue.object(members).text.utf8)
    }

    private func time(_ milliseconds: Int64) -> JSONValue {
        .string(EventTime(milliseconds: milliseconds).description)
    }

    private func prediction(_ output: ModelOutput) -> JSONValue {
        // Of many classes too, rounded scores add up to one within 1e-6.
        func score(_ share: Double) -> JSONValue { .double((share * 1e9).rounded() / 1e9) }
        let value = output.value
        switch world.task {
        case .binary(let positive, let negative):
            return .object([
                ("label", label(value >= 0.5 ? positive : negative)), ("score", score(value)),
            ])
        case .multiclass(let classes):
            return .object([
                ("label", label(classes[Int(value)])), ("score", score(output.shares[Int(value)])),
                (
                    "scores",
                    .object(
                        zip(classes, output.shares).map { ($0.text, score($1)) })
                ),
            ])
        case .regression: return .object([("value", .double((value * 1e4).rounded() / 1e4))])
        }
    }

    private func outcome(_ truth: Double) -> (String, JSONValue) {
        switch world.task {
        case .binary(let positive, let negative):
            ("label", label(truth >= 0.5 ? positive : negative))
        case .multiclass(let classes): ("label", label(classes[Int(truth)]))
        case .regression: ("value", .double(truth))
        }
    }

    private func label(_ label: WorldLabel) -> JSONValue {
        switch label {
        case .text(let text): .string(text)
        case .whole(let whole): .int(whole)
        }
    }
}
