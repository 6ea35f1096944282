import MonitoringDomain
import MonitoringTestSupport
import Testing

@testable import RuleLanguage

@Suite struct ExpressionParserTests {
    private static let pairs: [(String, String)] = [
        ("1 + 2 * 3 > 0", "(1 + (2 * 3)) > 0"),
        ("1 * 2 + 3 > 0", "((1 * 2) + 3) > 0"),
        ("10 - 4 - 3 > 0", "((10 - 4) - 3) > 0"),
        ("8 / 4 / 2 > 0", "((8 / 4) / 2) > 0"),
        ("- 1 + 2 > 0", "((-1) + 2) > 0"),
        ("- - 1 > 0", "(-(-1)) > 0"),
        ("2 * -3 > 0", "(2 * (-3)) > 0"),
        ("1 < 2 or 3 < 4 and 5 < 6", "(1 < 2) or ((3 < 4) and (5 < 6))"),
        ("1 < 2 and 3 < 4 or 5 < 6", "((1 < 2) and (3 < 4)) or (5 < 6)"),
        ("not 1 < 2 and 3 < 4", "(not (1 < 2)) and (3 < 4)"),
        ("not not 1 < 2", "not (not (1 < 2))"),
        ("1 < 2 or 3 < 4 or 5 < 6", "((1 < 2) or (3 < 4)) or (5 < 6)"),
        ("1 + 1 >= 2 - 0", "(1 + 1) >= (2 - 0)"),
        ("psi(age,window:1h)>0.2", "psi( age , window : 1h ) > 0.2"),
        ("psi(\"age\", window: 1h) > 0.2", "psi(age, window: 1h) > 0.2"),
        ("psi(age, window: 60m) > 0.2", "psi(age, window: 1h) > 0.2"),
        ("psi(age, version: v2, window: 1h) > 1", "psi(age, window: 1h, version: v2) > 1"),
        ("quantile(age, q: 0.9, window: 1h) > 1", "quantile(age, window: 1h, q: 0.90) > 1"),
        ("psi(age, window: 1h).value > 1", "psi(age, window: 1h) > 1"),
        ("1e2 > 0", "100 > 0"), ("2.5e-1 > 0", "0.25 > 0"),
    ]

    @Test(arguments: pairs)
    func `precedence and association are those of arithmetic`(short: String, explicit: String) {
        #expect(expression(short) != nil, "\(short)")
        #expect(expression(short) == expression(explicit))
    }

    @Test func `a call keeps its statistic, subject, window, version and part`() {
        let call = StatisticCall(
            statistic: .psi, subject: .feature("age"), window: .milliseconds(WindowSpan.hour),
            version: "v2", part: .lower)

        #expect(
            expression("psi(age, window: 1h, version: v2).lower > 0.2")
                == .comparison(.greater, .statistic(call), .number(0.2)))
    }

    @Test func `a quantile keeps its fraction, and is the median without one`() {
        for (text, fraction) in [("", nil), (", q: 0.9", 0.9), (", q: 0", 0), (", q: 1", 1.0)] {
            let call = StatisticCall(
                statistic: .quantile, subject: .each, window: .milliseconds(WindowSpan.hour),
                version: nil, part: .value, fraction: fraction)

            #expect(
                expression("quantile(*, window: 1h\(text)) > 2")
                    == .comparison(.greater, .statistic(call), .number(2)))
        }
    }

    @Test(arguments: ["<", "<=", ">", ">=", "==", "!="])
    func `every comparison is read`(symbol: String) throws {
        let operation = try #require(Expression.ComparisonOperator(rawValue: symbol))

        #expect(expression("1 \(symbol) 2") == .comparison(operation, .number(1), .number(2)))
    }

    @Test(arguments: StatisticCall.Part.allCases)
    func `every part of a reading is read`(part: StatisticCall.Part) {
        guard
            case .comparison(_, .statistic(let call), _) = expression(
                "psi(age, window: 1h).\(part.rawValue) > 0")
        else {
            Issue.record("not a comparison of a statistic")
            return
        }
        #expect(call.part == part)
    }

    @Test(arguments: Statistic.allCases.filter { $0.group == .detector && $0 != .drift })
    func `a classic detector runs over the error and is a number`(statistic: Statistic) {
        let name = statistic.rawValue

        #expect(expression("\(name)(error, window: 1h) > 0") != nil)
        #expect(expression("\(name)(age, window: 1h) > 0") == nil)
        #expect(expression("\(name)(window: 1h) > 0") == nil)
    }

    @Test func `drift is a condition on features, on each or on one, under a budget`() throws {
        func read(_ text: String) throws -> Expression {
            try ExpressionParser.parse(text, hasBudget: true)
        }
        func drift(_ subject: DriftSubject) -> Expression {
            .drift(DriftCall(subject: subject, span: WindowSpan.day))
        }

        #expect(try read("drift(features, window: 24h)") == drift(.features))
        #expect(try read("drift(*, window: 1d)") == drift(.each))
        #expect(try read("drift(age, window: 1d)") == drift(.one("age")))
        #expect(try read("drift(\"features\", window: 1d)") == drift(.one("features")))
        #expect(try read("not drift(prediction, window: 1d)") == .not(drift(.one("prediction"))))
        #expect(try read("drift(*, window: 1d)").isOfEachFeature)
        #expect(expression("drift(features, window: 24h)") == nil)
    }

    @Test(arguments: Statistic.allCases.filter { $0.group != .detector })
    func `every statistic is read, and takes a feature or takes none`(statistic: Statistic) {
        let alone = expression("\(statistic.rawValue)(window: 1h) > 0")
        let ofFeature = expression("\(statistic.rawValue)(age, window: 1h) > 0")

        #expect((alone == nil) != (ofFeature == nil))
    }

    @Test func `a feature's name may hold anything in double quotes, and dots without them`() {
        for name in ["a b", "größe", "a,b)", "*"] {
            guard
                case .comparison(_, .statistic(let call), _) = expression(
                    "'psi(\"\(name)\", window: 1h) > 0'")
            else {
                Issue.record("\(name) was refused")
                continue
            }
            #expect(call.subject == .feature(name))
        }
        #expect(expression("psi(a.b-c, window: 1h) > 0") != nil)
    }

    @Test func `the star is of each feature, also inside a reference`() {
        #expect(expression("psi(*, window: 1h) > 0.2")?.isOfEachFeature == true)
        #expect(expression("psi(age, window: 1h) > 0.2")?.isOfEachFeature == false)
        #expect(
            expression("missing_rate(*, window: 1h) > reference(missing_rate) + 0.05") != nil)
        #expect(expression("mean(a, window: 1h) > reference(mean, a)") != nil)
        // Without a star nobody says whose mean it is: the rule would never fire.
        #expect(expression("mean(a, window: 1h) > reference(mean)") == nil)
    }

    @Test func `64 levels of parentheses are read and 65 are refused`() {
        func nested(_ depth: Int) -> String {
            String(repeating: "(", count: depth) + "1 < 2" + String(repeating: ")", count: depth)
        }

        #expect(expression(nested(64)) == expression("1 < 2"))
        for depth in [65, 4_000, 10_000] { #expect(expression(nested(depth)) == nil) }
        for prefix in ["not ", "-"] {
            #expect(expression(String(repeating: prefix, count: 4_000) + "1 < 2") == nil)
        }
    }

    @Test func `a chain of 256 operators is read and a longer one is refused`() {
        func chain(_ count: Int) -> String { String(repeating: "1+", count: count) + "1 > 0" }

        #expect(expression(chain(256)) != nil)
        #expect(expression(chain(257)) == nil)
        let conditions = [String](repeating: "1 < 2", count: 300).joined(separator: " or ")
        #expect(expression(conditions) == nil)
    }

    @Test(arguments: UInt64(0)..<200)
    func `any sequence of tokens ends in an expression or a place in it`(seed: UInt64) {
        let tokens = [
            "psi", "(", ")", "age", ",", "window", ":", "1h", ">", "<=", "0.2", "and", "or", "not",
            "-", "+", "*", "/", ".", "upper", "reference", "volume", "\"", "=", "é", "1e", " ",
        ]
        var random = SeededGenerator(seed: seed)
        let text = (0..<Int.random(in: 1...30, using: &random))
            .map { _ in tokens.randomElement(using: &random) ?? "" }.joined()

        switch parse("|\n      " + text) {
        case .success: break
        case .failure(let faults): #expect(!faults.diagnostics.isEmpty)
        }
    }
}
