/// This sums the deviations from a reference beyond an allowance, on both sides.
///
/// Formula: z = (x − μ)/σ of the reference; up = max(0, up + z − k), down = max(0, down − z − k); alarm when
/// either is above h, then both are 0 again.
/// Source: D. C. Montgomery, Introduction to Statistical Quality Control, 8th ed., section 9.1.
///
/// No promise of false alarms unless rows are independent and normal; order matters, so it is replayed
/// after a late row, bit-identically.
public struct TabularCUSUM: Equatable, Sendable {
    /// The side on which the mean has moved.
    public enum Alarm: Equatable, Sendable { case up, down }

    /// μ of the reference.
    public let mean: Double
    /// σ of the reference, positive.
    public let deviation: Double
    /// k, in σ: half of the shift that it should see soonest.
    public let allowance: Double
    /// h, in σ.
    public let threshold: Double
    /// The upper sum after the last value, before an alarm's reset.
    public private(set) var upper = 0.0
    /// The lower sum after the last value, before an alarm's reset.
    public private(set) var lower = 0.0
    /// What the last value raised.
    public private(set) var alarm: Alarm?

    /// Starts without values.
    ///
    /// - Precondition: `deviation` is positive.
    public init(mean: Double, deviation: Double, allowance: Double = 0.5, threshold: Double = 5) {
        precondition(deviation > 0, "deviation \(deviation)")
        self.mean = mean
        self.deviation = deviation
        self.allowance = allowance
        self.threshold = threshold
    }

    /// Adds a value.
    ///
    /// - Precondition: `value` is finite.
    public mutating func absorb(_ value: Double) -> Alarm? {
        precondition(value.isFinite, "value \(value)")
        if alarm != nil { (upper, lower) = (0, 0) }
        let z = (value - mean) / deviation
        upper = max(0, upper + z - allowance)
        lower = max(0, lower - z - allowance)
        alarm = upper > threshold ? .up : lower > threshold ? .down : nil
        return alarm
    }
}

extension TabularCUSUM {
    /// These are all its changing numbers, to be stored.
    public var numbers: [Double] { [upper, lower, alarm == nil ? 0 : alarm == .up ? 1 : 2] }

    /// Goes on from stored numbers of a detector with the same settings.
    ///
    /// - Returns: False, and nothing changed, when no detector can have them.
    public mutating func restore(_ numbers: [Double]) -> Bool {
        guard numbers.count == 3, numbers[0] >= 0, numbers[1] >= 0,
            [0, 1, 2].contains(numbers[2])
        else { return false }
        (upper, lower) = (numbers[0], numbers[1])
        alarm = numbers[2] == 0 ? nil : numbers[2] == 1 ? .up : .down
        return true
    }
}
