/// This is what one segment contributes to what an alert says of a model.
///
/// For a mean over rows, `mix` and `rate` are its parts of the change from the reference to the window; over
/// all segments of a key they add up to the whole change. A large `mix` says that there is more or less of
/// the segment, a large `rate` that the segment itself has changed.
///
/// Formula: mix = (w′ − w)(ℓ + ℓ′)/2, rate = (ℓ′ − ℓ)(w + w′)/2, w the segment's share of the rows that the
/// mean is over, ℓ its mean there, unprimed in the reference and primed in the window. Where a side has no
/// such rows, its mean is taken to be the other's.
/// Source: E. M. Kitagawa, "Components of a difference between two rates", JASA 50(272), 1955.
public struct SegmentPart: Equatable, Sendable {
    /// Parts that an alert keeps: the strongest ones.
    public static let countMax = 10

    /// The slice.
    public var segment: Segment
    /// What was measured in it: the alert's statistic, or `psi` where that is a budgeted detector's.
    public var statistic: Statistic
    /// Of which feature; nil for the model as a whole.
    public var feature: String?
    /// Its value in the window; nil where there is none.
    public var value: Double?
    /// The same statistic on the segment's rows of the reference; nil for distances, and without rows.
    public var baseline: Double?
    /// Its share of the window's rows, 0...1.
    public var share: Double
    /// Its share of the reference's rows, 0...1; nil where these name no value of the key.
    public var baselineShare: Double?
    /// Its part of the change by its share; nil where the statistic is no mean over rows.
    public var mix: Double?
    /// Its part of the change by its own value; nil where the statistic is no mean over rows.
    public var rate: Double?

    /// Makes a part of a segment of which only the share is known.
    public init(segment: Segment, statistic: Statistic, feature: String?, share: Double) {
        self.segment = segment
        self.statistic = statistic
        self.feature = feature
        self.share = share
    }

    /// Sets `mix` and `rate` of all segments of a key.
    ///
    /// - Parameters:
    ///   - parts: The segments, each once.
    ///   - sides: Of each, the rows that the mean is over and their mean, in the window and in the reference;
    ///     the mean counts for nothing without rows.
    /// - Returns: The parts with their shares of the change; unchanged where a side has no rows at all.
    public static func decomposed(
        _ parts: [SegmentPart],
        _ sides: [(
            window: (weight: Double, mean: Double), reference: (weight: Double, mean: Double)
        )]
    ) -> [SegmentPart] {
        precondition(parts.count == sides.count, "\(parts.count) parts, \(sides.count) sides")
        let total = sides.reduce(0) { $0 + $1.window.weight }
        let baselineTotal = sides.reduce(0) { $0 + $1.reference.weight }
        guard total > 0, baselineTotal > 0 else { return parts }
        return zip(parts, sides).map { part, side in
            var part = part
            let (w, v) = (side.reference.weight / baselineTotal, side.window.weight / total)
            let old = side.reference.weight > 0 ? side.reference.mean : side.window.mean
            let new = side.window.weight > 0 ? side.window.mean : side.reference.mean
            guard w > 0 || v > 0 else { return part }
            part.mix = (v - w) * (old + new) / 2
            part.rate = (new - old) * (w + v) / 2
            return part
        }
    }
}
