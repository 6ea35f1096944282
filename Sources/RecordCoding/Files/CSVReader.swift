/// This is one field of a line of CSV.
struct CSVField: Equatable {
    var text: [UInt8]
    /// True where it stood in quotes: then an empty one is an empty text, not a missing value.
    var isQuoted: Bool
}

/// This is why bytes are no CSV.
struct CSVProblem: Error, Equatable {
    /// From 1, counted within what was read.
    let line: Int
    let reason: String
}

/// This reads lines of CSV: fields in quotes may hold commas, line ends and doubled quotes.
///
/// Lines end with LF or CRLF, the last end may be missing, and empty lines are skipped.
/// Source: RFC 4180.
struct CSVReader {
    private let bytes: [UInt8]
    private var offset = 0
    private let separator: UInt8
    /// The line of the record that `next` has returned, from 1.
    private(set) var line = 0
    private var nextLine = 1

    init(_ bytes: [UInt8], separator: UInt8 = UInt8(ascii: ",")) {
        self.bytes = bytes
        self.separator = separator
    }

    /// Reads the next record into `fields`; false at the end.
    mutating func next(into fields: inout [CSVField]) throws(CSVProblem) -> Bool {
        fields.removeAll(keepingCapacity: true)
        skipEmptyLines()
        guard offset < bytes.count else { return false }
        line = nextLine
        while true {
            fields.append(try field())
            guard offset < bytes.count else { return true }
            if bytes[offset] == separator {
                offset += 1
                continue
            }
            // `field` stops at a separator, at a line's end, or at the end of all.
            if bytes[offset] == 0x0D { offset += 1 }
            if offset < bytes.count, bytes[offset] == 0x0A { offset += 1 }
            nextLine += 1
            return true
        }
    }

    private mutating func skipEmptyLines() {
        while offset < bytes.count {
            if bytes[offset] == 0x0A {
                nextLine += 1
                offset += 1
            } else if bytes[offset] == 0x0D, offset + 1 < bytes.count, bytes[offset + 1] == 0x0A {
                offset += 1
            } else {
                return
            }
        }
    }

    private mutating func field() throws(CSVProblem) -> CSVField {
        if offset < bytes.count, bytes[offset] == UInt8(ascii: "\"") { return try quotedField() }
        let start = offset
        while offset < bytes.count, bytes[offset] != separator, !isLineEnd(offset) {
            guard bytes[offset] != UInt8(ascii: "\"") else {
                throw CSVProblem(line: nextLine, reason: "a quote inside a field without quotes")
            }
            offset += 1
        }
        return CSVField(text: Array(bytes[start..<offset]), isQuoted: false)
    }

    private mutating func quotedField() throws(CSVProblem) -> CSVField {
        let first = nextLine
        offset += 1
        var text: [UInt8] = []
        while offset < bytes.count {
            let byte = bytes[offset]
            offset += 1
            guard byte == UInt8(ascii: "\"") else {
                if byte == 0x0A { nextLine += 1 }
                text.append(byte)
                continue
            }
            if offset < bytes.count, bytes[offset] == UInt8(ascii: "\"") {
                text.append(byte)
                offset += 1
                continue
            }
            guard offset == bytes.count || bytes[offset] == separator || isLineEnd(offset) else {
                throw CSVProblem(line: nextLine, reason: "text behind a closing quote")
            }
            return CSVField(text: text, isQuoted: true)
        }
        throw CSVProblem(line: first, reason: "a quote without its end")
    }

    private func isLineEnd(_ place: Int) -> Bool {
        bytes[place] == 0x0A
            || (bytes[place] == 0x0D
                && (place + 1 == bytes.count || bytes[place + 1] == 0x0A))
    }

    /// How many bytes from the start are whole records, so that a file can be read in pieces: up to
    /// the last line's end outside quotes.
    static func wholeRecords(in bytes: [UInt8]) -> Int {
        var isQuoted = false
        var end = 0
        for (index, byte) in bytes.enumerated() {
            if byte == UInt8(ascii: "\"") { isQuoted.toggle() }
            if byte == 0x0A, !isQuoted { end = index + 1 }
        }
        return end
    }
}
