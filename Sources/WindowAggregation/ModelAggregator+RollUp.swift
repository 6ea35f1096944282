import MonitoringDomain

extension ModelAggregator {
    mutating func occupy(_ number: Int64, level: Int) {
        if let last = occupied[level].last, last < number {
            occupied[level].append(number)
            return
        }
        var low = 0
        var high = occupied[level].count
        while low < high {
            let middle = (low + high) / 2
            if occupied[level][middle] < number { low = middle + 1 } else { high = middle }
        }
        if low < occupied[level].count, occupied[level][low] == number { return }
        occupied[level].insert(number, at: low)
    }

    /// Merges the panes beyond the retention into the next level's, and drops those beyond the last.
    mutating func rollUp() {
        guard let reference else { return }
        let counts = retention.countMax(
            levels: levels, profilesPerPane: series.count * (reference.features.count + 2))
        for level in levels.spans.indices where occupied[level].count > counts[level] {
            let oldest = occupied[level][occupied[level].count - counts[level]]
            let time = levels.start(of: oldest, level: level).milliseconds
            let isLast = level == levels.spans.count - 1
            let next = isLast ? level : level + 1
            let cut = levels.start(of: levels.number(of: time, level: next), level: next)
            guard cut.milliseconds > levels.cuts[level] else { continue }
            move(before: cut, from: level, reference)
        }
    }

    mutating func move(
        before cut: EventTime, from level: Int, _ reference: ModelReference
    ) {
        let first = levels.number(of: cut.milliseconds, level: level)
        levels.cuts[level] = cut.milliseconds
        occupied[level].removeFirst(occupied[level].firstIndex { $0 >= first } ?? 0)
        for index in series.indices {
            for (number, profile) in series[index].levels[level].removeBelow(first) {
                let start = levels.start(of: number, level: level).milliseconds
                guard let target = levels.level(of: start) else { continue }
                let place = place(
                    of: levels.number(of: start, level: target), level: target, series: index,
                    reference)
                series[index].levels[target].profiles[place].merge(profile)
            }
        }
    }
}
