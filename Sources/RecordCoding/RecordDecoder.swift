public import MonitoringDomain

/// This decodes bodies of records to columns, one batch per model, without a tree in between.
///
/// It is strict: a body is accepted as RFC 8259 and the record contract say, or refused as a
/// whole, and no bytes can trap it. What it returns depends on the body and the arguments only;
/// what it keeps from earlier bodies (the expected order of keys) makes later ones faster, and is
/// bounded.
///
/// A record is guessed to have the shape of one before (`RecordShape`); where it has another one, its
/// keys are guessed one by one and compared as bytes. Strings and numbers are scanned eight bytes at a
/// time, and numbers are rounded exactly without the standard library where possible.
public struct RecordDecoder: Sendable {
    /// What the next body may hold.
    public var limits: DecodingLimits
    /// Tables in memory hash with a secret, so that nobody can choose keys that collide.
    private let seed = UInt64.random(in: .min ... .max)
    private var reader: RecordReader

    /// False reads every record without the shape of those before: slower, with the same results.
    public var guessesShapes: Bool {
        get { reader.guessesShapes }
        set { reader.guessesShapes = newValue }
    }

    /// Makes a decoder that has not learned any order of keys yet.
    public init(limits: DecodingLimits = DecodingLimits()) {
        self.limits = limits
        reader = RecordReader(seed: seed)
    }

    /// This is the body's predictions as one batch per model, in order of first appearance.
    ///
    /// - Parameters:
    ///   - body: JSON in UTF-8, not compressed.
    ///   - kind: `.predictions` or `.reference`.
    ///   - defaultModel: The model of records that name none.
    ///   - arrival: The time of records that have none.
    ///   - kindOf: What is known of a feature; asked once per model, feature and body.
    /// - Returns: Batches with columns of equal lengths; none for an empty array.
    /// - Throws: The first syntax error, or else up to 100 records that break the contract.
    /// - Precondition: `kind` is not `.groundTruth`.
    /// - Complexity: O(size of the body).
    public mutating func decodePredictions(
        _ body: RecordBody, kind: RecordKind, defaultModel: ModelID?, arrival: EventTime,
        kindOf: (ModelID, String) -> FeatureKind?
    ) throws(RecordDecodingError) -> [PredictionBatch] {
        precondition(kind != .groundTruth, "ground truth has a method of its own")
        var builders = try build(
            body, kind: kind, defaultModel: defaultModel, arrival: arrival,
            countsTypeErrors: false, kindOf: kindOf)
        return builders.indices.map { builders[$0].finished() }
    }

    /// These are the values in a body of predictions that are of another type than their features', which
    /// are why its records were refused.
    ///
    /// - Parameters:
    ///   - body: NDJSON in UTF-8 of records that were refused.
    ///   - defaultModel: The model of records that name none.
    ///   - arrival: The time of records that have none.
    ///   - kindOf: What is known of a feature; asked once per model, feature and body.
    /// - Returns: At most one per model.
    /// - Throws: What else is wrong with the records.
    /// - Complexity: O(size of the body).
    public mutating func decodeTypeErrors(
        _ body: [UInt8], defaultModel: ModelID?, arrival: EventTime,
        kindOf: (ModelID, String) -> FeatureKind?
    ) throws(RecordDecodingError) -> [TypeErrors] {
        var builders = try build(
            RecordBody(body), kind: .predictions, defaultModel: defaultModel, arrival: arrival,
            countsTypeErrors: true, kindOf: kindOf)
        return builders.indices.compactMap { builders[$0].finishedTypeErrors() }
    }

    private mutating func build(
        _ body: RecordBody, kind: RecordKind, defaultModel: ModelID?, arrival: EventTime,
        countsTypeErrors: Bool, kindOf: (ModelID, String) -> FeatureKind?
    ) throws(RecordDecodingError) -> [PredictionBuilder] {
        var input = try open(body, countsTypeErrors: countsTypeErrors)
        defer { input.scanner.deallocate() }
        reader.begin(limits)
        let fields = RecordField.fields(of: kind)
        let version = Constant("default")
        defer { version.deallocate() }
        var builders: [PredictionBuilder] = []
        var places = ModelPlaces(defaultModel: defaultModel)
        var row = RecordRow()
        var staging = Staging()
        while try input.advance() {
            if let block = staging.block {
                let mark = input.scanner.mark
                if reader.read(&input, into: &row, block), places.known(row) == block.builder {
                    try builders[block.builder].append(
                        row, and: block, arrival: arrival, defaultVersion: version.text, &input)
                    if block.isFull {
                        builders[block.builder].take(block)
                        staging.noteFull()
                    }
                    continue
                }
                input.scanner.rewind(to: mark)
                builders[block.builder].take(block)
                staging.end()
            }
            let issueCount = input.issues.count
            try reader.read(&input, into: &row, fields: fields)
            guard let place = try places.place(of: row, &input) else { continue }
            // Also for a refused record: the places of models and builders must stay the same.
            if place == builders.count {
                // As many more as are as long as this one.
                let recordSize = max(1, input.scanner.cursor - input.scanner.start)
                builders.append(
                    PredictionBuilder(
                        model: places.models[place], seed: seed,
                        rowCount: 1 + body.count / recordSize, limits))
            }
            guard input.issues.count == issueCount else { continue }
            try builders[place].append(
                row, arrival: arrival, defaultVersion: version.text, &input, kindOf: kindOf)
            if !countsTypeErrors {
                staging.begin(after: row, of: reader.lastShape, in: builders[place], place, input)
            }
        }
        if let block = staging.block { builders[block.builder].take(block) }
        try input.finish()
        return builders
    }

    /// This is the body's ground truth as one batch per model, in order of first appearance.
    ///
    /// - Parameters:
    ///   - body: JSON in UTF-8, not compressed.
    ///   - defaultModel: The model of records that name none.
    ///   - arrival: The time of records that have none.
    /// - Returns: Batches with columns of equal lengths; none for an empty array.
    /// - Throws: The first syntax error, or else up to 100 records that break the contract.
    /// - Complexity: O(size of the body).
    public mutating func decodeGroundTruth(
        _ body: RecordBody, defaultModel: ModelID?, arrival: EventTime
    ) throws(RecordDecodingError) -> [GroundTruthBatch] {
        var input = try open(body)
        defer { input.scanner.deallocate() }
        reader.begin(limits)
        let fields = RecordField.fields(of: .groundTruth)
        var builders: [GroundTruthBuilder] = []
        var places = ModelPlaces(defaultModel: defaultModel)
        var row = RecordRow()
        while try input.advance() {
            let issueCount = input.issues.count
            try reader.read(&input, into: &row, fields: fields)
            if input.issues.count == issueCount {
                if row.id == nil { try input.refuse("/id", "ground truth needs an id") }
                if row.truthLabel == nil, row.truthValue.isNaN {
                    try input.refuse("", "ground truth needs a label or a value")
                }
            }
            guard let place = try places.place(of: row, &input) else { continue }
            if place == builders.count {
                builders.append(GroundTruthBuilder(model: places.models[place], seed: seed))
            }
            guard input.issues.count == issueCount else { continue }
            builders[place].append(row, arrival: arrival)
        }
        try input.finish()
        return builders.indices.map { builders[$0].finished() }
    }

    /// This is the same of a copy of `body`.
    public mutating func decodePredictions(
        _ body: [UInt8], kind: RecordKind, defaultModel: ModelID?, arrival: EventTime,
        kindOf: (ModelID, String) -> FeatureKind?
    ) throws(RecordDecodingError) -> [PredictionBatch] {
        try decodePredictions(
            RecordBody(body), kind: kind, defaultModel: defaultModel, arrival: arrival,
            kindOf: kindOf)
    }

    /// This is the same of a copy of `body`.
    public mutating func decodeGroundTruth(
        _ body: [UInt8], defaultModel: ModelID?, arrival: EventTime
    ) throws(RecordDecodingError) -> [GroundTruthBatch] {
        try decodeGroundTruth(RecordBody(body), defaultModel: defaultModel, arrival: arrival)
    }

    /// This is a cursor over `body`, which is UTF-8.
    private func open(
        _ body: RecordBody, countsTypeErrors: Bool = false
    ) throws(RecordDecodingError) -> RecordCursor {
        let scanner = JSONScanner(body, limits: limits, seed: seed)
        if let offset = offsetOfInvalidUTF8(scanner.start, count: body.count) {
            let error = scanner.malformed("invalid UTF-8", at: scanner.start + offset)
            scanner.deallocate()
            throw error
        }
        return RecordCursor(scanner, countsTypeErrors: countsTypeErrors)
    }
}

/// This is values of one model that are of another type than their features'.
public struct TypeErrors: Equatable, Sendable {
    /// A row for each value, with time, version and segments of its record.
    public var batch: PredictionBatch
    /// [rowCount]: the features' names.
    public var features: TextColumn
}

/// This decides which records are read as rows of a block.
private struct Staging {
    private(set) var block: StagedRows?
    /// Records to pass before the next block may begin.
    private var pause = 0
    /// Blocks that other records have cut since one was full.
    private var cutCount = 0
    /// Where records of many shapes come by turns, so many pass between two blocks.
    private static let pauseMax = 256
    /// A block pays for its memory when so much of the body is left.
    private static let sizeBytesMin = 4_096

    /// Begins a block where the last record, of the builder at `place`, was read as a shape.
    mutating func begin(
        after row: RecordRow, of shape: RecordShape?, in builder: PredictionBuilder, _ place: Int,
        _ input: RecordCursor
    ) {
        if pause > 0 {
            pause -= 1
            return
        }
        guard let shape, input.scanner.end - input.scanner.cursor >= Self.sizeBytesMin,
            let targets = builder.targets(of: row.features)
        else { return }
        block = StagedRows(shape: shape, builder: place, targets: targets)
    }

    mutating func noteFull() { cutCount = 0 }

    /// Ends the block, which another record has cut.
    mutating func end() {
        block = nil
        cutCount = min(cutCount + 1, 16)
        pause = min(1 << cutCount, Self.pauseMax)
    }
}

/// This is a constant text as padded bytes.
private struct Constant {
    let text: ByteText
    private let memory: UnsafeMutablePointer<UInt8>

    init(_ string: StaticString) {
        memory = UnsafeMutablePointer<UInt8>.allocate(capacity: string.utf8CodeUnitCount + 8)
        memory.update(repeating: 0, count: string.utf8CodeUnitCount + 8)
        memory.update(from: string.utf8Start, count: string.utf8CodeUnitCount)
        text = ByteText(start: UnsafePointer(memory), count: string.utf8CodeUnitCount)
    }

    func deallocate() { memory.deallocate() }
}

/// This is which model's columns a record goes to.
private struct ModelPlaces {
    private(set) var models: [ModelID] = []
    private let defaultModel: ModelID?
    private var placeOfModel: [ModelID: Int] = [:]
    /// Neighbouring records are mostly of one model.
    private var lastName: [UInt8] = []
    private var lastPlace: Int?
    private var defaultPlace: Int?

    init(defaultModel: ModelID?) { self.defaultModel = defaultModel }

    /// This is the place of the row's model where it is that of a row before; nil elsewhere.
    @inline(__always)
    func known(_ row: RecordRow) -> Int? {
        guard let name = row.model else { return defaultPlace }
        guard let lastPlace, name.buffer.elementsEqual(lastName) else { return nil }
        return lastPlace
    }

    /// This is the place of the row's model in `models`; nil where the record has been refused.
    mutating func place(
        of row: RecordRow, _ input: inout RecordCursor
    ) throws(RecordDecodingError) -> Int? {
        if let known = known(row) { return known }
        guard let name = row.model else {
            guard let defaultModel else {
                try input.refuse("/model", "a record needs a model")
                return nil
            }
            let place = place(of: defaultModel)
            defaultPlace = place
            return place
        }
        guard let model = ModelID(name.string) else {
            try input.refuse("/model", "\"\(name.excerpt)\" is no name of a model")
            return nil
        }
        let place = place(of: model)
        lastName = Array(name.buffer)
        lastPlace = place
        return place
    }

    private mutating func place(of model: ModelID) -> Int {
        if let place = placeOfModel[model] { return place }
        models.append(model)
        placeOfModel[model] = models.count - 1
        return models.count - 1
    }
}
