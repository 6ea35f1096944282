/// This is a body cut into its records, so that good ones can be told from bad ones.
///
/// It is for bodies of which something is known to be wrong; the usual way reads a body at once.
public struct RecordPieces: Sendable {
    /// This is one record's bytes.
    public struct Piece: Sendable {
        /// The line of NDJSON, or the number in an array; from 1.
        public let line: Int
        /// Where the record lies in the body.
        public let range: Range<Int>
    }

    /// This is what became of a body's records.
    public struct Outcome<Value> {
        /// The decoded value of all good records together; nil where there is none.
        public let value: Value?
        /// The good records' lines, increasing.
        public let lines: [Int]
        /// How many records were refused.
        public let refusedCount: Int
        /// Up to 100 of the reasons, in order.
        public let errors: [ItemError]
    }

    private static let groupCount = 64

    let body: [UInt8]
    let limits: DecodingLimits
    /// The records in order; of NDJSON the lines that are not empty.
    public private(set) var pieces: [Piece] = []

    /// Cuts a body: an array into its elements, NDJSON into its lines, and another body not at all.
    ///
    /// - Parameters:
    ///   - body: JSON in UTF-8, not compressed.
    ///   - limits: What the body may hold.
    /// - Throws: `malformed` for an array that cannot be cut, `batchTooLarge`.
    public init(_ body: [UInt8], limits: DecodingLimits) throws(RecordDecodingError) {
        self.body = body
        self.limits = limits
        let first = body.firstIndex { !isSpace($0) }
        if let first, body[first] == UInt8(ascii: "[") {
            try cutArray()
        } else if limits.isSequence {
            try cutLines()
        } else if let first {
            pieces = [Piece(line: 1, range: first..<body.count)]
        }
    }

    private mutating func cutLines() throws(RecordDecodingError) {
        var line = 1
        var start = 0
        while start < body.count {
            let end = body[start...].firstIndex(of: 0x0A) ?? body.count
            if body[start..<end].contains(where: { !isSpace($0) }) {
                try append(line, start..<end)
            }
            line += 1
            start = end + 1
        }
    }

    private mutating func cutArray() throws(RecordDecodingError) {
        var scanner = JSONScanner(body, limits: limits, seed: UInt64.random(in: .min ... .max))
        defer { scanner.deallocate() }
        scanner.skipSpace()
        try scanner.open(depth: 0)
        scanner.skipSpace()
        guard !scanner.take(UInt8(ascii: "]")) else { return }
        repeat {
            scanner.skipSpace()
            let start = scanner.cursor - scanner.start
            try scanner.skipValue(depth: 1)
            try append(pieces.count + 1, start..<(scanner.cursor - scanner.start))
            scanner.skipSpace()
        } while scanner.take(UInt8(ascii: ","))
        guard scanner.take(UInt8(ascii: "]")) else { throw scanner.unexpected("\",\" or \"]\"") }
        scanner.skipSpace()
        guard scanner.cursor == scanner.end else { throw scanner.unexpected("the end") }
    }

    private mutating func append(_ line: Int, _ range: Range<Int>) throws(RecordDecodingError) {
        guard pieces.count < limits.rowCountMax else {
            throw .batchTooLarge(limit: limits.rowCountMax)
        }
        pieces.append(Piece(line: line, range: range))
    }

    /// Decodes what can be decoded of the records, and says of every other what is wrong with it.
    ///
    /// - Parameters:
    ///   - stopsAtCountMax: True where it is enough to know 100 errors.
    ///   - mistyped: Is given, one line each, the records that are refused for a value of a feature.
    ///   - decode: Decodes NDJSON.
    /// - Returns: What was good, and what was not.
    /// - Throws: What `decode` throws for records of which each is good by itself, for a reason that
    ///   is none of theirs.
    public func decodeGood<Value>(
        stopsAtCountMax: Bool = false, mistyped: ([UInt8]) -> Void = { _ in },
        _ decode: ([UInt8]) throws(RecordDecodingError) -> Value
    ) throws(RecordDecodingError) -> Outcome<Value> {
        var errors: [ItemError] = []
        var good: [Piece] = []
        var refusedCount = 0
        var start = 0
        while start < pieces.count, !stopsAtCountMax || errors.count < ItemError.countMax {
            let group = pieces[start..<min(start + Self.groupCount, pieces.count)]
            start += group.count
            // Mostly a few records are bad among many, and a group costs less than its records.
            if (try? decode(joined(group))) != nil {
                good += group
                continue
            }
            for piece in group {
                let found = faults(of: piece, decode)
                if found.isEmpty {
                    good.append(piece)
                } else {
                    refusedCount += 1
                    if found.contains(where: { $0.pointer.hasPrefix("/features/") }) {
                        mistyped(joined([piece]))
                    }
                    errors += found.prefix(max(0, ItemError.countMax - errors.count))
                }
            }
        }
        // Records that are good alone may contradict one another; each round drops some of them.
        while !good.isEmpty {
            do {
                return Outcome(
                    value: try decode(joined(good[...])), lines: good.map(\.line),
                    refusedCount: refusedCount, errors: errors)
            } catch .items(let found) {
                let places = Set(found.map { $0.line - 1 })
                guard places.allSatisfy(good.indices.contains) else { throw .items(found) }
                for var error in found where errors.count < ItemError.countMax {
                    error.line = good[error.line - 1].line
                    errors.append(error)
                }
                refusedCount += places.count
                good = good.indices.filter { !places.contains($0) }.map { good[$0] }
            }
        }
        return Outcome(value: nil, lines: [], refusedCount: refusedCount, errors: errors)
    }

    /// Decodes the records one by one, and leaves out what cannot be decoded or has other faults.
    ///
    /// It is for faults that only whoever stores the records can see; they may depend on the records before.
    ///
    /// - Parameters:
    ///   - stopsAtCountMax: True where it is enough to know 100 errors.
    ///   - decode: Decodes NDJSON.
    ///   - faults: What is wrong with a decoded record, seen after those before it.
    /// - Returns: What was good, and what was not.
    /// - Throws: What `decode` throws for records of which each is good by itself.
    public func decodeEach<Value>(
        stopsAtCountMax: Bool, _ decode: ([UInt8]) throws(RecordDecodingError) -> Value,
        faults: (Value) -> [ItemError]
    ) throws(RecordDecodingError) -> Outcome<Value> {
        var errors: [ItemError] = []
        var good: [Piece] = []
        for piece in pieces where !stopsAtCountMax || errors.count < ItemError.countMax {
            let found: [ItemError]
            if let value = try? decode(joined([piece][...])) {
                found = faults(value)
            } else {
                found = self.faults(of: piece, decode)
            }
            if found.isEmpty {
                good.append(piece)
                continue
            }
            for var error in found.prefix(max(0, ItemError.countMax - errors.count)) {
                error.line = piece.line
                errors.append(error)
            }
        }
        let value = good.isEmpty ? nil : try decode(joined(good[...]))
        return Outcome(
            value: value, lines: good.map(\.line), refusedCount: pieces.count - good.count,
            errors: errors)
    }

    private func joined(_ pieces: ArraySlice<Piece>) -> [UInt8] {
        // White space may be a line's end, but one record must stay one line.
        pieces.flatMap { body[$0.range].filter { $0 != 0x0A } + [0x0A] }
    }

    private func faults<Value>(
        of piece: Piece, _ decode: ([UInt8]) throws(RecordDecodingError) -> Value
    ) -> [ItemError] {
        let bytes = Array(body[piece.range])
        func fault(_ code: String, _ detail: String) -> [ItemError] {
            [ItemError(line: piece.line, pointer: "", code: code, detail: detail)]
        }
        if bytes.first(where: { !isSpace($0) }) == UInt8(ascii: "[") {
            return fault(ItemError.invalidField, "a record is a JSON object")
        }
        do {
            _ = try decode(bytes)
            return []
        } catch {
            switch error {
            case .malformed(_, let offset, let reason):
                return fault(ItemError.malformedJSON, "byte \(offset) of the record: \(reason)")
            case .items(let items):
                return items.map { item in
                    var item = item
                    item.line = piece.line
                    return item
                }
            case .batchTooLarge: return fault(ItemError.malformedJSON, "not one record")
            }
        }
    }
}
