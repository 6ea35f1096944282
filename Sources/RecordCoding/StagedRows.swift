/// This is plain values of features: written row by row, as records are read, and taken column by column.
///
/// Records of one model and shape have the same features at the same places. So each value goes to its
/// column's place without a question of what it is, and a block of rows is appended to a column at once.
/// The block is small enough to stay in the processor's first cache.
final class StagedRows {
    /// Rows of a block.
    static let rowCountMax = 32

    /// This is where a feature's values go, and which are taken.
    struct Target {
        enum Kind {
            case number, text
            /// Null only: nobody has said yet what the feature is.
            case nothing
        }

        let kind: Kind
        /// The column's place among the builder's.
        let place: Int
        /// A number's largest magnitude.
        var magnitudeMax = 0.0
        /// A text's most bytes.
        var textSizeMax = 0
    }

    let shape: RecordShape
    /// The place of the model's builder.
    let builder: Int
    /// [features of the shape].
    let targets: [Target]
    /// [features × rowCountMax]; of features that are numbers.
    private let numbers: UnsafeMutablePointer<Double>
    /// [features × rowCountMax]; of features that are texts, −1 bytes where one is missing.
    private let texts: UnsafeMutablePointer<ByteText>
    private(set) var rowCount = 0

    init(shape: RecordShape, builder: Int, targets: [Target]) {
        self.shape = shape
        self.builder = builder
        self.targets = targets
        numbers = .allocate(capacity: max(1, targets.count * Self.rowCountMax))
        texts = .allocate(capacity: max(1, targets.count * Self.rowCountMax))
    }

    deinit {
        numbers.deallocate()
        texts.deallocate()
    }

    var isFull: Bool { rowCount == Self.rowCountMax }

    /// Reads the record at the cursor as the next row of the block, and what is no feature into `row`.
    ///
    /// Where it returns false, the cursor and the row are anywhere, and the block is what it was.
    /// - Precondition: the block is not full.
    func read(
        _ input: inout RecordCursor, into row: inout RecordRow, _ times: inout TimeReader
    ) -> Bool {
        precondition(!isFull, "a block of \(rowCount) rows")
        return targets.withUnsafeBufferPointer { targets in
            var sink = Sink(targets: targets, numbers: numbers + rowCount, texts: texts + rowCount)
            return input.read(&row, as: shape, into: &sink, &times)
        }
    }

    /// Keeps the row that was read last.
    func commit() { rowCount += 1 }

    /// Appends the block's rows to `columns`, from row `start` on, and empties it.
    func move(to columns: inout [FeatureBuilder], from start: Int) {
        for (index, target) in targets.enumerated() {
            let first = index * Self.rowCountMax
            switch target.kind {
            case .number:
                columns[target.place].append(
                    UnsafeBufferPointer(start: numbers + first, count: rowCount), from: start)
            case .text:
                columns[target.place].append(
                    UnsafeBufferPointer(start: texts + first, count: rowCount), from: start)
            case .nothing: break
            }
        }
        rowCount = 0
    }

    /// This is the row that is being read.
    private struct Sink: FeatureSink {
        let targets: UnsafeBufferPointer<Target>
        let numbers: UnsafeMutablePointer<Double>
        let texts: UnsafeMutablePointer<ByteText>

        @inline(__always)
        mutating func take(
            _ index: Int, _ slot: RecordShape.Slot, _ input: inout RecordCursor,
            at place: inout UnsafePointer<UInt8>
        ) -> Bool {
            let target = targets[index]
            if target.kind == .number {
                if let (number, end) = input.scanner.shortNumber(at: place),
                    number.magnitude <= target.magnitudeMax
                {
                    numbers[index &* StagedRows.rowCountMax] = number
                    place = end
                    return true
                }
            } else if target.kind == .text, place.pointee == UInt8(ascii: "\"") {
                let first = place + 1
                let end = input.scanner.endOfPlainText(from: first)
                if end.pointee == UInt8(ascii: "\""), end - first <= target.textSizeMax {
                    texts[index &* StagedRows.rowCountMax] = ByteText(
                        start: first, count: end - first)
                    place = end + 1
                    return true
                }
            }
            if target.kind == .text, target.textSizeMax >= 5 {
                // What follows a literal is compared with the shape.
                let word = loadWord(place)
                let size = word & 0xFFFF_FFFF == trueWord ? 4 : 5
                if size == 4 || word & 0xFF_FFFF_FFFF == falseWord {
                    texts[index &* StagedRows.rowCountMax] = ByteText(start: place, count: size)
                    place += size
                    return true
                }
            }
            return takeOther(index, target, &input, at: &place)
        }

        @inline(never)
        private mutating func takeOther(
            _ index: Int, _ target: Target, _ input: inout RecordCursor,
            at place: inout UnsafePointer<UInt8>
        ) -> Bool {
            input.scanner.cursor = place
            guard let value = input.otherFeatureValue() else { return false }
            place = input.scanner.cursor
            let cell = index &* StagedRows.rowCountMax
            switch (value, target.kind) {
            case (.missing, .nothing): break
            case (.missing, .number): numbers[cell] = .nan
            case (.missing, .text): texts[cell] = ByteText(start: place, count: -1)
            case (.number(let number), .number) where number.magnitude <= target.magnitudeMax:
                numbers[cell] = number
            case (.text(let text), .text) where text.count <= target.textSizeMax:
                texts[cell] = text
            default: return false
            }
            return true
        }
    }
}

/// This is what takes the features' values of a record that is read as a shape.
protocol FeatureSink {
    /// Reads the value at `place`, and moves `place` behind it; false where it is no plain one.
    mutating func take(
        _ index: Int, _ slot: RecordShape.Slot, _ input: inout RecordCursor,
        at place: inout UnsafePointer<UInt8>
    ) -> Bool
}

/// `true` and `false`, the first byte the lowest.
private let trueWord: UInt64 = 0x6575_7274
private let falseWord: UInt64 = 0x65_736C_6166
