import MonitoringDomain

/// This is a column of texts under construction: text to code by a small table of its own.
struct TextBuilder {
    /// Made at the first text: most features of most models are numbers.
    private var table: Table?
    private let seed: UInt64
    private var codes: GrowingColumn<UInt32>
    /// Texts of up to sixteen bytes by a few bits of their own: a column of few classes finds nearly
    /// all here, without hashing.
    private var recent: GrowingColumn<Recent>

    /// This is the texts that have a code.
    private final class Table {
        private var index: ByteIndex
        private(set) var dictionary: [String] = []

        init(seed: UInt64) { index = ByteIndex(seed: seed) }

        func code(of text: ByteText) -> UInt32 {
            let (code, isNew) = index.insert(text)
            if isNew { dictionary.append(text.string) }
            return UInt32(truncatingIfNeeded: code)
        }
    }

    private struct Recent {
        var first: UInt64 = 0
        var last: UInt64 = 0
        /// -1 where the place is empty.
        var count: Int32 = -1
        var code: UInt32 = 0
    }

    /// A long column has room enough that its classes rarely share a place.
    private let recentBitCount: UInt64

    init(seed: UInt64, rowCount: Int = 0) {
        self.seed = seed
        recentBitCount = rowCount < 256 ? 4 : 6
        codes = GrowingColumn(capacity: rowCount)
        recent = GrowingColumn(capacity: 1 << recentBitCount)
    }

    var count: Int { codes.count }

    /// Appends one row; nil is missing.
    @inline(__always)
    mutating func append(_ text: ByteText?) {
        guard let text else {
            codes.append(TextColumn.missing)
            return
        }
        guard text.count > 0, text.count <= 16 else {
            codes.append(code(of: text))
            return
        }
        // Up to eight bytes are one word; up to sixteen are two, which may overlap.
        let isShort = text.count <= 8
        let first =
            isShort
            ? loadWord(text.start) & lowBytesMask(text.count) : loadWord(text.start)
        let last = isShort ? 0 : loadWord(text.start + text.count - 8)
        let mixed = (first ^ last &* 3) &* 0x9E37_79B9_7F4A_7C15
        let place = Int(truncatingIfNeeded: mixed >> (64 &- recentBitCount))
        if recent.count == 0 { recent.fill(upTo: 1 << recentBitCount, with: Recent()) }
        let known = recent[place]
        if known.first == first, known.last == last, known.count == Int32(text.count) {
            codes.append(known.code)
            return
        }
        let code = code(of: text)
        recent[place] = Recent(first: first, last: last, count: Int32(text.count), code: code)
        codes.append(code)
    }

    @inline(never)
    private mutating func code(of text: ByteText) -> UInt32 {
        let table = table ?? Table(seed: seed)
        self.table = table
        return table.code(of: text)
    }

    mutating func appendMissing(upTo rowCount: Int) {
        codes.fill(upTo: rowCount, with: TextColumn.missing)
    }

    /// This is the column with `rowCount` rows, the last ones missing where none were appended.
    mutating func finished(rowCount: Int) -> TextColumn {
        appendMissing(upTo: rowCount)
        return TextColumn(codes: codes.array, dictionary: table?.dictionary ?? [])
    }
}
