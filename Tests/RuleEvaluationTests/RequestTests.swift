import MonitoringDomain
import RuleLanguage
import Testing

@testable import RuleEvaluation

@Suite struct RequestTests {
    private static let decay = """
        group: g
        rules:
          - retrain: Decay
            expr: accuracy(window: 1h) < 0.9
            cooldown: 10m
            request: { queue: gpu, priority: 5, training_window: 2h, parameters: { trainer: gbm } }

        """

    private func world(accuracy: Double) -> World {
        var world = World()
        world.set("accuracy", accuracy)
        return world
    }

    /// Evaluates at a minute with a bad accuracy, or a good one.
    private func step(
        _ engine: inout RuleEngine, _ minute: Int64, isBad: Bool = true
    ) throws -> [String] {
        engine.evaluate(
            at: minutes(minute), in: try world(accuracy: isBad ? 0.5 : 0.95).context()
        ).map(\.summary)
    }

    private func report(
        _ engine: inout RuleEngine, _ state: RetrainingState, _ minute: Int64,
        newVersion: String? = nil
    ) throws -> [String] {
        let id = try #require(engine.requests.last?.id)
        return engine.report(
            TrainerReport(requestID: id, state: state, newVersion: newVersion), at: minutes(minute)
        ).map(\.summary)
    }

    private func record(_ engine: inout RuleEngine, _ verdict: Verdict) throws -> [String] {
        let id = try #require(engine.requests.last?.id)
        return engine.record(
            Verification(
                verdict: verdict, statistic: .accuracy, oldVersion: "1", newVersion: "2",
                before: 0.5, after: 0.6, beforeCount: 100, afterCount: 100, effect: 0.1,
                effectLower: -0.1, effectUpper: 0.3, decidedAt: minutes(0), method: "a test"),
            for: id
        ).map(\.summary)
    }

    @Test func `a firing rule files a request with what it knows`() throws {
        var engine = RuleEngine(rules: try ruleSet(Self.decay))

        #expect(try step(&engine, 0) == ["Decay firing", "file Decay"])

        let request = try #require(engine.requests.first)
        #expect(request.id == "g:Decay:m:\(minutes(0).milliseconds)")
        #expect(request.modelVersion == "1")
        #expect(request.queue == "gpu")
        #expect(request.priority == 5)
        #expect(!request.needsApproval)
        #expect(request.state == .filing)
        #expect(request.trainingWindow == TimeWindow(start: minutes(-120), end: minutes(0)))
        #expect(request.parameters == ["trainer": "gbm"])
        #expect(request.reference == "r-1")
        #expect(request.alert.evidence.map(\.statistic) == [.accuracy])
    }

    @Test func `approval that is required or suggested waits for a person`() throws {
        for approval in ["required", "suggest"] {
            let text = Self.decay.replacing("cooldown: 10m", with: "approval: \(approval)")
            var engine = RuleEngine(rules: try ruleSet(text))
            _ = try step(&engine, 0)
            #expect(engine.requests.first?.needsApproval == true)
        }
    }

    @Test func `while a request is open its rule asks no more`() throws {
        var engine = RuleEngine(rules: try ruleSet(Self.decay))
        _ = try step(&engine, 0)

        for minute in 1..<60 { #expect(try step(&engine, Int64(minute)) == []) }
        _ = try step(&engine, 60, isBad: false)
        #expect(try step(&engine, 61) == ["Decay firing"])
        #expect(engine.requests.count == 1)
        #expect(engine.requests.first?.triggerCount == 1)
    }

    @Test func `another rule of the same model and queue counts on the open request`() throws {
        var engine = RuleEngine(
            rules: try ruleSet(
                Self.decay + """
                      - retrain: Other
                        expr: accuracy(window: 1h) < 0.8
                        request: { queue: gpu }
                      - retrain: Elsewhere
                        expr: accuracy(window: 1h) < 0.8
                        request: { queue: cpu }
                    """))

        #expect(
            try step(&engine, 0) == [
                "Decay firing", "file Decay", "Other firing", "filing 2", "Elsewhere firing",
                "file Elsewhere",
            ])
        #expect(engine.requests.map(\.queue) == ["gpu", "cpu"])
    }

    @Test func `rules of one name in two groups are two rules`() throws {
        let second = Self.decay.replacing("group: g", with: "group: h")
            .replacing("queue: gpu", with: "queue: cpu")
        var engine = RuleEngine(rules: try ruleSet(Self.decay, second))

        let effects = engine.evaluate(at: minutes(0), in: try world(accuracy: 0.5).context())

        #expect(engine.requests.count == 2)
        #expect(Set(effects.map(\.key)).count == effects.count)
    }

    @Test func `models have their own requests`() throws {
        var engine = RuleEngine(rules: try ruleSet(Self.decay))
        for model in ["a", "b"] {
            var world = world(accuracy: 0.5)
            world.model = model
            _ = engine.evaluate(at: minutes(0), in: try world.context())
        }

        #expect(engine.requests.map(\.model.rawValue) == ["a", "b"])
    }

    @Test func `a breach that outlives its request and its cooldown asks again`() throws {
        var engine = RuleEngine(rules: try ruleSet(Self.decay))
        _ = try step(&engine, 0)
        _ = try report(&engine, .failed, 5)

        for minute in 6..<15 { #expect(try step(&engine, Int64(minute)) == []) }
        #expect(try step(&engine, 15) == ["file Decay"])
        #expect(engine.requests.map(\.createdAt) == [minutes(0), minutes(15)])
    }

    @Test func `the cooldown holds also when the alert fires anew`() throws {
        var engine = RuleEngine(rules: try ruleSet(Self.decay))
        _ = try step(&engine, 0)
        _ = try report(&engine, .succeeded, 1, newVersion: "2")
        _ = try step(&engine, 2, isBad: false)

        #expect(try step(&engine, 3) == ["Decay firing"])
        #expect(try step(&engine, 11) == ["file Decay"])
    }

    @Test func `a retraining that did not help doubles the cooldown up to eight times`() throws {
        var engine = RuleEngine(rules: try ruleSet(Self.decay))
        var minute: Int64 = 0
        for span in [10, 20, 40, 80, 80] as [Int64] {
            #expect(try step(&engine, minute).contains("file Decay"))
            _ = try report(&engine, .succeeded, minute, newVersion: "2")
            // The cooldown so far still counts from the newest request.
            let factor = engine.cooldownFactors["m/g/Decay"] ?? 1
            #expect(factor * 10 == span)
            #expect(
                try record(&engine, span == 20 ? .madeItWorse : .didNotHelp).count == 1)
            let next = min(80, span * 2)
            #expect(try step(&engine, minute + next - 1) == [])
            minute += next
        }
        _ = try step(&engine, minute)
        _ = try report(&engine, .succeeded, minute, newVersion: "3")
        _ = try record(&engine, .helped)
        #expect(engine.cooldownFactors.isEmpty)
        #expect(try step(&engine, minute + 9) == [])
        #expect(try step(&engine, minute + 10) == ["file Decay"])
    }

    @Test func `a verdict is told once, and an open one is only updated`() throws {
        var engine = RuleEngine(rules: try ruleSet(Self.decay))
        _ = try step(&engine, 0)
        _ = try report(&engine, .succeeded, 1, newVersion: "2")

        #expect(try record(&engine, .watching) == ["succeeded 1 watching"])
        #expect(try record(&engine, .watching) == [])
        #expect(try record(&engine, .helped) == ["succeeded 1 helped"])
        #expect(try record(&engine, .helped) == [])
        #expect(engine.record(try #require(engine.requests[0].verification), for: "x").isEmpty)
    }

    @Test func `a report moves a request until it is final`() throws {
        var engine = RuleEngine(rules: try ruleSet(Self.decay))
        _ = try step(&engine, 0)

        #expect(try report(&engine, .pending, 1) == ["pending 1"])
        #expect(try report(&engine, .pending, 1) == [])
        #expect(try report(&engine, .claimed, 2) == ["claimed 1"])
        #expect(try report(&engine, .filing, 2) == [])
        #expect(try report(&engine, .succeeded, 3, newVersion: "2") == ["succeeded 1"])
        #expect(try report(&engine, .failed, 4) == [])
        #expect(engine.requests[0].newVersion == "2")
        #expect(engine.requests[0].finishedAt == minutes(3))
        let unknown = TrainerReport(requestID: "nobody", state: .failed)
        #expect(engine.report(unknown, at: minutes(5)).isEmpty)
    }

    @Test func `every final state ends the request, so that another may be filed`() throws {
        for state in RetrainingState.allCases where state.isFinal {
            var engine = RuleEngine(rules: try ruleSet(Self.decay))
            _ = try step(&engine, 0)
            _ = try report(&engine, state, 1)
            #expect(try step(&engine, 11) == ["file Decay"])
        }
    }
}
