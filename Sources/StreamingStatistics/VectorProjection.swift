/// These are the numbers that stand for a vector (an embedding): its norm, and its places along fixed random
/// directions, so that a vector can be watched like numeric features.
///
/// Formula: ‖x‖₂, and for each direction d Σ_i s_{d,i} x_i / √n with signs s of −1 or +1 that depend only on
/// the seed, d and i. A shift of the mean vector by v moves a projection by v's place along the direction:
/// of a random direction ‖v‖ / √n in the root mean square, so several directions hardly miss it all.
/// Source: D. Achlioptas, "Database-friendly random projections", JCSS 66(4), 2003.
public struct VectorProjection: Equatable, Sendable {
    /// Directions that a projection may have: each is a numeric feature.
    public static let directionCountMax = 64

    /// Numbers in a vector.
    public let dimension: Int
    /// Numbers that stand for it, without the norm.
    public let directionCount: Int
    /// What the signs depend on.
    public let seed: UInt64
    /// [directionCount · words]: a bit for each sign, 1 for −1.
    private let signs: [UInt64]
    /// [groups of eight directions][dimension]: the same bits, those of one number in one byte.
    private let signBytes: [[UInt8]]

    /// Draws the directions; the same arguments draw the same on every machine.
    ///
    /// - Precondition: `dimension` is positive and `directionCount` in 0...directionCountMax.
    public init(dimension: Int, directionCount: Int = 8, seed: UInt64 = 0) {
        precondition(dimension > 0, "dimension \(dimension)")
        precondition(
            (0...Self.directionCountMax).contains(directionCount), "\(directionCount) directions")
        self.dimension = dimension
        self.directionCount = directionCount
        self.seed = seed
        let words = (dimension + 63) / 64
        // SplitMix64 (Steele, Lea, Flood, 2014).
        var state = seed
        let signs = (0..<directionCount * words).map { _ -> UInt64 in
            state &+= 0x9E37_79B9_7F4A_7C15
            var word = state
            word = (word ^ (word >> 30)) &* 0xBF58_476D_1CE4_E5B9
            word = (word ^ (word >> 27)) &* 0x94D0_49BB_1331_11EB
            return word ^ (word >> 31)
        }
        self.signs = signs
        signBytes = stride(from: 0, to: directionCount, by: 8).map { first in
            (0..<dimension).map { index in
                (first..<min(first + 8, directionCount)).reduce(UInt8(0)) { byte, direction in
                    let bit = signs[direction * words + index / 64] >> UInt64(index % 64) & 1
                    return byte | UInt8(bit) << UInt8(direction - first)
                }
            }
        }
    }

    /// This is the Euclidean norm and the projections, [1 + directionCount]; nil for a vector of another
    /// dimension, which is an error of its type and not a missing value.
    ///
    /// - Returns: NaN in every place when a number of the vector is NaN; ±∞ or NaN when one is infinite or
    ///   a sum is beyond a double's range.
    /// - Complexity: O(dimension · directionCount).
    public func values(of vector: Span<Double>) -> [Double]? {
        guard vector.count == dimension else { return nil }
        let words = (dimension + 63) / 64
        var result = [norm(vector)]
        result.reserveCapacity(1 + directionCount)
        for direction in 0..<directionCount {
            var sum = CompensatedSum()
            for index in 0..<dimension {
                let word = signs[direction * words + index / 64]
                let value = vector[index]
                sum.add(word >> UInt64(index % 64) & 1 == 0 ? value : -value)
            }
            result.append(sum.value / Double(dimension).squareRoot())
        }
        return result
    }

    /// These are the norms and the projections of vectors that lie one behind another,
    /// [1 + directionCount] columns of [vectors]: the numbers of `values`, to rounding.
    ///
    /// Eight directions are summed side by side, each with the error of every addition kept (Knuth's
    /// two-sum), in an order that is the same on every machine.
    ///
    /// - Precondition: the numbers are finite, and their count is a multiple of `dimension`.
    /// - Returns: Infinite values where a sum is beyond a double's range; never NaN.
    /// - Complexity: O(numbers · directionCount); allocates the columns only.
    public func columns(of vectors: Span<Double>) -> [[Double]] {
        precondition(
            vectors.count % dimension == 0, "\(vectors.count) numbers, \(dimension) a vector")
        let count = vectors.count / dimension
        var columns = [[Double]](
            repeating: [Double](repeating: 0, count: count), count: 1 + directionCount)
        let root = Double(dimension).squareRoot()
        for vector in 0..<count {
            let numbers = vectors.extracting(vector * dimension..<(vector + 1) * dimension)
            columns[0][vector] = norm(numbers)
            for first in stride(from: 0, to: directionCount, by: 8) {
                let sums = self.sums(of: numbers, from: first)
                for direction in first..<min(first + 8, directionCount) {
                    let value = sums[direction - first] / root
                    // NaN is the mark of a missing vector, and this one is there.
                    columns[1 + direction][vector] = value.isNaN ? .infinity : value
                }
            }
        }
        return columns
    }

    /// The signed sums along eight directions from `first` on.
    private func sums(of vector: Span<Double>, from first: Int) -> SIMD8<Double> {
        typealias Lanes = SIMD8<Double>
        var (high, low) = (Lanes(), Lanes())
        let bytes = signBytes[first / 8]
        for index in 0..<dimension {
            let bits = SIMD8<UInt64>(repeating: vector[index].bitPattern)
            let value = unsafeBitCast(bits ^ Self.signs[Int(bytes[index])], to: Lanes.self)
            let sum = high + value
            let taken = sum - high
            low += (high - (sum - taken)) + (value - taken)
            high = sum
        }
        return high + low
    }

    /// For each byte the sign bits of its eight directions.
    private static let signs: [SIMD8<UInt64>] = (0..<256).map { byte in
        var signs = SIMD8<UInt64>()
        for lane in 0..<8 where byte >> lane & 1 == 1 { signs[lane] = 1 << 63 }
        return signs
    }

    /// √Σx², scaled by the largest value so that no square leaves a double's range.
    private func norm(_ vector: Span<Double>) -> Double {
        var largest = 0.0
        for index in 0..<vector.count {
            if vector[index].isNaN { return .nan }
            largest = max(largest, vector[index].magnitude)
        }
        guard largest > 0, largest.isFinite else { return largest }
        var sum = 0.0
        for index in 0..<vector.count {
            let ratio = vector[index] / largest
            sum += ratio * ratio
        }
        return largest * sum.squareRoot()
    }
}
