extension JSONScanner {
    /// Reads a number as the nearest double, ties to even; minus zero becomes zero.
    ///
    /// Nearly all numbers take one of three exact ways: an integer, one correctly rounded
    /// operation with a power of ten, or one division of 128 by 64 bits. The rest is left to the
    /// standard library.
    ///
    /// - Throws: `malformed` where the text is no number, too long, or over the range of a double.
    @inline(__always)
    mutating func readNumber() throws(RecordDecodingError) -> Double {
        if let (number, end) = shortNumber(at: cursor) {
            cursor = end
            return number
        }
        return try readLongNumber()
    }

    /// This is a number of up to eight digits without an exponent, and its end; nil where there is
    /// another one, or none.
    ///
    /// All digits at once: how many there are differs from number to number, and a loop that ends ever
    /// elsewhere costs more than its steps.
    @inline(__always)
    func shortNumber(
        at begin: UnsafePointer<UInt8>
    ) -> (number: Double, end: UnsafePointer<UInt8>)? {
        let isNegative = begin.pointee == UInt8(ascii: "-")
        let digits = begin + (isNegative ? 1 : 0)
        let word = loadWord(digits) ^ asciiZeros
        let next = loadWord(digits + 1) ^ asciiZeros
        let wholeCount = digitCount(word)
        // A number that begins with a zero has no other digit before the point.
        guard wholeCount &- 1 < 7, wholeCount == 1 || word & 0xFF != 0 else { return nil }
        var figures = word
        var count = wholeCount
        var end = digits + Int(wholeCount)
        if (word >> (wholeCount &* 8)) & 0xFF == pointAgainstZero {
            let mask = UInt64.max << (wholeCount &* 8)
            figures = word & ~mask | next & mask
            count = digitCount(figures)
            end = digits + Int(count &+ 1)
            guard count > wholeCount, end.pointee &- 0x30 > 9 else { return nil }
        }
        guard end.pointee | 0x20 != UInt8(ascii: "e"),
            end - begin <= limits.numberSizeBytesMax
        else { return nil }
        // One operation of two exact doubles rounds once.
        let magnitude =
            Double(Int64(bitPattern: eightDigits(figures << (64 &- count &* 8))))
            / powersOfTen[Int(count &- wholeCount)]
        return (isNegative ? 0 - magnitude : magnitude, end)
    }

    @inline(never)
    private mutating func readLongNumber() throws(RecordDecodingError) -> Double {
        let begin = cursor
        var place = begin
        let isNegative = place.pointee == UInt8(ascii: "-")
        if isNegative { place += 1 }
        var mantissa: UInt64 = 0
        let digits = place
        if place.pointee == UInt8(ascii: "0") {
            place += 1
        } else {
            readDigits(&place, into: &mantissa)
            if place == digits { throw malformedNumber(at: place) }
        }
        var digitCount = place - digits
        var exponent = 0
        if place.pointee == UInt8(ascii: ".") {
            place += 1
            let fraction = place
            readDigits(&place, into: &mantissa)
            if place == fraction { throw malformedNumber(at: place) }
            digitCount += place - fraction
            exponent = fraction - place
        }
        if place.pointee | 0x20 == UInt8(ascii: "e") {
            place += 1
            let isDown = place.pointee == UInt8(ascii: "-")
            if isDown || place.pointee == UInt8(ascii: "+") { place += 1 }
            let first = place
            var power = 0
            while place.pointee &- 0x30 <= 9 {
                // No finite number within the limit of size has a larger exponent and is not zero.
                if power < 100_000 { power = power * 10 + Int(place.pointee &- 0x30) }
                place += 1
            }
            if place == first { throw malformedNumber(at: place) }
            exponent += isDown ? -power : power
        }
        cursor = place
        let size = place - begin
        if size > limits.numberSizeBytesMax {
            throw malformed("a number over \(limits.numberSizeBytesMax) bytes", at: begin)
        }
        // Up to 19 digits fit into 64 bits.
        if digitCount <= 19 {
            if mantissa == 0 { return 0 }
            if let magnitude = exactDouble(mantissa, exponent) {
                return isNegative ? -magnitude : magnitude
            }
        }
        return try slowNumber(ByteText(start: begin, count: size))
    }

    @inline(__always)
    private func readDigits(_ place: inout UnsafePointer<UInt8>, into mantissa: inout UInt64) {
        var word = loadWord(place) ^ asciiZeros
        while digitCount(word) == 8 {
            mantissa = mantissa &* 100_000_000 &+ eightDigits(word)
            place += 8
            word = loadWord(place) ^ asciiZeros
        }
        var digit = place.pointee &- 0x30
        while digit <= 9 {
            mantissa = mantissa &* 10 &+ UInt64(digit)
            place += 1
            digit = place.pointee &- 0x30
        }
    }

    @inline(never)
    private mutating func malformedNumber(at place: UnsafePointer<UInt8>) -> RecordDecodingError {
        cursor = place
        return unexpected("a digit")
    }

    @inline(never)
    private func slowNumber(_ text: ByteText) throws(RecordDecodingError) -> Double {
        // The text is a number of JSON, and each of those is one of Swift's.
        guard let value = Double(text.string), value.isFinite else {
            throw malformed("a number over the range of a double", at: text.start)
        }
        return value == 0 ? 0 : value
    }
}

/// Eight times the byte of "0": what differs from it by less than ten is a digit.
private let asciiZeros: UInt64 = 0x3030_3030_3030_3030

private let pointAgainstZero = UInt64(UInt8(ascii: ".") ^ UInt8(ascii: "0"))

/// This is how many bytes, from the first in memory on, are below ten.
@inline(__always)
private func digitCount(_ word: UInt64) -> UInt64 {
    // A carry can mark only bytes above one that is rightly marked, so the lowest mark is right.
    let marks = ((word &+ 0x7676_7676_7676_7676) | word) & 0x8080_8080_8080_8080
    return UInt64(truncatingIfNeeded: marks.trailingZeroBitCount) >> 3
}

/// This is the number of eight digits, each a byte below ten, the first in memory the highest.
///
/// Neighbours are joined to numbers of two digits, these to numbers of four, and these to the one.
@inline(__always)
private func eightDigits(_ word: UInt64) -> UInt64 {
    let pairs = (word &* 2_561) >> 8 & 0x00FF_00FF_00FF_00FF
    let fours = (pairs &* 6_553_601) >> 16 & 0x0000_FFFF_0000_FFFF
    return (fours &* 42_949_672_960_001) >> 32
}

/// This is `mantissa` · 10^`exponent`, correctly rounded, or nil where no short way is exact.
@inline(__always)
func exactDouble(_ mantissa: UInt64, _ exponent: Int) -> Double? {
    if exponent == 0 { return Double(mantissa) }
    if mantissa <= 1 << 53, exponent >= -22, exponent <= 22 {
        // Both operands are exact doubles, so the one operation rounds once.
        return exponent < 0
            ? Double(mantissa) / powersOfTen[-exponent] : Double(mantissa) * powersOfTen[exponent]
    }
    if exponent < 0, exponent >= -19, mantissa > 0 { return quotient(mantissa, -exponent) }
    return nil
}

/// This is `mantissa` / 10^`power`, correctly rounded, for a power of 1...19 and a positive
/// mantissa.
///
/// Both are shifted up to full words, so that the integer quotient has at least 63 bits; its
/// remainder, if any, becomes its lowest bit, which is far below the place of rounding but breaks
/// false ties.
private func quotient(_ mantissa: UInt64, _ power: Int) -> Double {
    let divisor = integerPowersOfTen[power]
    let divisorShift = divisor.leadingZeroBitCount
    let mantissaShift = mantissa.leadingZeroBitCount
    let normalized = mantissa << UInt64(mantissaShift)
    // Half of it is below the divisor, whose top bit is set: so the division cannot overflow.
    let (quotient, remainder) = (divisor << UInt64(divisorShift)).dividingFullWidth(
        (normalized >> 1, normalized << 63))
    let rounded = Double(quotient | (remainder == 0 ? 0 : 1))
    // The quotient is the value times 2^(63 + mantissaShift - divisorShift), far from subnormal.
    return rounded
        * Double(sign: .plus, exponent: divisorShift - mantissaShift - 63, significand: 1)
}

private let powersOfTen: [Double] = [
    1e0, 1e1, 1e2, 1e3, 1e4, 1e5, 1e6, 1e7, 1e8, 1e9, 1e10, 1e11, 1e12, 1e13, 1e14, 1e15, 1e16,
    1e17,
    1e18, 1e19, 1e20, 1e21, 1e22,
]

private let integerPowersOfTen: [UInt64] = [
    1, 10, 100, 1_000, 10_000, 100_000, 1_000_000, 10_000_000, 100_000_000, 1_000_000_000,
    10_000_000_000, 100_000_000_000, 1_000_000_000_000, 10_000_000_000_000, 100_000_000_000_000,
    1_000_000_000_000_000, 10_000_000_000_000_000, 100_000_000_000_000_000,
    1_000_000_000_000_000_000, 10_000_000_000_000_000_000,
]

/// This is a whole number as a text (`1`, `-3`, also `1.0`), without sign of zero and fraction.
///
/// Nil for other numbers, for exponents, and beyond 64 bits: those are not names of anything. The
/// text must be a number of JSON.
func wholeNumber(_ text: ByteText) -> (text: ByteText, value: Int64)? {
    var value: Int64 = 0
    var size = 0
    let isNegative = text.start.pointee == UInt8(ascii: "-")
    for byte in text.buffer.dropFirst(isNegative ? 1 : 0) {
        if byte == UInt8(ascii: ".") { break }
        guard byte >= 0x30, byte <= 0x39 else { return nil }
        let (tenfold, isOver) = value.multipliedReportingOverflow(by: 10)
        let digit = Int64(byte - 0x30)
        let (sum, isOut) =
            isNegative
            ? tenfold.subtractingReportingOverflow(digit) : tenfold.addingReportingOverflow(digit)
        if isOver || isOut { return nil }
        value = sum
        size += 1
    }
    let begin = isNegative ? 1 : 0
    for byte in text.buffer.dropFirst(begin + size + 1) where byte != UInt8(ascii: "0") {
        return nil
    }
    if isNegative && value != 0 {
        return (ByteText(start: text.start, count: size + 1), value)
    }
    return (ByteText(start: text.start + begin, count: size), value)
}
