import MonitoringDomain
import RecordCoding
import Testing

@Suite struct JSONNumberTests {
    /// The numbers as the decoder reads them; nil where it refuses them.
    private func parsed(_ texts: [String]) -> [Double]? {
        let lines = texts.map { "{\"features\":{\"x\":\($0)}}" }.joined(separator: "\n")
        guard case .success(let batches) = decode(lines),
            case .numeric(let numbers) = batches.first?.features.first?.column
        else { return nil }
        return numbers
    }

    private func expectNearest(_ texts: [String]) {
        guard let numbers = parsed(texts), numbers.count == texts.count else {
            Issue.record("refused: \(texts.prefix(3))")
            return
        }
        for (text, number) in zip(texts, numbers) where number != Double(text) {
            Issue.record("\(text) became \(number)")
        }
    }

    @Test(arguments: UInt64(0)..<20)
    func `random texts of numbers become the nearest double`(seed: UInt64) {
        var random = SeededGenerator(seed: seed)
        func digits(_ range: ClosedRange<Int>) -> String {
            (0..<Int.random(in: range, using: &random)).map { _ in
                String(Int.random(in: 0...9, using: &random))
            }.joined()
        }
        let texts = (0..<400).map { _ in
            let sign = Bool.random(using: &random) ? "-" : ""
            let whole =
                Bool.random(using: &random)
                ? "0" : String(Int.random(in: 1...9, using: &random)) + digits(0...20)
            let fraction = Bool.random(using: &random) ? "." + digits(1...22) : ""
            let power =
                Int.random(in: 0...2, using: &random) == 0
                ? "e\(Int.random(in: -280...280, using: &random))" : ""
            return sign + whole + fraction + power
        }
        expectNearest(texts)
    }

    @Test(arguments: UInt64(0)..<20)
    func `every double comes back from its own text`(seed: UInt64) {
        var random = SeededGenerator(seed: seed)
        let bits = (0..<300).map { _ in Double(bitPattern: random.next()) }.filter(\.isFinite)
        let units = (0..<300).map { _ in Double.random(in: 0..<1, using: &random) }
        let wide = (0..<300).map { _ in Double.random(in: -1e6...1e6, using: &random) }
        expectNearest((bits + units + wide).map { "\($0)" })
    }

    @Test func `halfway cases round to even, exactly at the border too`() {
        expectNearest([
            "9007199254740993", "9007199254740993.0", "9007199254740993.0000000000000001",
            "9007199254740992.5", "900719925474099.25", "0.9007199254740993", "4503599627370496.5",
            "4503599627370497.5", "18446744073709551615", "1844674407370955.1615", "0.1", "0.3",
            "0.30000000000000004", "123456789.0123456789", "5e-324", "2.4703282292062328e-324",
            "1.7976931348623157e308", "2.2250738585072011e-308", "1e22", "1e23", "1e-22", "1e-23",
        ])
    }

    @Test func `zero has one sign, underflow is zero, and long spellings of zero are fine`() {
        let texts = [
            "0", "-0", "-0.0", "1e-999", "-1e-999", "0e999999999", "0.000000000000000000000000",
        ]
        #expect(parsed(texts)?.map(\.bitPattern) == texts.map { _ in 0 })
        #expect(parsed(["1e00000000001", "1E5", "1e+5"]) == [10, 1e5, 1e5])
    }

    @Test func `a number may have as many bytes as the limit`() {
        let long = "1." + String(repeating: "3", count: 1_022)
        #expect(parsed([long]) == [Double(long) ?? .nan])
        #expect(decode("{\"features\":{\"x\":\(long)3}}").isMalformed)
    }
}
