import Glibc

/// This is a detector of a change in bin counts that is larger than a tolerance, a window a step.
///
/// Formula: for each event A of bins (all prefixes where bins are ordered, all single bins where they are
/// not), each side and each bet λ: M_w = L_w (M_{w−1} + 1), L_w = Π over the window's rows of
/// 1 + λ (x/m₀ − 1), x = 1{row in A}, m₀ = P̂(A) + r; the other side with 1 − x and 1 − P̂(A) + r. The average
/// over all of them. r = tolerance + what the reference's shares P̂ may be off by.
/// Source: `EDetector`; betting on bounded means: I. Waudby-Smith and A. Ramdas, JRSS-B 86(1), 2024.
///
/// The null is that in every window each row's chance of each event, given the past, is within r of P̂: it
/// may wander inside the tolerance, and rows may depend on earlier ones through anything that keeps it
/// there. For ordered bins that is a Kolmogorov–Smirnov distance of at most r on the bins. A finite
/// reference is accounted for, which `BinCountDetector` does not. A window's counts are order-free.
public struct CumulativeShareDetector: Equatable, Sendable {
    /// Bets for changes of a few thousandths up to a half.
    public static let bets = [0.01, 0.02, 0.04, 0.08, 0.16, 0.32, 0.64]

    /// r, in 0..<1.
    public let radius: Double
    /// The number of bins.
    public let binCount: Int
    /// True when events are prefixes, false when they are single bins.
    public let isOrdered: Bool
    /// M for each side of each event and each bet, [sides × bets]; each at most 1e300.
    public private(set) var values: [Double]
    private let sides: [Side]

    private struct Side: Equatable, Sendable {
        let event: Int
        let isAbove: Bool
        /// ln(1 + λ (1/m₀ − 1)) for each bet.
        let gains: [Double]
        /// ln(1 − λ) for each bet.
        let losses: [Double]
    }

    /// Starts at 0.
    ///
    /// - Parameters:
    ///   - shares: P̂ of the bins, [binCount], sum 1.
    ///   - radius: r; a side of an event that cannot be further off than this is left out.
    ///   - isOrdered: Whether the bins have an order, as those of a number do.
    public init(shares: [Double], radius: Double, isOrdered: Bool) {
        precondition(!shares.isEmpty, "no bins")
        precondition(radius >= 0 && radius < 1, "radius \(radius)")
        self.radius = radius
        self.isOrdered = isOrdered
        binCount = shares.count
        var sides: [Side] = []
        for (event, chance) in Self.events(shares, isOrdered).enumerated() {
            for isAbove in [true, false] {
                // A null mean of 0 would make a single row certain evidence: half a row of a million is
                // no share that a reference can tell from 0.
                let bound = max((isAbove ? chance : 1 - chance) + radius, 5e-7)
                guard bound < 1 else { continue }
                sides.append(
                    Side(
                        event: event, isAbove: isAbove,
                        gains: Self.bets.map { log1p($0 * (1 / bound - 1)) },
                        losses: Self.bets.map { log1p(-$0) }))
            }
        }
        self.sides = sides
        values = Array(repeating: 0, count: sides.count * Self.bets.count)
    }

    /// This is the average over events, sides and bets, an e-detector itself; 0 when no event can be off.
    public var value: Double {
        values.isEmpty ? 0 : values.reduce(0) { $0 + $1 / Double(values.count) }
    }

    /// Adds a window; one without rows is no step.
    ///
    /// - Precondition: `counts` is [binCount].
    public mutating func absorb(_ counts: [UInt64]) {
        precondition(counts.count == binCount, "\(counts.count) counts of \(binCount) bins")
        let numbers = counts.map { Double($0) }
        let total = numbers.reduce(0, +)
        guard total > 0 else { return }
        let hits = Self.events(numbers, isOrdered)
        var place = 0
        for side in sides {
            let inside = side.isAbove ? hits[side.event] : total - hits[side.event]
            for bet in Self.bets.indices {
                let factor = inside * side.gains[bet] + (total - inside) * side.losses[bet]
                values[place] = min(exp(factor) * (values[place] + 1), EDetector.valueMax)
                place += 1
            }
        }
    }

    /// Starts again from 0.
    public mutating func reset() {
        values = Array(repeating: 0, count: values.count)
    }

    /// Goes on from stored values; false, and unchanged, when they are not those of these events.
    mutating func restore(_ values: [Double]) -> Bool {
        guard values.count == self.values.count else { return false }
        guard values.allSatisfy({ $0 >= 0 && $0 <= EDetector.valueMax }) else { return false }
        self.values = values
        return true
    }

    /// The sums over the bins of each event: prefixes but the whole, or single bins; of two bins one says all.
    private static func events(_ bins: [Double], _ isOrdered: Bool) -> [Double] {
        guard isOrdered || bins.count <= 2 else { return bins }
        var sum = 0.0
        return bins.dropLast().map {
            sum += $0
            return sum
        }
    }

    /// This is how far two samples' shares are apart over all events.
    ///
    /// - Returns: In 0...1; nil when either side is empty.
    public static func distance(
        _ one: [UInt64], _ other: [UInt64], isOrdered: Bool
    ) -> Double? {
        let (a, b) = (one.map { Double($0) }, other.map { Double($0) })
        let (n, m) = (a.reduce(0, +), b.reduce(0, +))
        guard n > 0, m > 0 else { return nil }
        return zip(events(a, isOrdered), events(b, isOrdered))
            .reduce(0) { max($0, abs($1.0 / n - $1.1 / m)) }
    }
}

/// This is a p-value of two samples whose shares may differ by a tolerance, valid for every sample size.
///
/// Formula: min(1, 4 E exp(−2 d² / (1/√n + 1/√m)²)), d = max(0, D − tolerance), D the largest difference of the
/// samples' shares over all events; E = 1 for ordered bins, else their number. Each sample's shares are off by
/// its part of d with at most 2 E times the exponential, and both parts are equally unlikely.
/// Source: P. Massart, "The tight constant in the Dvoretzky–Kiefer–Wolfowitz inequality", Ann. Probab. 18(3),
/// 1990, for ordered bins; W. Hoeffding, JASA 58, 1963, for each of single ones.
///
/// - Parameters:
///   - one: Counts of one sample, [binCount].
///   - other: Counts of the other, of the same bins.
///   - isOrdered: Whether events are prefixes of the bins, or single bins.
///   - tolerance: The largest difference of an event's chances that is no drift, at least 0.
/// - Returns: In 0...1; nil when either side is empty.
public func twoSampleSharePValue(
    _ one: [UInt64], _ other: [UInt64], isOrdered: Bool, tolerance: Double
) -> Double? {
    precondition(one.count == other.count, "\(one.count) and \(other.count) bins")
    precondition(tolerance >= 0, "tolerance \(tolerance)")
    guard
        let distance = CumulativeShareDetector.distance(one, other, isOrdered: isOrdered)
    else { return nil }
    let n = one.reduce(0) { $0 + Double($1) }
    let m = other.reduce(0) { $0 + Double($1) }
    let scale = 1 / n.squareRoot() + 1 / m.squareRoot()
    let excess = max(0, distance - tolerance) / scale
    let events = isOrdered ? 1 : Double(one.count)
    return min(1, 4 * events * exp(-2 * excess * excess))
}
