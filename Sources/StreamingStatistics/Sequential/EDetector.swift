import Glibc

/// This is evidence that a change has happened at some unknown time, with a known time between false alarms.
///
/// Formula: M_n = L_n (M_{n−1} + 1) (Shiryaev–Roberts) or L_n max(M_{n−1}, 1) (CUSUM), from 0; every factor
/// L_n ≥ 0 has mean at most 1, given the past, before the change.
/// Source: J. Shin, A. Ramdas, A. Rinaldo, "E-detectors: a nonparametric framework for sequential change
/// detection", New England Journal of Statistics in Data Science 2(2), 2024.
///
/// The first time that M_n ≥ 1/α is, on average and without a change, at least 1/α steps away. A step is
/// whatever the owner makes it: a row or a window. The steps' order matters; after a late row the detector
/// is replayed from the first step touched, and is bit-identical then.
public struct EDetector: Equatable, Sendable {
    /// How the evidence of steps is put together.
    public enum Form: Sendable { case shiryaevRoberts, cusum }

    /// Beyond this a value is kept at this: a smaller value is evidence too, and never overflows.
    static let valueMax = 1e300

    /// How the evidence of steps is put together: Shiryaev–Roberts is the sharper one.
    public let form: Form
    /// M_n, 0...1e300.
    public private(set) var value: Double

    /// Starts at 0, or from a stored value.
    ///
    /// - Precondition: `value` is at least 0.
    public init(_ form: Form = .shiryaevRoberts, value: Double = 0) {
        precondition(value >= 0, "value \(value)")
        self.form = form
        self.value = min(value, Self.valueMax)
    }

    /// Adds a step by the logarithm of its factor; −∞ is a factor of 0.
    ///
    /// - Precondition: `logFactor` is not NaN.
    public mutating func absorb(logFactor: Double) {
        precondition(!logFactor.isNaN, "a factor that is no number")
        let carried = form == .shiryaevRoberts ? value + 1 : max(value, 1)
        value = min(exp(logFactor) * carried, Self.valueMax)
    }

    /// Starts again from 0, as after an alarm; with it starts a new time between false alarms.
    public mutating func reset() { value = 0 }
}

/// This detects that the mean of values in 0...1 has risen above a bound, or fallen below one.
///
/// Formula: the average over bets λ of e-detectors with L = 1 + λs (betting), or
/// L = exp(λs − (−ln(1 − λ) − λ) s²) (exponential), s = x/m₀ − 1; for a fall, x and m₀ are replaced by 1 − x
/// and 1 − m₀.
/// Source: as `EDetector`; ln(1 + λs) ≥ λs − (−ln(1 − λ) − λ) s² for s ≥ −1 makes the exponential form valid.
///
/// Rows need not be independent: it is enough that each row's mean, given the past, is on the right side.
public struct BoundedMeanDetector: Equatable, Sendable {
    /// The side on which the mean is dangerous.
    public enum Side: Sendable { case above, below }
    /// The form of a row's factor.
    public enum Factor: Sendable { case betting, exponential }

    /// Bets from small changes to large ones, of equal weights.
    public static let usualBets = [0.005, 0.01, 0.02, 0.04, 0.08, 0.16, 0.32]

    /// m₀, inside 0...1.
    public let nullMean: Double
    /// The side on which the mean is dangerous.
    public let side: Side
    /// The form of a row's factor.
    public let factor: Factor
    /// Each in 0..<1 and above 0.
    public let bets: [Double]
    /// One per bet.
    public private(set) var detectors: [EDetector]

    /// Starts at 0.
    ///
    /// - Precondition: `nullMean` is inside 0...1 without its ends; so are the bets, and there is one.
    public init(
        nullMean: Double, side: Side = .above, factor: Factor = .betting,
        form: EDetector.Form = .shiryaevRoberts, bets: [Double] = usualBets
    ) {
        precondition(nullMean > 0 && nullMean < 1, "nullMean \(nullMean)")
        precondition(!bets.isEmpty, "no bets")
        precondition(bets.allSatisfy { $0 > 0 && $0 < 1 }, "bets \(bets)")
        self.nullMean = nullMean
        self.side = side
        self.factor = factor
        self.bets = bets
        detectors = Array(repeating: EDetector(form), count: bets.count)
    }

    /// This is the average over the bets, an e-detector itself.
    public var value: Double {
        detectors.reduce(0) { $0 + $1.value / Double(detectors.count) }
    }

    /// Adds a row as a step.
    ///
    /// - Precondition: `row` is in 0...1.
    public mutating func absorb(_ row: Double) {
        precondition((0...1).contains(row), "row \(row)")
        let s = side == .above ? row / nullMean - 1 : (1 - row) / (1 - nullMean) - 1
        for (index, bet) in bets.enumerated() {
            switch factor {
            case .betting: detectors[index].absorb(logFactor: log1p(bet * s))
            case .exponential:
                detectors[index].absorb(logFactor: bet * s - (-log1p(-bet) - bet) * s * s)
            }
        }
    }

    /// Adds a window of rows that are 0 or 1 as one step; what a window's rows add does not depend on
    /// their order.
    ///
    /// - Precondition: `ones` is at most `count`.
    public mutating func absorb(ones: UInt64, of count: UInt64) {
        precondition(ones <= count, "\(ones) of \(count)")
        let (hits, bound) = side == .above ? (ones, nullMean) : (count - ones, 1 - nullMean)
        let (gain, loss) = (1 / bound - 1, -1.0)
        for (index, bet) in bets.enumerated() {
            var sum = 0.0
            for (s, number) in [(gain, Double(hits)), (loss, Double(count - hits))] {
                switch factor {
                case .betting: sum += number * log1p(bet * s)
                case .exponential: sum += number * (bet * s - (-log1p(-bet) - bet) * s * s)
                }
            }
            detectors[index].absorb(logFactor: sum)
        }
    }

    /// Starts again from 0.
    public mutating func reset() {
        for index in detectors.indices { detectors[index].reset() }
    }
}
