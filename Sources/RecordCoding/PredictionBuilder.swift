import MonitoringDomain

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
    /// How far a distribution's sum may be from one, and a little for the sum's own rounding.
    private static let scoresTolerance = 1e-6 * (1 + 1e-6)

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
    /// True where the scores of classes may have any sum.
    private let hasIndependentScores: Bool
    /// Values of another type than their feature's, where they are counted instead of refused.
    private var typeErrors: [(row: Int, feature: String)] = []

    /// Starts a batch of about `rowCount` rows.
    init(model: ModelID, seed: UInt64, rowCount: Int = 0, _ limits: DecodingLimits) {
        hasIndependentScores = limits.independentScores.contains(model)
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
        var next = 0
        while true {
            // Most values are of the known kinds: they go in without further questions.
            next = features.withUnsafeMutableBufferPointer { columns in
                placeOfName.withUnsafeBufferPointer { places in
                    Self.appendPlain(row.features, from: next, at: index, columns, places)
                }
            }
            guard next < row.features.count else { break }
            let feature = row.features[next]
            let place = place(of: feature.name)
            if place >= 0, features[place].kind != nil {
                try append(feature.value, to: place, at: index, &input)
            } else {
                try appendToNew(feature, at: index, &input, kindOf: kindOf)
            }
            next += 1
        }
        try appendFields(row, arrival: arrival, defaultVersion: defaultVersion, &input)
    }

    /// Appends what is no feature.
    @inline(__always)
    private mutating func appendFields(
        _ row: RecordRow, arrival: EventTime, defaultVersion: ByteText, _ input: inout RecordCursor
    ) throws(RecordDecodingError) {
        let index = batch.rowCount
        if !row.scoresSum.isNaN { try checkScores(row.scoresSum, &input) }
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

    @inline(never)
    private func checkScores(
        _ sum: Double, _ input: inout RecordCursor
    ) throws(RecordDecodingError) {
        if hasIndependentScores || abs(sum - 1) <= Self.scoresTolerance { return }
        try input.refuse(
            "/prediction/scores",
            "the sum is \(sum), 1 ± 1e-6 expected where the model's schema does not say "
                + "\"scores\": \"independent\"")
    }

    /// These are the columns of a shape's features, of which `row` are one record's; nil where values of one
    /// are not plain.
    func targets(of row: [RecordRow.Feature]) -> [StagedRows.Target]? {
        var targets: [StagedRows.Target] = []
        for feature in row {
            let place = place(of: feature.name)
            guard place >= 0 else { return nil }
            let column = features[place]
            switch column.kind {
            case .numeric, .single:
                targets.append(
                    StagedRows.Target(
                        kind: .number, place: place, magnitudeMax: column.magnitudeMax))
            case .categorical, .text:
                targets.append(
                    StagedRows.Target(kind: .text, place: place, textSizeMax: column.textSizeMax))
            case nil: targets.append(StagedRows.Target(kind: .nothing, place: place))
            case .vector: return nil
            }
        }
        return targets
    }

    /// Appends a row whose features are the last in `block`.
    mutating func append(
        _ row: RecordRow, and block: StagedRows, arrival: EventTime, defaultVersion: ByteText,
        _ input: inout RecordCursor
    ) throws(RecordDecodingError) {
        block.commit()
        try appendFields(row, arrival: arrival, defaultVersion: defaultVersion, &input)
    }

    /// Takes the features of the rows that were appended last, and empties the block.
    mutating func take(_ block: StagedRows) {
        block.move(to: &features, from: batch.rowCount - block.rowCount)
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

    /// Appends values as long as each is a number or a text of its column's kind.
    ///
    /// Returns the place of the first that is not.
    @inline(__always)
    private static func appendPlain(
        _ values: [RecordRow.Feature], from start: Int, at row: Int,
        _ columns: UnsafeMutableBufferPointer<FeatureBuilder>, _ places: UnsafeBufferPointer<Int32>
    ) -> Int {
        for index in start..<values.count {
            let name = values[index].name
            guard name < places.count, places[name] >= 0 else { return index }
            let place = Int(places[name])
            switch values[index].value {
            case .missing: if columns[place].kind == nil { return index }
            case .number(let number):
                guard number.magnitude <= columns[place].magnitudeMax else { return index }
                columns[place].append(number, at: row)
            case .text(let text):
                guard text.count <= columns[place].textSizeMax else { return index }
                columns[place].append(text, at: row)
            case .vector, .other: return index
            }
        }
        return values.count
    }

    @inline(__always)
    private func place(of name: Int) -> Int {
        name < placeOfName.count ? Int(placeOfName[name]) : -1
    }

    private mutating func append(
        _ value: FeatureValue, to place: Int, at row: Int, _ input: inout RecordCursor
    ) throws(RecordDecodingError) {
        switch (value, features[place].kind) {
        case (.missing, _): return
        case (.number(let number), .numeric), (.number(let number), .single):
            guard number.magnitude <= features[place].magnitudeMax else {
                return try refuse(place, "\(number) is beyond single precision", &input)
            }
            features[place].append(number, at: row)
        case (.text(let text), .categorical), (.text(let text), .text):
            let sizeMax = features[place].textSizeMax
            guard text.count <= sizeMax else {
                return try refuse(place, "a text over \(sizeMax) bytes", &input)
            }
            features[place].append(text, at: row)
        case (.vector(let start, let count), .vector(let dimension, _)) where count == dimension:
            let numbers = input.numbers[start..<start + count]
            if let wrong = features[place].append(numbers, at: row) {
                let detail = "\(numbers[start + wrong]) is beyond single precision"
                try refuse(place, detail, element: wrong, &input)
            }
        case (.number, _): try refuseType(place, "a number", at: row, &input)
        case (.text, _): try refuseType(place, "a string or boolean", at: row, &input)
        case (.vector(_, let count), _):
            try refuseType(place, "a vector of \(count) numbers", at: row, &input)
        case (.other, _): try refuseType(place, "no value of a feature", at: row, &input)
        }
    }

    private func refuse(
        _ place: Int, _ detail: String, element: Int? = nil, _ input: inout RecordCursor
    ) throws(RecordDecodingError) {
        let path = pointer("/features", features[place].name)
        try input.refuse(element.map { "\(path)/\($0)" } ?? path, detail)
    }

    private mutating func refuseType(
        _ place: Int, _ found: String, at row: Int, _ input: inout RecordCursor
    ) throws(RecordDecodingError) {
        let feature = features[place]
        if input.countsTypeErrors {
            typeErrors.append((row, feature.name))
            return
        }
        let expected = feature.kind?.description ?? "unknown"
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
                    name: text, kind: kindOf(batch.model, text), seed: seed, rowCount: rowCount,
                    input.scanner.limits))
        }
        if features[place].kind == nil {
            let limits = input.scanner.limits
            switch feature.value {
            case .missing, .other: return
            case .number: features[place].take(.numeric, limits)
            case .text: features[place].take(.categorical, limits)
            case .vector(_, let count):
                features[place].take(.vector(dimension: count, precision: .float64), limits)
            }
        }
        try append(feature.value, to: place, at: row, &input)
    }

    /// This is the batch, once; columns have equal lengths.
    mutating func finished() -> PredictionBatch {
        let rowCount = batch.rowCount
        batch.scores = scores.array
        batch.values = values.array
        batch.truthValues = truthValues.array
        batch.versions = versions.finished(rowCount: rowCount)
        batch.labels = labels.finished(rowCount: rowCount)
        batch.truthLabels = truthLabels.finished(rowCount: rowCount)
        for place in segments.indices {
            let column = segments[place].texts.finished(rowCount: rowCount)
            batch.segments.append((segments[place].name, column))
        }
        if !batch.weights.isEmpty {
            while batch.weights.count < rowCount { batch.weights.append(1) }
        }
        if errors.count > 0 { batch.errors = errors.finished(rowCount: rowCount) }
        if !batch.latencies.isEmpty {
            while batch.latencies.count < rowCount { batch.latencies.append(.nan) }
        }
        batch.features.reserveCapacity(features.count)
        // In place: a copy of a builder counts each of its references up and down.
        for place in features.indices {
            if let column = features[place].finished(rowCount: rowCount) {
                batch.features.append((features[place].name, column))
            }
        }
        return batch
    }
}

extension PredictionBuilder {
    /// These are the values of other types than their features', a row for each; nil without any.
    mutating func finishedTypeErrors() -> TypeErrors? {
        let errors = typeErrors
        guard !errors.isEmpty else { return nil }
        let batch = finished()
        var result = PredictionBatch(model: batch.model)
        var names = TextColumn()
        var codes: [ExactText: UInt32] = [:]
        for (_, feature) in errors {
            let code = codes[ExactText(feature)] ?? UInt32(names.dictionary.count)
            if codes.updateValue(code, forKey: ExactText(feature)) == nil {
                names.dictionary.append(feature)
            }
            names.codes.append(code)
        }
        func pick(_ column: TextColumn) -> TextColumn {
            TextColumn(codes: errors.map { column.codes[$0.row] }, dictionary: column.dictionary)
        }
        let absent = TextColumn(codes: errors.map { _ in TextColumn.missing })
        result.rowCount = errors.count
        result.identities = errors.map { _ in .none }
        result.times = errors.map { batch.times[$0.row] }
        result.versions = pick(batch.versions)
        result.segments = batch.segments.map { ($0.key, pick($0.column)) }
        (result.labels, result.truthLabels) = (absent, absent)
        let missing = [Double](repeating: .nan, count: errors.count)
        (result.scores, result.values, result.truthValues) = (missing, missing, missing)
        return TypeErrors(batch: result, features: names)
    }
}
