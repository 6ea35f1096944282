public import MonitoringDomain
import StreamingStatistics

extension ModelAggregator {
    /// These are the segments of the declared keys with what each contributes to a statistic of a window,
    /// the strongest first.
    ///
    /// - Parameters:
    ///   - query: The statistic and of what; of a segment, its siblings are compared.
    ///   - window: The interval whose panes count.
    /// - Returns: At most `SegmentPart.countMax`; none where no key is declared or no reference is pinned.
    public func split(_ query: MeasurementQuery, window: TimeWindow) -> [SegmentPart] {
        guard let reference, query.segment?.key != "version" else { return [] }
        let keys = segments.keys.filter { query.segment == nil || query.segment?.key == $0 }
        let parts = keys.flatMap { split(query, window, key: $0, reference) }
        func strength(_ part: SegmentPart) -> Double {
            if let mix = part.mix, let rate = part.rate { return mix.magnitude + rate.magnitude }
            return part.value?.magnitude ?? -1
        }
        return Array(
            parts.sorted { (strength($1), $0.segment) < (strength($0), $1.segment) }
                .prefix(SegmentPart.countMax))
    }

    private func split(
        _ query: MeasurementQuery, _ window: TimeWindow, key: String, _ reference: ModelReference
    ) -> [SegmentPart] {
        let pinned = Dictionary(
            uniqueKeysWithValues: reference.segments.known.filter { $0.segment.key == key }
                .map { ($0.segment, $0.code) })
        let values = Set(knownSegments.filter { $0.key == key }).union(pinned.keys).sorted()
        let isPinned = pinned.keys.contains { $0.value != Segment.other }
        var counts: [Double] = []
        var baselineCounts: [Double] = []
        var parts: [SegmentPart] = []
        var sides:
            [(window: (weight: Double, mean: Double), reference: (weight: Double, mean: Double))] =
                []
        for segment in values {
            var own = query
            own.segment = segment
            let merged = merged(own, window, reference)
            let baseline = pinned[segment].flatMap { reference.segments.references[$0] }
            // Without rows on either side, as `other` mostly is.
            guard merged.map({ $0.rowCount > 0 }) ?? true || isPinned && baseline != nil else {
                continue
            }
            var part = SegmentPart(
                segment: segment, statistic: query.statistic, feature: query.feature, share: 0)
            let (new, old) = (
                merged.flatMap { Self.mean(query.statistic, $0) },
                baseline.flatMap { Self.mean(query.statistic, Merged($0, query.feature)) }
            )
            part.value = new?.mean ?? measure(own, window: window).reading.estimate?.value
            part.baseline = isPinned ? old?.mean : nil
            parts.append(part)
            sides.append((new ?? (0, 0), old ?? (0, 0)))
            counts.append(Double(merged?.rowCount ?? 0))
            baselineCounts.append(Double(baseline?.rowCount ?? 0))
        }
        let (count, baselineCount) = (counts.reduce(0, +), baselineCounts.reduce(0, +))
        for index in parts.indices {
            if count > 0 { parts[index].share = counts[index] / count }
            if isPinned, baselineCount > 0 {
                parts[index].baselineShare = baselineCounts[index] / baselineCount
            }
        }
        return isPinned ? SegmentPart.decomposed(parts, sides) : parts
    }

    /// What a mean is taken of, in a window or in a reference.
    private struct Merged {
        var rowCount: UInt64 = 0
        var outcomes: OutcomeProfile
        var feature: FeatureProfile?

        init(outcomes: OutcomeProfile, feature: FeatureProfile?) {
            self.outcomes = outcomes
            self.feature = feature
        }

        init(_ reference: ModelReference, _ name: String?) {
            rowCount = UInt64(clamping: reference.rowCount)
            outcomes = reference.outcomes
            feature = name.flatMap { reference.subject(named: $0) }.map {
                reference.profile(of: $0)
            }
        }
    }

    /// Nil where a rolled-up pane is cut, or older ones are gone.
    private func merged(
        _ query: MeasurementQuery, _ window: TimeWindow, _ reference: ModelReference
    ) -> Merged? {
        let subject = query.feature.flatMap { reference.subject(named: $0) }
        var merged = Merged(
            outcomes: OutcomeProfile(scoreBinCount: reference.scoreEdges.binCount),
            feature: subject?.content.emptyProfile)
        let coverage = forEachPane(selection(query, window)) { pane in
            merged.rowCount += pane.predictionCount
            merged.outcomes.merge(pane.outcomes)
            if let profile = subject?.profile(of: pane) { merged.feature?.merge(profile) }
        }
        return coverage.reason == nil ? merged : nil
    }

    /// The rows that the statistic is a mean over, and that mean; nil for what is no mean, and without rows.
    private static func mean(
        _ statistic: Statistic, _ merged: Merged
    ) -> (weight: Double, mean: Double)? {
        func mean(_ sum: Double, _ count: UInt64) -> (weight: Double, mean: Double)? {
            count > 0 && sum.isFinite ? (Double(count), sum / Double(count)) : nil
        }
        switch (statistic, merged.feature) {
        case (.accuracy, _):
            let outcomes = merged.outcomes.binary
            return mean(Double(outcomes.correct), outcomes.count)
        case (.mae, _):
            let outcomes = merged.outcomes.regression
            return mean(outcomes.absoluteSum.value, outcomes.count)
        case (.missingRate, let feature?):
            return mean(Double(feature.missing), feature.rowCount)
        case (.mean, .numeric(let numeric)?):
            guard let value = numeric.mean, value.isFinite else { return nil }
            return (Double(numeric.count), value)
        default: return nil
        }
    }
}
