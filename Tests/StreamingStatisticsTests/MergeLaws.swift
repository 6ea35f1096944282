import MonitoringTestSupport
import StreamingStatistics
import Testing

/// This is what all accumulators share.
protocol Mergeable: Equatable {
    mutating func merge(_ other: Self)
}

extension BinCounts: Mergeable {}
extension CompensatedSum: Mergeable {}
extension NumericProfile: Mergeable {}
extension CategoricalProfile: Mergeable {}
extension DistinctSketch: Mergeable {}
extension BinaryOutcomes: Mergeable {}
extension RegressionOutcomes: Mergeable {}

/// Expects that merging has an identity, any order and any grouping, and equals absorbing the union.
///
/// The sums of `rows` must be exact in a double, because equality is; `cuts` cuts them in three.
func checkMergeLaws<Row, Profile: Mergeable>(
    _ empty: Profile, _ rows: [Row], cuts: (Int, Int), absorb: (inout Profile, Row) -> Void
) {
    func profile(_ rows: ArraySlice<Row>) -> Profile {
        var profile = empty
        for row in rows { absorb(&profile, row) }
        return profile
    }
    func merged(_ left: Profile, _ right: Profile) -> Profile {
        var result = left
        result.merge(right)
        return result
    }
    let whole = profile(rows[...])
    let (a, b, c) = (
        profile(rows[..<cuts.0]), profile(rows[cuts.0..<cuts.1]), profile(rows[cuts.1...])
    )
    #expect(merged(whole, empty) == whole)
    #expect(merged(empty, whole) == whole)
    #expect(merged(a, b) == merged(b, a))
    #expect(merged(merged(a, b), c) == merged(a, merged(b, c)))
    #expect(merged(merged(a, b), c) == whole)
}

/// This is two random ascending indices of `0...count`.
func randomCuts(_ count: Int, _ random: inout SeededGenerator) -> (Int, Int) {
    let (one, two) = (
        Int.random(in: 0...count, using: &random), Int.random(in: 0...count, using: &random)
    )
    return (min(one, two), max(one, two))
}
