extension PredictionBatch {
    /// This is true where both have the same columns, so that their rows can stand in one batch.
    public func hasColumns(of other: PredictionBatch) -> Bool {
        model == other.model && features.count == other.features.count
            && segments.count == other.segments.count
            && zip(features, other.features).allSatisfy {
                $0.name.isExactly($1.name) && $0.column.kind == $1.column.kind
            } && zip(segments, other.segments).allSatisfy { $0.key.isExactly($1.key) }
    }

    /// This is the rows of several batches in one, in their order.
    ///
    /// - Parameter batches: At least one batch; all have the same columns.
    /// - Returns: A batch that counts as the batches one after the other do.
    public static func concatenation(of batches: [PredictionBatch]) -> PredictionBatch {
        guard let first = batches.first else { preconditionFailure("no batches") }
        guard batches.count > 1 else { return first }
        let counts = batches.map(\.rowCount)
        var whole = PredictionBatch(model: first.model)
        whole.rowCount = counts.reduce(0, +)
        whole.identities = batches.flatMap(\.identities)
        whole.times = batches.flatMap(\.times)
        whole.scores = batches.flatMap(\.scores)
        whole.values = batches.flatMap(\.values)
        whole.truthValues = batches.flatMap(\.truthValues)
        whole.versions = .concatenation(of: batches.map(\.versions), counts)
        whole.labels = .concatenation(of: batches.map(\.labels), counts)
        whole.truthLabels = .concatenation(of: batches.map(\.truthLabels), counts)
        if batches.contains(where: { !$0.latencies.isEmpty }) {
            whole.latencies = batches.flatMap {
                $0.latencies.isEmpty
                    ? [Double](repeating: .nan, count: $0.rowCount) : $0.latencies
            }
        }
        if batches.contains(where: { !$0.weights.isEmpty }) {
            whole.weights = batches.flatMap {
                $0.weights.isEmpty ? [Double](repeating: 1, count: $0.rowCount) : $0.weights
            }
        }
        if batches.contains(where: { !$0.errors.codes.isEmpty }) {
            whole.errors = .concatenation(of: batches.map(\.errors), counts)
        }
        whole.features.reserveCapacity(first.features.count)
        for place in first.features.indices {
            whole.features.append(
                (first.features[place].name, column(place, of: batches, counts, whole.rowCount)))
        }
        for place in first.segments.indices {
            let columns = batches.map { $0.segments[place].column }
            whole.segments.append(
                (first.segments[place].key, .concatenation(of: columns, counts)))
        }
        return whole
    }

    private static func column(
        _ place: Int, of batches: [PredictionBatch], _ counts: [Int], _ rowCount: Int
    ) -> FeatureColumn {
        var numbers: [Double] = []
        var singles: [Float] = []
        var texts: [TextColumn] = []
        var isPresent: [Bool] = []
        for batch in batches {
            switch batch.features[place].column {
            case .numeric(let values):
                if numbers.isEmpty { numbers.reserveCapacity(rowCount) }
                numbers.append(contentsOf: values)
            case .single(let values): singles.append(contentsOf: values)
            case .categorical(let column), .text(let column): texts.append(column)
            case .vector(let column):
                isPresent.append(contentsOf: column.isPresent)
                numbers.append(contentsOf: column.numbers)
            }
        }
        let first = batches[0].features[place].column
        precondition(
            batches.allSatisfy { $0.features[place].column.kind == first.kind }, "mixed columns")
        switch first {
        case .numeric: return .numeric(numbers)
        case .single: return .single(singles)
        case .categorical: return .categorical(.concatenation(of: texts, counts))
        case .text: return .text(.concatenation(of: texts, counts))
        case .vector(let column):
            return .vector(
                VectorColumn(
                    dimension: column.dimension, precision: column.precision,
                    isPresent: isPresent, numbers: numbers))
        }
    }
}

extension TextColumn {
    /// Dictionaries up to this size are searched, which costs less than a table.
    private static let searchedCountMax = 8

    /// This is the rows of several columns in one, in their order.
    ///
    /// - Parameters:
    ///   - columns: The columns; one without codes is missing in all its rows.
    ///   - counts: The rows of each.
    /// - Returns: A column of all rows; its dictionary is in the order of first appearance.
    static func concatenation(of columns: [TextColumn], _ counts: [Int]) -> TextColumn {
        var whole = TextColumn()
        whole.codes.reserveCapacity(counts.reduce(0, +))
        var places: [ExactText: UInt32] = [:]
        for (column, count) in zip(columns, counts) {
            let codes = column.dictionary.map { whole.code(of: $0, &places) }
            if column.codes.isEmpty {
                whole.codes.append(contentsOf: repeatElement(missing, count: count))
            }
            for code in column.codes {
                whole.codes.append(code == missing ? missing : codes[Int(code)])
            }
        }
        return whole
    }

    private mutating func code(of text: String, _ places: inout [ExactText: UInt32]) -> UInt32 {
        if dictionary.count <= Self.searchedCountMax {
            if let place = dictionary.firstIndex(where: { $0.isExactly(text) }) {
                return UInt32(place)
            }
        } else {
            if places.isEmpty {
                for (place, known) in dictionary.enumerated() {
                    places[ExactText(known)] = UInt32(place)
                }
            }
            if let place = places[ExactText(text)] { return place }
        }
        let place = UInt32(dictionary.count)
        dictionary.append(text)
        if !places.isEmpty { places[ExactText(text)] = place }
        return place
    }
}
