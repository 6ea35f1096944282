/// This detects a change of a mean by how far a running sum of deviations has left its extreme.
///
/// Formula: x̄_t the running mean; up U_t = α U_{t−1} + x_t − x̄_t − δ, drift when U_t − min U > λ; down
/// D_t = α D_{t−1} + x_t − x̄_t + δ, drift when max D − D_t > λ.
/// Source: E. S. Page, "Continuous inspection schemes", Biometrika 41, 1954; D. V. Hinkley, Biometrika 58,
/// 1971; with the fading factor α and the reset after a drift of River 0.26.
///
/// No promise of false alarms; order matters, so it is replayed after a late row, bit-identically.
public struct PageHinkley: Equatable, Sendable {
    /// The sides that are watched.
    public enum Side: Sendable { case up, down, both }

    /// Values before the first that may be a drift.
    public let countMin: Int
    /// δ: changes of this size are tolerated.
    public let delta: Double
    /// λ.
    public let threshold: Double
    /// α, above 0 and at most 1: the past counts less by this with every value.
    public let fading: Double
    /// The sides that are watched.
    public let side: Side

    /// The values since the last drift.
    public private(set) var count = 0
    /// x̄_t.
    public private(set) var mean = 0.0
    /// U_t.
    public private(set) var increase = 0.0
    /// The smallest U so far.
    public private(set) var increaseMin = Double.infinity
    /// D_t.
    public private(set) var decrease = 0.0
    /// The largest D so far.
    public private(set) var decreaseMax = -Double.infinity
    private var status = DetectorStatus.stable

    /// Starts without values.
    public init(
        countMin: Int = 30, delta: Double = 0.005, threshold: Double = 50, fading: Double = 0.9999,
        side: Side = .both
    ) {
        precondition(fading > 0 && fading <= 1, "fading \(fading)")
        self.countMin = countMin
        self.delta = delta
        self.threshold = threshold
        self.fading = fading
        self.side = side
    }

    /// Adds a value.
    ///
    /// - Precondition: `value` is finite.
    public mutating func absorb(_ value: Double) -> DetectorStatus {
        precondition(value.isFinite, "value \(value)")
        if status == .drift {
            self = Self(
                countMin: countMin, delta: delta, threshold: threshold, fading: fading, side: side)
        }
        count += 1
        mean += (value - mean) / Double(count)
        let deviation = value - mean
        increase = fading * increase + deviation - delta
        increaseMin = min(increaseMin, increase)
        decrease = fading * decrease + deviation + delta
        decreaseMax = max(decreaseMax, decrease)
        let hasRisen = increase - increaseMin > threshold
        let hasFallen = decreaseMax - decrease > threshold
        let isDrift =
            switch side {
            case .up: hasRisen
            case .down: hasFallen
            case .both: hasRisen || hasFallen
            }
        status = count >= countMin && isDrift ? .drift : .stable
        return status
    }
}

extension PageHinkley {
    /// These are all its changing numbers, to be stored.
    public var numbers: [Double] {
        [Double(count), mean, increase, increaseMin, decrease, decreaseMax, status.number]
    }

    /// Goes on from stored numbers of a detector with the same settings.
    ///
    /// - Returns: False, and nothing changed, when no detector can have them.
    public mutating func restore(_ numbers: [Double]) -> Bool {
        guard numbers.count == 7, !numbers.contains(where: \.isNaN),
            let count = storedCount(numbers[0]), let status = DetectorStatus(number: numbers[6]),
            numbers[1].isFinite
        else { return false }
        (self.count, mean, self.status) = (count, numbers[1], status)
        (increase, increaseMin) = (numbers[2], numbers[3])
        (decrease, decreaseMax) = (numbers[4], numbers[5])
        return true
    }
}
