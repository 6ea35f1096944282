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
            switch column {
            case .numeric(let numbers):
                write(UInt8(0))
                writeColumn(numbers, rowCount)
            case .categorical(let texts):
                write(UInt8(1))
                write(texts, rowCount)
            }
        }
        write(batch.labels, rowCount)
        writeColumn(batch.scores, rowCount)
        writeColumn(batch.values, rowCount)
        write(batch.truthLabels, rowCount)
        writeColumn(batch.truthValues, rowCount)
    }

    mutating func write(_ batch: GroundTruthBatch) {
        let rowCount = batch.rowCount
        write(batch.model.rawValue)
        writeCount(rowCount)
        writeColumns(batch.identities, batch.times, rowCount)
        write(batch.labels, rowCount)
        writeColumn(batch.values, rowCount)
        precondition(batch.revisions.count == rowCount, "\(batch.revisions.count) revisions")
        writeRow(batch.revisions)
    }

    private mutating func writeColumns(
        _ identities: [RecordIdentity], _ times: [Int64], _ rowCount: Int
    ) {
        precondition(identities.count == rowCount, "\(identities.count) of \(rowCount) rows")
        precondition(times.count == rowCount, "\(times.count) of \(rowCount) rows")
        var halves: [UInt64] = []
        halves.reserveCapacity(2 * rowCount)
        for identity in identities {
            halves.append(identity.high)
            halves.append(identity.low)
        }
        writeRow(halves)
        writeRow(times)
    }

    private mutating func writeColumn(_ numbers: [Double], _ rowCount: Int) {
        precondition(numbers.count == rowCount, "\(numbers.count) of \(rowCount) rows")
        writeRow(numbers.map(\.bitPattern))
    }

    private mutating func write(_ column: TextColumn, _ rowCount: Int) {
        precondition(column.codes.count == rowCount, "\(column.codes.count) of \(rowCount) rows")
        write(column.dictionary)
        // Truncation turns the missing code into the largest value of the narrower type.
        switch codeSize(column.dictionary.count) {
        case 1: writeRow(column.codes.map { UInt8(truncatingIfNeeded: $0) })
        case 2: writeRow(column.codes.map { UInt16(truncatingIfNeeded: $0) })
        default: writeRow(column.codes)
        }
    }

    /// Appends integers without a count before them.
    ///
    /// All at once, because one call per value costs more than the value's decoding did.
    private mutating func writeRow<Integer: FixedWidthInteger>(_ values: [Integer]) {
        let size = Integer.bitWidth / 8
        append(
            contentsOf: [UInt8](unsafeUninitializedCapacity: values.count * size) { buffer, count in
                let raw = UnsafeMutableRawBufferPointer(buffer)
                for (index, value) in values.enumerated() {
                    raw.storeBytes(
                        of: value.littleEndian, toByteOffset: index * size, as: Integer.self)
                }
                count = values.count * size
            })
    }
}

extension ByteReader {
    mutating func readPredictions() throws(ByteReadingError) -> PredictionBatch {
        var batch = PredictionBatch(model: try readModel())
        let rowCount = try readCount(elementSize: 24)
        batch.rowCount = rowCount
        (batch.identities, batch.times) = try readColumns(rowCount)
        batch.versions = try readTextColumn(rowCount)
        for _ in 0..<(try readCount(elementSize: 2)) {
            let name = try readText()
            switch try readByte() {
            case 0: batch.features.append((name, .numeric(try readNumbers(rowCount))))
            case 1: batch.features.append((name, .categorical(try readTextColumn(rowCount))))
            case let tag: throw .invalid(offset: offset - 1, reason: "\(tag) is no kind of column")
            }
        }
        batch.labels = try readTextColumn(rowCount)
        batch.scores = try readNumbers(rowCount)
        batch.values = try readNumbers(rowCount)
        batch.truthLabels = try readTextColumn(rowCount)
        batch.truthValues = try readNumbers(rowCount)
        return batch
    }

    mutating func readGroundTruth() throws(ByteReadingError) -> GroundTruthBatch {
        var batch = GroundTruthBatch(model: try readModel())
        let rowCount = try readCount(elementSize: 24)
        (batch.identities, batch.times) = try readColumns(rowCount)
        batch.labels = try readTextColumn(rowCount)
        batch.values = try readNumbers(rowCount)
        batch.revisions = try readRow(rowCount, of: Int64.self)
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
        return (identities, try readRow(rowCount, of: Int64.self))
    }

    private mutating func readNumbers(_ rowCount: Int) throws(ByteReadingError) -> [Double] {
        try readRow(rowCount, of: UInt64.self).map { Double(bitPattern: $0) }
    }

    private mutating func readTextColumn(_ rowCount: Int) throws(ByteReadingError) -> TextColumn {
        let dictionary = try readTexts()
        let start = offset
        var codes: [UInt32]
        switch codeSize(dictionary.count) {
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
    private mutating func readRow<Integer: FixedWidthInteger>(
        _ count: Int, of type: Integer.Type
    ) throws(ByteReadingError) -> [Integer] {
        let size = Integer.bitWidth / 8
        // A row count is bounded by what follows it, so this cannot overflow.
        let slice = try readSlice(count: count * size)
        return slice.withUnsafeBytes { raw in
            (0..<count).map {
                Integer(
                    littleEndian: raw.loadUnaligned(fromByteOffset: $0 * size, as: Integer.self))
            }
        }
    }
}

/// This is how many bytes a code into a dictionary of `count` texts takes.
private func codeSize(_ count: Int) -> Int { count < 0xFF ? 1 : count < 0xFFFF ? 2 : 4 }
