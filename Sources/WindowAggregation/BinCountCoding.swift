import ByteCoding
import StreamingStatistics

/// This is how counts of bins are written: the shortest of three forms, which the counts alone choose.
///
///     0  steps     how many bins hold a row; for each the step from the one before, and its count
///     1  counts    a count for each bin
///     2  quarters  two bits for each bin, 3 standing for more; then, in order, by how much these exceed 3
///
/// A pane of a minute spreads a thousand rows over two thousand bins: two bits are nearly as short as such
/// counts can be told, so that a compressor finds little left to do, and it is the most of a state.
private enum BinCountForm: UInt8 {
    case steps = 0
    case counts = 1
    case quarters = 2

    /// The largest count that two bits tell.
    static let quarterMax = 2

    init(touchedCount: Int, largeCount: Int, binCount: Int) {
        let sparse = 2 * touchedCount
        let packed = (binCount + 3) / 4 + largeCount
        if packed < min(sparse, binCount) {
            self = .quarters
        } else {
            self = sparse > binCount ? .counts : .steps
        }
    }
}

extension BinCounts {
    func encode(to writer: inout ByteWriter) {
        if let narrowCounts {
            Self.encode(narrowCounts, exact: nil, to: &writer)
            return
        }
        var touchedCount = 0
        var largeCount = 0
        forEachNonZero { _, count in
            touchedCount += 1
            if count > BinCountForm.quarterMax { largeCount += 1 }
        }
        let form = BinCountForm(
            touchedCount: touchedCount, largeCount: largeCount, binCount: binCount)
        guard form == .steps else {
            let exact = dense()
            Self.encode(exact.map { UInt16(clamping: $0) }, exact: exact, to: &writer)
            return
        }
        writer.write(form.rawValue)
        writer.writeCount(touchedCount)
        var last = 0
        forEachNonZero { bin, count in
            writer.writeCount(bin - last)
            writer.writeVarint(count)
            last = bin
        }
    }

    /// Writes counts, [binCount], that `exact` tells where they are larger than 16 bits tell.
    private static func encode(
        _ counts: [UInt16], exact: [UInt64]?, to writer: inout ByteWriter
    ) {
        let (touchedCount, largeCount) = counts.withUnsafeBufferPointer { touchedAndLarge($0) }
        let form = BinCountForm(
            touchedCount: touchedCount, largeCount: largeCount, binCount: counts.count)
        writer.write(form.rawValue)
        if form == .steps { writer.writeCount(touchedCount) }
        // A step has at most five bytes, and a count ten.
        let capacity =
            switch form {
            case .steps: 15 * touchedCount
            case .counts: 10 * counts.count
            case .quarters: (counts.count + 3) / 4 + 10 * largeCount
            }
        // A state is mostly this, so the numbers are put together here, and not one by one.
        writer.append(
            contentsOf: [UInt8](unsafeUninitializedCapacity: capacity) { output, size in
                size = 0
                counts.withUnsafeBufferPointer { counts in
                    switch form {
                    case .steps: appendSteps(counts, exact, to: output, &size)
                    case .counts: appendCounts(counts, exact, to: output, &size)
                    case .quarters: appendQuarters(counts, exact, to: output, &size)
                    }
                }
            })
    }

    /// How many bins hold a row, and how many more than two bits tell.
    private static func touchedAndLarge(
        _ counts: UnsafeBufferPointer<UInt16>
    ) -> (touchedCount: Int, largeCount: Int) {
        let raw = UnsafeRawBufferPointer(counts)
        let whole = counts.count / 16 * 16
        // There are fewer bins than 65,536, so these sums of 16 bits cannot wrap.
        let one = SIMD16<UInt16>(repeating: 1)
        var touched = SIMD16<UInt16>()
        var large = SIMD16<UInt16>()
        for bin in stride(from: 0, to: whole, by: 16) {
            let lanes = raw.loadUnaligned(fromByteOffset: 2 * bin, as: SIMD16<UInt16>.self)
            touched &+= pointwiseMin(lanes, one)
            large &+= pointwiseMin(pointwiseMax(lanes, 2 &* one) &- 2 &* one, one)
        }
        var sums = (Int(touched.wrappedSum()), Int(large.wrappedSum()))
        for bin in whole..<counts.count {
            sums.0 += counts[bin] > 0 ? 1 : 0
            sums.1 += counts[bin] > BinCountForm.quarterMax ? 1 : 0
        }
        return sums
    }

    private static func appendSteps(
        _ counts: UnsafeBufferPointer<UInt16>, _ exact: [UInt64]?,
        to output: UnsafeMutableBufferPointer<UInt8>, _ size: inout Int
    ) {
        var last = 0
        for bin in counts.indices where counts[bin] > 0 {
            append(UInt64(bin - last), to: output, &size)
            last = bin
            append(exact?[bin] ?? UInt64(counts[bin]), to: output, &size)
        }
    }

    private static func appendCounts(
        _ counts: UnsafeBufferPointer<UInt16>, _ exact: [UInt64]?,
        to output: UnsafeMutableBufferPointer<UInt8>, _ size: inout Int
    ) {
        let raw = UnsafeRawBufferPointer(counts)
        var place = 0
        while place + 4 <= counts.count {
            // Most counts are of one byte, and those of a pane's hour mostly all are.
            let word = raw.loadUnaligned(fromByteOffset: 2 * place, as: UInt64.self).littleEndian
            if word & 0xFF80_FF80_FF80_FF80 == 0 {
                for lane in 0..<4 {
                    output[size + lane] = UInt8(truncatingIfNeeded: counts[place + lane])
                }
                size += 4
            } else {
                for bin in place..<place + 4 {
                    append(exact?[bin] ?? UInt64(counts[bin]), to: output, &size)
                }
            }
            place += 4
        }
        for bin in place..<counts.count {
            append(exact?[bin] ?? UInt64(counts[bin]), to: output, &size)
        }
    }

    private static func appendQuarters(
        _ counts: UnsafeBufferPointer<UInt16>, _ exact: [UInt64]?,
        to output: UnsafeMutableBufferPointer<UInt8>, _ size: inout Int
    ) {
        let raw = UnsafeRawBufferPointer(counts)
        let whole = counts.count / 16 * 16
        let three = SIMD16<UInt16>(repeating: 3)
        for bin in stride(from: 0, to: whole, by: 16) {
            let lanes = raw.loadUnaligned(fromByteOffset: 2 * bin, as: SIMD16<UInt16>.self)
            // Four lanes of two bits each, in 64 bits, become one byte.
            var words = unsafeBitCast(pointwiseMin(lanes, three), to: SIMD4<UInt64>.self)
            words |= words &>> 14
            words |= words &>> 28
            for byte in 0..<4 {
                output[bin / 4 + byte] = UInt8(truncatingIfNeeded: words[byte])
            }
        }
        let byteCount = (counts.count + 3) / 4
        for byte in whole / 4..<byteCount {
            var packed: UInt8 = 0
            for bin in 4 * byte..<min(4 * byte + 4, counts.count) {
                packed |= UInt8(min(counts[bin], 3)) << (2 * (bin % 4))
            }
            output[byte] = packed
        }
        size = byteCount
        let packed = UnsafeRawBufferPointer(output)
        let wholeBytes = byteCount / 8 * 8
        for byte in stride(from: 0, to: byteCount, by: 8) {
            var word: UInt64 = 0
            if byte < wholeBytes {
                word = packed.loadUnaligned(fromByteOffset: byte, as: UInt64.self).littleEndian
            } else {
                for rest in byte..<byteCount { word |= UInt64(packed[rest]) << (8 * (rest - byte)) }
            }
            // One bit for each bin whose two bits are both set.
            var large = word & (word >> 1) & 0x5555_5555_5555_5555
            while large != 0 {
                let bin = 4 &* byte &+ large.trailingZeroBitCount / 2
                append((exact?[bin] ?? UInt64(counts[bin])) &- 3, to: output, &size)
                large &= large &- 1
            }
        }
    }

    /// Appends a number as `ByteWriter.writeVarint` does.
    @inline(__always)
    private static func append(
        _ value: UInt64, to output: UnsafeMutableBufferPointer<UInt8>, _ size: inout Int
    ) {
        var rest = value
        while rest >= 0x80 {
            output[size] = UInt8(truncatingIfNeeded: rest) | 0x80
            size += 1
            rest >>= 7
        }
        output[size] = UInt8(truncatingIfNeeded: rest)
        size += 1
    }

    init(decoding reader: inout ByteReader, binCount: Int) throws(ByteReadingError) {
        let start = reader.offset
        let byte = try reader.readByte()
        switch BinCountForm(rawValue: byte) {
        case .steps: try self.init(steps: &reader, binCount: binCount)
        case .counts:
            var counts = [UInt64](repeating: 0, count: binCount)
            for bin in counts.indices { counts[bin] = try reader.readTally() }
            self.init(counts)
        case .quarters: try self.init(quarters: &reader, binCount: binCount)
        case nil: throw .invalid(offset: start, reason: "\(byte) is no form of counts")
        }
    }

    private init(steps reader: inout ByteReader, binCount: Int) throws(ByteReadingError) {
        self.init(binCount: binCount)
        let touched = try reader.readCount(elementSize: 2)
        var bin: UInt64 = 0
        for _ in 0..<touched {
            let start = reader.offset
            let step = try reader.readVarint()
            let count = try reader.readTally()
            let (next, overflow) = bin.addingReportingOverflow(step)
            guard !overflow, next < UInt64(binCount), count > 0 else {
                throw .invalid(offset: start, reason: "bin \(next) of \(binCount)")
            }
            bin = next
            add(Int(bin), count: count)
        }
    }

    private init(quarters reader: inout ByteReader, binCount: Int) throws(ByteReadingError) {
        let packed = try reader.readSlice(count: (binCount + 3) / 4)
        var counts = [UInt64](repeating: 0, count: binCount)
        for bin in counts.indices {
            counts[bin] = UInt64(packed[bin / 4] >> (2 * UInt8(bin % 4)) & 3)
            if counts[bin] > BinCountForm.quarterMax { counts[bin] += try reader.readTally() }
        }
        self.init(counts)
    }
}
