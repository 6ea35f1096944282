/// This is one categorical quantity of one pane: counts of the reference's categories, unseen, missing.
public struct CategoricalProfile: Equatable, Sendable {
    /// Distinct unseen texts that are remembered by name; later ones count as unseen only.
    public static let unseenTextCountMax = 64

    /// [categoryCount + 1]; the last is the unseen bin.
    public private(set) var counts: [UInt64]
    public private(set) var missing: UInt64 = 0
    /// Unseen texts with their counts; a text may be counted too low when there were many others.
    public private(set) var unseenTexts: [String: UInt64] = [:]

    public init(categoryCount: Int) {
        counts = [UInt64](repeating: 0, count: categoryCount + 1)
    }

    /// Puts a stored profile together again.
    public init?(counts: [UInt64], missing: UInt64, unseenTexts: [String: UInt64]) {
        guard !counts.isEmpty, unseenTexts.count <= Self.unseenTextCountMax else { return nil }
        self.counts = counts
        self.missing = missing
        self.unseenTexts = unseenTexts
    }

    /// Values that are not missing.
    public var count: UInt64 { counts.reduce(0, +) }
    public var unseen: UInt64 { counts[counts.count - 1] }

    /// Counts `times` values of a category, of the unseen bin (the last), or missing (nil).
    public mutating func absorb(category: Int?, times: UInt64 = 1) {
        if let category { counts[category] += times } else { missing += times }
    }

    /// Counts unseen texts by name as well.
    public mutating func absorbUnseen(_ text: String, times: UInt64 = 1) {
        absorb(category: counts.count - 1, times: times)
        remember(text, times)
    }

    private mutating func remember(_ text: String, _ times: UInt64) {
        if unseenTexts[text] != nil || unseenTexts.count < Self.unseenTextCountMax {
            unseenTexts[text, default: 0] += times
        }
    }

    /// - Precondition: both have the same categories.
    public mutating func merge(_ other: Self) {
        precondition(counts.count == other.counts.count, "profiles of different categories")
        for index in counts.indices { counts[index] += other.counts[index] }
        missing += other.missing
        for (text, times) in other.unseenTexts.sorted(by: { $0.key < $1.key }) {
            remember(text, times)
        }
    }
}
