/// This is the shapes of the last records: the next one mostly has one of them.
struct ShapeMemory {
    /// Records of a few producers and kinds may come in turns.
    private static let countMax = 4
    /// Where records have ever new shapes, so many are read between two that are learned.
    private static let pauseMax = 256

    private var shapes: [RecordShape] = []
    /// The last record's among them.
    private var newest = 0
    /// The last record was read as its shape.
    private var isLastKnown = false
    /// Shapes that were learned since one was seen again.
    private var uselessCount = 0
    /// Records to pass before another shape is learned, or any is tried.
    private var pause = 0
    private var limits: DecodingLimits?

    var isLearning: Bool { pause == 0 }

    /// Forgets all where the limits are others than before; the range of times is no part of a shape.
    mutating func begin(_ limits: DecodingLimits) {
        if let known = self.limits, known.idSizeBytesMax == limits.idSizeBytesMax,
            known.depthMax == limits.depthMax, known.featureCountMax == limits.featureCountMax
        {
            return
        }
        self = ShapeMemory()
        self.limits = limits
    }

    /// Reads the record at the cursor if it has a known shape; false otherwise, and then the cursor is
    /// where it was.
    @inline(__always)
    mutating func read(
        _ input: inout RecordCursor, _ row: inout RecordRow, _ allowed: UInt32,
        _ times: inout TimeReader
    ) -> Bool {
        isLastKnown = false
        if pause > 0 {
            pause -= 1
            return false
        }
        let mark = input.scanner.mark
        for turn in 0..<shapes.count {
            let place = turn == 0 ? newest : turn <= newest ? turn - 1 : turn
            let isFor = shapes[place].allowed == allowed && shapes[place].depth == input.depth
            if isFor, input.read(&row, as: shapes[place], &times) {
                newest = place
                uselessCount = 0
                isLastKnown = true
                return true
            }
            input.scanner.rewind(to: mark)
        }
        return false
    }

    /// This is the shape of the record that was read last; nil where that one had none.
    var last: RecordShape? { pause == 0 && isLastKnown ? shapes[newest] : nil }

    /// Learns the shape of the record that has been read, in place of the oldest one.
    mutating func learn(
        _ input: RecordCursor, from start: UnsafePointer<UInt8>, fields: UInt32, allowed: UInt32
    ) {
        guard let trace = input.trace,
            let shape = RecordShape(
                of: trace, from: start, to: input.scanner.cursor, fields: fields, allowed: allowed,
                depth: input.depth)
        else { return }
        uselessCount += 1
        if uselessCount > 2 * Self.countMax {
            pause = min(1 << (uselessCount - 2 * Self.countMax), Self.pauseMax)
            uselessCount = min(uselessCount, 3 * Self.countMax)
        }
        if shapes.count < Self.countMax {
            newest = shapes.count
            shapes.append(shape)
        } else {
            newest = (newest + 1) % Self.countMax
            shapes[newest] = shape
        }
    }
}
