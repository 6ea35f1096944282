public import MonitoringDomain
import StreamingStatistics

/// This is one model's panes: rows are folded in, windows are merged out.
///
/// It guarantees that counts do not depend on the order or the batching of rows. Its limit: a feature
/// that the reference does not know is not profiled, because it has no bins.
public struct ModelAggregator: Sendable {
    /// This is the newest schema; what the panes were made with is in the reference.
    public private(set) var schema: ModelSchema
    /// This is what windows are compared with; nil until one is pinned.
    public private(set) var reference: ModelReference?
    /// In order of first appearance.
    public private(set) var versions: [String] = []
    var series: [PaneSeries] = []
    private var indexOfVersion: [String: Int] = [:]

    /// Makes an aggregator that counts nothing until a reference is pinned.
    public init(schema: ModelSchema) { self.schema = schema }

    init(schema: ModelSchema, reference: ModelReference?, versions: [String], series: [PaneSeries])
    {
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

    /// Takes a schema with more features, or with a task that was learned.
    ///
    /// A reference keeps the task and the positive label it was pinned with, so another task or label
    /// counts from the next reference on; only what a reference without panes did not know is filled in.
    ///
    /// - Precondition: the pane's span stays the same once there are panes.
    public mutating func update(schema: ModelSchema) {
        precondition(
            series.isEmpty || schema.paneMilliseconds == self.schema.paneMilliseconds,
            "a pane of \(schema.paneMilliseconds) ms among panes of \(self.schema.paneMilliseconds) ms"
        )
        self.schema = schema
        guard series.isEmpty, var reference else { return }
        reference.task = reference.task ?? schema.task
        reference.positiveLabel = reference.positiveLabel ?? schema.positiveLabel
        self.reference = reference
    }

    /// Pins a reference and drops all panes: the caller folds the log again.
    public mutating func pin(_ reference: ModelReference) {
        self.reference = reference
        versions = []
        series = []
        indexOfVersion = [:]
    }

    /// This is the names of the schema's features, known to the reference or not.
    public var featureNames: [String] { schema.features.map(\.name) }

    /// This is from the first pane's start to the last pane's end; nil without rows.
    public var extent: TimeWindow? {
        let first = series.compactMap(\.numbers.first).min()
        let last = series.compactMap(\.numbers.last).max()
        guard let first, let last else { return nil }
        return TimeWindow(
            start: start(ofPane: first),
            end: start(ofPane: last).advanced(byMilliseconds: schema.paneMilliseconds))
    }

    // MARK: - Folding in

    /// Folds the rows that the join admitted into their panes.
    ///
    /// - Parameters:
    ///   - batch: Columns of equal length; features that the reference does not know are passed over.
    ///   - rows: Indices into the batch, strictly increasing.
    public mutating func absorb(_ batch: PredictionBatch, rows: [Int]) {
        guard let reference, !rows.isEmpty else { return }
        let groups = grouped(batch, rows)
        for group in groups {
            let place = series[group.version].place(of: group.pane) {
                PaneProfile(for: reference)
            }
            series[group.version].profiles[place].predictionCount += UInt64(group.rows.count)
        }
        // Only now, because a pane that was inserted moved those behind it.
        let places = groups.map {
            (series: $0.version, pane: series[$0.version].place(of: $0.pane))
        }
        var bins: [UInt16] = []
        for (index, feature) in reference.features.enumerated() {
            let column = batch.column(named: feature.name, near: index)
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
        let predictions = batch.predictionColumn(for: reference.task)
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
            PaneProfile(for: reference)
        }
        series[version].profiles[place].outcomes.absorb(
            outcome, edges: reference.scoreEdges, task: reference.task,
            positiveLabel: reference.positiveLabel, adding: adding)
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
        let (quotient, remainder) = milliseconds.quotientAndRemainder(dividingBy: span)
        return remainder < 0 ? quotient - 1 : quotient
    }

    private func start(ofPane number: Int64) -> EventTime {
        let (start, overflow) = number.multipliedReportingOverflow(by: schema.paneMilliseconds)
        if overflow { return EventTime(milliseconds: number < 0 ? .min : .max) }
        return EventTime(milliseconds: start)
    }

    // MARK: - Merging out

    /// Visits the panes whose start lies in the window, of one version or of all.
    func forEachPane(version: String?, window: TimeWindow, _ body: (PaneProfile) -> Void) {
        let rounded = window.start.advanced(byMilliseconds: schema.paneMilliseconds - 1)
        let first = pane(of: rounded.milliseconds)
        for (name, series) in zip(versions, series) where version == nil || version == name {
            var place = series.place(of: first)
            while place < series.numbers.count, start(ofPane: series.numbers[place]) < window.end {
                body(series.profiles[place])
                place += 1
            }
        }
    }

    /// This is the totals of a version's outcomes in a window, over whole panes that start in it.
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

extension PredictionBatch {
    /// This is a feature's column, nil where the batch has none.
    ///
    /// Batches mostly name features in the reference's order, so `place` is looked at first.
    fileprivate func column(named name: String, near place: Int) -> FeatureColumn? {
        if place < features.count, features[place].name == name { return features[place].column }
        return features.first { $0.name == name }?.column
    }
}

extension NumericProfile {
    /// Counts some rows of a column whose bins are known.
    mutating func absorb(_ values: [Double], bins: [UInt16], rows: [Int]) {
        guard let first = rows.first, let last = rows.last else { return }
        if last - first + 1 == rows.count {
            absorb(
                values.span.extracting(first...last), bins: bins.span.extracting(first...last))
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
        var profile = FeatureProfile.placeholder
        swap(&profile, &features[index])
        body(&profile)
        swap(&profile, &features[index])
    }

    mutating func absorb(_ values: [Double], bins: [UInt16], rows: [Int], feature index: Int) {
        withFeature(index) { profile in
            guard case .numeric(var numeric) = profile else { return }
            profile = .placeholder
            numeric.absorb(values, bins: bins, rows: rows)
            profile = .numeric(numeric)
        }
    }

    mutating func absorb(_ texts: TextColumn, codes: [Int?], rows: [Int], feature index: Int) {
        let missing = texts.dictionary.count
        func position(of row: Int) -> Int {
            let code = texts.codes[row]
            return code == TextColumn.missing ? missing : Int(code)
        }
        withFeature(index) { profile in
            guard case .categorical(var categorical) = profile else { return }
            profile = .placeholder
            func count(_ position: Int, times: UInt64) {
                if position == missing {
                    categorical.absorb(category: nil, times: times)
                } else if let code = codes[position] {
                    categorical.absorb(category: code, times: times)
                } else {
                    categorical.absorbUnseen(texts.dictionary[position], times: times)
                }
            }
            if rows.count <= missing {
                // A few rows of a large dictionary: a table of it for each pane would cost more.
                for row in rows { count(position(of: row), times: 1) }
            } else {
                var counts = [UInt64](repeating: 0, count: missing + 1)
                for row in rows { counts[position(of: row)] += 1 }
                for (position, times) in counts.enumerated() where times > 0 {
                    count(position, times: times)
                }
            }
            profile = .categorical(categorical)
        }
    }

    mutating func absorbMissing(_ count: Int, feature index: Int) {
        withFeature(index) { profile in
            switch profile {
            case .numeric(var numeric):
                profile = .placeholder
                numeric.absorbMissing(UInt64(count))
                profile = .numeric(numeric)
            case .categorical(var categorical):
                profile = .placeholder
                categorical.absorb(category: nil, times: UInt64(count))
                profile = .categorical(categorical)
            }
        }
    }
}
