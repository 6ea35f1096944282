/// This is a column of texts as codes into a dictionary of its own batch.
public struct TextColumn: Hashable, Sendable {
    /// The code of a missing value.
    public static let missing = UInt32.max

    /// One code per row: an index into `dictionary`, or `missing`.
    public var codes: [UInt32]
    /// Distinct texts, in order of first appearance.
    public var dictionary: [String]

    /// Makes a column from its codes and their texts.
    public init(codes: [UInt32] = [], dictionary: [String] = []) {
        self.codes = codes
        self.dictionary = dictionary
    }

    /// Compares codes, and the bytes of texts.
    public static func == (left: Self, right: Self) -> Bool {
        left.codes == right.codes
            && left.dictionary.elementsEqual(right.dictionary) { $0.isExactly($1) }
    }

    /// This is the text of `row`, nil where missing.
    public func text(at row: Int) -> String? {
        codes[row] == Self.missing ? nil : dictionary[Int(codes[row])]
    }
}

/// This is a column of vectors; rows without one take no room.
public struct VectorColumn: Hashable, Sendable {
    /// Numbers in each vector.
    public let dimension: Int
    /// Numbers of a float32 column are exactly ones of single precision.
    public let precision: NumberPrecision
    /// [rowCount]: which rows have a vector.
    public var isPresent: [Bool]
    /// [present rows · dimension], row by row; finite.
    public var numbers: [Double]

    /// Makes a column from its parts.
    ///
    /// - Precondition: `numbers` holds `dimension` numbers for each present row.
    public init(dimension: Int, precision: NumberPrecision, isPresent: [Bool], numbers: [Double]) {
        let present = isPresent.count { $0 }
        precondition(
            numbers.count == present * dimension,
            "\(numbers.count) numbers, \(present) vectors of \(dimension)")
        self.dimension = dimension
        self.precision = precision
        self.isPresent = isPresent
        self.numbers = numbers
    }

    /// This is the column with only `rows`, strictly increasing.
    public func selecting(rows: [Int]) -> VectorColumn {
        var chosen: [Double] = []
        var (row, vector) = (0, 0)
        for wanted in rows {
            while row < wanted {
                vector += isPresent[row] ? 1 : 0
                row += 1
            }
            guard isPresent[wanted] else { continue }
            chosen += numbers[vector * dimension..<(vector + 1) * dimension]
        }
        return VectorColumn(
            dimension: dimension, precision: precision, isPresent: rows.map { isPresent[$0] },
            numbers: chosen)
    }
}

/// This is one feature's values.
///
/// Lengths equal the batch's row count.
public enum FeatureColumn: Hashable, Sendable {
    /// Missing values are the one canonical quiet NaN; every other value is finite.
    case numeric([Double])
    /// The same in single precision.
    case single([Float])
    case categorical(TextColumn)
    /// Free texts.
    case text(TextColumn)
    case vector(VectorColumn)

    /// This is how such a column is profiled.
    public var kind: FeatureKind {
        switch self {
        case .numeric: .numeric
        case .single: .single
        case .categorical: .categorical
        case .text: .text
        case .vector(let vectors):
            .vector(dimension: vectors.dimension, precision: vectors.precision)
        }
    }
}

/// This is a row's identity: the first 128 bits of a hash of (model, prediction id).
///
/// With 128 bits, two different ids among 10^12 share an identity with probability below 10^-14.
public struct RecordIdentity: Hashable, Sendable {
    /// These are the first 64 bits of the hash.
    public var high: UInt64
    /// These are the last 64 bits of the hash.
    public var low: UInt64
    /// The identity of a record without an id: it can be neither joined nor de-duplicated.
    public static let none = RecordIdentity(high: 0, low: 0)
    /// Makes an identity from its halves.
    public init(high: UInt64, low: UInt64) {
        self.high = high
        self.low = low
    }
}

/// This is decoded prediction records of one model, as columns of equal length.
public struct PredictionBatch: Hashable, Sendable {
    /// This is the model that the records name.
    public var model: ModelID
    /// This is the length of every column.
    public var rowCount: Int
    /// [rowCount]; `RecordIdentity.none` where the record has no id.
    public var identities: [RecordIdentity]
    /// [rowCount], milliseconds since the epoch.
    public var times: [Int64]
    /// This is the model's version by row; missing where the record names none.
    public var versions: TextColumn
    /// In the order in which the names first appeared; each of length rowCount.
    public var features: [(name: String, column: FeatureColumn)]
    /// In the order in which the keys first appeared; each of length rowCount.
    public var segments: [(key: String, column: TextColumn)]
    /// [rowCount]: milliseconds that serving took, at least 0, NaN where absent; empty where no record
    /// of the batch has one.
    public var latencies: [Double]
    /// [rowCount]: how many calls the row stands for, at least 1, where only a sample was logged; empty
    /// where every row stands for itself.
    public var weights: [Double]
    /// By row what went wrong in serving, missing where nothing did; empty where nothing did at all.
    public var errors: TextColumn
    /// The predicted label, as text; missing for regression.
    public var labels: TextColumn
    /// [rowCount]: P(positive class) or the largest class's probability, in 0...1; NaN where absent.
    public var scores: [Double]
    /// [rowCount]: the predicted value of a regression; NaN where absent.
    public var values: [Double]
    /// Ground truth that came inline (reference rows); all missing in production batches.
    public var truthLabels: TextColumn
    /// [rowCount]; NaN where absent.
    public var truthValues: [Double]

    /// Makes a batch without rows.
    public init(model: ModelID) {
        self.model = model
        rowCount = 0
        identities = []
        times = []
        versions = TextColumn()
        features = []
        segments = []
        latencies = []
        weights = []
        errors = TextColumn()
        labels = TextColumn()
        scores = []
        values = []
        truthLabels = TextColumn()
        truthValues = []
    }

    /// Compares bit by bit, with missing equal to missing.
    public static func == (left: Self, right: Self) -> Bool {
        left.hashKey == right.hashKey
            && left.features.elementsEqual(right.features) {
                $0.name.isExactly($1.name) && $0.column.isIdentical(to: $1.column)
            }
            && left.segments.elementsEqual(right.segments) {
                $0.key.isExactly($1.key) && $0.column == $1.column
            } && left.errors == right.errors && sameBits(left.latencies, right.latencies)
            && sameBits(left.weights, right.weights)
            && sameBits(left.scores, right.scores) && sameBits(left.values, right.values)
            && sameBits(left.truthValues, right.truthValues)
    }

    /// Hashes what identifies the rows; features and scores are left to `==`.
    public func hash(into hasher: inout Hasher) { hasher.combine(hashKey) }

    private struct HashKey: Hashable {
        let model: ModelID
        let identities: [RecordIdentity]
        let times: [Int64]
        let versions: TextColumn
        let labels: TextColumn
        let truthLabels: TextColumn
    }

    private var hashKey: HashKey {
        HashKey(
            model: model, identities: identities, times: times, versions: versions, labels: labels,
            truthLabels: truthLabels)
    }
}

private func sameBits(_ left: [Double], _ right: [Double]) -> Bool {
    left.elementsEqual(right) { $0.bitPattern == $1.bitPattern }
}

extension FeatureColumn {
    /// True when both hold the same values, with missing equal to missing.
    public func isIdentical(to other: FeatureColumn) -> Bool {
        switch (self, other) {
        case (.numeric(let left), .numeric(let right)): sameBits(left, right)
        case (.single(let left), .single(let right)):
            left.elementsEqual(right) { $0.bitPattern == $1.bitPattern }
        case (.categorical(let left), .categorical(let right)): left == right
        case (.text(let left), .text(let right)): left == right
        case (.vector(let left), .vector(let right)):
            left == right && sameBits(left.numbers, right.numbers)
        case (.numeric, _), (.single, _), (.categorical, _), (.text, _), (.vector, _): false
        }
    }
}

/// This is decoded ground-truth records of one model, as columns of equal length.
public struct GroundTruthBatch: Hashable, Sendable {
    /// This is the model that the records name.
    public var model: ModelID
    /// This names the predictions; [rowCount].
    public var identities: [RecordIdentity]
    /// [rowCount], milliseconds since the epoch.
    public var times: [Int64]
    /// This is the true label by row; missing for regression.
    public var labels: TextColumn
    /// [rowCount]; NaN where absent.
    public var values: [Double]
    /// [rowCount]; later in the log wins among equal revisions.
    public var revisions: [Int64]

    /// This is the length of every column.
    public var rowCount: Int { identities.count }

    /// Makes a batch without rows.
    public init(model: ModelID) {
        self.model = model
        identities = []
        times = []
        labels = TextColumn()
        values = []
        revisions = []
    }

    /// Compares bit by bit, with missing equal to missing.
    public static func == (left: Self, right: Self) -> Bool {
        left.model == right.model && left.identities == right.identities
            && left.times == right.times && left.labels == right.labels
            && sameBits(left.values, right.values) && left.revisions == right.revisions
    }

    /// Hashes what identifies the rows; the truths are left to `==`.
    public func hash(into hasher: inout Hasher) {
        hasher.combine(model)
        hasher.combine(identities)
        hasher.combine(times)
    }
}
