/// This reads records into rows, guessing every next key from the record before.
///
/// Syntax errors end the body; a value that is JSON but not what the contract says is an issue of
/// the record, and reading goes on behind it.
struct RecordReader {
    private var keys: KeyTable
    private var predictionKeys: KeyTable
    private var featureNames: KeyTable
    /// Per feature name, the number of the last object that had it: finds repeated keys.
    private var objectOfFeature: [Int] = []
    private var objectNumber = 0
    private var times = TimeReader()
    private var shapes = ShapeMemory()
    var guessesShapes = true
    private let seed: UInt64

    init(seed: UInt64) {
        self.seed = seed
        keys = KeyTable(seed: seed, names: RecordField.allCases.map(\.name))
        predictionKeys = KeyTable(seed: seed, names: PredictionField.allCases.map { "\($0)" })
        featureNames = KeyTable(seed: seed)
    }

    /// Begins a body: forgets the learned feature names when there are too many, so that memory stays
    /// bounded, and the shapes of records that were read with other limits.
    mutating func begin(_ limits: DecodingLimits) {
        if featureNames.count > 4 * limits.featureCountMax {
            featureNames = KeyTable(seed: seed)
            objectOfFeature = []
            shapes = ShapeMemory()
        }
        shapes.begin(limits)
    }

    /// Reads the record at the cursor into `row`, whatever it held.
    mutating func read(
        _ input: inout RecordCursor, into row: inout RecordRow, fields allowed: UInt32
    ) throws(RecordDecodingError) {
        if guessesShapes, shapes.read(&input, &row, allowed, &times) { return }
        let start = input.scanner.cursor
        let issueCount = input.issues.count
        input.trace = guessesShapes && shapes.isLearning ? [] : nil
        try readAny(&input, into: &row, fields: allowed)
        if input.issues.count == issueCount {
            shapes.learn(input, from: start, fields: row.fields, allowed: allowed)
        }
        input.trace = nil
    }

    /// This is the shape as which the last record was read; nil where it was read without one.
    var lastShape: RecordShape? { guessesShapes ? shapes.last : nil }

    /// Reads the record at the cursor as a row of a block; where it returns false, the cursor is anywhere.
    @inline(__always)
    mutating func read(
        _ input: inout RecordCursor, into row: inout RecordRow, _ block: StagedRows
    ) -> Bool {
        block.read(&input, into: &row, &times)
    }

    private mutating func readAny(
        _ input: inout RecordCursor, into row: inout RecordRow, fields allowed: UInt32
    ) throws(RecordDecodingError) {
        row.removeAll()
        if !input.numbers.isEmpty { input.numbers.removeAll(keepingCapacity: true) }
        try input.scanner.open(depth: input.depth)
        input.scanner.skipSpace()
        if input.scanner.take(UInt8(ascii: "}")) { return }
        var previous = -1
        var unknownKeys: ByteIndex?
        repeat {
            input.scanner.skipSpace()
            let begin = input.scanner.cursor
            if let (number, size) = keys.guess(after: previous, at: begin) {
                input.scanner.cursor += size
                input.scanner.skipSpace()
                try readField(number, &input, &row, allowed, at: begin)
                previous = number
            } else {
                let key = try input.scanner.readKey()
                if let number = keys.find(key) {
                    keys.learn(number, after: previous)
                    try readField(number, &input, &row, allowed, at: begin)
                    previous = number
                } else {
                    var known = unknownKeys ?? ByteIndex(seed: seed)
                    unknownKeys = nil
                    guard known.insert(key).isNew else {
                        throw input.scanner.malformed("a repeated key", at: begin)
                    }
                    unknownKeys = known
                    try input.refuse(pointer("", key), "an unknown field")
                    try input.scanner.skipValue(depth: input.depth + 1)
                }
            }
            input.scanner.skipSpace()
        } while input.scanner.take(UInt8(ascii: ","))
        guard input.scanner.take(UInt8(ascii: "}")) else {
            throw input.scanner.unexpected("\",\" or \"}\"")
        }
    }

    @inline(__always)
    private mutating func readField(
        _ number: Int, _ input: inout RecordCursor, _ row: inout RecordRow, _ allowed: UInt32,
        at begin: UnsafePointer<UInt8>
    ) throws(RecordDecodingError) {
        // The table holds exactly the fields, in the order of their raw values.
        guard let field = RecordField(rawValue: number) else { return }
        guard row.fields & field.bit == 0 else {
            throw input.scanner.malformed("a repeated key", at: begin)
        }
        row.fields |= field.bit
        guard allowed & field.bit != 0 else {
            try input.refuse("/\(field.name)", "an unknown field")
            try input.scanner.skipValue(depth: input.depth + 1)
            return
        }
        let start = input.scanner.cursor
        defer { if let role = field.role { input.note(role, key: begin, from: start) } }
        if start.pointee == UInt8(ascii: "n") {
            _ = try input.scanner.readLiteral()
            return
        }
        switch field {
        case .features: try readFeatures(&input, &row)
        case .prediction: try readPrediction(&input, &row)
        case .id: row.id = try input.readID()
        case .ts: row.time = try input.readTime(&times)
        case .model: row.model = try input.readString("/model")
        case .version: row.version = try input.readName("/version", allowsBool: false)
        case .segments: try input.readSegments(into: &row.segments)
        case .latency:
            row.latency = try input.readNumber("/latency_ms") ?? .nan
            if row.latency < 0 { try input.refuse("/latency_ms", "a latency is not below 0") }
        case .error: row.error = try input.readString("/error")
        case .weight:
            row.weight = try input.readNumber("/weight") ?? .nan
            if row.weight < 1 { try input.refuse("/weight", "a weight is at least 1") }
        case .label: row.truthLabel = try input.readName("/label", allowsBool: true)
        case .value: row.truthValue = try input.readNumber("/value") ?? .nan
        case .revision: row.revision = try input.readInteger("/revision") ?? 0
        }
    }

    /// Reads the object of features into `row`.
    private mutating func readFeatures(
        _ input: inout RecordCursor, _ row: inout RecordRow
    ) throws(RecordDecodingError) {
        let depth = input.depth + 1
        guard input.scanner.cursor.pointee == UInt8(ascii: "{") else {
            return try input.refuseValue("/features", "an object is expected")
        }
        try input.scanner.open(depth: depth)
        input.scanner.skipSpace()
        if input.scanner.take(UInt8(ascii: "}")) { return }
        objectNumber += 1
        let countMax = 2 * input.scanner.limits.featureCountMax
        var previous = -1
        repeat {
            input.scanner.skipSpace()
            let begin = input.scanner.cursor
            let number: Int
            if let (guess, size) = featureNames.guess(after: previous, at: begin) {
                input.scanner.cursor += size
                input.scanner.skipSpace()
                number = guess
            } else {
                number = try readNewFeatureName(&input, after: previous)
            }
            guard objectOfFeature[number] != objectNumber else {
                throw input.scanner.malformed("a repeated key", at: begin)
            }
            objectOfFeature[number] = objectNumber
            guard row.features.count < countMax else {
                throw input.scanner.malformed(
                    "\(RecordDecodingError.tooManyMembers): over \(countMax)", at: begin)
            }
            let start = input.scanner.cursor
            let value = try input.readFeatureValue(key: begin)
            input.note(.feature, number: number, key: begin, from: start)
            row.features.append(RecordRow.Feature(name: number, key: begin, value: value))
            previous = number
            input.scanner.skipSpace()
        } while input.scanner.take(UInt8(ascii: ","))
        guard input.scanner.take(UInt8(ascii: "}")) else {
            throw input.scanner.unexpected("\",\" or \"}\"")
        }
    }

    @inline(never)
    private mutating func readNewFeatureName(
        _ input: inout RecordCursor, after previous: Int
    ) throws(RecordDecodingError) -> Int {
        let begin = input.scanner.cursor
        let name = try input.scanner.readKey()
        let number = featureNames.insert(name, isPlain: name.start == begin + 1)
        if number == objectOfFeature.count { objectOfFeature.append(0) }
        featureNames.learn(number, after: previous)
        let sizeMax = input.scanner.limits.idSizeBytesMax
        if name.count == 0 || name.count > sizeMax {
            let detail = "the name of a feature has 1 to \(sizeMax) bytes"
            try input.refuse(pointer("/features", name), detail)
        }
        return number
    }

    /// Reads the object `prediction` into `row`.
    private mutating func readPrediction(
        _ input: inout RecordCursor, _ row: inout RecordRow
    ) throws(RecordDecodingError) {
        guard input.scanner.cursor.pointee == UInt8(ascii: "{") else {
            return try input.refuseValue("/prediction", "an object is expected")
        }
        try input.scanner.open(depth: input.depth + 1)
        input.scanner.skipSpace()
        if input.scanner.take(UInt8(ascii: "}")) { return }
        var previous = -1
        var seen = 0
        var unknownKeys: ByteIndex?
        repeat {
            input.scanner.skipSpace()
            let begin = input.scanner.cursor
            var found: Int?
            if let (number, size) = predictionKeys.guess(after: previous, at: begin) {
                input.scanner.cursor += size
                input.scanner.skipSpace()
                found = number
            } else {
                let key = try input.scanner.readKey()
                found = predictionKeys.find(key)
                if let found {
                    predictionKeys.learn(found, after: previous)
                } else {
                    var known = unknownKeys ?? ByteIndex(seed: seed)
                    unknownKeys = nil
                    guard known.insert(key).isNew else {
                        throw input.scanner.malformed("a repeated key", at: begin)
                    }
                    unknownKeys = known
                    try input.refuse(pointer("/prediction", key), "an unknown field")
                    try input.scanner.skipValue(depth: input.depth + 2)
                }
            }
            if let found, let field = PredictionField(rawValue: found) {
                guard seen & (1 << found) == 0 else {
                    throw input.scanner.malformed("a repeated key", at: begin)
                }
                seen |= 1 << found
                try readPredictionField(field, &input, &row)
                previous = found
            }
            input.scanner.skipSpace()
        } while input.scanner.take(UInt8(ascii: ","))
        guard input.scanner.take(UInt8(ascii: "}")) else {
            throw input.scanner.unexpected("\",\" or \"}\"")
        }
    }

    private mutating func readPredictionField(
        _ field: PredictionField, _ input: inout RecordCursor, _ row: inout RecordRow
    ) throws(RecordDecodingError) {
        let start = input.scanner.cursor
        defer { if let role = field.role { input.note(role, key: start, from: start) } }
        if start.pointee == UInt8(ascii: "n") {
            _ = try input.scanner.readLiteral()
            return
        }
        switch field {
        case .label: row.label = try input.readName("/prediction/label", allowsBool: true)
        case .score: row.score = try input.readProbability("/prediction/score") ?? .nan
        case .value: row.value = try input.readNumber("/prediction/value") ?? .nan
        case .scores: row.scoresSum = try input.readScores() ?? .nan
        }
    }
}
