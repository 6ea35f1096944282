import MonitoringDomain

/// This is the shape of a record: what each of its values is, and the bytes between them.
///
/// A producer writes record after record in one shape. So what stands between two values, a key with
/// its punctuation and the white space around it, is compared with that of the record before as
/// words, and only values are read. A shape accepts less than the reader of any record, and what it
/// accepts it takes for the same; whatever else comes, that reader reads from the record's start.
struct RecordShape: Sendable {
    /// What a value is, the end of the record among them.
    enum Role: UInt8, Sendable {
        case feature, segment, id, time, model, version, latency, error, weight, label
        case value, revision
        case predictedLabel, predictedScore, predictedValue, probability, end
    }

    /// This is a value and what stands before it.
    struct Slot: Sendable {
        let role: Role
        /// A feature's number in the table of names.
        let number: Int32
        /// From the key's start, behind its quote for a segment, to the value's.
        let keyOffset: Int32
        /// The bytes of a segment's key.
        let keySize: Int32
        /// The bytes since the value before: so many words in `words`, then 1 to 8 bytes.
        let wordCount: Int32
        let lastSize: Int32
        let lastWord: UInt64
        let lastMask: UInt64
    }

    let slots: [Slot]
    fileprivate let words: [UInt64]
    /// The fields that such a record has, as in `RecordRow`.
    fileprivate let fields: UInt32
    let featureCount: Int
    fileprivate let segmentCount: Int
    /// What the record was checked for: its own fields, and how deep it may lie.
    let allowed: UInt32
    let depth: Int
}

/// This is a value that was read, as a shape needs it.
struct TracedValue {
    let role: RecordShape.Role
    var number = 0
    let key: UnsafePointer<UInt8>
    var keySize = 0
    let start: UnsafePointer<UInt8>
    let end: UnsafePointer<UInt8>
}

extension RecordShape {
    /// A longer record is rather read by itself: what a shape holds stays bounded.
    private static let sizeBytesMax = 1 << 16

    /// Makes the shape of the record from `start` to `end`; nil where it is too long.
    init?(
        of values: [TracedValue], from start: UnsafePointer<UInt8>, to end: UnsafePointer<UInt8>,
        fields: UInt32, allowed: UInt32, depth: Int
    ) {
        guard end - start <= Self.sizeBytesMax else { return nil }
        var slots: [Slot] = []
        slots.reserveCapacity(values.count + 1)
        var words: [UInt64] = []
        var place = start
        for value in values + [TracedValue(role: .end, key: end, start: end, end: end)] {
            let size = value.start - place
            // Values come in order, with a key or a comma between any two.
            guard size > 0 else { return nil }
            let wordCount = (size - 1) / 8
            for word in 0..<wordCount { words.append(loadWord(place + word * 8)) }
            let mask = lowBytesMask(size - wordCount * 8)
            slots.append(
                Slot(
                    role: value.role, number: Int32(value.number),
                    keyOffset: Int32(value.start - value.key), keySize: Int32(value.keySize),
                    wordCount: Int32(wordCount), lastSize: Int32(size - wordCount * 8),
                    lastWord: loadWord(place + wordCount * 8) & mask, lastMask: mask))
            place = value.end
        }
        self.slots = slots
        self.words = words
        self.fields = fields
        featureCount = values.count { $0.role == .feature }
        segmentCount = values.count { $0.role == .segment }
        self.allowed = allowed
        self.depth = depth
    }
}

extension RecordCursor {
    /// Reads the record at the cursor into `row` if it has the shape and plain values only.
    ///
    /// Where it returns false, the cursor and the row are anywhere.
    mutating func read(
        _ row: inout RecordRow, as shape: RecordShape, _ times: inout TimeReader
    ) -> Bool {
        var features: [RecordRow.Feature] = []
        swap(&features, &row.features)
        defer { swap(&features, &row.features) }
        if features.count != shape.featureCount {
            let nothing = RecordRow.Feature(name: 0, key: scanner.cursor, value: .missing)
            features = Array(repeating: nothing, count: shape.featureCount)
        }
        return features.withUnsafeMutableBufferPointer { features in
            var sink = RowSink(features: features)
            return read(&row, as: shape, into: &sink, &times)
        }
    }

    /// Reads the record at the cursor if it has the shape and plain values only: features into `sink`, the
    /// rest into `row`.
    ///
    /// Where it returns false, the cursor, the sink's row and the row are anywhere.
    @inline(__always)
    mutating func read<Sink: FeatureSink>(
        _ row: inout RecordRow, as shape: RecordShape, into sink: inout Sink,
        _ times: inout TimeReader
    ) -> Bool {
        row.removeFields()
        if !numbers.isEmpty { numbers.removeAll(keepingCapacity: true) }
        row.fields = shape.fields
        if row.segments.count != shape.segmentCount {
            let nothing = ByteText(start: scanner.cursor, count: 0)
            row.segments = Array(repeating: (nothing, nothing), count: shape.segmentCount)
        }
        return shape.slots.withUnsafeBufferPointer { slots in
            shape.words.withUnsafeBufferPointer { words in
                read(slots, words, &sink, &row, &times)
            }
        }
    }

    private mutating func read<Sink: FeatureSink>(
        _ slots: UnsafeBufferPointer<RecordShape.Slot>, _ words: UnsafeBufferPointer<UInt64>,
        _ sink: inout Sink, _ row: inout RecordRow, _ times: inout TimeReader
    ) -> Bool {
        var word = 0
        var featureIndex = 0
        var segmentIndex = 0
        var place = scanner.cursor
        for slot in slots {
            let lastWord = word &+ Int(slot.wordCount)
            // No text holds a zero, so that this ends in the zeros behind the body.
            while word < lastWord {
                guard loadWord(place) == words[word] else { return false }
                place += 8
                word &+= 1
            }
            guard loadWord(place) & slot.lastMask == slot.lastWord else { return false }
            place += Int(slot.lastSize)
            if slot.role == .feature {
                guard sink.take(featureIndex, slot, &self, at: &place) else { return false }
                featureIndex &+= 1
                continue
            }
            scanner.cursor = place
            switch slot.role {
            case .end: return true
            case .segment:
                guard let name = plainName(allowsBool: true) else { return false }
                let key = ByteText(start: place - Int(slot.keyOffset), count: Int(slot.keySize))
                row.segments[segmentIndex] = (key, name)
                segmentIndex &+= 1
            default: guard readPlainField(slot.role, &row, &times) else { return false }
            }
            place = scanner.cursor
        }
        return false
    }

    /// This is the features of a row that may have any.
    private struct RowSink: FeatureSink {
        let features: UnsafeMutableBufferPointer<RecordRow.Feature>

        @inline(__always)
        mutating func take(
            _ index: Int, _ slot: RecordShape.Slot, _ input: inout RecordCursor,
            at place: inout UnsafePointer<UInt8>
        ) -> Bool {
            let key = place - Int(slot.keyOffset)
            guard let value = input.plainFeatureValue(at: &place) else { return false }
            features[index] = RecordRow.Feature(name: Int(slot.number), key: key, value: value)
            return true
        }
    }

    /// The usual values are read without the cursor, which lies in memory.
    @inline(__always)
    fileprivate mutating func plainFeatureValue(
        at place: inout UnsafePointer<UInt8>
    ) -> FeatureValue? {
        if place.pointee == UInt8(ascii: "\"") {
            let first = place + 1
            let end = scanner.endOfPlainText(from: first)
            if end.pointee == UInt8(ascii: "\""),
                end - first <= scanner.limits.freeTextSizeBytesMax
            {
                place = end + 1
                return .text(ByteText(start: first, count: end - first))
            }
        } else if let (number, end) = scanner.shortNumber(at: place) {
            place = end
            return .number(number)
        }
        scanner.cursor = place
        let value = otherFeatureValue()
        place = scanner.cursor
        return value
    }

    @inline(never)
    mutating func otherFeatureValue() -> FeatureValue? {
        let byte = scanner.cursor.pointee
        if byte == UInt8(ascii: "-") || byte &- 0x30 <= 9 {
            return (try? scanner.readNumber()).map { .number($0) }
        }
        if byte == UInt8(ascii: "\"") {
            // How long it may be depends on the feature's kind.
            return (try? scanner.readText()).map { .text($0) }
        }
        if byte == UInt8(ascii: "[") {
            guard let vector = try? scanVector(), vector.wrong == nil,
                (1...FeatureKind.vectorDimensionMax).contains(vector.count)
            else { return nil }
            return .vector(start: vector.start, count: vector.count)
        }
        guard let literal = try? scanner.readLiteral() else { return nil }
        return byte == UInt8(ascii: "n") ? .missing : .text(literal)
    }

    @inline(__always)
    private mutating func plainText() -> ByteText? {
        guard scanner.cursor.pointee == UInt8(ascii: "\""), let text = try? scanner.readText(),
            text.count <= scanner.limits.textSizeBytesMax
        else { return nil }
        return text
    }

    /// A text that is not empty, a whole number, or a boolean.
    private mutating func plainName(allowsBool: Bool) -> ByteText? {
        switch scanner.cursor.pointee {
        case UInt8(ascii: "\""):
            guard let text = plainText(), text.count > 0 else { return nil }
            return text
        case UInt8(ascii: "t") where allowsBool, UInt8(ascii: "f") where allowsBool:
            return try? scanner.readLiteral()
        default: return plainInteger()?.text
        }
    }

    private mutating func plainInteger() -> (text: ByteText, value: Int64)? {
        let first = scanner.cursor
        guard first.pointee &- 0x30 <= 9 else { return nil }
        var value: Int64 = 0
        var size = 0
        // Up to 18 digits fit into 64 bits.
        while size <= 18, first[size] &- 0x30 <= 9 {
            value = value &* 10 &+ Int64(first[size] &- 0x30)
            size += 1
        }
        guard size <= 18, size == 1 || first.pointee != UInt8(ascii: "0"),
            first[size] != UInt8(ascii: "."), first[size] | 0x20 != UInt8(ascii: "e")
        else { return nil }
        scanner.cursor = first + size
        return (ByteText(start: first, count: size), value)
    }

    private mutating func plainNumber(upTo most: Double = .infinity) -> Double? {
        let byte = scanner.cursor.pointee
        guard byte == UInt8(ascii: "-") || byte &- 0x30 <= 9,
            let number = try? scanner.readNumber(), number <= most
        else { return nil }
        return number
    }

    private mutating func plainTime(_ times: inout TimeReader) -> Int64? {
        if scanner.cursor.pointee == UInt8(ascii: "\"") {
            return plainText().flatMap { times.milliseconds($0) }
        }
        return plainInteger().flatMap { $0.value <= TimeReader.last ? $0.value : nil }
    }

    /// Reads any other value than a feature's and a segment's; it may be null.
    @inline(never)
    private mutating func readPlainField(
        _ role: RecordShape.Role, _ row: inout RecordRow, _ times: inout TimeReader
    ) -> Bool {
        if scanner.cursor.pointee == UInt8(ascii: "n") {
            return role != .probability && (try? scanner.readLiteral()) != nil
        }
        switch role {
        case .id:
            guard let id = plainText(), id.count <= scanner.limits.idSizeBytesMax,
                // Not only spaces; what begins with one is looked at elsewhere.
                id.count > 0, id.start.pointee > 0x20
            else { return false }
            row.id = id
        case .time:
            guard let time = plainTime(&times), scanner.limits.times.contains(time) else {
                return false
            }
            row.time = time
        case .model:
            row.model = plainText()
            return row.model != nil
        case .error:
            row.error = plainText()
            return row.error != nil
        case .version:
            row.version = plainName(allowsBool: false)
            return row.version != nil
        case .label:
            row.truthLabel = plainName(allowsBool: true)
            return row.truthLabel != nil
        case .predictedLabel:
            row.label = plainName(allowsBool: true)
            return row.label != nil
        case .latency:
            row.latency = plainNumber() ?? .nan
            return row.latency >= 0
        case .weight:
            row.weight = plainNumber() ?? .nan
            return row.weight >= 1
        case .value:
            row.truthValue = plainNumber() ?? .nan
            return !row.truthValue.isNaN
        case .predictedValue:
            row.value = plainNumber() ?? .nan
            return !row.value.isNaN
        case .predictedScore:
            row.score = plainNumber(upTo: 1) ?? .nan
            return row.score >= 0
        case .probability:
            guard let probability = plainNumber(upTo: 1), probability >= 0 else { return false }
            row.scoresSum = (row.scoresSum.isNaN ? 0 : row.scoresSum) + probability
        case .revision:
            guard let revision = plainInteger() else { return false }
            row.revision = revision.value
        case .feature, .segment, .end: return false
        }
        return true
    }
}
