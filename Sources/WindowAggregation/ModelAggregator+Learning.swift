public import MonitoringDomain

extension ModelAggregator {
    /// Makes an aggregator of rows that have no reference yet: of one without rows, so that every quantity
    /// has one bin, and what needs no bins is exact.
    public init(learning schema: ModelSchema) {
        self.init(schema: schema)
        reference = ModelReference(
            id: "learning", pinnedAt: EventTime(milliseconds: 0), origin: .learned, schema: schema,
            batches: [])
    }

    /// Takes a schema with more features; in the rows so far they are missing.
    ///
    /// - Precondition: the aggregator was made without a reference's rows.
    public mutating func extend(_ schema: ModelSchema) {
        self.schema = schema
        guard var reference else { return }
        precondition(reference.rowCount == 0, "\(reference.rowCount) rows have bins")
        let known = reference.features.map(\.name).exactSet
        let added = schema.measuredFeatures.filter { !known.contains(ExactText($0.name)) }
            .map { FeatureReference($0, []) }
        reference.features += added
        self.reference = reference
        for index in series.indices {
            for level in series[index].levels.indices {
                for place in series[index].levels[level].profiles.indices {
                    series[index].levels[level].profiles[place].extend(by: added)
                }
            }
        }
    }

    /// Counts the repeats and the values of other types that another aggregator has counted.
    public mutating func takeRefusals(from other: ModelAggregator) {
        guard let reference, let otherReference = other.reference else { return }
        let places = otherReference.features.map { feature in
            reference.features.firstIndex { $0.name.isExactly(feature.name) }
        }
        for one in other.series {
            for (level, panes) in one.levels.enumerated() {
                for (number, profile) in zip(panes.numbers, panes.profiles) {
                    let start = other.levels.start(of: number, level: level).milliseconds
                    takeRefusals(profile, of: one.key, from: other, at: start, places)
                }
            }
        }
        rollUp()
    }

    private mutating func takeRefusals(
        _ profile: PaneProfile, of key: SeriesKey, from other: ModelAggregator, at time: Int64,
        _ places: [Int?]
    ) {
        let hasErrors = profile.typeErrors.contains { $0 > 0 }
        guard let reference, profile.serving.duplicateCount > 0 || hasErrors,
            let level = levels.level(of: time)
        else { return }
        var own = SeriesKey(version: index(ofVersion: other.versions[key.version]), segment: nil)
        if let segment = key.segment.map(other.segment) {
            guard let place = segments.keys.firstIndex(of: segment.key) else { return }
            own.segment = SegmentCode(
                key: place, value: segments.code(of: segment.value, key: place))
        }
        let series = index(ofSeries: own)
        let pane = place(
            of: levels.number(of: time, level: level), level: level, series: series, reference)
        self.series[series].levels[level].profiles[pane].serving.duplicateCount +=
            profile.serving.duplicateCount
        for (feature, count) in profile.typeErrors.enumerated() where count > 0 {
            guard let place = places[feature] else { continue }
            self.series[series].levels[level].profiles[pane].addTypeErrors(count, feature: place)
        }
    }
}

extension PaneProfile {
    fileprivate mutating func extend(by added: [FeatureReference]) {
        for feature in added {
            features.append(feature.content.emptyProfile)
            absorbMissing(Int(clamping: predictionCount), feature: features.count - 1)
            if !typeErrors.isEmpty { typeErrors.append(0) }
        }
    }
}
