import MonitoringDomain
import RuleLanguage
import Testing

@testable import RuleEvaluation

@Suite struct ExpressionEvaluatorTests {
    private func evaluation(
        _ text: String, _ world: World = World(), subject: String? = nil
    ) throws -> Evaluation {
        let rules = try ruleSet(
            "budget: { false_alarms: 1 per 90d }\nrules:\n  - alert: A\n    expr: >-\n      \(text)\n"
        )
        guard let rule = rules.groups.first?.rules.first else { throw SampleError() }
        return ExpressionEvaluator.evaluate(
            rule.expression, in: try world.context(), group: "g", subject: subject, at: minutes(0))
    }

    private static let words = ["T": "1 < 2", "F": "2 < 1", "U": "volume(window: 1h) > 0"]
    private static let values: [String: Bool?] = ["T": true, "F": false, "U": nil]

    /// Kleene's tables: left, right, and, or.
    private static let tables = [
        ("T", "T", "T", "T"), ("T", "F", "F", "T"), ("T", "U", "U", "T"),
        ("F", "T", "F", "T"), ("F", "F", "F", "F"), ("F", "U", "F", "U"),
        ("U", "T", "U", "T"), ("U", "F", "F", "U"), ("U", "U", "U", "U"),
    ]

    @Test(arguments: tables)
    func `unknown conditions follow the three-valued tables`(
        left: String, right: String, conjunction: String, disjunction: String
    ) throws {
        let (a, b) = (try #require(Self.words[left]), try #require(Self.words[right]))

        #expect(try evaluation("\(a) and \(b)").isBreached == Self.values[conjunction])
        #expect(try evaluation("\(a) or \(b)").isBreached == Self.values[disjunction])
    }

    @Test func `drift is true while an alarm names the subject, and unknown without a window`()
        throws
    {
        var world = World()
        #expect(try evaluation("drift(features, window: 1d)", world).isBreached == nil)

        world.driftEvidence = ["age": 120, "income": 3]

        let found = try evaluation("drift(features, window: 1d)", world)
        #expect(found.isBreached == true)
        #expect(found.value == 0.1)
        guard case .drift(let finding)? = found.evidence.first?.finding else {
            Issue.record("no finding")
            return
        }
        #expect(finding.streams.map(\.feature) == ["age", "income"])
        #expect(try evaluation("drift(age, window: 1d)", world).isBreached == true)
        #expect(try evaluation("drift(income, window: 1d)", world).isBreached == false)
        #expect(
            try evaluation("not drift(*, window: 1d)", world, subject: "age").isBreached == false)
        #expect(try evaluation("drift(other, window: 1d)", world).isBreached == nil)
    }

    @Test(arguments: [("T", "F"), ("F", "T"), ("U", "U")])
    func `not turns true and false around and leaves unknown`(of: String, is result: String) throws
    {
        let word = try #require(Self.words[of])

        #expect(try evaluation("not \(word)").isBreached == Self.values[result])
        #expect(try evaluation("not not \(word)").isBreached == Self.values[of])
    }

    @Test(
        arguments: [
            ("1 / 0 > 0", nil), ("0 / 0 == 0", nil), ("1e308 * 10 > 0", nil),
            ("-(1 / 0) < 0", nil), ("2 * 3 + 4 == 10", true), ("10 - 4 - 3 == 3", true),
            ("8 / 4 / 2 == 1", true), ("-2 * -3 >= 6", true), ("1 != 1", false), ("1 <= 1", true),
            ("1 >= 2", false), ("1 > 1", false),
        ] as [(String, Bool?)])
    func `arithmetic is that of doubles, and what is not finite is unknown`(
        text: String, expected: Bool?
    ) throws {
        #expect(try evaluation(text).isBreached == expected)
    }

    @Test func `a window ends with the newest instant and has its span`() throws {
        let window = try #require(
            try evaluation("volume(window: 90m) > 0").evidence.first?.window)

        #expect(window.contains(minutes(0)))
        #expect(window.end == minutes(0).advanced(byMilliseconds: 1))
        #expect(window.end.milliseconds - window.start.milliseconds == 90 * WindowSpan.minute)
    }

    @Test func `drift and performance are of the newest version, unless one is named`() throws {
        func version(_ text: String) throws -> String? {
            try evaluation(text).evidence.first?.version
        }

        #expect(try version("psi(age, window: 1h) > 0") == "1")
        #expect(try version("accuracy(window: 1h) > 0") == "1")
        #expect(try version("volume(window: 1h) > 0") == nil)
        #expect(try version("missing_rate(age, window: 1h) > 0") == nil)
        #expect(try version("psi(age, window: 1h, version: 7) > 0") == "7")
    }

    @Test func `each part of a reading is its own number, or unknown where it has none`() throws {
        var world = World()
        world.readings["psi(age)"] = .value(
            Estimate(value: 0.3, lower: 0.2, upper: 0.4, pValue: 0.01))
        for (part, number) in [
            (".value", 0.3), (".lower", 0.2), (".upper", 0.4), (".p_value", 0.01), (".count", 7),
            ("", 0.3),
        ] {
            let text = "psi(age, window: 1h)\(part) == \(number)"
            #expect(try evaluation(text, world).isBreached == true)
        }
        world.set("psi(age)", 0.3)
        for part in [".lower", ".upper", ".p_value"] {
            #expect(try evaluation("psi(age, window: 1h)\(part) > 0", world).isBreached == nil)
        }
        // A count needs no value: it is how a rule asks whether there is enough data.
        world.readings["psi(age)"] = .insufficientSamples(found: 7, required: 30)
        #expect(try evaluation("psi(age, window: 1h).count < 30", world).isBreached == true)
    }

    @Test func `the evidence is whole, although one side has decided`() throws {
        let found = try evaluation(
            "1 < 2 or (psi(age, window: 1h) > 0 and ks(income, window: 2h) > 0)")

        #expect(found.isBreached == true)
        #expect(found.evidence.map(\.statistic) == [.psi, .ks])
    }

    @Test func `the value is that of the first statistic that has one`() throws {
        var world = World()
        world.set("ks(age)", 0.25)

        let found = try evaluation("psi(age, window: 1h) > 0 or ks(age, window: 1h) > 1", world)

        #expect(found.value == 0.25)
    }

    @Test func `a reference is of the named feature, of the star's, or of the model`() throws {
        var world = World()
        world.baselines = ["mean(age)": 40, "mean(income)": 2_000, "accuracy": 0.9]
        world.set("mean(age)", 50)

        #expect(
            try evaluation("mean(age, window: 1h) > reference(mean, age)", world).isBreached == true
        )
        #expect(
            try evaluation("mean(age, window: 1h) > reference(mean, income)", world).isBreached
                == false)
        #expect(
            try evaluation("mean(*, window: 1h) > reference(mean)", world, subject: "age")
                .isBreached == true)
        #expect(
            try evaluation("mean(*, window: 1h) > reference(mean, *)", world, subject: "age")
                .isBreached == true)
        #expect(try evaluation("reference(accuracy) == 0.9", world).isBreached == true)
        #expect(try evaluation("reference(mae) == 0.9", world).isBreached == nil)
    }

    @Test func `instants at the ends of time have windows`() throws {
        let rules = try ruleSet("rules:\n  - { alert: A, expr: \"volume(window: 1h) > 0\" }\n")
        for time in [Int64.min, .min + 1, .max - 1, .max] {
            var engine = RuleEngine(rules: rules)
            let context = try World().context()
            #expect(engine.evaluate(at: EventTime(milliseconds: time), in: context).isEmpty)
        }
    }
}
