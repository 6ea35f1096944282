import MonitoringDomain

/// This is the panes of one granularity, by number, sorted.
struct Panes: Sendable, Equatable {
    private(set) var numbers: [Int64] = []
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

    /// Takes out the panes with numbers below `number`.
    mutating func removeBelow(_ number: Int64) -> [(number: Int64, profile: PaneProfile)] {
        let count = place(of: number)
        guard count > 0 else { return [] }
        let removed = Array(zip(numbers[..<count], profiles[..<count]))
        numbers.removeFirst(count)
        profiles.removeFirst(count)
        return removed.map { (number: $0.0, profile: $0.1) }
    }

    /// Appends a stored pane; false where it is out of order.
    mutating func append(_ number: Int64, _ profile: PaneProfile) -> Bool {
        if let last = numbers.last, last >= number { return false }
        numbers.append(number)
        profiles.append(profile)
        return true
    }
}

/// This is whose rows a series holds: a version's, and of these all or one segment's.
struct SeriesKey: Hashable, Sendable {
    /// An index into the aggregator's versions.
    var version: Int
    /// Nil: the version's whole traffic.
    var segment: SegmentCode?
}

/// This is a segment as the numbers of its key and its value.
struct SegmentCode: Hashable, Sendable {
    var key: Int
    var value: Int
}

/// This is the panes of one version or one segment of it, finest level first.
struct PaneSeries: Sendable, Equatable {
    let key: SeriesKey
    var levels: [Panes]

    init(key: SeriesKey, levelCount: Int) {
        self.key = key
        levels = [Panes](repeating: Panes(), count: levelCount)
    }
}
