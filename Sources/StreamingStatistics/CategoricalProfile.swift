/// This is one categorical quantity of one pane: counts of the reference's categories, unseen, missing.
public struct CategoricalProfile: Equatable, Sendable {
    /// This is a text that equals another one only where their bytes are the same, unlike `String`, which
    /// takes the forms of Unicode for one: else a sum would bear the name that came first.
    public struct Text: Hashable, Sendable {
        /// This is the text.
        public let string: String

        /// Wraps a text.
        public init(_ string: String) { self.string = string }

        /// Compares bytes.
        public static func == (left: Self, right: Self) -> Bool {
            left.string.utf8.elementsEqual(right.string.utf8)
        }

        /// Hashes bytes.
        public func hash(into hasher: inout Hasher) {
            hasher.combine(DistinctSketch.hash(of: string))
        }
    }

    /// Distinct unseen texts that are remembered by name.
    public static let unseenTextCountMax = 64

    /// [categoryCount + 1]; the last is the unseen bin.
    public private(set) var counts: [UInt64]
    /// Values that are missing.
    public private(set) var missing: UInt64 = 0
    /// The most frequent unseen texts with their counts.
    ///
    /// Exact up to `unseenTextCountMax` distinct ones, in whatever order they were counted and merged.
    /// Source: J. Misra, D. Gries, "Finding Repeated Elements", 1982; merging: P. Agarwal et al.,
    /// "Mergeable Summaries", PODS 2012.
    /// - Accuracy: Beyond that, a count is too low by at most `unseen / 65`, never too high; so every
    ///   text with more than that share is here.
    public private(set) var unseenTexts: [Text: UInt64] = [:]
    /// How many distinct unseen texts there are, about.
    public private(set) var unseenSketch = DistinctSketch()

    /// Starts empty.
    public init(categoryCount: Int) {
        counts = [UInt64](repeating: 0, count: categoryCount + 1)
    }

    /// Puts a stored profile together again.
    public init?(
        counts: [UInt64], missing: UInt64, unseenTexts: [Text: UInt64],
        unseenSketch: DistinctSketch
    ) {
        var total: UInt64 = 0
        for count in counts {
            let (sum, isOverflow) = total.addingReportingOverflow(count)
            guard !isOverflow else { return nil }
            total = sum
        }
        guard let unseen = counts.last, unseenTexts.count <= Self.unseenTextCountMax else {
            return nil
        }
        var named: UInt64 = 0
        for count in unseenTexts.values {
            let (sum, isOverflow) = named.addingReportingOverflow(count)
            guard !isOverflow, sum <= unseen else { return nil }
            named = sum
        }
        self.counts = counts
        self.missing = missing
        self.unseenTexts = unseenTexts
        self.unseenSketch = unseenSketch
    }

    /// Values that are not missing.
    public var count: UInt64 { counts.reduce(0, +) }
    /// Values that the reference has no category for.
    public var unseen: UInt64 { counts[counts.count - 1] }

    /// By how much a count in `unseenTexts` can be too low, and a text that is not there can have been
    /// counted: 0 while every unseen value is named there.
    ///
    /// Source: the bound of Misra and Gries, with the rows that the table dropped in place of all rows.
    public var unseenCountErrorMax: UInt64 {
        (unseen - unseenTexts.values.reduce(0, +)) / UInt64(Self.unseenTextCountMax + 1)
    }

    /// This is the number of distinct values, with its relative standard error: 0 where it is exact.
    ///
    /// The reference's categories are counted exactly; unseen texts as long as all are remembered by name.
    public var distinct: (value: Double, relativeStandardError: Double) {
        let seen = Double(counts.dropLast().count { $0 > 0 })
        if unseenTexts.values.reduce(0, +) == unseen {
            return (seen + Double(unseenTexts.count), 0)
        }
        let others = max(unseenSketch.estimate.rounded(), Double(unseenTexts.count))
        return (
            seen + others,
            DistinctSketch.relativeStandardError * others / max(1, seen + others)
        )
    }

    /// Counts `times` values of a category, of the unseen bin (the last), or missing (nil).
    public mutating func absorb(category: Int?, times: UInt64 = 1) {
        if let category { counts[category] += times } else { missing += times }
    }

    /// Counts unseen texts by name as well.
    public mutating func absorbUnseen(_ text: String, times: UInt64 = 1) {
        guard times > 0 else { return }
        absorb(category: counts.count - 1, times: times)
        unseenSketch.insert(hash: DistinctSketch.hash(of: text))
        remember(Text(text), times)
    }

    private mutating func remember(_ text: Text, _ times: UInt64) {
        unseenTexts[text, default: 0] += times
        dropRarest()
    }

    /// Keeps the table within its limit by taking the largest count that must go from all counts.
    private mutating func dropRarest() {
        guard unseenTexts.count > Self.unseenTextCountMax else { return }
        let largest = unseenTexts.values.sorted(by: >)
        let taken = largest[Self.unseenTextCountMax]
        unseenTexts = unseenTexts.compactMapValues { $0 > taken ? $0 - taken : nil }
    }

    /// Counts what another profile has counted.
    ///
    /// - Precondition: both have the same categories.
    public mutating func merge(_ other: Self) {
        precondition(counts.count == other.counts.count, "profiles of different categories")
        for index in counts.indices { counts[index] += other.counts[index] }
        missing += other.missing
        unseenTexts.merge(other.unseenTexts, uniquingKeysWith: +)
        unseenSketch.merge(other.unseenSketch)
        dropRarest()
    }
}
