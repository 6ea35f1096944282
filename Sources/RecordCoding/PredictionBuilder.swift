import MonitoringDomain

/// This is one feature's column under construction; its kind is open until a value or a hint tells
/// it.
private struct FeatureBuilder {
    let name: String
    var kind: FeatureKind?
    var numbers: [Double] = []
    var texts: TextBuilder

    mutating func append(_ number: Double, at row: Int) {
        while numbers.count < row { numbers.append(.nan) }
        numbers.append(number)
    }

    mutating func append(_ text: ByteText, at row: Int) {
        texts.appendMissing(upTo: row)
        texts.append(text)
    }

    /// Nil where the feature was only null and nobody has said what it is.
    consuming func finished(rowCount: Int) -> FeatureColumn? {
        switch kind {
        case .numeric:
            while numbers.count < rowCount { numbers.append(.nan) }
            return .numeric(numbers)
        case .categorical: return .categorical(texts.finished(rowCount: rowCount))
        case nil: return nil
        }
    }
}

/// This is one segment key's column under construction.
private struct SegmentBuilder {
    let name: String
    let bytes: [UInt8]
    var texts: TextBuilder
}

/// This is one model's batch of predictions under construction.
struct PredictionBuilder {
    /// Distinct segment keys of one model in one body; a record with a further one is refused.
    private static let segmentKeyCountMax = 64

    private let hash: IdentityHash
    private let seed: UInt64
    private var batch: PredictionBatch
    private var features: [FeatureBuilder] = []
    private var segments: [SegmentBuilder] = []
    private var errors: TextBuilder
    /// By the number of the feature's name: the place in `features`, or -1.
    private var placeOfName: [Int32] = []
    private var versions: TextBuilder
    private var labels: TextBuilder
    private var truthLabels: TextBuilder

    init(model: ModelID, seed: UInt64) {
        hash = IdentityHash(model: model)
        self.seed = seed
        batch = PredictionBatch(model: model)
        versions = TextBuilder(seed: seed)
        errors = TextBuilder(seed: seed)
        labels = TextBuilder(seed: seed)
        truthLabels = TextBuilder(seed: seed)
    }

    /// Appends `row`, unless features break the contract: then the body is refused in the end.
    ///
    /// The default version is the text `default`, as bytes that outlive the call.
    mutating func append(
        _ row: RecordRow, arrival: EventTime, defaultVersion: ByteText,
        _ input: inout RecordCursor, kindOf: (ModelID, String) -> FeatureKind?
    ) throws(RecordDecodingError) {
        let index = batch.rowCount
        for feature in row.features {
            let place = place(of: feature.name)
            if place >= 0, features[place].kind != nil {
                try append(feature.value, to: place, at: index, &input)
            } else {
                try appendToNew(feature, at: index, &input, kindOf: kindOf)
            }
        }
        for (place, segment) in row.segments.enumerated() {
            try append(segment, near: place, at: index, &input)
        }
        if !row.latency.isNaN {
            while batch.latencies.count < index { batch.latencies.append(.nan) }
            batch.latencies.append(row.latency)
        }
        if let error = row.error {
            errors.appendMissing(upTo: index)
            errors.append(error)
        }
        batch.identities.append(row.id.map { hash.identity(of: $0) } ?? .none)
        batch.times.append(row.time ?? arrival.milliseconds)
        batch.scores.append(row.score)
        batch.values.append(row.value)
        batch.truthValues.append(row.truthValue)
        versions.append(row.version ?? defaultVersion)
        labels.append(row.label)
        truthLabels.append(row.truthLabel)
        batch.rowCount += 1
    }

    /// Records mostly name keys in one order, so `place` is looked at first.
    private mutating func append(
        _ segment: (key: ByteText, value: ByteText), near place: Int, at row: Int,
        _ input: inout RecordCursor
    ) throws(RecordDecodingError) {
        let bytes = segment.key.buffer
        let known =
            place < segments.count && bytes.elementsEqual(segments[place].bytes)
            ? place : segments.firstIndex { bytes.elementsEqual($0.bytes) }
        if known == nil, segments.count == Self.segmentKeyCountMax {
            let detail = "over \(segments.count) segment keys of one model"
            try input.refuse(
                pointer("/segments", segment.key), detail, code: ItemError.cardinalityLimit)
            return
        }
        if known == nil {
            segments.append(
                SegmentBuilder(
                    name: segment.key.string, bytes: Array(bytes), texts: TextBuilder(seed: seed)))
        }
        let index = known ?? segments.count - 1
        segments[index].texts.appendMissing(upTo: row)
        segments[index].texts.append(segment.value)
    }

    @inline(__always)
    private func place(of name: Int) -> Int {
        name < placeOfName.count ? Int(placeOfName[name]) : -1
    }

    @inline(__always)
    private mutating func append(
        _ value: FeatureValue, to place: Int, at row: Int, _ input: inout RecordCursor
    ) throws(RecordDecodingError) {
        switch value {
        case .missing: return
        case .number(let number) where features[place].kind == .numeric:
            features[place].append(number, at: row)
        case .text(let text) where features[place].kind == .categorical:
            features[place].append(text, at: row)
        case .number: try refuse(place, "a number", &input)
        case .text: try refuse(place, "a string or boolean", &input)
        }
    }

    private func refuse(
        _ place: Int, _ found: String, _ input: inout RecordCursor
    ) throws(RecordDecodingError) {
        let feature = features[place]
        let expected = feature.kind?.rawValue ?? "unknown"
        try input.refuse(
            pointer("/features", feature.name), "\(found), but the feature is \(expected)",
            code: ItemError.typeConflict)
    }

    /// Appends the value of a feature that has no column yet.
    @inline(never)
    private mutating func appendToNew(
        _ feature: RecordRow.Feature, at row: Int, _ input: inout RecordCursor,
        kindOf: (ModelID, String) -> FeatureKind?
    ) throws(RecordDecodingError) {
        var place = place(of: feature.name)
        if place < 0 {
            let text = try input.scanner.string(at: feature.key)
            guard features.count < input.scanner.limits.featureCountMax else {
                let detail = "over \(features.count) features of one model"
                try input.refuse(
                    pointer("/features", text), detail, code: ItemError.cardinalityLimit)
                return
            }
            place = features.count
            while placeOfName.count <= feature.name { placeOfName.append(-1) }
            placeOfName[feature.name] = Int32(place)
            features.append(
                FeatureBuilder(
                    name: text, kind: kindOf(batch.model, text), texts: TextBuilder(seed: seed)))
        }
        if features[place].kind == nil {
            switch feature.value {
            case .missing: return
            case .number: features[place].kind = .numeric
            case .text: features[place].kind = .categorical
            }
        }
        try append(feature.value, to: place, at: row, &input)
    }

    /// This is the batch; columns have equal lengths.
    consuming func finished() -> PredictionBatch {
        let rowCount = batch.rowCount
        batch.versions = versions.finished(rowCount: rowCount)
        batch.labels = labels.finished(rowCount: rowCount)
        batch.truthLabels = truthLabels.finished(rowCount: rowCount)
        for segment in segments {
            batch.segments.append((segment.name, segment.texts.finished(rowCount: rowCount)))
        }
        if errors.count > 0 { batch.errors = errors.finished(rowCount: rowCount) }
        if !batch.latencies.isEmpty {
            while batch.latencies.count < rowCount { batch.latencies.append(.nan) }
        }
        for feature in features {
            let name = feature.name
            if let column = feature.finished(rowCount: rowCount) {
                batch.features.append((name, column))
            }
        }
        return batch
    }
}

/// This is one model's batch of ground truth under construction.
struct GroundTruthBuilder {
    private let hash: IdentityHash
    private var batch: GroundTruthBatch
    private var labels: TextBuilder

    init(model: ModelID, seed: UInt64) {
        hash = IdentityHash(model: model)
        batch = GroundTruthBatch(model: model)
        labels = TextBuilder(seed: seed)
    }

    mutating func append(_ row: RecordRow, arrival: EventTime) {
        batch.identities.append(row.id.map { hash.identity(of: $0) } ?? .none)
        batch.times.append(row.time ?? arrival.milliseconds)
        batch.values.append(row.truthValue)
        batch.revisions.append(row.revision)
        labels.append(row.truthLabel)
    }

    /// This is the batch; columns have equal lengths.
    consuming func finished() -> GroundTruthBatch {
        batch.labels = labels.finished(rowCount: batch.identities.count)
        return batch
    }
}
