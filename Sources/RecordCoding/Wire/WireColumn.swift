import MonitoringDomain

/// This is a text column of foreign rows under construction.
struct WireTextColumn {
    private var column = TextColumn()
    private var codes: [ExactText: UInt32] = [:]

    var count: Int { column.codes.count }

    mutating func append(_ text: String?) {
        guard let text else {
            column.codes.append(TextColumn.missing)
            return
        }
        if let code = codes[ExactText(text)] {
            column.codes.append(code)
            return
        }
        let code = UInt32(truncatingIfNeeded: column.dictionary.count)
        codes[ExactText(text)] = code
        column.dictionary.append(text)
        column.codes.append(code)
    }

    consuming func finished(rowCount: Int) -> TextColumn {
        pad(upTo: rowCount)
        return column
    }

    mutating func pad(upTo rowCount: Int) {
        while column.codes.count < rowCount { column.codes.append(TextColumn.missing) }
    }
}

/// This is one feature's column of foreign rows under construction; its kind is open until a value tells it.
struct WireColumn {
    let name: String
    private(set) var kind: FeatureKind?
    private var numbers: [Double] = []
    private var texts = WireTextColumn()
    private var isPresent: [Bool] = []
    /// The last row that had it, to find a name that is there twice; -1 for none.
    var lastRow = -1

    init(name: String, kind: FeatureKind?) {
        self.name = name
        self.kind = kind
    }

    /// What speaks against the value; nil where `append` may take it.
    func conflict(
        with value: WireScalar, limits: DecodingLimits
    ) -> (detail: String, code: String)? {
        func mismatch(_ found: String) -> (detail: String, code: String) {
            ("\(found), but the feature is \(kind?.description ?? "")", ItemError.typeConflict)
        }
        switch (value, kind) {
        case (.missing, _), (.integer, .numeric), (.integer, nil), (.number, .numeric),
            (.number, nil), (.vector, nil):
            return nil
        case (.integer, .single), (.number, .single):
            guard let number = value.wireValue.double, number.magnitude > singleMagnitudeMax else {
                return nil
            }
            return ("\(number) is beyond single precision", ItemError.invalidField)
        case (.text(let text), .categorical), (.text(let text), nil), (.text(let text), .text):
            let sizeMax = kind == .text ? limits.freeTextSizeBytesMax : limits.textSizeBytesMax
            if text.utf8.count <= sizeMax { return nil }
            return ("a text over \(sizeMax) bytes", ItemError.invalidField)
        case (.vector(let numbers), .vector(let dimension, let precision)):
            guard numbers.count == dimension else {
                return mismatch("a vector of \(numbers.count) numbers")
            }
            guard precision == .float32,
                let wrong = numbers.first(where: { $0.magnitude > singleMagnitudeMax })
            else { return nil }
            return ("\(wrong) is beyond single precision", ItemError.invalidField)
        case (.integer, .categorical), (.number, .categorical):
            // Foreign rows often hold codes of classes as numbers, and cannot say so.
            return value.wireValue.name != nil ? nil : mismatch("a number")
        case (.integer, _), (.number, _): return mismatch("a number")
        case (.text, _): return mismatch("a string or boolean")
        case (.vector(let numbers), _): return mismatch("a vector of \(numbers.count) numbers")
        }
    }

    /// Appends a value that `conflict` has nothing against.
    mutating func append(_ value: WireScalar, at row: Int) {
        switch value {
        case .missing: return
        case .integer, .number:
            guard kind == .categorical else {
                kind = kind ?? .numeric
                while numbers.count < row { numbers.append(.nan) }
                numbers.append(value.wireValue.double ?? .nan)
                return
            }
            append(value.wireValue.name ?? "", at: row)
        case .text(let text): append(text, at: row)
        case .vector(let vector):
            kind = kind ?? .vector(dimension: vector.count, precision: .float64)
            while isPresent.count < row { isPresent.append(false) }
            isPresent.append(true)
            numbers += vector
        }
    }

    private mutating func append(_ text: String, at row: Int) {
        kind = kind ?? .categorical
        texts.pad(upTo: row)
        texts.append(text)
    }

    consuming func finished(rowCount: Int) -> FeatureColumn? {
        switch kind {
        case .numeric, .single:
            while numbers.count < rowCount { numbers.append(.nan) }
            return kind == .numeric ? .numeric(numbers) : .single(numbers.map { Float($0) })
        case .categorical: return .categorical(texts.finished(rowCount: rowCount))
        case .text: return .text(texts.finished(rowCount: rowCount))
        case .vector(let dimension, let precision):
            while isPresent.count < rowCount { isPresent.append(false) }
            if precision == .float32 { numbers = numbers.map { Double(Float($0)) } }
            return .vector(
                VectorColumn(
                    dimension: dimension, precision: precision, isPresent: isPresent,
                    numbers: numbers))
        case nil: return nil
        }
    }
}
