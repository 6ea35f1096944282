import MonitoringDomain

extension ModelAggregator {
    /// Rows of one pane.
    struct Group {
        var series: Int
        var level: Int
        var number: Int64
        /// Among the level's panes.
        var place = 0
        var rows: [Int] = []
    }

    /// By slicing, the whole first, then the segment keys: the series of each row.
    mutating func slices(of batch: PredictionBatch) -> [[Int]] {
        let versionOfCode = batch.versions.dictionary.map { index(ofVersion: $0) }
        let fallback =
            batch.versions.codes.contains(TextColumn.missing) ? index(ofVersion: "default") : 0
        let versions = batch.versions.codes.map {
            $0 == TextColumn.missing ? fallback : versionOfCode[Int($0)]
        }
        var slices: [[Int]] = []
        // Neighbouring rows are mostly of one series.
        var known: [SeriesKey: Int] = [:]
        var last: (key: SeriesKey, index: Int)?
        func number(_ key: SeriesKey, _ aggregator: inout Self) -> Int {
            if let last, last.key == key { return last.index }
            let index = known[key] ?? aggregator.index(ofSeries: key)
            known[key] = index
            last = (key, index)
            return index
        }
        slices.append(versions.map { number(SeriesKey(version: $0, segment: nil), &self) })
        for (key, codes) in segments.codes(of: batch).enumerated() {
            slices.append(
                zip(versions, codes).map { version, value in
                    let segment = SegmentCode(key: key, value: value)
                    return number(SeriesKey(version: version, segment: segment), &self)
                })
        }
        return slices
    }

    /// The groups' panes exist; rows that are older than everything kept are in none.
    mutating func grouped(
        _ batch: PredictionBatch, _ rows: [Int], _ slices: [[Int]]
    ) -> [Group] {
        guard let reference else { return [] }
        struct Key: Hashable {
            let series: Int
            let level: Int
            let number: Int64
        }
        let panes = rows.map { row -> (level: Int, number: Int64)? in
            levels.level(of: batch.times[row]).map {
                ($0, levels.number(of: batch.times[row], level: $0))
            }
        }
        var groups: [Group] = []
        var indexOfKey: [Key: Int] = [:]
        for slice in slices {
            var current: (key: Key, index: Int)?
            for (row, pane) in zip(rows, panes) {
                guard let pane else { continue }
                let key = Key(series: slice[row], level: pane.level, number: pane.number)
                if let current, current.key == key {
                    groups[current.index].rows.append(row)
                } else if let index = indexOfKey[key] {
                    groups[index].rows.append(row)
                    current = (key, index)
                } else {
                    indexOfKey[key] = groups.count
                    current = (key, groups.count)
                    groups.append(
                        Group(
                            series: key.series, level: key.level, number: key.number, rows: [row]))
                }
            }
        }
        for group in groups {
            _ = place(of: group.number, level: group.level, series: group.series, reference)
        }
        // Only now, because a pane that was inserted moved those behind it.
        return groups.map { group in
            var group = group
            group.place = series[group.series].levels[group.level].place(of: group.number)
            return group
        }
    }

    mutating func place(
        of number: Int64, level: Int, series index: Int, _ reference: ModelReference
    ) -> Int {
        occupy(number, level: level)
        return series[index].levels[level].place(of: number) { PaneProfile(for: reference) }
    }

    mutating func index(ofSeries key: SeriesKey) -> Int {
        if let index = indexOfSeries[key] { return index }
        indexOfSeries[key] = series.count
        series.append(PaneSeries(key: key, levelCount: levels.spans.count))
        return series.count - 1
    }

    mutating func index(ofVersion version: String) -> Int {
        if let index = indexOfVersion[ExactText(version)] { return index }
        if versions.count >= Self.versionCountMax, version != Segment.other {
            return index(ofVersion: Segment.other)
        }
        indexOfVersion[ExactText(version)] = versions.count
        versions.append(version)
        return versions.count - 1
    }
}
