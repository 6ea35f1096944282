import MonitoringDomain

/// This is one feature's column under construction; its kind is open until a value or a hint tells it.
struct FeatureBuilder {
    let name: String
    private(set) var kind: FeatureKind?
    /// The largest magnitude of a number that the column takes; −1 for columns of other values, so that
    /// one comparison on the usual way answers both questions.
    private(set) var magnitudeMax = -1.0
    /// The most bytes of a text that the column takes; −1 for columns of other values.
    private(set) var textSizeMax = -1
    private var numbers: GrowingColumn<Double>
    private var texts: TextBuilder
    private var isPresent = GrowingColumn<Bool>(capacity: 0)

    init(
        name: String, kind: FeatureKind?, seed: UInt64, rowCount: Int, _ limits: DecodingLimits
    ) {
        self.name = name
        // Only one of the two is used, and which is known at the first value.
        let isTextual = kind == .categorical || kind == .text
        numbers = GrowingColumn(capacity: isTextual ? 0 : rowCount)
        texts = TextBuilder(seed: seed, rowCount: isTextual || kind == nil ? rowCount : 0)
        if let kind { take(kind, limits) }
    }

    /// Becomes a column of the kind.
    mutating func take(_ kind: FeatureKind, _ limits: DecodingLimits) {
        self.kind = kind
        switch kind {
        case .numeric: magnitudeMax = .infinity
        case .single: magnitudeMax = singleMagnitudeMax
        case .categorical: textSizeMax = limits.textSizeBytesMax
        case .text: textSizeMax = limits.freeTextSizeBytesMax
        case .vector: return
        }
    }

    @inline(__always)
    mutating func append(_ number: Double, at row: Int) {
        numbers.fill(upTo: row, with: .nan)
        numbers.append(number)
    }

    @inline(__always)
    mutating func append(_ text: ByteText, at row: Int) {
        texts.appendMissing(upTo: row)
        texts.append(text)
    }

    /// Appends a block of rows, of which the first is `row`; NaN is missing.
    mutating func append(_ block: UnsafeBufferPointer<Double>, from row: Int) {
        numbers.fill(upTo: row, with: .nan)
        numbers.append(block)
    }

    /// Appends a block of rows, of which the first is `row`; a text of −1 bytes is missing.
    mutating func append(_ block: UnsafeBufferPointer<ByteText>, from row: Int) {
        texts.appendMissing(upTo: row)
        for text in block { texts.append(text.count < 0 ? nil : text) }
    }

    /// Appends a vector of the column's dimension; returns the place of a number that is beyond the
    /// column's precision.
    mutating func append(_ vector: ArraySlice<Double>, at row: Int) -> Int? {
        if case .vector(_, .float32)? = kind,
            let wrong = vector.firstIndex(where: { $0.magnitude > singleMagnitudeMax })
        {
            return wrong - vector.startIndex
        }
        isPresent.fill(upTo: row, with: false)
        isPresent.append(true)
        for number in vector { numbers.append(number) }
        return nil
    }

    /// Nil where the feature was only null and nobody has said what it is.
    mutating func finished(rowCount: Int) -> FeatureColumn? {
        switch kind {
        case .numeric:
            numbers.fill(upTo: rowCount, with: .nan)
            return .numeric(numbers.array)
        case .single:
            numbers.fill(upTo: rowCount, with: .nan)
            return .single(numbers.array.map { Float($0) })
        case .categorical: return .categorical(texts.finished(rowCount: rowCount))
        case .text: return .text(texts.finished(rowCount: rowCount))
        case .vector(let dimension, let precision):
            isPresent.fill(upTo: rowCount, with: false)
            var values = numbers.array
            if precision == .float32 { values = values.map { Double(Float($0)) } }
            return .vector(
                VectorColumn(
                    dimension: dimension, precision: precision, isPresent: isPresent.array,
                    numbers: values))
        case nil: return nil
        }
    }
}

/// Numbers up to this one are rounded to a finite single, and larger ones are not: half a step below 2¹²⁸.
let singleMagnitudeMax = (0x1.ffffffp127 as Double).nextDown
