import ByteCoding
import MonitoringDomain

extension ByteWriter {
    mutating func write(_ batch: PredictionBatch) {
        let rowCount = batch.rowCount
        write(batch.model.rawValue)
        writeCount(rowCount)
        writeColumns(batch.identities, batch.times, rowCount)
        write(batch.versions, rowCount)
        writeCount(batch.features.count)
        for (name, column) in batch.features {
            write(name)
            write(column, rowCount)
        }
        writeCount(batch.segments.count)
        for (key, column) in batch.segments {
            write(key)
            write(column, rowCount)
        }
        write(!batch.latencies.isEmpty)
        if !batch.latencies.isEmpty { writeColumn(batch.latencies, rowCount) }
        write(!batch.errors.codes.isEmpty)
        if !batch.errors.codes.isEmpty { write(batch.errors, rowCount) }
        write(batch.labels, rowCount)
        writeColumn(batch.scores, rowCount)
        writeColumn(batch.values, rowCount)
        write(batch.truthLabels, rowCount)
        writeColumn(batch.truthValues, rowCount)
        // Behind everything, because few have it: nothing is nothing.
        if !batch.weights.isEmpty { writeColumn(batch.weights, rowCount) }
    }

    mutating func write(_ batch: GroundTruthBatch) {
        let rowCount = batch.rowCount
        write(batch.model.rawValue)
        writeCount(rowCount)
        writeColumns(batch.identities, batch.times, rowCount)
        write(batch.labels, rowCount)
        writeColumn(batch.values, rowCount)
        precondition(batch.revisions.count == rowCount, "\(batch.revisions.count) revisions")
        write(packing: batch.revisions)
    }

    private mutating func writeColumns(
        _ identities: [RecordIdentity], _ times: [Int64], _ rowCount: Int
    ) {
        precondition(identities.count == rowCount, "\(identities.count) of \(rowCount) rows")
        precondition(times.count == rowCount, "\(times.count) of \(rowCount) rows")
        appendRow(count: 2 * rowCount, of: UInt64.self) { row in
            for (index, identity) in identities.enumerated() {
                row[2 * index] = identity.high.littleEndian
                row[2 * index + 1] = identity.low.littleEndian
            }
        }
        write(packing: times)
    }

    private mutating func writeColumn(_ numbers: [Double], _ rowCount: Int) {
        precondition(numbers.count == rowCount, "\(numbers.count) of \(rowCount) rows")
        write(packing: numbers)
    }

    mutating func write(_ column: TextColumn, _ rowCount: Int) {
        precondition(column.codes.count == rowCount, "\(column.codes.count) of \(rowCount) rows")
        write(column.dictionary)
        let codes = column.codes
        // Truncation turns the missing code into the largest value of the narrower type.
        switch codeSize(column.dictionary.count) {
        case 0: return
        case 1: writeRow(count: rowCount) { UInt8(truncatingIfNeeded: codes[$0]) }
        case 2: writeRow(count: rowCount) { UInt16(truncatingIfNeeded: codes[$0]) }
        default: writeRow(count: rowCount) { codes[$0] }
        }
    }
}

extension ByteReader {
    mutating func readPredictions() throws(ByteReadingError) -> PredictionBatch {
        var batch = PredictionBatch(model: try readModel())
        let rowCount = try readCount(elementSize: identitySizeBytes)
        batch.rowCount = rowCount
        (batch.identities, batch.times) = try readColumns(rowCount)
        batch.versions = try readTextColumn(rowCount)
        let featureCount = try readCount(elementSize: 2)
        // A column of one value takes no bytes for each row, so this bound is not the reader's.
        guard featureCount * max(rowCount, 1) <= cellCountMax else {
            throw .invalid(offset: offset, reason: "\(featureCount) features of \(rowCount) rows")
        }
        for _ in 0..<featureCount {
            let name = try readText()
            batch.features.append((name, try readFeatureColumn(rowCount)))
        }
        try readServing(into: &batch)
        batch.labels = try readTextColumn(rowCount)
        batch.scores = try readNumbers(rowCount)
        batch.values = try readNumbers(rowCount)
        batch.truthLabels = try readTextColumn(rowCount)
        batch.truthValues = try readNumbers(rowCount)
        if !isAtEnd {
            let start = offset
            batch.weights = try readNumbers(rowCount)
            guard batch.weights.allSatisfy({ $0 >= 1 && $0.isFinite }) else {
                throw .invalid(offset: start, reason: "a weight below 1")
            }
        }
        return batch
    }

    private mutating func readServing(into batch: inout PredictionBatch) throws(ByteReadingError) {
        for _ in 0..<(try readCount(elementSize: 2)) {
            batch.segments.append((try readText(), try readTextColumn(batch.rowCount)))
        }
        if try readBool() { batch.latencies = try readNumbers(batch.rowCount) }
        if try readBool() { batch.errors = try readTextColumn(batch.rowCount) }
    }

    mutating func readGroundTruth() throws(ByteReadingError) -> GroundTruthBatch {
        var batch = GroundTruthBatch(model: try readModel())
        let rowCount = try readCount(elementSize: identitySizeBytes)
        (batch.identities, batch.times) = try readColumns(rowCount)
        batch.labels = try readTextColumn(rowCount)
        batch.values = try readNumbers(rowCount)
        batch.revisions = try readIntegers(rowCount)
        return batch
    }

    mutating func readModel() throws(ByteReadingError) -> ModelID {
        let start = offset
        guard let model = ModelID(try readText()) else {
            throw .invalid(offset: start, reason: "no name of a model")
        }
        return model
    }

    private mutating func readColumns(
        _ rowCount: Int
    ) throws(ByteReadingError) -> ([RecordIdentity], [Int64]) {
        let halves = try readRow(2 * rowCount, of: UInt64.self)
        let identities = (0..<rowCount).map {
            RecordIdentity(high: halves[2 * $0], low: halves[2 * $0 + 1])
        }
        return (identities, try readIntegers(rowCount))
    }

    mutating func readTextColumn(_ rowCount: Int) throws(ByteReadingError) -> TextColumn {
        let dictionary = try readTexts()
        let start = offset
        var codes: [UInt32]
        switch codeSize(dictionary.count) {
        case 0: codes = [UInt32](repeating: TextColumn.missing, count: rowCount)
        case 1:
            codes = try readRow(rowCount, of: UInt8.self).map {
                $0 == .max ? TextColumn.missing : UInt32($0)
            }
        case 2:
            codes = try readRow(rowCount, of: UInt16.self).map {
                $0 == .max ? TextColumn.missing : UInt32($0)
            }
        default: codes = try readRow(rowCount, of: UInt32.self)
        }
        for code in codes where code != TextColumn.missing && Int(code) >= dictionary.count {
            throw .invalid(offset: start, reason: "code \(code) of \(dictionary.count) texts")
        }
        return TextColumn(codes: codes, dictionary: dictionary)
    }

    /// This is `count` integers without a count before them.
    mutating func readRow<Integer: FixedWidthInteger>(
        _ count: Int, of type: Integer.Type
    ) throws(ByteReadingError) -> [Integer] {
        let size = Integer.bitWidth / 8
        // A row count is bounded by what follows it, so this cannot overflow.
        return try readRaw(count: count * size) { raw in
            [Integer](unsafeUninitializedCapacity: count) { buffer, initialized in
                for index in 0..<count {
                    buffer.initializeElement(
                        at: index,
                        to: Integer(
                            littleEndian: raw.loadUnaligned(
                                fromByteOffset: index &* size, as: Integer.self)))
                }
                initialized = count
            }
        }
    }
}

/// This is how many bytes a code into a dictionary of `count` texts takes.
private func codeSize(_ count: Int) -> Int {
    count == 0 ? 0 : count < 0xFF ? 1 : count < 0xFFFF ? 2 : 4
}

/// This is the part of every row that is never packed.
let identitySizeBytes = 16
/// Values in one batch: more than a body can hold, and less than the memory.
private let cellCountMax = 1 << 28
