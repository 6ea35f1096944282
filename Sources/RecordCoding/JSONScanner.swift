/// This is a cursor over a body of JSON texts (RFC 8259), strict, without a tree.
///
/// The zero bytes behind the body end every loop.
struct JSONScanner {
    let start: UnsafePointer<UInt8>
    let end: UnsafePointer<UInt8>
    var cursor: UnsafePointer<UInt8>
    let limits: DecodingLimits
    let seed: UInt64
    /// Where the record begins that is being read, of records that have a line each; nil in other bodies.
    var lineStart: UnsafePointer<UInt8>?
    private let body: RecordBody
    /// Where unescaped strings go; most bodies have none.
    ///
    /// Every string is scanned once and does not grow, so the body's size is enough; as much again
    /// is for `string(at:)`.
    private var arena: UnsafeMutablePointer<UInt8>?
    private var arenaCount = 0
    /// The keys of the open objects that `nextKey` reads.
    private var openKeys: [ByteText] = []

    /// Starts before the first byte; what it allocates the caller must free by `deallocate`.
    init(_ body: RecordBody, limits: DecodingLimits, seed: UInt64) {
        self.body = body
        start = body.start
        end = start + body.count
        cursor = start
        self.limits = limits
        self.seed = seed
    }

    init(_ body: [UInt8], limits: DecodingLimits, seed: UInt64) {
        self.init(RecordBody(body), limits: limits, seed: seed)
    }

    func deallocate() { arena?.deallocate() }

    /// This is a place to which reading can go back.
    struct Mark {
        fileprivate let cursor: UnsafePointer<UInt8>
        fileprivate let arenaCount: Int
    }

    var mark: Mark { Mark(cursor: cursor, arenaCount: arenaCount) }

    /// Goes back; strings that were read since are no longer there.
    mutating func rewind(to mark: Mark) {
        cursor = mark.cursor
        arenaCount = mark.arenaCount
    }

    /// This is the error at `place`, with its line counted only now.
    ///
    /// A record that is cut goes on, to a reader, in the lines behind it: its own line is where it begins.
    func malformed(
        _ reason: String, at place: UnsafePointer<UInt8>? = nil
    ) -> RecordDecodingError {
        let place = min(place ?? cursor, end)
        let before = UnsafeBufferPointer(
            start: start, count: min(place, lineStart ?? place) - start)
        let line = before.reduce(1) { $1 == 0x0A ? $0 + 1 : $0 }
        return .malformed(line: line, offset: place - start, reason: reason)
    }

    /// This is the error of a byte that cannot stand here.
    func unexpected(_ expected: String) -> RecordDecodingError {
        if cursor >= end { return malformed("the text ends where \(expected) is expected") }
        let hex = String(cursor.pointee, radix: 16)
        return malformed("byte 0x\(hex) where \(expected) is expected")
    }

    @inline(__always)
    mutating func skipSpace() {
        while cursor.pointee <= 0x20, isSpace(cursor.pointee) { cursor += 1 }
    }

    /// This is the string that begins at `place` and has been read before.
    ///
    /// So the way of good records need not keep what only few of them need.
    @inline(never)
    mutating func string(at place: UnsafePointer<UInt8>) throws(RecordDecodingError) -> String {
        let (cursor, arenaCount) = (self.cursor, self.arenaCount)
        self.cursor = place
        let text = try readText().string
        (self.cursor, self.arenaCount) = (cursor, arenaCount)
        return text
    }

    /// Reads `byte` if it is next, else nothing.
    @inline(__always)
    mutating func take(_ byte: UInt8) -> Bool {
        guard cursor.pointee == byte else { return false }
        cursor += 1
        return true
    }

    /// Reads a string, whose opening quote is next; unescapes it where needed.
    @inline(__always)
    mutating func readText() throws(RecordDecodingError) -> ByteText {
        guard cursor.pointee == UInt8(ascii: "\"") else { throw unexpected("a string") }
        let first = cursor + 1
        let stop = endOfPlainText(from: first)
        if stop.pointee == UInt8(ascii: "\"") {
            cursor = stop + 1
            return ByteText(start: first, count: stop - first)
        }
        return try readEscapedText(from: first, plainUntil: stop)
    }

    /// This is the first quote, backslash or control character at or after `first`.
    @inline(__always)
    func endOfPlainText(from first: UnsafePointer<UInt8>) -> UnsafePointer<UInt8> {
        let ones: UInt64 = 0x0101_0101_0101_0101
        var place = first
        while true {
            let word = loadWord(place)
            let quotes = word ^ (ones &* 0x22)
            let slashes = word ^ (ones &* 0x5C)
            // A borrow can mark only bytes above one that is rightly marked, so the lowest mark is
            // right.
            let marks =
                (((quotes &- ones) & ~quotes) | ((slashes &- ones) & ~slashes)
                    | ((word &- (ones &* 0x20)) & ~word)) & (ones &* 0x80)
            if marks != 0 { return place + (marks.trailingZeroBitCount >> 3) }
            place += 8
        }
    }

    @inline(never)
    private mutating func readEscapedText(
        from first: UnsafePointer<UInt8>, plainUntil stop: UnsafePointer<UInt8>
    ) throws(RecordDecodingError) -> ByteText {
        let text = arenaEnd()
        var written = text
        var plain = first
        cursor = stop
        while true {
            written.update(from: plain, count: cursor - plain)
            written += cursor - plain
            switch cursor.pointee {
            case UInt8(ascii: "\""):
                cursor += 1
                arenaCount += written - text
                return ByteText(start: UnsafePointer(text), count: written - text)
            case UInt8(ascii: "\\"):
                cursor += 1
                try unescape(to: &written)
            default:
                if cursor >= end { throw malformed("the text ends inside a string") }
                throw malformed("a control character inside a string")
            }
            plain = cursor
            cursor = endOfPlainText(from: cursor)
        }
    }

    private mutating func arenaEnd() -> UnsafeMutablePointer<UInt8> {
        if let arena { return arena + arenaCount }
        let size = 2 * (end - start + RecordBody.paddingSizeBytes)
        let memory = UnsafeMutablePointer<UInt8>.allocate(capacity: size)
        // Words are read beyond a text's end.
        memory.initialize(repeating: 0, count: size)
        arena = memory
        return memory
    }

    private mutating func unescape(
        to written: inout UnsafeMutablePointer<UInt8>
    ) throws(RecordDecodingError) {
        func append(_ byte: UInt8) {
            written.pointee = byte
            written += 1
        }
        let escape = cursor.pointee
        cursor += 1
        switch escape {
        case UInt8(ascii: "\""), UInt8(ascii: "\\"), UInt8(ascii: "/"): append(escape)
        case UInt8(ascii: "b"): append(0x08)
        case UInt8(ascii: "f"): append(0x0C)
        case UInt8(ascii: "n"): append(0x0A)
        case UInt8(ascii: "r"): append(0x0D)
        case UInt8(ascii: "t"): append(0x09)
        case UInt8(ascii: "u"):
            let begin = cursor - 2
            var value = try readHex()
            if value & 0xFC00 == 0xD800 {
                guard cursor[0] == UInt8(ascii: "\\"), cursor[1] == UInt8(ascii: "u") else {
                    throw malformed("a lone surrogate", at: begin)
                }
                cursor += 2
                let low = try readHex()
                guard low & 0xFC00 == 0xDC00 else { throw malformed("a lone surrogate", at: begin) }
                value = 0x10000 + ((value & 0x3FF) << 10 | (low & 0x3FF))
            }
            guard let scalar = Unicode.Scalar(value), let encoded = UTF8.encode(scalar) else {
                throw malformed("a lone surrogate", at: begin)
            }
            for byte in encoded { append(byte) }
        default:
            cursor -= 1
            throw unexpected("an escape")
        }
    }

    private mutating func readHex() throws(RecordDecodingError) -> UInt32 {
        var value: UInt32 = 0
        for _ in 0..<4 {
            let byte = cursor.pointee
            switch byte {
            case UInt8(ascii: "0")...UInt8(ascii: "9"): value = value << 4 | UInt32(byte - 0x30)
            case UInt8(ascii: "a")...UInt8(ascii: "f"): value = value << 4 | UInt32(byte - 0x57)
            case UInt8(ascii: "A")...UInt8(ascii: "F"): value = value << 4 | UInt32(byte - 0x37)
            default: throw unexpected("a hexadecimal digit")
            }
            cursor += 1
        }
        return value
    }

    /// Reads `true`, `false` or `null`, whichever begins with the next byte, and returns its own
    /// text.
    mutating func readLiteral() throws(RecordDecodingError) -> ByteText {
        let word = loadWord(cursor)
        let size: Int
        if word & 0xFFFF_FFFF == 0x6C6C_756E || word & 0xFFFF_FFFF == 0x6575_7274 {
            size = 4
        } else if word & 0xFF_FFFF_FFFF == 0x65_736C_6166 {
            size = 5
        } else {
            throw unexpected("a value")
        }
        defer { cursor += size }
        return ByteText(start: cursor, count: size)
    }

    /// Checks a value and drops it; `depth` arrays and objects are open around it.
    mutating func skipValue(depth: Int) throws(RecordDecodingError) {
        switch cursor.pointee {
        case UInt8(ascii: "\""): _ = try readText()
        case UInt8(ascii: "-"), UInt8(ascii: "0")...UInt8(ascii: "9"): _ = try readNumber()
        case UInt8(ascii: "{"):
            var object = try openObject(depth: depth)
            while try nextKey(of: &object) != nil { try skipValue(depth: depth + 1) }
        case UInt8(ascii: "["):
            try open(depth: depth)
            skipSpace()
            if take(UInt8(ascii: "]")) { return }
            repeat {
                skipSpace()
                try skipValue(depth: depth + 1)
                skipSpace()
            } while take(UInt8(ascii: ","))
            guard take(UInt8(ascii: "]")) else { throw unexpected("\",\" or \"]\"") }
        default: _ = try readLiteral()
        }
    }

    /// Reads the opening byte of an array or object inside `depth` others.
    mutating func open(depth: Int) throws(RecordDecodingError) {
        guard depth < limits.depthMax else {
            throw malformed(
                "\(RecordDecodingError.tooDeep): over \(limits.depthMax) open arrays and objects")
        }
        cursor += 1
    }

    /// This is an open object whose keys are not known before.
    struct OpenObject {
        fileprivate let base: Int
        fileprivate var index: ByteIndex?
    }

    /// Reads the opening brace of an object inside `depth` arrays and objects.
    mutating func openObject(depth: Int) throws(RecordDecodingError) -> OpenObject {
        try open(depth: depth)
        return OpenObject(base: openKeys.count)
    }

    /// Reads the next key, which must not be a repeated one, or the closing brace, and then
    /// returns nil.
    mutating func nextKey(of object: inout OpenObject) throws(RecordDecodingError) -> ByteText? {
        skipSpace()
        let count = openKeys.count - object.base
        if take(UInt8(ascii: "}")) {
            openKeys.removeSubrange(object.base...)
            return nil
        }
        if count > 0 {
            guard take(UInt8(ascii: ",")) else { throw unexpected("\",\" or \"}\"") }
            skipSpace()
        }
        let begin = cursor
        let key = try readKey()
        if count < 16 {
            for place in object.base..<openKeys.count {
                if openKeys[place].count == key.count, key.equals(openKeys[place].start) {
                    throw malformed("a repeated key", at: begin)
                }
            }
        } else {
            guard count < 2 * limits.featureCountMax else {
                throw malformed("\(RecordDecodingError.tooManyMembers): over \(count)", at: begin)
            }
            var index = object.index ?? ByteIndex(seed: seed)
            object.index = nil
            if index.count == 0 {
                for other in openKeys[object.base...] { _ = index.insert(other) }
            }
            guard index.insert(key).isNew else { throw malformed("a repeated key", at: begin) }
            object.index = index
        }
        openKeys.append(key)
        return key
    }

    /// Reads a key and its colon, and the space around it.
    mutating func readKey() throws(RecordDecodingError) -> ByteText {
        guard cursor.pointee == UInt8(ascii: "\"") else { throw unexpected("a key") }
        let key = try readText()
        skipSpace()
        guard take(UInt8(ascii: ":")) else { throw unexpected("\":\"") }
        skipSpace()
        return key
    }
}

@inline(__always)
func isSpace(_ byte: UInt8) -> Bool {
    byte == 0x20 || byte == 0x0A || byte == 0x0D || byte == 0x09
}
