public import MonitoringDomain

/// This is what a piece of a recorded file holds.
public enum FilePiece: Sendable, Equatable {
    /// Complete records, as rows, so that they can be counted in or sent on; and where each stands.
    case rows([WireRow], lines: [Int])
    /// Requests and responses that must be paired, and the ground truth of feedback.
    case halves([InferenceHalf], groundTruth: [GroundTruthBatch])
}

/// This reads recorded files of foreign formats, in pieces of whole lines.
public struct FileDecoder {
    /// The file's format.
    public let format: FileFormat
    private let model: ModelID?
    private let mapping: ColumnMapping
    private let limits: DecodingLimits
    private var csv: CSVDecoder?
    /// How many lines said nothing to the monitor, by why.
    public private(set) var ignored: [String: Int] = [:]

    /// Makes a decoder of one file.
    ///
    /// - Parameters:
    ///   - format: Not `.ndjson`, which `RecordDecoder` reads.
    ///   - model: The model of records that name none.
    ///   - mapping: What columns of CSV mean.
    ///   - limits: The bounds of one line's body.
    public init(
        format: FileFormat, model: ModelID?, mapping: ColumnMapping = ColumnMapping(),
        limits: DecodingLimits = DecodingLimits(rowCountMax: .max)
    ) {
        precondition(format != .ndjson, "native records have a decoder of their own")
        self.format = format
        self.model = model
        self.mapping = mapping
        self.limits = limits
    }

    /// What each column of a CSV file was taken for, once its header has been read.
    public var roles: [(column: String, role: ColumnMapping.Role)] { csv?.roles ?? [] }

    /// How many bytes from the start of `bytes` are whole records.
    public static func wholeRecords(in bytes: [UInt8], _ format: FileFormat) -> Int {
        if format == .csv { return CSVReader.wholeRecords(in: bytes) }
        return (bytes.lastIndex(of: 0x0A) ?? -1) + 1
    }

    /// Reads a piece of whole lines, the first of which is line `firstLine` of the file.
    ///
    /// - Returns: What the piece holds; the lines are checked one by one.
    /// - Throws: The first line that is none of the format, with its number.
    public mutating func decode(
        _ piece: [UInt8], firstLine: Int, arrival: EventTime,
        schemaOf: (ModelID) -> ModelSchema?
    ) throws(RecordDecodingError) -> FilePiece {
        switch format {
        case .csv:
            var decoder =
                csv
                ?? CSVDecoder(
                    mapping: mapping, model: model,
                    separator: FileFormat.separator(of: Array(piece.prefix { $0 != 0x0A })))
            let rows = try decoder.decode(piece, firstLine: firstLine, schemaOf: schemaOf)
            csv = decoder
            return .rows(rows.map(\.row), lines: rows.map(\.line))
        case .events: return try events(piece, firstLine, arrival, schemaOf)
        case .sagemaker, .databricks, .ndjson:
            return try captures(piece, firstLine, schemaOf)
        }
    }

    /// Calls `body` with each line that is not empty, or with each element of an array and its number.
    private func forEachLine(
        _ piece: [UInt8], _ firstLine: Int,
        _ body: (WireValue, Int) throws(RecordDecodingError) -> Void
    ) throws(RecordDecodingError) {
        if piece.first(where: { !isSpace($0) }) == UInt8(ascii: "[") {
            for element in try RecordPieces(piece, limits: limits).pieces {
                do {
                    try body(
                        try WireValue.parse(Array(piece[element.range]), limits: limits),
                        element.line)
                } catch {
                    throw error.moved(toLine: element.line)
                }
            }
            return
        }
        var line = firstLine
        for text in piece.split(separator: 0x0A, omittingEmptySubsequences: false) {
            defer { line += 1 }
            guard text.contains(where: { $0 > 0x20 }) else { continue }
            do {
                try body(try WireValue.parse(Array(text), limits: limits), line)
            } catch {
                throw error.moved(toLine: line)
            }
        }
    }

    private func captures(
        _ piece: [UInt8], _ firstLine: Int, _ schemaOf: (ModelID) -> ModelSchema?
    ) throws(RecordDecodingError) -> FilePiece {
        guard let model else {
            throw .items([
                ItemError(
                    line: firstLine, pointer: "/model", code: ItemError.invalidField,
                    detail: "\(format.rawValue) names no model; --model NAME does")
            ])
        }
        let context = CaptureContext(model: model, schema: schemaOf(model), limits: limits)
        var rows: [WireRow] = []
        var lines: [Int] = []
        try forEachLine(piece, firstLine) { value, line throws(RecordDecodingError) in
            if SageMakerLine.isOne(value) {
                rows += try SageMakerLine.rows(value, context)
            } else if DatabricksLine.isOne(value) {
                rows += try DatabricksLine.rows(value, context)
            } else {
                throw InferenceBody.refusal("", "no line of \(format.rawValue)")
            }
            lines += Array(repeating: line, count: rows.count - lines.count)
        }
        return .rows(rows, lines: lines)
    }

    private mutating func events(
        _ piece: [UInt8], _ firstLine: Int, _ arrival: EventTime,
        _ schemaOf: (ModelID) -> ModelSchema?
    ) throws(RecordDecodingError) -> FilePiece {
        let decoder = EventDecoder(limits: limits, options: EventOptions(model: model))
        var halves: [InferenceHalf] = []
        var truths: [GroundTruthBatch] = []
        var ignored: [String: Int] = [:]
        try forEachLine(piece, firstLine) { value, _ throws(RecordDecodingError) in
            let event = try CloudEvent.event(value, number: 1)
            switch try decoder.decode(event, arrival: arrival, schemaOf: schemaOf) {
            case .half(let half): halves.append(half)
            case .records(let records): truths += records.groundTruth
            case .ignored(let reason): ignored[reason, default: 0] += 1
            // A file is read to its first fault, which whoever reads it sees.
            case .mistyped(_, let error): throw error
            }
        }
        self.ignored.merge(ignored) { $0 + $1 }
        return .halves(halves, groundTruth: truths)
    }
}

extension RecordDecodingError {
    /// This is the same error in a text that begins with `lines` further ones of `bytes` bytes.
    public func behind(lines: Int, bytes: Int = 0) -> RecordDecodingError {
        switch self {
        case .malformed(let line, let offset, let reason):
            return .malformed(line: line + lines, offset: offset + bytes, reason: reason)
        case .items(let items):
            return .items(
                items.map { item in
                    var item = item
                    item.line += lines
                    return item
                })
        case .batchTooLarge: return self
        }
    }

    /// This is the same error with bytes counted from the start of their line in `body`.
    public func countedInLine(of body: [UInt8]) -> RecordDecodingError {
        guard case .malformed(let line, let offset, let reason) = self else { return self }
        let before = body.prefix(max(0, offset))
        let start = before.lastIndex(of: 0x0A).map { $0 + 1 } ?? 0
        return .malformed(line: line, offset: before.count - start, reason: reason)
    }

    /// This is the same error at a line of the file.
    func moved(toLine line: Int) -> RecordDecodingError {
        switch self {
        case .malformed(_, let offset, let reason):
            .malformed(line: line, offset: offset, reason: reason)
        case .items(let items):
            .items(
                items.map {
                    ItemError(line: line, pointer: $0.pointer, code: $0.code, detail: $0.detail)
                })
        case .batchTooLarge: self
        }
    }
}
