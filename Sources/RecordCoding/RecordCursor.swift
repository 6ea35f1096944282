/// This is a walk over a body's records, with what is wrong with them.
///
/// The body is one array of objects, or objects one after another with white space between: so
/// NDJSON, a single object on one line, and one over several lines are all the same.
struct RecordCursor {
    var scanner: JSONScanner
    private(set) var issues: [ItemError] = []
    /// The values of the record in their order; nil where nobody wants to know its shape.
    var trace: [TracedValue]?
    /// The numbers of the record's vectors, one after another.
    var numbers: [Double] = []
    /// True where values of other types than their features' are counted instead of refused.
    let countsTypeErrors: Bool
    /// From 1.
    private(set) var recordNumber = 0
    private var isArray = false
    private var recordStart: UnsafePointer<UInt8>
    /// Lines are counted only for issues, and each byte once.
    private var countedEnd: UnsafePointer<UInt8>
    private var line = 1

    init(_ scanner: JSONScanner, countsTypeErrors: Bool = false) {
        self.scanner = scanner
        self.countsTypeErrors = countsTypeErrors
        recordStart = scanner.start
        countedEnd = scanner.start
    }

    /// The arrays and objects that are open around a record.
    var depth: Int { isArray ? 1 : 0 }

    /// Moves to the next record's opening brace; false at the end of the body.
    mutating func advance() throws(RecordDecodingError) -> Bool {
        while try advanceToValue() {
            guard recordNumber < scanner.limits.rowCountMax else {
                throw .batchTooLarge(limit: scanner.limits.rowCountMax)
            }
            recordNumber += 1
            recordStart = scanner.cursor
            if scanner.limits.isSequence, !isArray { scanner.lineStart = recordStart }
            if scanner.cursor.pointee == UInt8(ascii: "{") { return true }
            try scanner.skipValue(depth: depth)
            try refuse("", "a record is a JSON object")
        }
        return false
    }

    private mutating func advanceToValue() throws(RecordDecodingError) -> Bool {
        let before = scanner.cursor
        scanner.skipSpace()
        if recordNumber == 0 {
            if scanner.cursor == scanner.end { throw scanner.malformed("an empty body") }
            if scanner.cursor.pointee == 0xEF {
                throw scanner.malformed("a byte order mark")
            }
            guard scanner.cursor.pointee == UInt8(ascii: "[") else { return true }
            isArray = true
            try scanner.open(depth: 0)
            scanner.skipSpace()
            return scanner.cursor.pointee == UInt8(ascii: "]") ? try endArray() : true
        }
        if isArray {
            if scanner.take(UInt8(ascii: ",")) {
                scanner.skipSpace()
                return true
            }
            return try endArray()
        }
        if scanner.cursor == scanner.end { return false }
        if !scanner.limits.isSequence { throw scanner.unexpected("the end") }
        let gap = UnsafeBufferPointer(start: before, count: scanner.cursor - before)
        guard gap.contains(0x0A) else {
            throw scanner.malformed("the next record begins on the same line")
        }
        return true
    }

    private mutating func endArray() throws(RecordDecodingError) -> Bool {
        guard scanner.take(UInt8(ascii: "]")) else { throw scanner.unexpected("\",\" or \"]\"") }
        scanner.skipSpace()
        guard scanner.cursor == scanner.end else { throw scanner.unexpected("the end") }
        return false
    }

    /// Notes that the record breaks the contract at `pointer`.
    ///
    /// - Throws: All issues, when their number reaches the maximum.
    @inline(never)
    mutating func refuse(
        _ pointer: String, _ detail: String, code: String = ItemError.invalidField
    ) throws(RecordDecodingError) {
        let passed = UnsafeBufferPointer(start: countedEnd, count: recordStart - countedEnd)
        line += passed.reduce(0) { $1 == 0x0A ? $0 + 1 : $0 }
        countedEnd = recordStart
        issues.append(
            ItemError(
                line: isArray ? recordNumber : line, pointer: pointer, code: code, detail: detail))
        if issues.count == ItemError.countMax { throw .items(issues) }
    }

    /// Notes a value of the record, which has been read.
    @inline(__always)
    mutating func note(
        _ role: RecordShape.Role, number: Int = 0, key: UnsafePointer<UInt8>, keySize: Int = 0,
        from start: UnsafePointer<UInt8>
    ) {
        trace?.append(
            TracedValue(
                role: role, number: number, key: key, keySize: keySize, start: start,
                end: scanner.cursor))
    }

    /// - Throws: All issues, if there are any.
    func finish() throws(RecordDecodingError) {
        if !issues.isEmpty { throw .items(issues) }
    }
}

/// This is `path` and a key below it, as a JSON pointer; long keys are shortened.
func pointer(_ path: String, _ key: ByteText) -> String { pointer(path, key.string) }

func pointer(_ path: String, _ key: String) -> String {
    var text = path + "/"
    for character in key.unicodeScalars.prefix(128) {
        switch character {
        case "~": text += "~0"
        case "/": text += "~1"
        default: text.unicodeScalars.append(character)
        }
    }
    return text
}
