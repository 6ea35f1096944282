import Glibc

/// This keeps a window of recent values that grows while their mean is constant and drops its old part
/// when the means of two parts differ.
///
/// Formula: parts of n₀ and n₁ values differ when |μ₀ − μ₁| > √(2 m σ² δ′) + ⅔ δ′ m, σ² the window's
/// variance, δ′ = ln(2 ln(n) / δ), m = 1/(n₀ − 4) + 1/(n₁ − 4); tried every 32nd value at each bucket's edge.
/// Source: A. Bifet and R. Gavaldà, "Learning from time-changing data with adaptive windowing", SDM 2007;
/// buckets of powers of two with their variances: B. Babcock et al., PODS 2003.
///
/// Memory: at most 5 buckets per power of two, so a logarithm of the window. The bound is for each look,
/// not for all looks together: no promise of false alarms over time. Order matters, so it is replayed after
/// a late row, bit-identically.
public struct ADWIN: Equatable, Sendable {
    /// What is kept after a change.
    public enum AfterChange: Sendable {
        /// The newer part, as in the paper.
        case keepNewerPart
        /// Nothing: the next value begins a new window, as in River.
        case startAfresh
    }

    /// Looks are made at every multiple of this.
    static let lookInterval = 32
    /// Buckets of one size; one more, and the two oldest become one of twice the size.
    static let bucketCountMax = 5
    /// The fewest values of a part.
    static let partCountMin = 5.0
    /// Windows up to this are not cut.
    static let uncutCount = 10.0

    /// δ, above 0 and below 1.
    public let delta: Double
    /// What is kept after a change.
    public let afterChange: AfterChange
    /// The values in the window.
    public private(set) var width = 0.0
    /// Their sum.
    public private(set) var total = 0.0
    /// Σ(x − mean)².
    private var deviation = 0.0
    /// [power][age], the oldest first; a bucket of power k holds 2^k values.
    private var rows: [[Bucket]] = [[]]
    private var tick = 0
    private var isStartingAfresh = false

    private struct Bucket: Equatable, Sendable {
        var total: Double
        var deviation: Double
    }

    /// Starts without values.
    public init(delta: Double = 0.002, afterChange: AfterChange = .keepNewerPart) {
        precondition(delta > 0 && delta < 1, "delta \(delta)")
        self.delta = delta
        self.afterChange = afterChange
    }

    /// This is the window's mean; nil without values.
    public var mean: Double? { width > 0 ? total / width : nil }

    /// Adds a value.
    ///
    /// - Precondition: `value` is finite.
    public mutating func absorb(_ value: Double) -> DetectorStatus {
        precondition(value.isFinite, "value \(value)")
        if isStartingAfresh { self = Self(delta: delta, afterChange: afterChange) }
        insert(value)
        tick += 1
        guard tick % Self.lookInterval == 0 else { return .stable }
        var hasChanged = false
        // Each cut removes a bucket, so this ends.
        while width > Self.uncutCount, hasCut() {
            removeOldest()
            hasChanged = true
        }
        isStartingAfresh = hasChanged && afterChange == .startAfresh
        return hasChanged ? .drift : .stable
    }

    private mutating func insert(_ value: Double) {
        width += 1
        if width > 1 {
            let difference = value - total / (width - 1)
            deviation += (width - 1) * difference * difference / width
        }
        total += value
        rows[0].append(Bucket(total: value, deviation: 0))
        var power = 0
        while rows[power].count > Self.bucketCountMax {
            let (one, two) = (rows[power][0], rows[power][1])
            let size = Double(1 << power)
            let difference = (one.total - two.total) / size
            let merged = Bucket(
                total: one.total + two.total,
                deviation: one.deviation + two.deviation + size * difference * difference / 2)
            rows[power].removeFirst(2)
            power += 1
            if power == rows.count { rows.append([]) }
            rows[power].append(merged)
        }
    }

    private mutating func removeOldest() {
        let power = rows.count - 1
        let bucket = rows[power].removeFirst()
        let size = Double(1 << power)
        width -= size
        total -= bucket.total
        let difference = bucket.total / size - total / width
        deviation -= bucket.deviation + size * width * difference * difference / (size + width)
        while rows.count > 1, rows[rows.count - 1].isEmpty { rows.removeLast() }
    }

    /// True when the window has two parts of different means.
    private func hasCut() -> Bool {
        var (oldCount, oldTotal) = (0.0, 0.0)
        for power in rows.indices.reversed() {
            let size = Double(1 << power)
            for bucket in rows[power] {
                oldCount += size
                oldTotal += bucket.total
                let newCount = width - oldCount
                guard oldCount >= Self.partCountMin, newCount >= Self.partCountMin else { continue }
                let difference = oldTotal / oldCount - (total - oldTotal) / newCount
                if abs(difference) > cutThreshold(oldCount, newCount) { return true }
            }
        }
        return false
    }

    private func cutThreshold(_ one: Double, _ two: Double) -> Double {
        let confidence = log(2 * log(width) / delta)
        let reciprocal =
            1 / (one - Self.partCountMin + 1) + 1 / (two - Self.partCountMin + 1)
        return (2 * reciprocal * (deviation / width) * confidence).squareRoot()
            + 2.0 / 3 * confidence * reciprocal
    }
}

extension ADWIN {
    /// These are all its changing numbers, to be stored.
    public var numbers: [Double] {
        var numbers = [width, total, deviation, Double(tick), isStartingAfresh ? 1 : 0]
        for row in rows {
            numbers.append(Double(row.count))
            for bucket in row { numbers += [bucket.total, bucket.deviation] }
        }
        return numbers
    }

    /// Goes on from stored numbers of a detector with the same settings.
    ///
    /// - Returns: False, and nothing changed, when no detector can have them.
    public mutating func restore(_ numbers: [Double]) -> Bool {
        guard numbers.count >= 6, numbers.allSatisfy(\.isFinite),
            let tick = storedCount(numbers[3]), numbers[4] == 0 || numbers[4] == 1
        else { return false }
        var rows: [[Bucket]] = []
        var rest = numbers.dropFirst(5)
        var held = 0.0
        while let first = rest.popFirst() {
            guard rows.count < 50, let count = storedCount(first), count <= Self.bucketCountMax,
                rest.count >= 2 * count
            else { return false }
            var row: [Bucket] = []
            for _ in 0..<count {
                guard let total = rest.popFirst(), let deviation = rest.popFirst() else {
                    return false
                }
                row.append(Bucket(total: total, deviation: deviation))
            }
            held += Double(count) * Double(1 << rows.count)
            rows.append(row)
        }
        // The oldest bucket is what a cut takes away, so the last row holds one, or nothing is held.
        guard held == numbers[0], rows.last?.isEmpty == false || rows.count == 1 else {
            return false
        }
        (width, total, deviation) = (numbers[0], numbers[1], numbers[2])
        (self.rows, self.tick, isStartingAfresh) = (rows, tick, numbers[4] == 1)
        return true
    }
}
