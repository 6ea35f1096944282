import ByteCoding
public import StreamingStatistics

// The stored form of profiles. What the reference fixes (bins, categories, shift, range) is not repeated;
// equal profiles give equal bytes, however they are kept in memory.

extension NumericProfile {
    /// This is the size of the profile when it is stored.
    public var storedByteCount: Int {
        var writer = ByteWriter()
        encode(to: &writer)
        return writer.bytes.count
    }
}

extension CategoricalProfile {
    /// This is the size of the profile when it is stored.
    public var storedByteCount: Int {
        var writer = ByteWriter()
        encode(to: &writer)
        return writer.bytes.count
    }
}

extension NumericProfile {
    func encode(to writer: inout ByteWriter) {
        writer.writeVarint(tallies.missing)
        writer.writeVarint(tallies.negativeInfinite)
        writer.writeVarint(tallies.positiveInfinite)
        writer.write(minimum)
        writer.write(maximum)
        counts.encode(to: &writer)
        sums.linear.encode(to: &writer)
        sums.squared.encode(to: &writer)
        sums.below.encode(to: &writer)
        sums.above.encode(to: &writer)
    }

    /// Reads what `encode` wrote of a profile with the bins, shift and range of `empty`.
    init(decoding reader: inout ByteReader, empty: NumericProfile) throws(ByteReadingError) {
        let start = reader.offset
        var tallies = Tallies()
        tallies.missing = try reader.readTally()
        tallies.negativeInfinite = try reader.readTally()
        tallies.positiveInfinite = try reader.readTally()
        let minimum = try reader.readOptionalDouble()
        let maximum = try reader.readOptionalDouble()
        let counts = try BinCounts(decoding: &reader, binCount: empty.counts.binCount)
        var sums = Sums()
        sums.linear = try CompensatedSum(decoding: &reader)
        sums.squared = try CompensatedSum(decoding: &reader)
        sums.below = try CompensatedSum(decoding: &reader)
        sums.above = try CompensatedSum(decoding: &reader)
        var extremes: ClosedRange<Double>?
        if let minimum, let maximum, minimum.isFinite, maximum.isFinite, minimum <= maximum {
            extremes = minimum...maximum
        }
        guard (minimum == nil) == (extremes == nil), (maximum == nil) == (extremes == nil),
            let profile = NumericProfile(
                empty: empty, extremes: extremes, counts: counts, tallies: tallies, sums: sums)
        else { throw .invalid(offset: start, reason: "a profile that contradicts itself") }
        self = profile
    }
}

extension CategoricalProfile {
    func encode(to writer: inout ByteWriter) {
        for count in counts { writer.writeVarint(count) }
        writer.writeVarint(missing)
        writer.writeCount(unseenTexts.count)
        for (text, count) in unseenTexts.sorted(by: {
            $0.key.string.utf8.lexicographicallyPrecedes($1.key.string.utf8)
        }) {
            writer.write(text.string)
            writer.writeVarint(count)
        }
        unseenSketch.encode(to: &writer)
    }

    init(decoding reader: inout ByteReader, categoryCount: Int) throws(ByteReadingError) {
        let start = reader.offset
        var counts: [UInt64] = []
        for _ in 0...categoryCount { counts.append(try reader.readTally()) }
        let missing = try reader.readTally()
        var texts: [CategoricalProfile.Text: UInt64] = [:]
        let textCount = try reader.readCount(elementSize: 2)
        for _ in 0..<textCount {
            let text = try reader.readText()
            texts[CategoricalProfile.Text(text)] = try reader.readTally()
        }
        let sketch = try DistinctSketch(decoding: &reader)
        guard
            let profile = CategoricalProfile(
                counts: counts, missing: missing, unseenTexts: texts, unseenSketch: sketch)
        else { throw .invalid(offset: start, reason: "a profile that contradicts itself") }
        self = profile
    }
}

extension DistinctSketch {
    /// The steps to the touched registers with their ranks; or, where that is shorter, six bits for each.
    func encode(to writer: inout ByteWriter) {
        var ranks = [UInt8](repeating: 0, count: Self.registerCount)
        var touched = 0
        forEachTouched { register, rank in
            ranks[register] = rank
            touched += 1
        }
        let isPacked = touched > Self.registerCount / 4
        writer.write(isPacked)
        guard isPacked else {
            writer.writeCount(touched)
            var last = 0
            forEachTouched { register, rank in
                writer.writeCount(register - last)
                writer.write(rank)
                last = register
            }
            return
        }
        for start in stride(from: 0, to: ranks.count, by: 4) {
            let four = (0..<4).reduce(UInt32(0)) { $0 | UInt32(ranks[start + $1]) << (6 * $1) }
            for shift in [0, 8, 16] { writer.write(UInt8(truncatingIfNeeded: four >> shift)) }
        }
    }

    init(decoding reader: inout ByteReader) throws(ByteReadingError) {
        self.init()
        guard try reader.readBool() else {
            let touched = try reader.readCount(elementSize: 2)
            var register: UInt64 = 0
            for _ in 0..<touched {
                let start = reader.offset
                let (next, overflow) = register.addingReportingOverflow(try reader.readVarint())
                let rank = try reader.readByte()
                guard !overflow, next < UInt64(Self.registerCount),
                    (1...Self.rankMax).contains(rank)
                else { throw .invalid(offset: start, reason: "register \(next), rank \(rank)") }
                register = next
                raise(register: Int(register), to: rank)
            }
            return
        }
        for register in stride(from: 0, to: Self.registerCount, by: 4) {
            let start = reader.offset
            var four: UInt32 = 0
            for shift in [0, 8, 16] as [UInt32] { four |= UInt32(try reader.readByte()) << shift }
            for place in 0..<4 {
                let rank = UInt8(truncatingIfNeeded: four >> (6 * UInt32(place))) & 0x3F
                guard rank <= Self.rankMax else {
                    throw .invalid(offset: start, reason: "rank \(rank)")
                }
                if rank > 0 { raise(register: register + place, to: rank) }
            }
        }
    }
}

extension CompensatedSum {
    /// One byte for a sum of nothing: most distances beyond a range are.
    func encode(to writer: inout ByteWriter) {
        let isZero = self == CompensatedSum()
        writer.write(!isZero)
        guard !isZero else { return }
        writer.write(high)
        writer.write(low)
    }

    init(decoding reader: inout ByteReader) throws(ByteReadingError) {
        guard try reader.readBool() else {
            self.init()
            return
        }
        self.init(high: try reader.readDouble(), low: try reader.readDouble())
    }
}
