import MonitoringDomain
import StreamingStatistics

extension ModelAggregator {
    /// These are statistics of how predictions came and were served, whose panes are merged once.
    func measureVolume(
        _ statistics: [Statistic], _ query: MeasurementQuery, _ window: TimeWindow
    ) -> [Measurement] {
        var blank = self.blank(query, window)
        var count: UInt64 = 0
        var serving = ServingProfile()
        var revision = PaneRevision()
        let coverage = forEachPane(selection(query, window)) { pane in
            count += pane.predictionCount
            serving.merge(pane.serving)
            revision.merge(pane.revision)
        }
        blank.count = Int(clamping: count)
        blank.isRevised = revision.rows.map { $0 >= window.end.milliseconds } ?? false
        return statistics.map { statistic in
            var measurement = blank
            measurement.statistic = statistic
            if query.feature != nil {
                measurement.reading = .undefined(
                    reason: "\(statistic.rawValue) is of the model, not of a feature")
            } else if let reason = coverage.reason {
                measurement.reading = .undefined(reason: reason)
            } else {
                measurement.reading = Self.volume(statistic, count, serving, window)
            }
            return measurement
        }
    }

    private static func volume(
        _ statistic: Statistic, _ count: UInt64, _ serving: ServingProfile, _ window: TimeWindow
    ) -> Reading {
        switch statistic {
        // A sampled log stands for more calls than it has rows.
        case .volume: return .value(Estimate(value: Double(count) + serving.unloggedCount))
        case .rate:
            let length = seconds(from: window.start, to: window.end)
            guard length > 0 else { return .undefined(reason: "the window has no length") }
            return .value(Estimate(value: (Double(count) + serving.unloggedCount) / length))
        case .freshness:
            guard let newest = serving.newest else { return .noData }
            // A pane counts as a whole, so its newest row can lie beyond a window that cuts it.
            let age = seconds(from: EventTime(milliseconds: newest), to: window.end)
            return .value(Estimate(value: max(0, age)))
        case .duplicateRate:
            let whole = count + serving.duplicateCount
            return whole > 0 ? .proportion(serving.duplicateCount, whole) : .noData
        case .errorRate:
            return count > 0 ? .proportion(serving.errorCount, count) : .noData
        case .latencyP50, .latencyP95, .latencyP99:
            guard count > 0 else { return .noData }
            guard let latencies = serving.latencies else {
                return .undefined(reason: "no record of the window has latency_ms")
            }
            let fraction =
                statistic == .latencyP50 ? 0.5 : statistic == .latencyP95 ? 0.95 : 0.99
            do {
                return .value(
                    Estimate(
                        try latencies.quantile(at: fraction, edges: ServingProfile.latencyEdges)))
            } catch {
                return Reading(error)
            }
        default: return .undefined(reason: "\(statistic.rawValue) is not of the traffic")
        }
    }

    private static func seconds(from start: EventTime, to end: EventTime) -> Double {
        (Double(end.milliseconds) - Double(start.milliseconds)) / 1_000
    }
}
