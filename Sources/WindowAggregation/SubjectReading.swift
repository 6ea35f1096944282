import MonitoringDomain
import StreamingStatistics

/// This is a window's profile of a subject beside its reference's, and the reading of every statistic.
struct SubjectReading {
    let window: FeatureProfile
    let reference: FeatureProfile
    let content: FeatureReference.Content
    let query: MeasurementQuery
    /// Ground truth keeps no exact range and knows no missing values: coverage tells of those.
    let isTruth: Bool

    func reading(_ statistic: Statistic) -> Reading {
        switch (window, reference, content) {
        case (.numeric(let own), .numeric(let other), .numeric(let numeric)):
            statistic.group == .drift
                ? drift(
                    statistic,
                    NumericComparison(window: own, reference: other, edges: numeric.edges))
                : quality(statistic, own, numeric)
        case (.categorical(let own), .categorical(let other), _):
            statistic.group == .drift
                ? drift(statistic, CategoricalComparison(window: own, reference: other))
                : quality(statistic, own)
        default: preconditionFailure("profiles of one subject are of one kind")
        }
    }

    // MARK: - Drift

    private func drift(_ statistic: Statistic, _ comparison: NumericComparison) -> Reading {
        switch statistic {
        case .ks: estimate(comparison.kolmogorovSmirnov)
        case .wasserstein: estimate(comparison.wasserstein)
        case .wassersteinNormalized: estimate(comparison.normalizedWasserstein)
        case .meanShift: estimate(comparison.meanShift)
        default:
            ofShares(statistic, comparison)
                ?? .undefined(reason: "\(statistic.rawValue) is not a distance")
        }
    }

    private func drift(_ statistic: Statistic, _ comparison: CategoricalComparison) -> Reading {
        ofShares(statistic, comparison)
            ?? .undefined(reason: "\(statistic.rawValue) is of numeric features")
    }

    /// Nil for what is not a distance of shares.
    private func ofShares(
        _ statistic: Statistic, _ comparison: some ShareComparison
    ) -> Reading? {
        switch statistic {
        case .psi where query.smoothing == .floor:
            reading { () throws(UndefinedStatistic) in
                Estimate(value: try comparison.populationStabilityFloored())
            }
        case .psi:
            reading { () throws(UndefinedStatistic) in
                let result = try comparison.populationStability()
                return Estimate(
                    value: result.value, lower: result.lower, upper: result.upper,
                    pValue: result.pValue)
            }
        case .jensenShannon: estimate(comparison.jensenShannon)
        case .hellinger: estimate(comparison.hellinger)
        case .totalVariation: estimate(comparison.totalVariation)
        case .chiSquare: estimate(comparison.chiSquare)
        case .kl: estimate(comparison.kullbackLeibler)
        default: nil
        }
    }

    private func estimate(
        _ compute: () throws(UndefinedStatistic) -> StatisticValue
    ) -> Reading {
        reading { () throws(UndefinedStatistic) in Estimate(try compute()) }
    }

    private func reading(_ compute: () throws(UndefinedStatistic) -> Estimate) -> Reading {
        do {
            return .value(try compute())
        } catch {
            return Reading(error)
        }
    }

    // MARK: - Quality

    private func quality(
        _ statistic: Statistic, _ profile: NumericProfile, _ numeric: NumericReference
    ) -> Reading {
        switch statistic {
        case .missingRate: return missingRate(profile.missing, of: profile.count)
        case .unseenRate, .distinct:
            return .undefined(reason: "\(statistic.rawValue) is of categorical features")
        default: break
        }
        guard profile.count > 0 else { return Reading(UndefinedStatistic.windowAllMissing) }
        switch statistic {
        case .nonFiniteRate: return .proportion(profile.nonFinite, profile.count)
        case .outOfRangeRate: return outOfRange(profile, numeric)
        case .min, .max:
            guard !isTruth else {
                return .undefined(reason: "the range of ground truth is not kept")
            }
            return exact(statistic == .min ? profile.minimum : profile.maximum, profile)
        case .mean: return exact(profile.mean, profile)
        case .stddev: return exact(profile.standardDeviation, profile)
        case .quantile:
            let fraction = query.fraction ?? 0.5
            guard (0...1).contains(fraction) else {
                return .undefined(reason: "a fraction of \(fraction) is not in 0...1")
            }
            return estimate { () throws(UndefinedStatistic) in
                try profile.quantile(at: fraction, edges: numeric.edges)
            }
        default: return .undefined(reason: "\(statistic.rawValue) is not of a feature")
        }
    }

    private func exact(_ value: Double?, _ profile: NumericProfile) -> Reading {
        if let value { return .value(Estimate(value: value)) }
        return Reading(
            profile.nonFinite > 0 ? UndefinedStatistic.windowInfinite : .overflow)
    }

    /// The ends of the reference's range are edges, so the share beyond is exact.
    private func outOfRange(_ profile: NumericProfile, _ numeric: NumericReference) -> Reading {
        guard let range = numeric.profile.range else {
            return Reading(UndefinedStatistic.referenceAllMissing)
        }
        let edges = numeric.edges.edges
        var outside: UInt64 = 0
        profile.counts.forEachNonZero { bin, count in
            let isBelow = bin < edges.count && edges[bin] < range.lowerBound
            let isAbove = bin > 0 && edges[bin - 1] >= range.upperBound
            if isBelow || isAbove { outside += count }
        }
        return .proportion(outside, profile.count)
    }

    private func quality(_ statistic: Statistic, _ profile: CategoricalProfile) -> Reading {
        switch statistic {
        case .missingRate: return missingRate(profile.missing, of: profile.count)
        case .unseenRate:
            guard profile.count > 0 else { return Reading(UndefinedStatistic.windowAllMissing) }
            return .proportion(profile.unseen, profile.count)
        case .distinct:
            guard !isTruth || profile.unseen == 0 else {
                return .undefined(reason: "unseen ground truth is not told apart")
            }
            let (value, error) = profile.distinct
            guard error > 0 else { return .value(Estimate(value: value)) }
            // A 95 % interval of the sketch's normal error.
            let width = 1.96 * error * value
            return .value(
                Estimate(value: value, lower: max(0, value - width), upper: value + width))
        default: return .undefined(reason: "\(statistic.rawValue) is of numeric features")
        }
    }

    private func missingRate(_ missing: UInt64, of present: UInt64) -> Reading {
        guard !isTruth else {
            return .undefined(reason: "missing ground truth is what coverage tells")
        }
        guard missing + present > 0 else { return .noData }
        return .proportion(missing, missing + present)
    }
}

extension Estimate {
    init(_ value: StatisticValue) {
        self.init(
            value: value.value, lower: value.lower, upper: value.upper,
            isCertified: value.method.isCertified, pValue: value.pValue)
    }
}

extension Reading {
    init(_ reason: UndefinedStatistic) {
        switch reason {
        case .windowEmpty: self = .noData
        case .insufficient(let found, let required):
            self = .insufficientSamples(
                found: Int(clamping: found), required: Int(clamping: required))
        default: self = .undefined(reason: reason.description)
        }
    }

    /// A share with its Wilson interval.
    static func proportion(_ part: UInt64, _ whole: UInt64) -> Reading {
        let bounds = wilsonInterval(successes: part, count: whole)
        return .value(
            Estimate(
                value: Double(part) / Double(whole), lower: bounds.lower, upper: bounds.upper))
    }
}
