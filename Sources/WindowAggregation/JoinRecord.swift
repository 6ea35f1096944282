import MonitoringDomain

/// This is what the join keeps of one id: a prediction, a ground truth, or both.
struct JoinRecord: Equatable, Sendable {
    var core: Core
    var wide = Wide()

    /// This is the part that every id needs: 40 bytes, in memory as in a partition.
    struct Core: Equatable, Sendable {
        var high: UInt64
        var low: UInt64
        /// The prediction's event time, or the ground truth's while there is no prediction.
        var time: Int64
        /// The bits of the score, or of the predicted value; of NaN where both are absent.
        var number = JoinRecord.absent
        var version = JoinRecord.missingText
        var label = JoinRecord.missingText
        var truthLabel = JoinRecord.missingText
        /// Bits 0 to 2: has a prediction, has ground truth, `number` is a value.
        ///
        /// The others: the digest of the prediction's content.
        var flags: UInt16 = 0
    }

    /// This is the part that few need: of a regression's outcome, of a revised one.
    struct Wide: Equatable, Sendable {
        /// The bits of the predicted value where there is a score as well.
        var second = JoinRecord.absent
        var truth = JoinRecord.absent
        var revision: Int64 = 0
        /// The event time of ground truth that came before its prediction and is later than it: what
        /// is known of an id is never forgotten earlier than an older record of it would be.
        var keep = Int64.min
    }

    static let coreSizeBytes = 40
    static let wideSizeBytes = 32
    static let absent = Double.nan.bitPattern
    /// The code of no text.
    static let missingText = UInt16.max
    /// The code of a text that came after the table of texts was full.
    static let unknownText = UInt16.max - 1

    init(_ core: Core, _ wide: Wide = Wide()) {
        self.core = core
        self.wide = wide
    }

    /// Starts with an identity and nothing known of it.
    init(_ identity: RecordIdentity, time: Int64) {
        core = Core(high: identity.high, low: identity.low, time: time)
    }

    var identity: RecordIdentity { RecordIdentity(high: core.high, low: core.low) }
    /// The id is forgotten when this is beyond the horizon.
    var keptTime: Int64 { max(core.time, wide.keep) }
    var isNarrow: Bool { wide == Wide() }
    var score: Double? {
        core.flags & 4 == 0 ? Self.number(core.number) : nil
    }
    var value: Double? { Self.number(core.flags & 4 == 0 ? wide.second : core.number) }
    var truthValue: Double? { Self.number(wide.truth) }

    private static func number(_ bits: UInt64) -> Double? {
        let number = Double(bitPattern: bits)
        return number.isNaN ? nil : number
    }

    /// This is the prediction's side of a record.
    struct Prediction {
        var time: Int64
        /// NaN where there is none.
        var score: Double
        /// NaN where there is none.
        var value: Double
        var version: UInt16
        var label: UInt16
        var digest: UInt16
    }

    /// Takes the prediction's side.
    @inline(__always)
    mutating func setPrediction(_ prediction: Prediction) {
        if core.hasTruth, core.time > prediction.time { wide.keep = core.time }
        core.time = prediction.time
        core.version = prediction.version
        core.label = prediction.label
        let (score, value) = (prediction.score, prediction.value)
        let isValue = score.isNaN && !value.isNaN
        core.flags = core.flags & 2 | 1 | (isValue ? 4 : 0) | prediction.digest << 3
        core.number = isValue ? value.bitPattern : score.isNaN ? Self.absent : score.bitPattern
        wide.second = isValue || value.isNaN ? Self.absent : value.bitPattern
    }

    /// Takes the ground truth's side.
    mutating func setTruth(label: UInt16, value: Double, revision: Int64) {
        core.flags |= 2
        core.truthLabel = label
        wide.truth = value.isNaN ? Self.absent : value.bitPattern
        wide.revision = revision
    }
}

extension JoinRecord.Core {
    @inline(__always) var hasPrediction: Bool { flags & 1 != 0 }
    @inline(__always) var hasTruth: Bool { flags & 2 != 0 }
    @inline(__always) var digest: UInt16 { flags >> 3 }

    /// By identity, as partitions are sorted.
    @inline(__always)
    static func precedes(_ left: Self, _ right: Self) -> Bool {
        left.high != right.high ? left.high < right.high : left.low < right.low
    }
}

extension PredictionBatch {
    /// This is 13 bits of each row's content, in whatever order its features stand.
    ///
    /// So a repeat with other content is told from a mere repeat. The time is no part of it, because a record
    /// without one gets that of its arrival.
    ///
    /// - Accuracy: One of 8,192 changed records is taken for a mere repeat.
    func contentDigests() -> [UInt16] {
        var sums = ContentSums(rowCount: rowCount)
        for (name, column) in features {
            let salt = stableHash(name, 1)
            switch column {
            case .numeric(let numbers): sums.add(numbers, salt)
            case .categorical(let texts), .text(let texts): sums.add(texts, salt)
            case .single(let numbers): sums.add(numbers.map { Double($0) }, salt)
            case .vector(let vectors): vectors.addDigests(to: &sums.ofOthers, salt: salt)
            }
        }
        sums.add(versions, 2)
        sums.add(labels, 3)
        sums.add(scores, 4)
        sums.add(values, 5)
        return sums.digests
    }
}

/// This is sums over the columns of a batch, by row.
private struct ContentSums {
    /// A number's term is a product with one factor, so the sum of many is one product: here are the
    /// sums before it.
    private var ofNumbers: [UInt64]
    var ofOthers: [UInt64]

    init(rowCount: Int) {
        ofNumbers = [UInt64](repeating: 0, count: rowCount)
        ofOthers = ofNumbers
    }

    mutating func add(_ numbers: [Double], _ salt: UInt64) {
        precondition(numbers.count == ofNumbers.count, "\(numbers.count) numbers")
        ofNumbers.withUnsafeMutableBufferPointer { sums in
            numbers.withUnsafeBufferPointer { numbers in
                for row in numbers.indices {
                    let number = numbers[row]
                    sums[row] &+= number == number ? number.bitPattern ^ salt : 0
                }
            }
        }
    }

    mutating func add(_ texts: TextColumn, _ salt: UInt64) {
        precondition(texts.codes.count == ofOthers.count, "\(texts.codes.count) texts")
        if texts.dictionary.isEmpty { return }
        let words = texts.dictionary.map { stableHash($0, salt) }
        ofOthers.withUnsafeMutableBufferPointer { sums in
            texts.codes.withUnsafeBufferPointer { codes in
                for row in codes.indices where codes[row] != TextColumn.missing {
                    sums[row] &+= words[Int(codes[row])]
                }
            }
        }
    }

    var digests: [UInt16] {
        (0..<ofNumbers.count).map { row in
            let sum = ofNumbers[row] &* 0xD6E8_FEB8_6659_FD93 &+ ofOthers[row]
            let mixed = (sum ^ sum >> 32) &* 0x9E37_79B9_7F4A_7C15
            return UInt16(truncatingIfNeeded: mixed >> 51)
        }
    }
}

extension VectorColumn {
    /// Adds 64 bits of each row's vector; of another order of the same numbers they are other ones.
    fileprivate func addDigests(to sums: inout [UInt64], salt: UInt64) {
        var next = 0
        for (row, isPresent) in isPresent.enumerated() where isPresent {
            var hash = salt
            for number in numbers[next..<next + dimension] {
                hash = (hash ^ number.bitPattern) &* 0xD6E8_FEB8_6659_FD93
                hash ^= hash >> 32
            }
            sums[row] &+= hash
            next += dimension
        }
    }
}

/// This is FNV-1a over the text, then mixed: the same in every process, unlike the library's hash.
func stableHash(_ text: String, _ salt: UInt64) -> UInt64 {
    var hash: UInt64 = 0xCBF2_9CE4_8422_2325 ^ salt
    for byte in text.utf8 { hash = (hash ^ UInt64(byte)) &* 0x100_0000_01B3 }
    hash = (hash ^ hash >> 29) &* 0xBF58_476D_1CE4_E5B9
    return hash ^ hash >> 32
}
