public import MonitoringDomain
import StreamingStatistics

/// This is one model's panes: rows are folded in, windows are merged out.
///
/// It guarantees that counts do not depend on the order or the batching of rows. Its limit: a feature
/// that the reference does not know is not profiled, because it has no bins.
public struct ModelAggregator: Sendable {
    public private(set) var schema: ModelSchema
    public private(set) var reference: ModelReference?
    /// In order of first appearance.
    public private(set) var versions: [String] = []
    var series: [PaneSeries] = []
    private var indexOfVersion: [String: Int] = [:]

    public init(schema: ModelSchema) { self.schema = schema }

    init(schema: ModelSchema, reference: ModelReference?, versions: [String], series: [PaneSeries]) {
        self.schema = schema
        self.reference = reference
        self.versions = versions
        self.series = series
        for (index, version) in versions.enumerated() { indexOfVersion[version] = index }
    }

    /// The panes of one version, by pane number, sorted.
    struct PaneSeries: Sendable, Equatable {
        var numbers: [Int64] = []
        var profiles: [PaneProfile] = []

        /// This is the first place whose pane number is at least `number`.
        func place(of number: Int64) -> Int {
            if let last = numbers.last, last < number { return numbers.count }
            var low = 0
            var high = numbers.count
            while low < high {
                let middle = (low + high) / 2
                if numbers[middle] < number { low = middle + 1 } else { high = middle }
            }
            return low
        }

        mutating func place(of number: Int64, orInsert make: () -> PaneProfile) -> Int {
            let place = place(of: number)
            if place == numbers.count || numbers[place] != number {
                numbers.insert(number, at: place)
                profiles.insert(make(), at: place)
            }
            return place
        }
    }

    public mutating func update(schema: ModelSchema) { self.schema = schema }

    /// Pins a reference and drops all panes: the caller folds the log again.
    public mutating func pin(_ reference: ModelReference) {
        self.reference = reference
        versions = []
        series = []
        indexOfVersion = [:]
    }

    public var featureNames: [String] { schema.features.map(\.name) }

    /// This is from the first pane's start to the last pane's end; nil without rows.
    public var extent: TimeWindow? {
        let first = series.compactMap(\.numbers.first).min()
        let last = series.compactMap(\.numbers.last).max()
        guard let first, let last else { return nil }
        return TimeWindow(start: start(ofPane: first), end: start(ofPane: last + 1))
    }

    // MARK: - Folding in

    /// Folds the rows that the join admitted into their panes.
    ///
    /// - Parameter rows: Indices into the batch, strictly increasing.
    public mutating func absorb(_ batch: PredictionBatch, rows: [Int]) {
        guard let reference, !rows.isEmpty else { return }
        let groups = grouped(batch, rows)
        var places: [(series: Int, pane: Int)] = []
        for group in groups {
            let place = series[group.version].place(of: group.pane) {
                PaneProfile(for: reference, task: schema.task)
            }
            places.append((group.version, place))
            series[group.version].profiles[place].predictionCount += UInt64(group.rows.count)
        }
        // A pane that was inserted moves those behind it.
        for index in groups.indices {
            places[index].pane = series[groups[index].version].place(of: groups[index].pane)
        }
        var bins: [UInt16] = []
        for (index, feature) in reference.features.enumerated() {
            let column = batch.features.first { $0.name == feature.name }?.column
            switch (feature.content, column) {
            case (.numeric(let numeric), .numeric(let values)?):
                numeric.edges.bins(of: values.span, into: &bins)
                for (group, place) in zip(groups, places) {
                    series[place.series].profiles[place.pane].absorb(
                        values, bins: bins, rows: group.rows, feature: index)
                }
            case (.categorical(let categorical), .categorical(let texts)?):
                let codes = texts.dictionary.map { categorical.codeOfCategory[$0] }
                for (group, place) in zip(groups, places) {
                    series[place.series].profiles[place.pane].absorb(
                        texts, codes: codes, rows: group.rows, feature: index)
                }
            case (.numeric, _), (.categorical, _):
                for (group, place) in zip(groups, places) {
                    series[place.series].profiles[place.pane].absorbMissing(
                        group.rows.count, feature: index)
                }
            }
        }
        let predictions = batch.predictionColumn(for: schema.task)
        reference.prediction.edges.bins(of: predictions.span, into: &bins)
        for (group, place) in zip(groups, places) {
            series[place.series].profiles[place.pane].prediction.absorb(
                predictions, bins: bins, rows: group.rows)
        }
    }

    /// Counts an outcome in the pane of its prediction, or takes it back.
    public mutating func absorb(_ outcome: Outcome, adding: Bool) {
        guard let reference else { return }
        let version = index(ofVersion: outcome.version)
        let place = series[version].place(of: pane(of: outcome.time.milliseconds)) {
            PaneProfile(for: reference, task: schema.task)
        }
        series[version].profiles[place].outcomes.absorb(
            outcome, edges: reference.prediction.scoreEdges, positiveLabel: schema.positiveLabel,
            adding: adding)
    }

    private struct Group {
        var version: Int
        var pane: Int64
        var rows: [Int]
    }

    private mutating func grouped(_ batch: PredictionBatch, _ rows: [Int]) -> [Group] {
        let versionOfCode = batch.versions.dictionary.map { index(ofVersion: $0) }
        let fallback =
            batch.versions.codes.contains(TextColumn.missing) ? index(ofVersion: "default") : 0
        struct Key: Hashable {
            let version: Int
            let pane: Int64
        }
        var groups: [Group] = []
        var indexOfKey: [Key: Int] = [:]
        var current: (key: Key, index: Int)?
        for row in rows {
            let code = batch.versions.codes[row]
            let key = Key(
                version: code == TextColumn.missing ? fallback : versionOfCode[Int(code)],
                pane: pane(of: batch.times[row]))
            if let current, current.key == key {
                groups[current.index].rows.append(row)
                continue
            }
            if let index = indexOfKey[key] {
                groups[index].rows.append(row)
                current = (key, index)
            } else {
                indexOfKey[key] = groups.count
                current = (key, groups.count)
                groups.append(Group(version: key.version, pane: key.pane, rows: [row]))
            }
        }
        return groups
    }

    private mutating func index(ofVersion version: String) -> Int {
        if let index = indexOfVersion[version] { return index }
        indexOfVersion[version] = versions.count
        versions.append(version)
        series.append(PaneSeries())
        return versions.count - 1
    }

    func pane(of milliseconds: Int64) -> Int64 {
        let span = schema.paneMilliseconds
        return milliseconds >= 0 ? milliseconds / span : -((-milliseconds + span - 1) / span)
    }

    private func start(ofPane number: Int64) -> EventTime {
        EventTime(milliseconds: number * schema.paneMilliseconds)
    }

    // MARK: - Merging out

    /// Visits the panes whose start lies in the window, of one version or of all.
    func forEachPane(version: String?, window: TimeWindow, _ body: (PaneProfile) -> Void) {
        let first = pane(of: window.start.advanced(byMilliseconds: schema.paneMilliseconds - 1)
            .milliseconds)
        for (name, series) in zip(versions, series) where version == nil || version == name {
            var place = series.place(of: first)
            while place < series.numbers.count, start(ofPane: series.numbers[place]) < window.end {
                body(series.profiles[place])
                place += 1
            }
        }
    }

    public func outcomeSummary(version: String, window: TimeWindow) -> OutcomeSummary {
        var summary = OutcomeSummary()
        var regression = RegressionOutcomes()
        forEachPane(version: version, window: window) { pane in
            summary.count += pane.outcomes.binary.count + pane.outcomes.regression.count
            summary.correct += pane.outcomes.binary.correct
            regression.merge(pane.outcomes.regression)
        }
        summary.absoluteErrorSum = regression.absoluteSum.value
        // |e|² = e², so the squared errors serve.
        summary.absoluteErrorSquareSum = regression.squaredSum.value
        return summary
    }
}

extension NumericProfile {
    /// Counts some rows of a column whose bins are known.
    mutating func absorb(_ values: [Double], bins: [UInt16], rows: [Int]) {
        guard let first = rows.first, let last = rows.last else { return }
        if last - first + 1 == rows.count {
            absorb(
                values.span.extracting(first..<(last + 1)), bins: bins.span.extracting(first..<(last + 1)))
        } else {
            let picked = rows.map { values[$0] }
            let pickedBins = rows.map { bins[$0] }
            absorb(picked.span, bins: pickedBins.span)
        }
    }
}

extension PaneProfile {
    /// Changes a profile in place: it is taken out first, so that its arrays are not shared and copied.
    private mutating func withFeature(_ index: Int, _ body: (inout FeatureProfile) -> Void) {
        var profile = FeatureProfile.categorical(CategoricalProfile(categoryCount: 0))
        swap(&profile, &features[index])
        body(&profile)
        swap(&profile, &features[index])
    }

    mutating func absorb(_ values: [Double], bins: [UInt16], rows: [Int], feature index: Int) {
        withFeature(index) { profile in
            guard case .numeric(var numeric) = profile else { return }
            profile = .categorical(CategoricalProfile(categoryCount: 0))
            numeric.absorb(values, bins: bins, rows: rows)
            profile = .numeric(numeric)
        }
    }

    mutating func absorb(_ texts: TextColumn, codes: [Int?], rows: [Int], feature index: Int) {
        var counts = [UInt64](repeating: 0, count: texts.dictionary.count + 1)
        for row in rows {
            let code = texts.codes[row]
            counts[code == TextColumn.missing ? texts.dictionary.count : Int(code)] += 1
        }
        withFeature(index) { profile in
            guard case .categorical(var categorical) = profile else { return }
            profile = .categorical(CategoricalProfile(categoryCount: 0))
            for (position, count) in counts.enumerated() where count > 0 {
                if position == texts.dictionary.count {
                    categorical.absorb(category: nil, times: count)
                } else if let code = codes[position] {
                    categorical.absorb(category: code, times: count)
                } else {
                    categorical.absorbUnseen(texts.dictionary[position], times: count)
                }
            }
            profile = .categorical(categorical)
        }
    }

    mutating func absorbMissing(_ count: Int, feature index: Int) {
        withFeature(index) { profile in
            switch profile {
            case .numeric(var numeric):
                numeric.absorbMissing(UInt64(count))
                profile = .numeric(numeric)
            case .categorical(var categorical):
                categorical.absorb(category: nil, times: UInt64(count))
                profile = .categorical(categorical)
            }
        }
    }
}
