public import MonitoringDomain

extension ModelAggregator {
    /// Counts values of another type than their feature's, whose records were refused for them.
    ///
    /// - Parameters:
    ///   - batch: A row for each value, with time, version and segments of its record.
    ///   - features: [rowCount]: the features' names; those that the reference does not know are passed over.
    public mutating func absorb(typeErrorsOf batch: PredictionBatch, features: TextColumn) {
        guard let reference else { return }
        let places = features.dictionary.map { name in
            reference.place(ofFeature: name, schema)
        }
        let placeOfRow = features.codes.map { code in
            code == TextColumn.missing ? nil : places[Int(code)]
        }
        let rows = placeOfRow.indices.filter { placeOfRow[$0] != nil }
        guard !rows.isEmpty else { return }
        for group in grouped(batch, rows, slices(of: batch)) {
            for row in group.rows {
                guard let place = placeOfRow[row] else { continue }
                series[group.series].levels[group.level].profiles[group.place]
                    .addTypeErrors(1, feature: place)
            }
        }
        rollUp()
    }
}

extension ModelAggregator {
    /// These are the versions that have rows, in order of first appearance: a version of which records were
    /// only refused, or only repeats came, is none that serves.
    public var servedVersions: [String] {
        versions.indices.filter(hasRows).map { versions[$0] }
    }

    /// This is the version that appeared last and has rows; nil without rows.
    public var newestVersion: String? {
        versions.indices.last(where: hasRows).map { versions[$0] }
    }

    private func hasRows(ofVersion version: Int) -> Bool {
        guard let index = indexOfSeries[SeriesKey(version: version, segment: nil)] else {
            return false
        }
        return series[index].levels.contains { level in
            level.profiles.contains { $0.predictionCount > 0 }
        }
    }
}

extension PaneProfile {
    mutating func addTypeErrors(_ count: UInt64, feature: Int) {
        if typeErrors.isEmpty { typeErrors = [UInt64](repeating: 0, count: features.count) }
        typeErrors[feature] += count
    }
}

extension ModelReference {
    /// This is where the feature is counted: a text or a vector in the first of the numbers that stand for
    /// it, because that one is missing exactly where the value is.
    func place(ofFeature name: String, _ schema: ModelSchema) -> Int? {
        let feature = schema.features.first { $0.name.isExactly(name) }
        let measured = feature?.firstMeasuredName ?? name
        return features.firstIndex { $0.name.isExactly(measured) }
    }
}
