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
        signs = (0..<directionCount * words).map { _ in
            state &+= 0x9E37_79B9_7F4A_7C15
            var word = state
            word = (word ^ (word >> 30)) &* 0xBF58_476D_1CE4_E5B9
            word = (word ^ (word >> 27)) &* 0x94D0_49BB_1331_11EB
            return word ^ (word >> 31)
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
