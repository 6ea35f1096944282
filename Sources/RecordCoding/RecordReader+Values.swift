/// Values of one JSON type, which are not null; nil where the record has been refused.
extension RecordReader {
    /// Drops a value and refuses the record for it.
    @inline(never)
    func refuseValue(
        _ pointer: String, _ detail: String, _ input: inout RecordCursor
    ) throws(RecordDecodingError) {
        // No value that a record may hold is deeper than this one's parent.
        try input.scanner.skipValue(depth: input.depth + (pointer.utf8.count { $0 == 0x2F }))
        try input.refuse(pointer, detail)
    }

    func readID(_ input: inout RecordCursor) throws(RecordDecodingError) -> ByteText? {
        guard input.scanner.cursor.pointee == UInt8(ascii: "\"") else {
            try refuseValue("/id", "a string is expected", &input)
            return nil
        }
        let text = try input.scanner.readText()
        let sizeMax = input.scanner.limits.idSizeBytesMax
        guard text.count <= sizeMax, text.buffer.contains(where: { $0 > 0x20 }) else {
            try input.refuse("/id", "an id has 1 to \(sizeMax) bytes and is not only spaces")
            return nil
        }
        return text
    }

    func readString(
        _ pointer: String, _ input: inout RecordCursor
    ) throws(RecordDecodingError) -> ByteText? {
        guard input.scanner.cursor.pointee == UInt8(ascii: "\"") else {
            try refuseValue(pointer, "a string is expected", &input)
            return nil
        }
        let text = try input.scanner.readText()
        guard text.count <= input.scanner.limits.textSizeBytesMax else {
            let detail = "a text over \(input.scanner.limits.textSizeBytesMax) bytes"
            try input.refuse(pointer, detail)
            return nil
        }
        return text
    }

    /// Reads what names a class or a version: a string, a whole number or a boolean, as a text.
    func readName(
        _ pointer: String, _ input: inout RecordCursor, allowsBool: Bool
    ) throws(RecordDecodingError) -> ByteText? {
        switch input.scanner.cursor.pointee {
        case UInt8(ascii: "-"), UInt8(ascii: "0")...UInt8(ascii: "9"):
            let begin = input.scanner.cursor
            _ = try input.scanner.readNumber()
            let text = ByteText(start: begin, count: input.scanner.cursor - begin)
            if let whole = wholeNumber(text) { return whole.text }
            try input.refuse(pointer, "\(text.excerpt) is no whole number of 64 bits")
            return nil
        case UInt8(ascii: "t") where allowsBool, UInt8(ascii: "f") where allowsBool:
            return try input.scanner.readLiteral()
        case UInt8(ascii: "\""):
            guard let text = try readString(pointer, &input) else { return nil }
            if text.count > 0 { return text }
            try input.refuse(pointer, "an empty string")
            return nil
        default:
            let expected = allowsBool ? "a string, integer or boolean" : "a string or integer"
            try refuseValue(pointer, "\(expected) is expected", &input)
            return nil
        }
    }

    func readNumber(
        _ pointer: String, _ input: inout RecordCursor
    ) throws(RecordDecodingError) -> Double? {
        let byte = input.scanner.cursor.pointee
        if byte == UInt8(ascii: "-") || byte &- 0x30 <= 9 { return try input.scanner.readNumber() }
        try refuseValue(pointer, "a number is expected", &input)
        return nil
    }

    func readProbability(
        _ pointer: String, _ input: inout RecordCursor
    ) throws(RecordDecodingError) -> Double? {
        guard let number = try readNumber(pointer, &input) else { return nil }
        if number >= 0, number <= 1 { return number }
        try input.refuse(pointer, "\(number) is not in 0...1")
        return nil
    }

    func readInteger(
        _ pointer: String, _ input: inout RecordCursor
    ) throws(RecordDecodingError) -> Int64? {
        let begin = input.scanner.cursor
        guard try readNumber(pointer, &input) != nil else { return nil }
        let text = ByteText(start: begin, count: input.scanner.cursor - begin)
        if let whole = wholeNumber(text) { return whole.value }
        try input.refuse(pointer, "\(text.excerpt) is no whole number of 64 bits")
        return nil
    }

    /// Checks the probabilities of the classes, which no column holds.
    func readScores(_ input: inout RecordCursor) throws(RecordDecodingError) {
        let path = "/prediction/scores"
        guard input.scanner.cursor.pointee == UInt8(ascii: "{") else {
            return try refuseValue(path, "an object of probabilities is expected", &input)
        }
        var object = try input.scanner.openObject(depth: input.depth + 2)
        while let name = try input.scanner.nextKey(of: &object) {
            _ = try readProbability(pointer(path, name), &input)
        }
    }

    /// Checks the segments, which no column holds.
    func readSegments(_ input: inout RecordCursor) throws(RecordDecodingError) {
        guard input.scanner.cursor.pointee == UInt8(ascii: "{") else {
            return try refuseValue("/segments", "an object is expected", &input)
        }
        var object = try input.scanner.openObject(depth: input.depth + 1)
        while let name = try input.scanner.nextKey(of: &object) {
            if input.scanner.cursor.pointee == UInt8(ascii: "n") {
                _ = try input.scanner.readLiteral()
            } else {
                _ = try readName(pointer("/segments", name), &input, allowsBool: true)
            }
        }
    }
}
