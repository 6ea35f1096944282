import Foundation

/// This is a named distribution of values.
struct SyntheticValues: Sendable {
    let name: String
    let draw: @Sendable (inout UniformGenerator) -> Double

    static let all = [
        SyntheticValues(name: "normal") { $0.normal() },
        SyntheticValues(name: "lognormal") { exp($0.normal()) },
        // A tail index of 1.4: the mean exists, the variance does not.
        SyntheticValues(name: "heavy-tailed") { $0.normal() / pow($0.uniform(), 1 / 1.4) },
        SyntheticValues(name: "zero-inflated") { $0.uniform() < 0.4 ? 0 : exp($0.normal()) },
        SyntheticValues(name: "integer") { (400 + 100 * $0.normal()).rounded() },
    ]

    func values(count: Int, seed: UInt64) -> [Double] {
        var random = UniformGenerator(state: seed)
        return (0..<count).map { _ in draw(&random) }
    }
}

/// This is SplitMix64 (Steele, Lea, Flood, OOPSLA 2014) with what is drawn from it.
struct UniformGenerator: Sendable {
    var state: UInt64

    mutating func next() -> UInt64 {
        state &+= 0x9E37_79B9_7F4A_7C15
        var z = state
        z = (z ^ (z >> 30)) &* 0xBF58_476D_1CE4_E5B9
        z = (z ^ (z >> 27)) &* 0x94D0_49BB_1331_11EB
        return z ^ (z >> 31)
    }

    /// Above 0 and below 1.
    mutating func uniform() -> Double { (Double(next() >> 11) + 0.5) / 9_007_199_254_740_992 }

    mutating func normal() -> Double {
        (-2 * log(uniform())).squareRoot() * cos(2 * Double.pi * uniform())
    }
}
