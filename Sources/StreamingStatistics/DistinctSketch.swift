import Glibc

/// This is an estimate of how many distinct hashes were seen, in bounded memory; mergeable in any order.
///
/// A hash names one of 4,096 registers by its first 12 bits, and the register keeps the largest rank (place
/// of the first one) of the other 52. Few touched registers are kept as a list, more as bytes.
/// Source: P. Flajolet et al., "HyperLogLog", AofA 2007; estimator: O. Ertl, "New cardinality estimation
/// algorithms for HyperLogLog sketches", arXiv 1702.01284, algorithm 6.
public struct DistinctSketch: Equatable, Sendable {
    /// Registers; a power of two.
    public static let registerCount = 1 << indexBits
    /// The standard deviation of `estimate`, relative to the truth: 1.04 / √4,096.
    public static let relativeStandardError = 0.016_25
    /// The largest rank there is.
    public static let rankMax: UInt8 = 64 - UInt8(indexBits) + 1

    private static let indexBits = 12
    /// Touched registers above which all are kept.
    private static let sparseCountMax = 512

    /// `register << 8 | rank`, sorted; empty when dense.
    private var sparse: [UInt32] = []
    /// [registerCount], or empty.
    private var dense: [UInt8] = []

    /// Starts empty, and allocates nothing.
    public init() {}

    /// True when both have the same registers, however they are kept.
    public static func == (left: Self, right: Self) -> Bool {
        if left.dense.isEmpty == right.dense.isEmpty {
            return left.sparse == right.sparse && left.dense == right.dense
        }
        return left.registers() == right.registers()
    }

    /// This is a text's hash, the same on every machine and in every run.
    ///
    /// Source: FNV-1a (G. Fowler, L. Noll, K. Vo, 1991), with the finisher of MurmurHash3 (A. Appleby),
    /// because FNV's first bits depend little on a text's last bytes.
    public static func hash(of text: String) -> UInt64 {
        var hash: UInt64 = 0xCBF2_9CE4_8422_2325
        for byte in text.utf8 { hash = (hash ^ UInt64(byte)) &* 0x100_0000_01B3 }
        hash = (hash ^ (hash >> 33)) &* 0xFF51_AFD7_ED55_8CCD
        hash = (hash ^ (hash >> 33)) &* 0xC4CE_B9FE_1A85_EC53
        return hash ^ (hash >> 33)
    }

    /// Sees one hash; seeing it again changes nothing.
    public mutating func insert(hash: UInt64) {
        let rest = hash << Self.indexBits
        // At most 53: the rest has 52 bits.
        let rank = min(Self.rankMax, UInt8(rest.leadingZeroBitCount + 1))
        raise(register: Int(hash >> (64 - Self.indexBits)), to: rank)
    }

    /// Raises a register to a rank, if it is lower.
    ///
    /// - Precondition: `register` is in 0..<registerCount and `rank` in 1...rankMax.
    public mutating func raise(register: Int, to rank: UInt8) {
        precondition((0..<Self.registerCount).contains(register), "register \(register)")
        precondition((1...Self.rankMax).contains(rank), "rank \(rank)")
        guard dense.isEmpty else {
            dense[register] = max(dense[register], rank)
            return
        }
        let entry = UInt32(register) << 8
        var low = 0
        var high = sparse.count
        while low < high {
            let middle = (low + high) / 2
            if sparse[middle] < entry { low = middle + 1 } else { high = middle }
        }
        if low < sparse.count, sparse[low] >> 8 == UInt32(register) {
            sparse[low] = max(sparse[low], entry | UInt32(rank))
        } else {
            sparse.insert(entry | UInt32(rank), at: low)
        }
        guard sparse.count > Self.sparseCountMax else { return }
        dense = registers()
        sparse = []
    }

    /// Sees what another sketch has seen.
    public mutating func merge(_ other: Self) {
        other.forEachTouched { raise(register: $0, to: $1) }
    }

    /// Visits the registers above 0, in order.
    public func forEachTouched(_ body: (_ register: Int, _ rank: UInt8) -> Void) {
        for entry in sparse { body(Int(entry >> 8), UInt8(truncatingIfNeeded: entry)) }
        for (register, rank) in dense.enumerated() where rank > 0 { body(register, rank) }
    }

    /// How many distinct hashes were seen, about.
    ///
    /// - Returns: 0 when none was.
    /// - Accuracy: Standard deviation 1.6 % of the truth; far less below a few hundred.
    public var estimate: Double {
        var histogram = [Double](repeating: 0, count: Int(Self.rankMax) + 1)
        var touched = 0.0
        forEachTouched { _, rank in
            histogram[Int(rank)] += 1
            touched += 1
        }
        guard touched > 0 else { return 0 }
        let m = Double(Self.registerCount)
        var z = m * Self.tau(1 - histogram[Int(Self.rankMax)] / m)
        for rank in stride(from: Int(Self.rankMax) - 1, through: 1, by: -1) {
            z = 0.5 * (z + histogram[rank])
        }
        z += m * Self.sigma((m - touched) / m)
        return m * m / (2 * log(2) * z)
    }

    private func registers() -> [UInt8] {
        var all = [UInt8](repeating: 0, count: Self.registerCount)
        forEachTouched { all[$0] = $1 }
        return all
    }

    /// Σ_k x^(2^k) 2^(k−1), for x in 0..<1.
    private static func sigma(_ x: Double) -> Double {
        var (power, weight, sum) = (x, 1.0, x)
        // The power is squared each time: after 64 rounds it has left a double's range for every x < 1.
        for _ in 0..<64 {
            power *= power
            sum += power * weight
            weight += weight
        }
        return sum
    }

    /// ⅓ (1 − x − Σ_k (1 − x^(2^−k))² 2^−k), for x in 0...1.
    private static func tau(_ x: Double) -> Double {
        guard x > 0, x < 1 else { return 0 }
        var (root, weight, sum) = (x, 1.0, 1 - x)
        for _ in 0..<64 {
            root = root.squareRoot()
            weight *= 0.5
            sum -= (1 - root) * (1 - root) * weight
        }
        return sum / 3
    }
}
