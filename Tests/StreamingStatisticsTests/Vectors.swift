import Foundation
import MonitoringTestSupport

/// This is a number, or the text "Infinity" or "-Infinity".
struct WireNumber: Decodable {
    let value: Double

    init(from decoder: any Decoder) throws {
        let container = try decoder.singleValueContainer()
        switch try? container.decode(String.self) {
        case "Infinity": value = .infinity
        case "-Infinity": value = -.infinity
        default: value = try container.decode(Double.self)
        }
    }
}

/// This is a category by its text; booleans and integers compare by theirs.
struct WireCategory: Decodable {
    let text: String

    init(from decoder: any Decoder) throws {
        let container = try decoder.singleValueContainer()
        if let text = try? container.decode(String.self) {
            self.text = text
        } else if let flag = try? container.decode(Bool.self) {
            text = flag ? "true" : "false"
        } else {
            text = String(try container.decode(Int.self))
        }
    }
}

/// These are the values that public libraries give for hand-sized inputs.
enum Vectors {
    static var areThere: Bool { Repository.hasStreams }

    static func read<Value: Decodable>(_ name: String, as type: Value.Type) throws -> Value {
        let file = Repository.streams.appendingPathComponent("vectors/\(name).json")
        let decoder = JSONDecoder()
        decoder.keyDecodingStrategy = .convertFromSnakeCase
        return try decoder.decode(type, from: Data(contentsOf: file))
    }
}

/// True when both are nil or differ by at most `tolerance`, relative above 1.
func isClose(_ found: Double?, _ expected: Double?, _ tolerance: Double = 1e-9) -> Bool {
    guard let found, let expected else { return found == nil && expected == nil }
    return abs(found - expected) <= tolerance * max(1, abs(expected))
}
