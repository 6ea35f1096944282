import ByteCoding
import Foundation
import MonitoringTestSupport
import Testing

@Suite struct JSONValueTests {
    @Test(
        arguments: [
            (.null, "null"),
            (.bool(true), "true"),
            (.int(.min), "-9223372036854775808"),
            (.double(0.1), "0.1"),
            (.double(3), "3"),
            (.double(1e300), "1e+300"),
            (.double(.nan), "null"),
            (.double(-.infinity), "null"),
            (.string("a\"b\\c\nd\te\u{1}é🌊/"), #""a\"b\\c\nd\u0009e\u0001é🌊/""#),
            (.array([]), "[]"),
            (.array([.int(1), .null]), "[1,null]"),
            (.object([]), "{}"),
            (
                .object([("b", .int(1)), ("a", .object([("\"", .bool(false))]))]),
                #"{"b":1,"a":{"\"":false}}"#
            ),
        ] as [(JSONValue, String)])
    func `a value's text is`(value: JSONValue, text: String) {
        #expect(value.text == text)
    }

    @Test(arguments: UInt64(0)..<64)
    func `Foundation reads back what was written`(seed: UInt64) throws {
        var random = SeededGenerator(seed: seed)
        let value = JSONValue.array([randomValue(depth: 4, using: &random)])

        let read = try JSONSerialization.jsonObject(with: Data(value.text.utf8))

        #expect(isSame(read, value), "\(value.text)")
    }

    @Test(arguments: UInt64(0)..<8)
    func `every finite double reads back bit by bit`(seed: UInt64) throws {
        var random = SeededGenerator(seed: seed)

        for _ in 0..<200 {
            let number = Double(bitPattern: random.next())
            guard number.isFinite else { continue }

            #expect(Double(JSONValue.double(number).text) == number)
        }
    }

    private func randomValue(depth: Int, using random: inout SeededGenerator) -> JSONValue {
        switch Int.random(in: 0..<(depth > 0 ? 7 : 5), using: &random) {
        case 0: return .null
        case 1: return .bool(.random(using: &random))
        case 2: return .int(.random(in: -1_000_000...1_000_000, using: &random))
        case 3: return .double(.random(in: -1e6...1e6, using: &random))
        case 4: return .string(randomText(using: &random))
        case 5:
            return .array((0..<3).map { _ in randomValue(depth: depth - 1, using: &random) })
        default:
            return .object(
                (0..<3).map {
                    (
                        "\($0)" + randomText(using: &random),
                        randomValue(depth: depth - 1, using: &random)
                    )
                })
        }
    }

    private func randomText(using random: inout SeededGenerator) -> String {
        let scalars = Array("ab\"\\/\n\r\t\u{0}\u{1f}\u{7f}é\u{2028}日🌊".unicodeScalars)
        var text = ""
        for _ in 0..<Int.random(in: 0...8, using: &random) {
            if let scalar = scalars.randomElement(using: &random) {
                text.unicodeScalars.append(scalar)
            }
        }
        return text
    }

    /// Foundation reads some doubles a few units in the last place off; the next law is exact.
    private func isSame(_ read: Any?, _ value: JSONValue) -> Bool {
        switch value {
        case .null: return read is NSNull
        case .bool(let value): return (read as? NSNumber)?.boolValue == value
        case .int(let value): return (read as? NSNumber)?.int64Value == value
        case .double(let value):
            guard let number = (read as? NSNumber)?.doubleValue else { return false }
            return abs(number - value) <= 4 * value.ulp
        case .string(let value): return (read as? String) == value
        case .array(let values):
            guard let read = read as? [Any], read.count == values.count else { return false }
            return zip(read, values).allSatisfy { isSame($0, $1) }
        case .object(let members):
            guard let read = read as? [String: Any], read.count == members.count else {
                return false
            }
            return members.allSatisfy { isSame(read[$0.0], $0.1) }
        }
    }
}
