/// This is one thing the monitor reacts to, in log order.
public enum Input: Equatable, Sendable {
    case predictions(PredictionBatch)
    case groundTruth(GroundTruthBatch)
    /// A request or a response of a model server; the machine pairs them.
    case inference(InferenceHalf)
    /// Values of another type than their features': a row for each, of records that were refused for
    /// them, with time, version and segments; and the features' names, [rowCount].
    case typeErrors(PredictionBatch, features: TextColumn)
    /// Pins the rows as the model's reference; ground truth is inline.
    case pinReference(PredictionBatch, pinnedAt: EventTime)
    /// Asks for another reference, made of the model's own log.
    case chooseReference(ModelID, ReferenceSource, at: EventTime)
    /// Puts the reference with this id in force: it can be made of what lies before in the log.
    case activateReference(ModelID, id: String)
    /// Rule files, by name, replacing all earlier ones.
    case rules([RuleFile])
    /// The clock's reading, for rules and horizons.
    case tick(EventTime)
    case report(TrainerReport, at: EventTime)
    /// A part of the schema that its owner declared.
    case declareSchema(ModelSchema)
    /// Nothing reads the log through this position any more; rows of later event times than `reaching` lie
    /// all behind it.
    case trimLog(through: Int64, reaching: EventTime)
}

extension Input {
    /// This is the model whose state the input changes; nil where it is no one model's.
    public var model: ModelID? {
        switch self {
        case .predictions(let batch), .pinReference(let batch, _), .typeErrors(let batch, _):
            batch.model
        case .groundTruth(let batch): batch.model
        case .inference(let half): half.batch.model
        case .declareSchema(let schema): schema.model
        case .chooseReference(let model, _, _), .activateReference(let model, _): model
        case .rules, .tick, .report, .trimLog: nil
        }
    }
}

/// This is a rule file's name and text.
public struct RuleFile: Hashable, Sendable {
    /// This is the file's name in the rules folder, which diagnostics show.
    public var name: String
    /// This is the file's YAML.
    public var text: String
    /// Makes a file from its name and text.
    public init(name: String, text: String) {
        self.name = name
        self.text = text
    }
}

/// This is something that the shell must carry out.
///
/// Its key is derived from the data, so that a replay makes the same key and the store takes it
/// once.
public enum Effect: Equatable, Sendable {
    case alertChanged(Alert)
    case fileRequest(RetrainingRequest)
    case requestChanged(RetrainingRequest)

    /// This is the name under which the store takes the effect once.
    public var key: String {
        switch self {
        case .alertChanged(let alert):
            let moment = alert.resolvedAt ?? alert.firedAt ?? alert.since
            return "alert/\(alert.fingerprint)/\(alert.phase.rawValue)/\(moment.milliseconds)"
        case .fileRequest(let request): return "file/\(request.id)"
        case .requestChanged(let request):
            let verdict = request.verification?.verdict.rawValue ?? "-"
            return
                "request/\(request.id)/\(request.state.rawValue)/\(verdict)/\(request.triggerCount)"
        }
    }
}
