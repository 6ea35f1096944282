import MonitoringDomain

/// Values of one JSON type, which are not null; nil where the record has been refused.
extension RecordCursor {
    /// Drops a value and refuses the record for it.
    @inline(never)
    mutating func refuseValue(_ pointer: String, _ detail: String) throws(RecordDecodingError) {
        // No value that a record may hold is deeper than this one's parent.
        try scanner.skipValue(depth: depth + (pointer.utf8.count { $0 == 0x2F }))
        try refuse(pointer, detail)
    }

    mutating func readID() throws(RecordDecodingError) -> ByteText? {
        guard scanner.cursor.pointee == UInt8(ascii: "\"") else {
            try refuseValue("/id", "a string is expected")
            return nil
        }
        let text = try scanner.readText()
        let sizeMax = scanner.limits.idSizeBytesMax
        guard text.count <= sizeMax, text.buffer.contains(where: { $0 > 0x20 }) else {
            try refuse("/id", "an id has 1 to \(sizeMax) bytes and is not only spaces")
            return nil
        }
        return text
    }

    mutating func readString(
        _ pointer: @autoclosure () -> String
    ) throws(RecordDecodingError) -> ByteText? {
        guard scanner.cursor.pointee == UInt8(ascii: "\"") else {
            try refuseValue(pointer(), "a string is expected")
            return nil
        }
        let text = try scanner.readText()
        guard text.count <= scanner.limits.textSizeBytesMax else {
            let detail = "a text over \(scanner.limits.textSizeBytesMax) bytes"
            try refuse(pointer(), detail)
            return nil
        }
        return text
    }

    /// Reads what names a class or a version: a string, a whole number or a boolean, as a text.
    mutating func readName(
        _ pointer: @autoclosure () -> String, allowsBool: Bool
    ) throws(RecordDecodingError) -> ByteText? {
        switch scanner.cursor.pointee {
        case UInt8(ascii: "-"), UInt8(ascii: "0")...UInt8(ascii: "9"):
            let begin = scanner.cursor
            _ = try scanner.readNumber()
            let text = ByteText(start: begin, count: scanner.cursor - begin)
            if let whole = wholeNumber(text) { return whole.text }
            try refuse(pointer(), "\(text.excerpt) is no whole number of 64 bits")
            return nil
        case UInt8(ascii: "t") where allowsBool, UInt8(ascii: "f") where allowsBool:
            return try scanner.readLiteral()
        case UInt8(ascii: "\""):
            guard let text = try readString(pointer()) else { return nil }
            if text.count > 0 { return text }
            try refuse(pointer(), "an empty string")
            return nil
        default:
            let expected = allowsBool ? "a string, integer or boolean" : "a string or integer"
            try refuseValue(pointer(), "\(expected) is expected")
            return nil
        }
    }

    mutating func readNumber(
        _ pointer: @autoclosure () -> String
    ) throws(RecordDecodingError) -> Double? {
        let byte = scanner.cursor.pointee
        if byte == UInt8(ascii: "-") || byte &- 0x30 <= 9 { return try scanner.readNumber() }
        try refuseValue(pointer(), "a number is expected")
        return nil
    }

    mutating func readProbability(
        _ pointer: @autoclosure () -> String
    ) throws(RecordDecodingError) -> Double? {
        guard let number = try readNumber(pointer()) else { return nil }
        if number >= 0, number <= 1 { return number }
        try refuse(pointer(), "\(number) is not in 0...1")
        return nil
    }

    mutating func readInteger(
        _ pointer: @autoclosure () -> String
    ) throws(RecordDecodingError) -> Int64? {
        let begin = scanner.cursor
        guard try readNumber(pointer()) != nil else { return nil }
        let text = ByteText(start: begin, count: scanner.cursor - begin)
        if let whole = wholeNumber(text) { return whole.value }
        try refuse(pointer(), "\(text.excerpt) is no whole number of 64 bits")
        return nil
    }

    /// Checks the probabilities of the classes, which no column holds, and returns their sum.
    mutating func readScores() throws(RecordDecodingError) -> Double? {
        let path = "/prediction/scores"
        guard scanner.cursor.pointee == UInt8(ascii: "{") else {
            try refuseValue(path, "an object of probabilities is expected")
            return nil
        }
        var object = try scanner.openObject(depth: depth + 2)
        var sum: Double?
        while let name = try scanner.nextKey(of: &object) {
            let start = scanner.cursor
            sum = (sum ?? 0) + (try readProbability(pointer(path, name)) ?? .nan)
            note(.probability, key: start, from: start)
        }
        if sum == nil { try refuse(path, "a probability for at least one class is expected") }
        return sum
    }

    /// Reads the object of segments; a value that is null is left out.
    mutating func readSegments(
        into segments: inout [(key: ByteText, value: ByteText)]
    ) throws(RecordDecodingError) {
        guard scanner.cursor.pointee == UInt8(ascii: "{") else {
            return try refuseValue("/segments", "an object is expected")
        }
        var object = try scanner.openObject(depth: depth + 1)
        while let name = try scanner.nextKey(of: &object) {
            let start = scanner.cursor
            if name.count == 0 || name.count > scanner.limits.idSizeBytesMax {
                trace = nil
                let detail = "a segment key has 1 to \(scanner.limits.idSizeBytesMax) bytes"
                try refuse(pointer("/segments", name), detail)
            }
            if start.pointee == UInt8(ascii: "n") {
                _ = try scanner.readLiteral()
            } else if let value = try readName(pointer("/segments", name), allowsBool: true) {
                segments.append((name, value))
                // The key of another record stands elsewhere, but not one without its escapes.
                if name.start < start, name.start > scanner.start {
                    note(.segment, key: name.start, keySize: name.count, from: start)
                } else {
                    trace = nil
                }
            }
        }
    }

    /// Reads a time in either form; `times` remembers the last day.
    mutating func readTime(_ times: inout TimeReader) throws(RecordDecodingError) -> Int64? {
        let time: Int64
        if scanner.cursor.pointee == UInt8(ascii: "\"") {
            let text = try scanner.readText()
            guard let found = times.milliseconds(text) else {
                let detail = "\"\(text.excerpt)\" is no RFC 3339 time"
                try refuse("/ts", detail)
                return nil
            }
            time = found
        } else {
            guard let found = try readInteger("/ts") else { return nil }
            guard found >= TimeReader.first, found <= TimeReader.last else {
                try refuse("/ts", "\(found) ms is out of the years 0000 to 9999")
                return nil
            }
            time = found
        }
        if scanner.limits.times.contains(time) { return time }
        return try refuseTime(time)
    }

    @inline(never)
    private mutating func refuseTime(_ time: Int64) throws(RecordDecodingError) -> Int64? {
        let bounds = scanner.limits.times
        let found = EventTime(milliseconds: time)
        if time < bounds.lowerBound {
            let first = EventTime(milliseconds: bounds.lowerBound)
            try refuse("/ts", "\(found) is before \(first)", code: ItemError.tooOld)
        } else {
            let last = EventTime(milliseconds: bounds.upperBound)
            try refuse("/ts", "\(found) is after \(last)", code: ItemError.inFuture)
        }
        return nil
    }

    @inline(__always)
    mutating func readFeatureValue(
        key: UnsafePointer<UInt8>
    ) throws(RecordDecodingError) -> FeatureValue {
        switch scanner.cursor.pointee {
        case UInt8(ascii: "-"), UInt8(ascii: "0")...UInt8(ascii: "9"):
            return .number(try scanner.readNumber())
        case UInt8(ascii: "\""):
            // How long it may be depends on the feature's kind.
            return .text(try scanner.readText())
        case UInt8(ascii: "n"):
            _ = try scanner.readLiteral()
            return .missing
        case UInt8(ascii: "["): return try readVector(key: key)
        case UInt8(ascii: "{"):
            try scanner.skipValue(depth: depth + 2)
            return try refuseFeature(key, "an object is no value of a feature")
        default: return .text(try scanner.readLiteral())
        }
    }

    /// Reads an array, and its numbers to `numbers`; `wrong` is the place of the first other element.
    @inline(never)
    mutating func scanVector() throws(RecordDecodingError) -> (
        start: Int, count: Int, wrong: Int?
    ) {
        let start = numbers.count
        var count = 0
        var wrong: Int?
        try scanner.open(depth: depth + 2)
        scanner.skipSpace()
        if scanner.take(UInt8(ascii: "]")) { return (start, 0, nil) }
        repeat {
            scanner.skipSpace()
            let byte = scanner.cursor.pointee
            if byte == UInt8(ascii: "-") || byte &- 0x30 <= 9 {
                let number = try scanner.readNumber()
                if count < FeatureKind.vectorDimensionMax { numbers.append(number) }
            } else {
                try scanner.skipValue(depth: depth + 3)
                wrong = wrong ?? count
            }
            count += 1
            scanner.skipSpace()
        } while scanner.take(UInt8(ascii: ","))
        guard scanner.take(UInt8(ascii: "]")) else {
            throw scanner.unexpected("\",\" or \"]\"")
        }
        return (start, count, wrong)
    }

    /// Reads an array of numbers; the first element that is none refuses the record.
    @inline(never)
    private mutating func readVector(
        key: UnsafePointer<UInt8>
    ) throws(RecordDecodingError) -> FeatureValue {
        let (start, count, wrong) = try scanVector()
        if let wrong {
            return try refuseFeature(key, "a vector holds numbers", at: wrong)
        }
        guard (1...FeatureKind.vectorDimensionMax).contains(count) else {
            let detail = "a vector has 1 to \(FeatureKind.vectorDimensionMax) numbers"
            return try refuseFeature(key, "\(detail), not \(count)")
        }
        return .vector(start: start, count: count)
    }

    /// Refuses the value of the feature whose key begins at `key`, or an element of it.
    @inline(never)
    private mutating func refuseFeature(
        _ key: UnsafePointer<UInt8>, _ detail: String, at element: Int? = nil
    ) throws(RecordDecodingError) -> FeatureValue {
        if countsTypeErrors { return .other }
        let place = pointer("/features", try scanner.string(at: key))
        try refuse(element.map { "\(place)/\($0)" } ?? place, detail)
        return .missing
    }
}
