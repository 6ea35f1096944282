import MonitoringDomain

extension WireRow {
    /// Adds the values of segment keys; what was told first for a key stands.
    mutating func add(_ found: [Segment]) {
        for segment in found where !segments.contains(where: { $0.key.isExactly(segment.key) }) {
            segments.append(segment)
        }
    }

    /// Takes the id out of the input column that the owner has declared to hold it, and then is no feature.
    ///
    /// - Returns: True where there is such a column; then the row has its id, or none where it is missing.
    @discardableResult
    mutating func takeIdentity(_ schema: ModelSchema?) -> Bool {
        guard case .feature(let name)? = schema?.identity,
            let place = features.firstIndex(where: { $0.name.isExactly(name) })
        else { return false }
        id = features.remove(at: place).value.wireValue.name
        return true
    }

    /// Gives each declared segment key that nothing was told for the value of the feature of its name.
    ///
    /// Foreign formats have features, and mostly no word for segments.
    mutating func fillSegments(_ schema: ModelSchema?) {
        for key in schema?.segments ?? [] where !segments.contains(where: { $0.key.isExactly(key) })
        {
            guard let text = features.first(where: { $0.name.isExactly(key) })?.value.wireValue.name
            else {
                continue
            }
            segments.append(Segment(key: key, value: text))
        }
    }
}

/// This is what serving adds to a model's rows, under construction: latencies, errors and segments.
struct ServingColumns {
    /// Distinct segment keys of one model in one body; a row with a further one is refused.
    static let segmentKeyCountMax = 64

    private var latencies: [Double] = []
    private var errors: [String?] = []
    private var weights: [Double] = []
    private var segments: [(key: String, texts: [String?])] = []

    /// This is what the row breaks of the contract, at a pointer; nil where it can be appended.
    func fault(
        of row: WireRow, limits: DecodingLimits
    ) -> (pointer: String, detail: String, code: String)? {
        if let latency = row.latency, !(latency >= 0 && latency.isFinite) {
            return ("/latency_ms", "a latency is not below 0", ItemError.invalidField)
        }
        if let weight = row.weight, !(weight >= 1 && weight.isFinite) {
            return ("/weight", "a weight is at least 1", ItemError.invalidField)
        }
        if let error = row.error, error.utf8.count > limits.textSizeBytesMax {
            return (
                "/error", "a text over \(limits.textSizeBytesMax) bytes", ItemError.invalidField
            )
        }
        var newCount = 0
        for segment in row.segments {
            let place = pointer("/segments", segment.key)
            guard (1...limits.idSizeBytesMax).contains(segment.key.utf8.count) else {
                return (
                    place, "a segment key has 1 to \(limits.idSizeBytesMax) bytes",
                    ItemError.invalidField
                )
            }
            guard !segment.value.isEmpty, segment.value.utf8.count <= limits.textSizeBytesMax
            else {
                return (
                    place, "a text of 1 to \(limits.textSizeBytesMax) bytes expected",
                    ItemError.invalidField
                )
            }
            if !segments.contains(where: { $0.key.isExactly(segment.key) }) { newCount += 1 }
            guard segments.count + newCount <= Self.segmentKeyCountMax else {
                return (
                    place, "over \(Self.segmentKeyCountMax) segment keys of one model",
                    ItemError.cardinalityLimit
                )
            }
        }
        return nil
    }

    /// Appends what `row`, the row with number `index`, has; `fault` has found nothing.
    mutating func append(_ row: WireRow, at index: Int) {
        if let latency = row.latency {
            while latencies.count < index { latencies.append(.nan) }
            latencies.append(latency == 0 ? 0 : latency)
        }
        if let weight = row.weight, weight != 1 || !weights.isEmpty {
            while weights.count < index { weights.append(1) }
            weights.append(weight)
        }
        if let error = row.error {
            while errors.count < index { errors.append(nil) }
            errors.append(error)
        }
        for segment in row.segments {
            let place: Int
            if let known = segments.firstIndex(where: { $0.key.isExactly(segment.key) }) {
                place = known
            } else {
                place = segments.count
                segments.append((segment.key, []))
            }
            // A key that is there twice in one row keeps its first value.
            guard segments[place].texts.count <= index else { continue }
            while segments[place].texts.count < index { segments[place].texts.append(nil) }
            segments[place].texts.append(segment.value)
        }
    }

    /// Gives the columns to a batch of all rows.
    consuming func finish(_ batch: inout PredictionBatch) {
        if !latencies.isEmpty {
            while latencies.count < batch.rowCount { latencies.append(.nan) }
            batch.latencies = latencies
        }
        if !weights.isEmpty {
            while weights.count < batch.rowCount { weights.append(1) }
            batch.weights = weights
        }
        if !errors.isEmpty { batch.errors = TextColumn(errors, rowCount: batch.rowCount) }
        for segment in segments {
            batch.segments.append(
                (segment.key, TextColumn(segment.texts, rowCount: batch.rowCount)))
        }
    }
}

extension WireValue {
    /// How many calls a record stands for that was kept with this probability, in 0<...1; nil for others.
    var weightOfFraction: Double? {
        guard let fraction = double, fraction > 0, fraction <= 1 else { return nil }
        return 1 / fraction
    }
}

extension TextColumn {
    /// Makes a column of texts; rows behind the last one are missing.
    init(_ texts: [String?], rowCount: Int) {
        self.init()
        var codeOfText: [ExactText: UInt32] = [:]
        for text in texts {
            guard let text else {
                codes.append(Self.missing)
                continue
            }
            if let code = codeOfText[ExactText(text)] {
                codes.append(code)
                continue
            }
            let code = UInt32(truncatingIfNeeded: dictionary.count)
            codeOfText[ExactText(text)] = code
            dictionary.append(text)
            codes.append(code)
        }
        while codes.count < rowCount { codes.append(Self.missing) }
    }
}
