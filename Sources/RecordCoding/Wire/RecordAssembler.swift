public import MonitoringDomain

/// This is what a foreign body holds, as columns.
public struct DecodedRecords: Equatable, Sendable {
    /// At most one per model.
    public var predictions: [PredictionBatch] = []
    /// At most one per model.
    public var groundTruth: [GroundTruthBatch] = []

    /// Makes no records.
    public init() {}

    /// The number of rows.
    public var rowCount: Int {
        predictions.reduce(0) { $0 + $1.rowCount } + groundTruth.reduce(0) { $0 + $1.rowCount }
    }
}

/// This checks foreign rows by the rules of native records, and makes one batch per model of them.
///
/// A row with ground truth and a prediction becomes both. Issues are collected, up to 100, and then
/// refuse everything; or, for formats that answer per record, each row alone.
public struct RecordAssembler {
    private let limits: DecodingLimits
    private let arrival: EventTime
    private let kindOf: (ModelID, String) -> FeatureKind?
    private var predictions: [PredictionColumns] = []
    private var truths: [GroundTruthColumns] = []
    private var rowCount = 0
    private var issues: [ItemError] = []
    private var mistyped: [MistypedColumns] = []

    /// Makes an assembler of rows that have come at `arrival`, the time of rows without one.
    public init(
        limits: DecodingLimits, arrival: EventTime,
        kindOf: @escaping (ModelID, String) -> FeatureKind?
    ) {
        self.limits = limits
        self.arrival = arrival
        self.kindOf = kindOf
    }

    /// Appends the row of `line`; an invalid one becomes an issue that `finish` throws.
    ///
    /// - Throws: All issues, when there are 100; `batchTooLarge` over the rows of the limits.
    public mutating func append(_ row: WireRow, line: Int) throws(RecordDecodingError) {
        if let issue = try appendIfValid(row, line: line) {
            issues.append(issue)
            if issues.count == ItemError.countMax { throw .items(issues) }
        }
    }

    /// Appends the row of `line`, or returns why it is refused, and then has changed nothing.
    ///
    /// - Throws: `batchTooLarge` over the rows of the limits.
    public mutating func appendIfValid(
        _ row: WireRow, line: Int
    ) throws(RecordDecodingError) -> ItemError? {
        guard rowCount < limits.rowCountMax else { throw .batchTooLarge(limit: limits.rowCountMax) }
        if let issue = issue(of: row, line: line) { return issue }
        if row.hasPrediction || !row.hasTruth {
            let place = place(ofPredictions: row.model)
            if let issue = predictions[place].append(
                row, line: line, arrival: arrival, limits: limits, kindOf: kindOf)
            {
                if issue.code == ItemError.typeConflict {
                    count(predictions[place].typeConflicts(in: row, limits, kindOf), of: row)
                }
                return issue
            }
        }
        if row.hasTruth {
            let place: Int
            if let last = truths.firstIndex(where: { $0.batch.model == row.model }) {
                place = last
            } else {
                truths.append(GroundTruthColumns(model: row.model))
                place = truths.count - 1
            }
            truths[place].append(row, arrival: arrival)
        }
        rowCount += 1
        return nil
    }

    /// These are the values of another type than their features' in rows that were refused for one, by model.
    ///
    /// They are what a sender is told of who looks at answers; the others are seen by their rate.
    public var typeErrors: [TypeErrors] { mistyped.map { $0.finished() } }

    private mutating func count(_ features: [String], of row: WireRow) {
        let place: Int
        if let last = mistyped.firstIndex(where: { $0.model == row.model }) {
            place = last
        } else {
            mistyped.append(MistypedColumns(model: row.model))
            place = mistyped.count - 1
        }
        mistyped[place].append(features, of: row, arrival: arrival, limits: limits)
    }

    /// These are the batches, in order of the models' first appearance.
    ///
    /// - Throws: All issues, if there are any.
    public consuming func finish() throws(RecordDecodingError) -> DecodedRecords {
        if !issues.isEmpty { throw .items(issues) }
        var records = DecodedRecords()
        records.predictions = predictions.map { $0.finished() }.filter { $0.rowCount > 0 }
        records.groundTruth = truths.map { $0.finished() }
        return records
    }

    private mutating func place(ofPredictions model: ModelID) -> Int {
        if let place = predictions.firstIndex(where: { $0.batch.model == model }) { return place }
        predictions.append(PredictionColumns(model: model))
        return predictions.count - 1
    }

    /// This is what the row breaks of the contract of records.
    private func issue(of row: WireRow, line: Int) -> ItemError? {
        func issue(_ pointer: String, _ detail: String) -> ItemError {
            ItemError(line: line, pointer: pointer, code: ItemError.invalidField, detail: detail)
        }
        if let id = row.id {
            guard (1...limits.idSizeBytesMax).contains(id.utf8.count),
                id.utf8.contains(where: { $0 > 0x20 })
            else {
                return issue(
                    "/id", "an id has 1 to \(limits.idSizeBytesMax) bytes and is not only spaces")
            }
        } else if row.hasTruth, !row.hasPrediction {
            return issue("/id", "ground truth needs an id")
        }
        let texts = [
            ("/version", row.version), ("/prediction/label", row.label), ("/label", row.truthLabel),
        ]
        for (pointer, text) in texts {
            guard let text else { continue }
            if text.isEmpty { return issue(pointer, "an empty string") }
            if text.utf8.count > limits.textSizeBytesMax {
                return issue(pointer, "a text over \(limits.textSizeBytesMax) bytes")
            }
        }
        if let score = row.score, !(score >= 0 && score <= 1) {
            return issue("/prediction/score", "\(score) is not in 0...1")
        }
        for time in [row.time, row.truthTime] {
            guard let time, !limits.times.contains(time.milliseconds) else { continue }
            let isOld = time.milliseconds < limits.times.lowerBound
            return ItemError(
                line: line, pointer: "/ts",
                code: isOld ? ItemError.tooOld : ItemError.inFuture,
                detail: "\(time) is \(isOld ? "before" : "after") what is taken now")
        }
        for value in [row.value, row.truthValue] {
            if let value, !value.isFinite {
                return issue("/prediction/value", "\(value) is not finite")
            }
        }
        return nil
    }
}

/// This is one model's predictions under construction.
private struct PredictionColumns {
    var batch: PredictionBatch
    private let hash: IdentityHash
    private var features: [WireColumn] = []
    private var placeOfName: [ExactText: Int] = [:]
    private var versions = WireTextColumn()
    private var labels = WireTextColumn()
    private var serving = ServingColumns()

    init(model: ModelID) {
        batch = PredictionBatch(model: model)
        hash = IdentityHash(model: model)
    }

    /// Checks all features before any is appended, so that a refused row leaves nothing behind.
    mutating func append(
        _ row: WireRow, line: Int, arrival: EventTime, limits: DecodingLimits,
        kindOf: (ModelID, String) -> FeatureKind?
    ) -> ItemError? {
        let index = batch.rowCount
        if let fault = serving.fault(of: row, limits: limits) {
            return ItemError(
                line: line, pointer: fault.pointer, code: fault.code, detail: fault.detail)
        }
        var places: [Int] = []
        places.reserveCapacity(row.features.count)
        let countBefore = features.count
        func refusal(_ name: String, _ detail: String, code: String) -> ItemError {
            ItemError(line: line, pointer: pointer("/features", name), code: code, detail: detail)
        }
        var issue: ItemError?
        for (position, feature) in row.features.enumerated() where issue == nil {
            // Rows of one body mostly have the same features in the same order.
            let place: Int
            if position < features.count, features[position].name.isExactly(feature.name) {
                place = position
            } else if let known = placeOfName[ExactText(feature.name)] {
                place = known
            } else if features.count >= limits.featureCountMax {
                issue = refusal(
                    feature.name, "over \(features.count) features of one model",
                    code: ItemError.cardinalityLimit)
                continue
            } else if !(1...limits.idSizeBytesMax).contains(feature.name.utf8.count) {
                issue = refusal(
                    feature.name, "the name of a feature has 1 to \(limits.idSizeBytesMax) bytes",
                    code: ItemError.invalidField)
                continue
            } else {
                place = features.count
                placeOfName[ExactText(feature.name)] = place
                features.append(
                    WireColumn(
                        name: feature.name, kind: kindOf(batch.model, feature.name)))
            }
            if features[place].lastRow == index {
                issue = refusal(
                    feature.name, "a feature is there twice", code: ItemError.invalidField)
                continue
            }
            features[place].lastRow = index
            places.append(place)
            issue = features[place].conflict(with: feature.value, limits: limits).map {
                refusal(feature.name, $0.detail, code: $0.code)
            }
        }
        if let issue {
            for place in places { features[place].lastRow = -1 }
            for feature in features[countBefore...] { placeOfName[ExactText(feature.name)] = nil }
            features.removeSubrange(countBefore...)
            return issue
        }
        for (feature, place) in zip(row.features, places) {
            features[place].append(feature.value, at: index)
        }
        serving.append(row, at: index)
        batch.identities.append(row.id.map { hash.identity(ofBytes: $0.utf8) } ?? .none)
        batch.times.append((row.time ?? arrival).milliseconds)
        batch.scores.append(row.score ?? .nan)
        batch.values.append(row.value ?? .nan)
        batch.truthValues.append(.nan)
        versions.append(row.version ?? "default")
        labels.append(row.label)
        batch.rowCount += 1
        return nil
    }

    /// The features of a row whose values are of another type.
    func typeConflicts(
        in row: WireRow, _ limits: DecodingLimits, _ kindOf: (ModelID, String) -> FeatureKind?
    ) -> [String] {
        row.features.filter { feature in
            let column =
                placeOfName[ExactText(feature.name)].map { features[$0] }
                ?? WireColumn(name: feature.name, kind: kindOf(batch.model, feature.name))
            return column.conflict(with: feature.value, limits: limits)?.code
                == ItemError.typeConflict
        }.map(\.name)
    }

    consuming func finished() -> PredictionBatch {
        let rowCount = batch.rowCount
        serving.finish(&batch)
        batch.versions = versions.finished(rowCount: rowCount)
        batch.labels = labels.finished(rowCount: rowCount)
        batch.truthLabels = WireTextColumn().finished(rowCount: rowCount)
        for feature in features {
            let name = feature.name
            if let column = feature.finished(rowCount: rowCount) {
                batch.features.append((name, column))
            }
        }
        return batch
    }
}

/// This is one model's values of other types under construction: a row of its own for each, with what tells
/// where it counts.
private struct MistypedColumns {
    /// Of one body: more of them say nothing more.
    private static let countMax = 100_000

    let model: ModelID
    private var rows: PredictionColumns
    private var features = WireTextColumn()

    init(model: ModelID) {
        self.model = model
        rows = PredictionColumns(model: model)
    }

    mutating func append(
        _ names: [String], of row: WireRow, arrival: EventTime, limits: DecodingLimits
    ) {
        var bare = WireRow(model: model)
        (bare.time, bare.version, bare.segments) = (row.time, row.version, row.segments)
        for name in names where features.count < Self.countMax {
            let issue = rows.append(bare, line: 1, arrival: arrival, limits: limits) { _, _ in nil }
            if issue == nil { features.append(name) }
        }
    }

    func finished() -> TypeErrors {
        TypeErrors(batch: rows.finished(), features: features.finished(rowCount: features.count))
    }
}

/// This is one model's ground truth under construction.
private struct GroundTruthColumns {
    var batch: GroundTruthBatch
    private let hash: IdentityHash
    private var labels = WireTextColumn()

    init(model: ModelID) {
        batch = GroundTruthBatch(model: model)
        hash = IdentityHash(model: model)
    }

    mutating func append(_ row: WireRow, arrival: EventTime) {
        // Ground truth without an id can be joined to nothing; its prediction counts alone.
        guard let id = row.id else { return }
        batch.identities.append(hash.identity(ofBytes: id.utf8))
        batch.times.append((row.truthTime ?? row.time ?? arrival).milliseconds)
        batch.values.append(row.truthValue ?? .nan)
        batch.revisions.append(row.revision)
        labels.append(row.truthLabel)
    }

    consuming func finished() -> GroundTruthBatch {
        batch.labels = labels.finished(rowCount: batch.identities.count)
        return batch
    }
}
