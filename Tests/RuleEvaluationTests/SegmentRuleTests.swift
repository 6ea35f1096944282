import ByteCoding
import MonitoringDomain
import RuleLanguage
import Testing

@testable import RuleEvaluation

/// Rules with `by`: an alert for each value of a segment key.
@Suite struct SegmentRuleTests {
    private func rules(_ expression: String, by key: String) throws -> RuleSet {
        try ruleSet("group: g\nrules:\n  - alert: A\n    expr: \(expression)\n    by: \(key)\n")
    }

    @Test func `each value is judged apart, and its alert has its label and fingerprint`() throws {
        var engine = RuleEngine(rules: try rules("volume(window: 1h) < 5", by: "channel"))
        var world = World()
        world.segments = ["channel": ["app", "other", "web"], "version": ["1"]]
        world.set("volume", 1)
        world.set("volume@channel:app", 2)
        world.set("volume@channel:other", 7)
        world.set("volume@channel:web", 3)

        _ = engine.evaluate(at: minutes(0), in: try world.context())

        #expect(engine.alerts.map(\.fingerprint) == ["m/g/A/channel:app", "m/g/A/channel:web"])
        #expect(engine.alerts.map(\.value) == [2, 3])
        #expect(engine.alerts.map { $0.labels["segment"] } == ["channel:app", "channel:web"])
        #expect(engine.alerts.map { $0.evidence[0].segment?.value } == ["app", "web"])

        world.set("volume@channel:app", 20)
        _ = engine.evaluate(at: minutes(1), in: try world.context())

        #expect(engine.alerts.map(\.phase) == [.resolved, .firing])
    }

    @Test func `features and segments multiply, and a restored engine has the same alerts`() throws
    {
        let rules = try rules("mean(*, window: 1h) > 0", by: "channel")
        var engine = RuleEngine(rules: rules)
        var world = World()
        world.segments = ["channel": ["a/b", "web"]]
        for feature in ["age", "income"] {
            for value in ["a/b", "web"] { world.set("mean(\(feature))@channel:\(value)", 1) }
        }

        _ = engine.evaluate(at: minutes(0), in: try world.context())

        #expect(
            engine.alerts.map(\.fingerprint) == [
                "m/g/A/age/channel:a%2Fb", "m/g/A/age/channel:web",
                "m/g/A/income/channel:a%2Fb", "m/g/A/income/channel:web",
            ])
        var writer = ByteWriter()
        engine.encode(to: &writer)
        var reader = ByteReader(writer.bytes)
        #expect(try RuleEngine(decoding: &reader, rules: rules) == engine)
    }

    @Test func `by version asks of each version and not of the newest`() throws {
        var asked: [MeasurementQuery] = []
        var world = World()
        world.segments = ["version": ["1", "2"]]
        world.version = "2"
        let plain = try world.context()
        var context = plain
        context.measure = { query, window in
            asked.append(query)
            return plain.measure(query, window)
        }
        var engine = RuleEngine(rules: try rules("accuracy(window: 1h) < 1", by: "version"))

        _ = engine.evaluate(at: minutes(0), in: context)

        #expect(asked.map(\.segment?.description) == ["version:1", "version:2"])
        #expect(asked.allSatisfy { $0.version == nil })
    }

    @Test func `a fraction reaches the question`() throws {
        var asked: [Double?] = []
        var context = try World().context()
        let measure = context.measure
        context.measure = { query, window in
            asked.append(query.fraction)
            return measure(query, window)
        }
        var engine = RuleEngine(
            rules: try ruleSet(
                "group: g\nrules:\n  - alert: A\n    expr: "
                    + "quantile(age, window: 1h, q: 0.9) > quantile(age, window: 1h)\n"))

        _ = engine.evaluate(at: minutes(0), in: context)

        #expect(asked == [0.9, nil])
    }

    @Test func `an alert holds the segments of what it read first, and is restored with them`()
        throws
    {
        let rules = try ruleSet(
            "group: g\nbudget: { false_alarms: 1 per 90d }\nrules:\n  - alert: A\n    expr: "
                + "accuracy(window: 1h) < 1\n  - alert: B\n    expr: drift(features, window: 1d)\n")
        var world = World()
        world.set("accuracy", 0.5)
        world.driftEvidence = ["age": 200, "income": 5]
        var asked: [MeasurementQuery] = []
        var context = try world.context()
        context.split = { query, _ in
            asked.append(query)
            var part = SegmentPart(
                segment: Segment(key: "channel", value: "web"), statistic: query.statistic,
                feature: query.feature, share: 0.25)
            (part.value, part.baseline, part.mix, part.rate) = (0.1, nil, -0.5, 0.25)
            return [part]
        }
        var engine = RuleEngine(rules: rules)

        _ = engine.evaluate(at: minutes(0), in: context)
        _ = engine.evaluate(at: minutes(1), in: context)

        #expect(engine.alerts.map(\.segments.count) == [1, 1])
        // Once for each alert: while it fires, nothing of it changes.
        #expect(asked.map(\.statistic) == [.accuracy, .psi])
        #expect(asked.map(\.feature) == [nil, "age"])
        #expect(try RuleEngine(bytes: engine.bytes, rules: rules) == engine)
    }

    @Test func `by reaches a budgeted detector`() throws {
        let rules = try ruleSet(
            "group: g\nbudget: { false_alarms: 1 per 90d }\nrules:\n  - alert: A\n    by: channel\n"
                + "    expr: drift(*, window: 1d)\n")
        var world = World()
        world.segments = ["channel": ["app", "web"]]
        var asked: [DriftQuery] = []
        var context = try world.context()
        let drift = context.drift
        context.drift = { query in
            asked.append(query)
            return drift(query)
        }
        var engine = RuleEngine(rules: rules)

        _ = engine.evaluate(at: minutes(0), in: context)

        #expect(
            asked.map { "\($0.feature ?? "-") \($0.segment?.value ?? "-")" } == [
                "age app", "age web", "income app", "income web",
            ])
    }

    @Test func `another key under by is another rule, and the alerts of the first end`() throws {
        var engine = RuleEngine(rules: try rules("volume(window: 1h) < 5", by: "channel"))
        var world = World()
        world.segments = ["channel": ["web"]]
        world.set("volume@channel:web", 1)
        _ = engine.evaluate(at: minutes(0), in: try world.context())

        let effects = engine.replaceRules(
            try rules("volume(window: 1h) < 5", by: "version"), at: minutes(1))

        #expect(effects.map(\.summary) == ["A resolved"])
    }
}
