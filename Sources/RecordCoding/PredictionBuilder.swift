import MonitoringDomain

/// This is one feature's column under construction; its kind is open until a value or a hint tells
/// it.
private struct FeatureBuilder {
    let name: String
    var kind: FeatureKind?
    var numbers: GrowingColumn<Double>
    var texts: TextBuilder

    init(name: String, kind: FeatureKind?, seed: UInt64, rowCount: Int) {
        self.name = name
        self.kind = kind
        // Only one of the two is used, and which is known at the first value.
        numbers = GrowingColumn(capacity: kind == .categorical ? 0 : rowCount)
        texts = TextBuilder(seed: seed, rowCount: kind == .numeric ? 0 : rowCount)
    }

    @inline(__always)
    mutating func append(_ number: Double, at row: Int) {
        numbers.fill(upTo: row, with: .nan)
        numbers.append(number)
    }

    @inline(__always)
    mutating func append(_ text: ByteText, at row: Int) {
        texts.appendMissing(upTo: row)
        texts.append(text)
    }

    /// Nil where the feature was only null and nobody has said what it is.
    consuming func finished(rowCount: Int) -> FeatureColumn? {
        switch kind {
        case .numeric:
            numbers.fill(upTo: rowCount, with: .nan)
            return .numeric(numbers.array)
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
    private var scores: GrowingColumn<Double>
    private var values: GrowingColumn<Double>
    private var truthValues: GrowingColumn<Double>
    private let rowCount: Int

    /// Starts a batch of about `rowCount` rows.
    init(model: ModelID, seed: UInt64, rowCount: Int = 0) {
        hash = IdentityHash(model: model)
        self.seed = seed
        self.rowCount = rowCount
        batch = PredictionBatch(model: model)
        batch.identities.reserveCapacity(min(rowCount, 4_096))
        batch.times.reserveCapacity(min(rowCount, 4_096))
        scores = GrowingColumn(capacity: rowCount)
        values = GrowingColumn(capacity: rowCount)
        truthValues = GrowingColumn(capacity: rowCount)
        versions = TextBuilder(seed: seed, rowCount: rowCount)
        errors = TextBuilder(seed: seed)
        labels = TextBuilder(seed: seed, rowCount: rowCount)
        truthLabels = TextBuilder(seed: seed, rowCount: rowCount)
    }

    /// Appends `row`, unless features break the contract: then the body is refused in the end.
    ///
    /// The default version is the text `default`, as bytes that outlive the call.
    mutating func append(
        _ row: RecordRow, arrival: EventTime, defaultVersion: ByteText,
        _ input: inout RecordCursor, kindOf: (ModelID, String) -> FeatureKind?
    ) throws(RecordDecodingError) {
        let index = batch.rowCount
        // Most records have values of the known kinds only: they go in without further questions.
        let plainCount = features.withUnsafeMutableBufferPointer { columns in
            placeOfName.withUnsafeBufferPointer { places in
                Self.appendPlain(row.features, at: index, columns, places)
            }
        }
        for feature in row.features.dropFirst(plainCount) {
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
        if !row.weight.isNaN {
            while batch.weights.count < index { batch.weights.append(1) }
            batch.weights.append(row.weight)
        }
        if let error = row.error {
            errors.appendMissing(upTo: index)
            errors.append(error)
        }
        batch.identities.append(row.id.map { hash.identity(of: $0) } ?? .none)
        batch.times.append(row.time ?? arrival.milliseconds)
        scores.append(row.score)
        values.append(row.value)
        truthValues.append(row.truthValue)
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

    /// Appends values as long as each is of its column's kind.
    ///
    /// Returns how many were appended.
    @inline(__always)
    private static func appendPlain(
        _ values: [RecordRow.Feature], at row: Int,
        _ columns: UnsafeMutableBufferPointer<FeatureBuilder>, _ places: UnsafeBufferPointer<Int32>
    ) -> Int {
        for index in values.indices {
            let name = values[index].name
            guard name < places.count, places[name] >= 0 else { return index }
            let place = Int(places[name])
            switch values[index].value {
            case .missing: if columns[place].kind == nil { return index }
            case .number(let number):
                guard columns[place].kind == .numeric else { return index }
                columns[place].append(number, at: row)
            case .text(let text):
                guard columns[place].kind == .categorical else { return index }
                columns[place].append(text, at: row)
            }
        }
        return values.count
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
                    name: text, kind: kindOf(batch.model, text), seed: seed, rowCount: rowCount))
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
        batch.scores = scores.array
        batch.values = values.array
        batch.truthValues = truthValues.array
        batch.versions = versions.finished(rowCount: rowCount)
        batch.labels = labels.finished(rowCount: rowCount)
        batch.truthLabels = truthLabels.finished(rowCount: rowCount)
        for segment in segments {
            batch.segments.append((segment.name, segment.texts.finished(rowCount: rowCount)))
        }
        if !batch.weights.isEmpty {
            while batch.weights.count < rowCount { batch.weights.append(1) }
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
