import Foundation

/// This is NDJSON like a credit model's log: 14 numeric and 6 categorical features, about 550 bytes.
enum SyntheticRecords {
    /// The digits in an id, so that a body's size does not depend on them.
    static let idDigitCount = 12

    static func ndjson(count: Int, seed: UInt64) -> [UInt8] {
        var state = seed
        func next() -> UInt64 {
            // SplitMix64 (Steele, Lea, Flood, OOPSLA 2014).
            state &+= 0x9E37_79B9_7F4A_7C15
            var z = state
            z = (z ^ (z >> 30)) &* 0xBF58_476D_1CE4_E5B9
            z = (z ^ (z >> 27)) &* 0x94D0_49BB_1331_11EB
            return z ^ (z >> 31)
        }
        func uniform() -> Double { Double(next() >> 11) / 9_007_199_254_740_992 }
        func normal() -> Double {
            let radius = (-2 * log(1 - uniform())).squareRoot()
            return radius * cos(2 * Double.pi * uniform())
        }
        func decimal(_ value: Double, _ digits: Int) -> String {
            let scale = pow(10.0, Double(digits))
            return "\((value * scale).rounded() / scale)"
        }
        let regions = ["north-west", "south-west", "north-east", "south-east", "the centre"]
        let products = ["basic", "plus", "premium"]
        let channels = ["web", "branch", "phone", "partner"]
        var bytes: [UInt8] = []
        bytes.reserveCapacity(count * 600)
        for index in 0..<count {
            let time = index / 20
            let digits = String(index)
            let id = String(repeating: "0", count: idDigitCount - digits.count) + digits
            var line = "{\"id\":\"p-\(id)\",\"ts\":\"2026-11-23T"
            func two(_ value: Int) -> String { value < 10 ? "0\(value)" : "\(value)" }
            line += "\(two(time / 3_600 % 24)):\(two(time / 60 % 60)):\(two(time % 60)).123Z\","
            line += "\"model\":\"credit\",\"version\":\"3\",\"features\":{"
            line += "\"age\":\(18 + Int(next() % 70)),"
            line += "\"income\":\(decimal(exp(10.5 + 0.6 * normal()), 2)),"
            line += "\"debt_ratio\":\(decimal(uniform(), 4)),"
            for feature in 0..<11 {
                line += "\"measurement_\(feature)\":\(decimal(normal() * 10 + 50, 3)),"
            }
            line += "\"region\":\"\(regions[Int(next() % 5)])\","
            line += "\"product\":\"\(products[Int(next() % 3)])\","
            line += "\"channel\":\"\(channels[Int(next() % 4)])\","
            line += "\"owner\":\(next() % 2 == 0),\"employed\":\(next() % 3 != 0),"
            line += "\"risk_grade\":\"\(["a", "b", "c", "d"][Int(next() % 4)])\"},"
            let score = uniform()
            line += "\"prediction\":{\"label\":\(score > 0.5 ? 1 : 0),"
            line += "\"score\":\(decimal(score, 4))}}\n"
            bytes.append(contentsOf: line.utf8)
        }
        return bytes
    }
}
