/// This detects a rising error rate by how far it is above its best, in standard deviations.
///
/// Formula: p the share of errors since the last drift, s = √(p(1 − p)/n); (p_min, s_min) where p + s was
/// least; warning when p + s > p_min + 2 s_min, drift when p + s > p_min + 3 s_min, after 30 values.
/// Source: J. Gama, P. Medas, G. Castillo, P. Rodrigues, "Learning with drift detection", SBIA 2004 (DDM).
///
/// No promise of false alarms; order matters, so it is replayed after a late row, bit-identically.
public struct DriftDetectionMethod: Equatable, Sendable {
    /// Values before any is judged.
    public let warmUpCount: Int
    /// In standard deviations.
    public let warningThreshold: Double
    /// In standard deviations.
    public let driftThreshold: Double

    /// The values since the last drift.
    public private(set) var count = 0
    /// p.
    public private(set) var errorRate = 0.0
    /// p and s where their sum was least; nil in warm-up.
    public private(set) var best: (errorRate: Double, deviation: Double)?
    private var status = DetectorStatus.stable

    /// Starts without values.
    public init(
        warmUpCount: Int = 30, warningThreshold: Double = 2, driftThreshold: Double = 3
    ) {
        self.warmUpCount = warmUpCount
        self.warningThreshold = warningThreshold
        self.driftThreshold = driftThreshold
    }

    /// s.
    public var deviation: Double {
        count == 0
            ? 0 : (max(0, errorRate * (1 - errorRate)) / Double(count)).squareRoot()
    }

    /// True when both have seen the same.
    public static func == (left: Self, right: Self) -> Bool {
        left.warmUpCount == right.warmUpCount && left.warningThreshold == right.warningThreshold
            && left.driftThreshold == right.driftThreshold && left.count == right.count
            && left.errorRate == right.errorRate && left.status == right.status
            && left.best?.errorRate == right.best?.errorRate
            && left.best?.deviation == right.best?.deviation
    }

    /// Adds whether a prediction was wrong.
    public mutating func absorb(isError: Bool) -> DetectorStatus {
        if status == .drift {
            self = Self(
                warmUpCount: warmUpCount, warningThreshold: warningThreshold,
                driftThreshold: driftThreshold)
        }
        count += 1
        errorRate += ((isError ? 1 : 0) - errorRate) / Double(count)
        guard count > warmUpCount else { return status }
        let level = errorRate + deviation
        var least = best ?? (errorRate, deviation)
        if level <= least.errorRate + least.deviation { least = (errorRate, deviation) }
        best = least
        if level > least.errorRate + driftThreshold * least.deviation {
            status = .drift
        } else if level > least.errorRate + warningThreshold * least.deviation {
            status = .warning
        } else {
            status = .stable
        }
        return status
    }
}

/// This detects a gradually rising error rate by the shrinking distance between errors.
///
/// Formula: p′ the mean and s′ the standard deviation (divisor n − 1) of the distances between errors since
/// the last drift; level (p′ + 2s′) / max(p′ + 2s′); warning below 0.95, drift below 0.9, after 30 errors.
/// Source: M. Baena-García et al., "Early drift detection method", 2006 (EDDM), as in River 0.26.
///
/// No promise of false alarms; order matters, so it is replayed after a late row, bit-identically.
public struct EarlyDriftDetectionMethod: Equatable, Sendable {
    /// Errors before any is judged.
    public let warmUpCount: Int
    /// The level below which is a warning.
    public let warningLevel: Double
    /// The level below which is a drift.
    public let driftLevel: Double

    /// The values since the last drift.
    public private(set) var count = 0
    /// The errors since the last drift.
    public private(set) var errorCount = 0
    /// p′.
    public private(set) var meanDistance = 0.0
    /// The largest p′ + 2s′; nil in warm-up.
    public private(set) var spreadMax: Double?
    private var squares = 0.0
    private var lastError = 0
    private var status = DetectorStatus.stable

    /// Starts without values.
    ///
    /// - Precondition: `driftLevel` is at most `warningLevel`.
    public init(warmUpCount: Int = 30, warningLevel: Double = 0.95, driftLevel: Double = 0.9) {
        precondition(driftLevel <= warningLevel, "\(driftLevel) above \(warningLevel)")
        self.warmUpCount = warmUpCount
        self.warningLevel = warningLevel
        self.driftLevel = driftLevel
    }

    /// Adds whether a prediction was wrong.
    public mutating func absorb(isError: Bool) -> DetectorStatus {
        if status == .drift {
            self = Self(
                warmUpCount: warmUpCount, warningLevel: warningLevel, driftLevel: driftLevel)
        }
        count += 1
        guard isError else { return status }
        errorCount += 1
        let distance = Double(count - lastError)
        lastError = count
        let before = meanDistance
        meanDistance += (distance - before) / Double(errorCount)
        squares += (distance - before) * (distance - meanDistance)
        guard count > warmUpCount else { return status }
        let variance = errorCount > 1 ? max(0, squares / Double(errorCount - 1)) : 0
        let spread = meanDistance + 2 * variance.squareRoot()
        guard let largest = spreadMax, spread <= largest else {
            spreadMax = spread
            return status
        }
        if errorCount > warmUpCount {
            let level = spread / largest
            status = level < driftLevel ? .drift : level < warningLevel ? .warning : .stable
        }
        return status
    }
}

extension DriftDetectionMethod {
    /// These are all its changing numbers, to be stored.
    public var numbers: [Double] {
        [
            Double(count), errorRate, best == nil ? 0 : 1, best?.errorRate ?? 0,
            best?.deviation ?? 0, status.number,
        ]
    }

    /// Goes on from stored numbers of a detector with the same settings.
    ///
    /// - Returns: False, and nothing changed, when no detector can have them.
    public mutating func restore(_ numbers: [Double]) -> Bool {
        guard numbers.count == 6, let count = storedCount(numbers[0]),
            let status = DetectorStatus(number: numbers[5]), (0...1).contains(numbers[1]),
            [0, 1].contains(numbers[2]), (0...1).contains(numbers[3]), (0...1).contains(numbers[4])
        else { return false }
        (self.count, errorRate, self.status) = (count, numbers[1], status)
        best = numbers[2] == 1 ? (numbers[3], numbers[4]) : nil
        return true
    }
}

extension EarlyDriftDetectionMethod {
    /// These are all its changing numbers, to be stored.
    public var numbers: [Double] {
        [
            Double(count), Double(errorCount), meanDistance, spreadMax == nil ? 0 : 1,
            spreadMax ?? 0, squares, Double(lastError), status.number,
        ]
    }

    /// Goes on from stored numbers of a detector with the same settings.
    ///
    /// - Returns: False, and nothing changed, when no detector can have them.
    public mutating func restore(_ numbers: [Double]) -> Bool {
        guard numbers.count == 8, numbers.allSatisfy({ $0 >= 0 && $0.isFinite }),
            let count = storedCount(numbers[0]), let errorCount = storedCount(numbers[1]),
            let lastError = storedCount(numbers[6]), errorCount <= count, lastError <= count,
            let status = DetectorStatus(number: numbers[7]), [0, 1].contains(numbers[3])
        else { return false }
        (self.count, self.errorCount, self.lastError) = (count, errorCount, lastError)
        (meanDistance, squares, self.status) = (numbers[2], numbers[5], status)
        spreadMax = numbers[3] == 1 ? numbers[4] : nil
        return true
    }
}
