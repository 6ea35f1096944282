import MonitoringDomain

extension PredictionBatch {
    /// This is the batch with only `rows`, strictly increasing; dictionaries stay as they are.
    func selecting(rows: [Int]) -> PredictionBatch {
        if rows.count == rowCount { return self }
        func pick(_ column: TextColumn) -> TextColumn {
            TextColumn(codes: rows.map { column.codes[$0] }, dictionary: column.dictionary)
        }
        var selection = PredictionBatch(model: model)
        selection.rowCount = rows.count
        selection.identities = rows.map { identities[$0] }
        selection.times = rows.map { times[$0] }
        selection.versions = pick(versions)
        selection.features = features.map { name, column in
            switch column {
            case .numeric(let values): (name, .numeric(rows.map { values[$0] }))
            case .single(let values): (name, .single(rows.map { values[$0] }))
            case .categorical(let text): (name, .categorical(pick(text)))
            case .text(let text): (name, .text(pick(text)))
            case .vector(let vectors): (name, .vector(vectors.selecting(rows: rows)))
            }
        }
        selection.segments = segments.map { ($0.key, pick($0.column)) }
        if !weights.isEmpty { selection.weights = rows.map { weights[$0] } }
        if !latencies.isEmpty { selection.latencies = rows.map { latencies[$0] } }
        if !errors.codes.isEmpty { selection.errors = pick(errors) }
        selection.labels = pick(labels)
        selection.scores = rows.map { scores[$0] }
        selection.values = rows.map { values[$0] }
        selection.truthLabels = pick(truthLabels)
        selection.truthValues = rows.map { truthValues[$0] }
        return selection
    }
}
