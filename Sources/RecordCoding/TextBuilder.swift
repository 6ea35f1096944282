import MonitoringDomain

/// This is a column of texts under construction: text to code by a small table of its own.
struct TextBuilder {
    private var index: ByteIndex
    private var column = TextColumn()
    /// Neighbouring rows often hold the same text.
    private var lastCode = 0

    init(seed: UInt64) { index = ByteIndex(seed: seed) }

    var count: Int { column.codes.count }

    /// Appends one row; nil is missing.
    @inline(__always)
    mutating func append(_ text: ByteText?) {
        guard let text else {
            column.codes.append(TextColumn.missing)
            return
        }
        if lastCode >= index.count || !index.holds(text, at: lastCode) {
            let (code, isNew) = index.insert(text)
            if isNew { column.dictionary.append(text.string) }
            lastCode = code
        }
        column.codes.append(UInt32(truncatingIfNeeded: lastCode))
    }

    mutating func appendMissing(upTo rowCount: Int) {
        while column.codes.count < rowCount { column.codes.append(TextColumn.missing) }
    }

    /// This is the column with `rowCount` rows, the last ones missing where none were appended.
    consuming func finished(rowCount: Int) -> TextColumn {
        appendMissing(upTo: rowCount)
        return column
    }
}
