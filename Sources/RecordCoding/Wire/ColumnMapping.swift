import MonitoringDomain

/// This is what the columns of a flat record mean.
public struct ColumnMapping: Sendable, Equatable {
    /// This is what a column means.
    public enum Role: String, Sendable, CaseIterable {
        case id, ts, model, version, revision
        /// The predicted class, or value where it is a number with a fraction.
        case prediction
        /// The probability of the positive class.
        case score
        /// The predicted value of a regression.
        case value
        /// Ground truth.
        case truth
        /// Milliseconds that serving took.
        case latency
        /// What went wrong in serving.
        case error
        /// How many calls the row stands for.
        case weight
        /// A slice of the traffic, by the column's name; any number of columns.
        case segment
        case feature
        case ignore
    }

    /// Roles of columns that were told, by exact name.
    public var roles: [String: Role]
    /// The columns that are features; nil for all that have no other role.
    public var features: Set<String>?

    /// Makes a mapping; what it does not say follows from the names of the columns.
    public init(roles: [String: Role] = [:], features: Set<String>? = nil) {
        self.roles = roles
        self.features = features
    }

    private static let defaults: [Role: [String]] = [
        .id: ["id", "prediction_id", "request_id", "inference_id", "event_id"],
        .ts: ["ts", "timestamp", "time", "event_time", "datetime"],
        .model: ["model", "model_name", "model_id"], .version: ["version", "model_version"],
        .revision: ["revision"],
        .prediction: [
            "prediction", "pred", "predicted", "predicted_label", "prediction_label",
            "predicted_class", "y_pred",
        ],
        .score: [
            "score", "probability", "proba", "prediction_score", "predicted_score",
            "prediction_probability", "y_score",
        ],
        .value: ["prediction_value", "predicted_value"],
        .truth: [
            "label", "ground_truth", "truth", "target", "actual", "y_true", "true_label", "outcome",
        ],
        .latency: ["latency_ms", "execution_time_ms", "execution_duration_ms"],
        .error: ["error_message"], .weight: ["sample_weight"],
        .ignore: ["trace_id", "bento_meta"],
    ]

    private static let roleOfName = Dictionary(
        uniqueKeysWithValues: defaults.flatMap { role, names in names.map { ($0, role) } })

    /// This is what the column means: as told, else by its name in any case of letters, else a feature.
    ///
    /// A role that was told to one column is not taken by another because of its name.
    public func role(of column: String) -> Role {
        if let role = roles[column] { return role }
        if let features { return features.contains(column) ? .feature : fallback(column, .ignore) }
        return fallback(column, .feature)
    }

    private func fallback(_ column: String, _ other: Role) -> Role {
        let name = String(column.lowercased().map { $0 == " " || $0 == "-" ? "_" : $0 })
        guard let role = Self.roleOfName[name] else { return other }
        return role != .ignore && role != .segment && roles.values.contains(role) ? other : role
    }
}

extension WireRow {
    /// Takes a value in its role, and returns false where it cannot have it.
    ///
    /// A feature is appended.
    mutating func take(
        _ value: WireValue, as role: ColumnMapping.Role, column: String, kind: OutputKind
    ) -> Bool {
        if value == .null, role != .feature { return true }
        switch role {
        case .id: id = value.name
        case .version: version = value.name
        case .ts: time = EventTime(wire: value)
        case .revision:
            guard case .integer(let number) = value else { return false }
            revision = number
            return true
        case .prediction:
            guard let output = PredictedOutput(value, kind) else { return false }
            label = output.label ?? label
            score = score ?? output.score
            self.value = output.value ?? self.value
            return true
        case .score:
            score = value.double
            return score != nil
        case .value:
            self.value = value.double
            return self.value != nil
        case .truth: return readTruth(value, task: kind.task)
        case .latency:
            latency = value.double
            return latency != nil
        case .error:
            error = value.name.map { String($0.prefix(200)) }
            return error != nil
        case .weight:
            weight = value.double
            return weight != nil
        case .segment:
            guard let text = value.name else { return false }
            add([Segment(key: column, value: text)])
            return true
        case .feature:
            guard let scalar = WireScalar(feature: value) else { return false }
            features.append(Feature(column, scalar))
            return true
        case .model, .ignore: return true
        }
        return role == .ts ? time != nil : role == .id ? id != nil : version != nil
    }
}
