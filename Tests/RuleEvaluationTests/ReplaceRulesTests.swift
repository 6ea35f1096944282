import MonitoringDomain
import RuleLanguage
import Testing

@testable import RuleEvaluation

@Suite struct ReplaceRulesTests {
    private func file(
        group: String = "g", model: String = "*", every: String = "1m", rule: String = "A",
        expression: String = "volume(window: 1h) > 10", hold: String = "5m",
        text: String = "old"
    ) throws -> RuleSet {
        try ruleSet(
            """
            group: \(group)
            model: '\(model)'
            every: \(every)
            rules:
              - alert: \(rule)
                expr: \(expression)
                for: \(hold)
                annotations: { text: \(text) }
            """)
    }

    private func breached() throws -> RuleContext {
        var world = World()
        world.set("volume", 11)
        return try world.context()
    }

    @Test func `a rule that stays the same keeps its pending alert`() throws {
        var engine = RuleEngine(rules: try file())
        _ = engine.evaluate(at: minutes(0), in: try breached())

        #expect(engine.replaceRules(try file(text: "new"), at: minutes(2)).isEmpty)

        let effects = engine.evaluate(at: minutes(5), in: try breached())
        #expect(effects.map(\.summary) == ["A firing"])
        #expect(engine.alerts.first?.since == minutes(0))
    }

    @Test func `a rule that changed or went resolves its alert and starts anew`() throws {
        let others = [
            try file(expression: "volume(window: 2h) > 10"), try file(hold: "6m"),
            try file(rule: "B"), try file(group: "h"), try file(model: "other"), .empty,
        ]
        for other in others {
            var engine = RuleEngine(rules: try file())
            _ = engine.evaluate(at: minutes(0), in: try breached())
            _ = engine.evaluate(at: minutes(5), in: try breached())

            let effects = engine.replaceRules(other, at: minutes(6))

            #expect(effects.map(\.summary) == ["A resolved"])
            #expect(engine.active.isEmpty)
            #expect(engine.lastBreach.isEmpty)
        }
    }

    @Test func `a longer interval is evaluated from its next start on`() throws {
        var engine = RuleEngine(rules: try file(every: "1m"))
        _ = engine.evaluate(at: minutes(0), in: try breached())

        _ = engine.replaceRules(try file(every: "1h"), at: minutes(1))

        let context = try breached()
        let effects = (1...100).flatMap { engine.evaluate(at: minutes($0), in: context) }
        #expect(effects.map(\.summary) == ["A firing"])
    }

    @Test func `groups that went are forgotten`() throws {
        var engine = RuleEngine(rules: try file())
        _ = engine.evaluate(at: minutes(0), in: try breached())

        _ = engine.replaceRules(try file(group: "h"), at: minutes(1))

        #expect(engine.slots.isEmpty)
    }
}
