import ByteCoding

/// This is how numbers of single precision stand in the log: in the forms of `PackedColumns`.
///
///     singles   byte 0xFF, then the bits [count] u32; or byte power, byte width, base i64, codes [count]
///               of that many bytes, 1 or 2: a value is the nearest single to (base + code) / 10^power,
///               and missing is the largest code; or byte 0xFE: all are missing
enum PackedSingles {
    /// The nearest single; the quotient is correctly rounded, so every machine finds the same one.
    @inline(__always)
    static func value(_ whole: Double, _ scale: Double) -> Float { Float(whole / scale) }

    /// The least and the greatest of the column's whole numbers at a power of ten; nil where one of the
    /// values is not exactly the nearest single to such a number over that power.
    static func range(
        of numbers: UnsafeBufferPointer<Float>, power: Double
    ) -> (low: Double, high: Double)? {
        var low = Double.infinity
        var high = -Double.infinity
        var wrong: UInt32 = 0
        for number in numbers {
            let whole = PackedColumns.rounded(Double(number) * power)
            low = whole < low ? whole : low
            high = whole > high ? whole : high
            let back = number == number ? value(whole, power) : Float.nan
            wrong |= back.bitPattern ^ number.bitPattern
        }
        guard wrong == 0, low >= -PackedColumns.exactMax, high <= PackedColumns.exactMax else {
            return nil
        }
        return (low, high)
    }
}

extension ByteWriter {
    /// Appends a column of singles without its length.
    mutating func write(packing numbers: [Float]) {
        numbers.withUnsafeBufferPointer { values in
            if values.allSatisfy({ $0.bitPattern == Float.nan.bitPattern }) {
                write(PackedColumns.missing)
                return
            }
            let sample = UnsafeBufferPointer(rebasing: values.prefix(16))
            for (power, scale) in PackedColumns.powers.enumerated() {
                // A few values rule out most powers.
                guard
                    PackedSingles.range(of: sample, power: scale) != nil
                        || sample.allSatisfy({ $0.isNaN }),
                    let (low, high) = PackedSingles.range(of: values, power: scale)
                else { continue }
                // Four bytes are what the bits take.
                guard high - low < 0xFFFF else { break }
                write(UInt8(power))
                if high - low < 0xFF {
                    writeCodes(values, low, scale, UInt8.self)
                } else {
                    writeCodes(values, low, scale, UInt16.self)
                }
                return
            }
            write(PackedColumns.plain)
            writeRow(count: values.count) { values[$0].bitPattern }
        }
    }

    private mutating func writeCodes<Code: FixedWidthInteger>(
        _ values: UnsafeBufferPointer<Float>, _ low: Double, _ scale: Double, _ type: Code.Type
    ) {
        write(UInt8(Code.bitWidth / 8))
        write(Int64(low))
        writeRow(count: values.count) { index in
            let number = values[index]
            guard number == number else { return Code.max }
            let whole = PackedColumns.rounded(Double(number) * scale)
            return Code(truncatingIfNeeded: Int64(whole - low))
        }
    }
}

extension ByteReader {
    mutating func readSingles(_ count: Int) throws(ByteReadingError) -> [Float] {
        let start = offset
        let form = try readByte()
        if form == PackedColumns.missing { return [Float](repeating: .nan, count: count) }
        if form == PackedColumns.plain {
            return try readRow(count, of: UInt32.self).map { Float(bitPattern: $0) }
        }
        guard Int(form) < PackedColumns.powers.count else {
            throw .invalid(offset: start, reason: "\(form) is no form of numbers")
        }
        let scale = PackedColumns.powers[Int(form)]
        let width = try readByte()
        let base: Int64 = try read()
        guard base.magnitude <= 1 << 50 else {
            throw .invalid(offset: start, reason: "a base of \(base)")
        }
        func value<Code: FixedWidthInteger>(_ code: Code) -> Float {
            code == .max ? .nan : PackedSingles.value(Double(base + Int64(code)), scale)
        }
        switch width {
        case 1: return try readRow(count, of: UInt8.self).map { value($0) }
        case 2: return try readRow(count, of: UInt16.self).map { value($0) }
        default: throw .invalid(offset: start, reason: "singles of \(width) bytes")
        }
    }
}
