import ByteCoding

/// Numbers of a log come mostly from decimal texts, and times lie close together: so a column is kept as
/// small whole numbers where that gives back every bit, and else as it is.
///
///     numbers   byte 0xFF, then the bits [rowCount] u64; or byte power, byte width, base i64, codes
///               [rowCount] of that many bytes: a value is (base + code) / 10^power, and missing is the
///               largest code; or byte 0xFE: all are missing
///     integers  byte width, base i64, offsets [rowCount] of 0, 1, 2, 4 or 8 bytes: a value is
///               base + offset, wrapping at 64 bits
enum PackedColumns {
    static let powers: [Double] = [1, 10, 100, 1_000, 10_000, 100_000, 1_000_000]
    static let plain: UInt8 = 0xFF
    static let missing: UInt8 = 0xFE

    /// Whole numbers below this are exact, with room for the trick of `rounded`.
    static let exactMax = Double(1 << 50)

    /// This is the nearest whole number, for magnitudes below 2⁵¹: the sum drops the fraction.
    ///
    /// The processor's own instruction for it is newer than the ones that a build may use.
    @inline(__always)
    static func rounded(_ value: Double) -> Double {
        let magic = 6_755_399_441_055_744.0
        return (value + magic) - magic
    }

    /// The least and the greatest of the column's whole numbers at a power of ten.
    ///
    /// Nil where one of the values is not exactly such a number over that power.
    static func range(
        of numbers: UnsafeBufferPointer<Double>, power: Double
    ) -> (low: Double, high: Double)? {
        var low = Double.infinity
        var high = -Double.infinity
        var wrong: UInt64 = 0
        for number in numbers {
            let whole = rounded(number * power)
            low = whole < low ? whole : low
            high = whole > high ? whole : high
            // The missing one is not equal to itself in value, but in its bits.
            let back = number == number ? whole / power : Double.nan
            wrong |= back.bitPattern ^ number.bitPattern
        }
        guard wrong == 0, low >= -exactMax, high <= exactMax else { return nil }
        return (low, high)
    }
}

extension ByteWriter {
    /// Appends a column of numbers without its length.
    mutating func write(packing numbers: [Double]) {
        numbers.withUnsafeBufferPointer { values in
            if values.allSatisfy({ $0.bitPattern == Double.nan.bitPattern }) {
                write(PackedColumns.missing)
                return
            }
            let sample = UnsafeBufferPointer(rebasing: values.prefix(16))
            for (power, scale) in PackedColumns.powers.enumerated() {
                // A few values rule out most powers.
                guard
                    PackedColumns.range(of: sample, power: scale) != nil
                        || sample.allSatisfy({ $0.isNaN }),
                    let (low, high) = PackedColumns.range(of: values, power: scale)
                else { continue }
                let span = high - low
                guard span < 0xFFFF_FFFF else { break }
                write(UInt8(power))
                switch span {
                case ..<0xFF: writeCodes(values, low, scale, UInt8.self)
                case ..<0xFFFF: writeCodes(values, low, scale, UInt16.self)
                default: writeCodes(values, low, scale, UInt32.self)
                }
                return
            }
            write(PackedColumns.plain)
            writeRow(count: values.count) { values[$0].bitPattern }
        }
    }

    private mutating func writeCodes<Code: FixedWidthInteger>(
        _ values: UnsafeBufferPointer<Double>, _ low: Double, _ scale: Double, _ type: Code.Type
    ) {
        write(UInt8(Code.bitWidth / 8))
        write(Int64(low))
        appendRow(count: values.count, of: type) { codes in
            for index in values.indices {
                let number = values[index]
                let whole = PackedColumns.rounded(number * scale) - low
                // The lowest bits of the sum are the whole number, which is below 2³².
                let code = Code(truncatingIfNeeded: (whole + 0x1p52).bitPattern)
                codes[index] = (number == number ? code : Code.max).littleEndian
            }
        }
    }

    /// Appends a column of integers without its length.
    mutating func write(packing integers: [Int64]) {
        let base = integers.min() ?? 0
        let span = UInt64(bitPattern: (integers.max() ?? 0) &- base)
        func offset(_ index: Int) -> UInt64 { UInt64(bitPattern: integers[index] &- base) }
        func writeOffsets<Offset: FixedWidthInteger>(_ type: Offset.Type) {
            writeRow(count: integers.count) { Offset(truncatingIfNeeded: offset($0)) }
        }
        let width: UInt8 =
            span == 0 ? 0 : span <= 0xFF ? 1 : span <= 0xFFFF ? 2 : span >> 32 == 0 ? 4 : 8
        write(width)
        write(base)
        switch width {
        case 0: return
        case 1: writeOffsets(UInt8.self)
        case 2: writeOffsets(UInt16.self)
        case 4: writeOffsets(UInt32.self)
        default: writeOffsets(UInt64.self)
        }
    }

    /// Appends integers without a count before them.
    ///
    /// All at once, because one call per value costs more than the value's decoding did.
    @inline(__always)
    mutating func writeRow<Integer: FixedWidthInteger>(count: Int, _ value: (Int) -> Integer) {
        appendRow(count: count, of: Integer.self) { row in
            for index in 0..<count { row[index] = value(index).littleEndian }
        }
    }

    /// Appends integers that `body` writes, all of them.
    @inline(__always)
    mutating func appendRow<Integer: FixedWidthInteger>(
        count: Int, of type: Integer.Type, _ body: (UnsafeMutableBufferPointer<Integer>) -> Void
    ) {
        // In memory of their own, because what is written before them has any size.
        let row = [Integer](unsafeUninitializedCapacity: count) { buffer, initialized in
            body(UnsafeMutableBufferPointer(rebasing: buffer[..<count]))
            initialized = count
        }
        row.withUnsafeBytes { append(contentsOf: $0) }
    }
}

extension ByteReader {
    mutating func readNumbers(_ count: Int) throws(ByteReadingError) -> [Double] {
        let start = offset
        let form = try readByte()
        if form == PackedColumns.missing { return [Double](repeating: .nan, count: count) }
        if form == PackedColumns.plain {
            return try readRow(count, of: UInt64.self).map { Double(bitPattern: $0) }
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
        func value<Code: FixedWidthInteger>(_ code: Code) -> Double {
            code == .max ? .nan : Double(base + Int64(code)) / scale
        }
        switch width {
        case 1: return try readRow(count, of: UInt8.self).map { value($0) }
        case 2: return try readRow(count, of: UInt16.self).map { value($0) }
        case 4: return try readRow(count, of: UInt32.self).map { value($0) }
        default: throw .invalid(offset: start, reason: "numbers of \(width) bytes")
        }
    }

    mutating func readIntegers(_ count: Int) throws(ByteReadingError) -> [Int64] {
        let start = offset
        let width = try readByte()
        let base: Int64 = try read()
        func values<Offset: FixedWidthInteger>(_ offsets: [Offset]) -> [Int64] {
            offsets.map { base &+ Int64(truncatingIfNeeded: $0) }
        }
        switch width {
        case 0: return [Int64](repeating: base, count: count)
        case 1: return values(try readRow(count, of: UInt8.self))
        case 2: return values(try readRow(count, of: UInt16.self))
        case 4: return values(try readRow(count, of: UInt32.self))
        case 8: return values(try readRow(count, of: UInt64.self))
        default: throw .invalid(offset: start, reason: "integers of \(width) bytes")
        }
    }
}
