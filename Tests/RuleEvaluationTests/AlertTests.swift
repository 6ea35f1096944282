import MonitoringDomain
import MonitoringTestSupport
import RuleLanguage
import Testing

@testable import RuleEvaluation

@Suite struct AlertTests {
    /// One rule over the volume, with what a test adds to it.
    private func engine(_ fields: String) throws -> RuleEngine {
        RuleEngine(
            rules: try ruleSet(
                "group: g\nrules:\n  - alert: A\n    expr: volume(window: 1h) > 10\n" + fields))
    }

    /// Feeds one volume a minute; nil is no data.
    ///
    /// Returns each minute's effects.
    private func run(_ engine: inout RuleEngine, _ volumes: [Double?]) throws -> [[String]] {
        var world = World()
        return try volumes.enumerated().map { minute, volume in
            world.set("volume", volume)
            return engine.evaluate(at: minutes(Int64(minute)), in: try world.context())
                .map(\.summary)
        }
    }

    @Test func `without a hold a breach fires at once, and resolves at once`() throws {
        var engine = try engine("")

        #expect(try run(&engine, [1, 11, 12, 1]) == [[], ["A firing"], [], ["A resolved"]])
        #expect(engine.alerts.map(\.phase) == [.resolved])
        #expect(engine.alerts[0].since == minutes(1))
        #expect(engine.alerts[0].firedAt == minutes(1))
        #expect(engine.alerts[0].resolvedAt == minutes(3))
        #expect(engine.alerts[0].value == 12)
    }

    @Test func `a breach is pending until it has lasted for its hold`() throws {
        var engine = try engine("    for: 3m\n")

        #expect(
            try run(&engine, [11, 11, 11, 11, 1])
                == [["A pending"], [], [], ["A firing"], ["A resolved"]])
    }

    @Test func `a breach that ends while pending leaves no trace, and the next starts anew`() throws
    {
        var engine = try engine("    for: 2m\n")

        #expect(
            try run(&engine, [11, 11, 1, 11, 11, 11])
                == [["A pending"], [], [], ["A pending"], [], ["A firing"]])
        #expect(engine.alerts.map(\.since) == [minutes(3)])
        var other = try self.engine("    for: 2m\n")
        _ = try run(&other, [11, 11, 1])
        #expect(other.alerts.isEmpty)
        #expect(other.lastBreach.isEmpty)
    }

    @Test func `an alert keeps firing for a while after its breach`() throws {
        var engine = try engine("    keep_firing_for: 3m\n")

        #expect(
            try run(&engine, [11, 1, 1, 11, 1, 1, 1])
                == [["A firing"], [], [], [], [], [], ["A resolved"]])
    }

    @Test func `no data keeps the phase, is taken as good, or as a breach`() throws {
        let volumes: [Double?] = [nil, 11, nil, 11, nil, nil, 1]
        var keep = try engine("    for: 2m\n    no_data: keep\n")
        var good = try engine("    for: 2m\n    no_data: ok\n")
        var breach = try engine("    for: 2m\n    no_data: alert\n")

        #expect(
            try run(&keep, volumes)
                == [[], ["A pending"], [], ["A firing"], [], [], ["A resolved"]])
        #expect(
            try run(&good, volumes) == [[], ["A pending"], [], ["A pending"], [], [], []])
        #expect(
            try run(&breach, volumes)
                == [["A pending"], [], ["A firing"], [], [], [], ["A resolved"]])
    }

    @Test func `insufficient and undefined readings are unknown too`() throws {
        for reading in [
            Reading.insufficientSamples(found: 1, required: 30), .undefined(reason: "x"), .noData,
        ] {
            var engine = try engine("")
            var world = World()
            world.set("volume", 11)
            _ = engine.evaluate(at: minutes(0), in: try world.context())
            world.readings["volume"] = reading
            #expect(engine.evaluate(at: minutes(1), in: try world.context()).isEmpty)
            #expect(engine.alerts.map(\.phase) == [.firing])
        }
    }

    @Test(arguments: UInt64(0)..<64)
    func `the phases are those of the naive twin`(seed: UInt64) throws {
        var random = SeededGenerator(seed: seed)
        let hold = Int.random(in: 0...3, using: &random)
        let keep = Int.random(in: 0...3, using: &random)
        let policy = NoDataPolicy.allCases.randomElement(using: &random) ?? .keep
        let fields =
            (hold > 0 ? "    for: \(hold)m\n" : "")
            + (keep > 0 ? "    keep_firing_for: \(keep)m\n" : "")
            + "    no_data: \(policy.rawValue)\n"
        var engine = try engine(fields)
        var history: [Double?] = []
        var world = World()
        for minute in 0..<60 {
            let volume: Double? = [nil, 1, 11, 11].randomElement(using: &random) ?? nil
            history.append(volume)
            world.set("volume", volume)
            _ = engine.evaluate(at: minutes(Int64(minute)), in: try world.context())
            let twin = Self.phase(history, hold: hold, keep: keep, policy)
            #expect(engine.active.values.first?.phase ?? .inactive == twin)
        }
    }

    /// The phase from the whole history, by looking back instead of by keeping state.
    private static func phase(
        _ history: [Double?], hold: Int, keep: Int, _ policy: NoDataPolicy
    ) -> AlertPhase {
        // Minutes with a verdict; the others change nothing.
        let verdicts: [(minute: Int, isBreach: Bool)] = history.enumerated().compactMap {
            if let volume = $0.element { return ($0.offset, volume > 10) }
            switch policy {
            case .keep: return nil
            case .ok: return ($0.offset, false)
            case .alert: return ($0.offset, true)
            }
        }
        var phase = AlertPhase.inactive
        for (index, verdict) in verdicts.enumerated() {
            let run = verdicts[...index].reversed().prefix { $0.isBreach }
            let lastBreach = verdicts[...index].last { $0.isBreach }?.minute
            switch phase {
            case .firing:
                let quiet = lastBreach.map { verdict.minute - $0 } ?? 0
                if !verdict.isBreach, quiet >= keep { phase = .inactive }
            case .inactive, .pending, .resolved:
                if let first = run.last?.minute {
                    phase = verdict.minute - first >= hold ? .firing : .pending
                } else {
                    phase = .inactive
                }
            }
        }
        return phase
    }

    // MARK: - Features

    @Test func `a star is a rule for each feature, with its own alert and baseline`() throws {
        var engine = RuleEngine(
            rules: try ruleSet(
                """
                group: g
                rules:
                  - alert: Holes
                    expr: missing_rate(*, window: 1h) > reference(missing_rate) + 0.1
                    annotations: { text: "{{ feature }} {{value}} {{ window }} {{ nobody }}" }
                """))
        var world = World()
        world.set("missing_rate(age)", 0.2)
        world.set("missing_rate(income)", 0.2)
        world.baselines = ["missing_rate(age)": 0, "missing_rate(income)": 0.15]

        let effects = engine.evaluate(at: minutes(0), in: try world.context())

        #expect(effects.map(\.summary) == ["Holes/age firing"])
        let alert = try #require(engine.alerts.first)
        #expect(alert.fingerprint == "m/g/Holes/age")
        #expect(alert.annotations["text"] == "age 0.2 1h {{ nobody }}")
        #expect(alert.evidence.map(\.feature) == ["age"])
    }

    @Test func `every feature is judged, however many there are`() throws {
        var engine = RuleEngine(
            rules: try ruleSet(
                "group: g\nrules:\n  - { alert: A, expr: \"psi(*, window: 1h) > 0.2\" }\n"))
        var world = World()
        world.features = (0..<2_000).map { "f\($0)" }
        for feature in world.features { world.set("psi(\(feature))", 1) }

        let effects = engine.evaluate(at: minutes(0), in: try world.context())

        #expect(effects.count == 2_000)
        #expect(Set(effects.map(\.key)).count == 2_000)
    }

    @Test func `a value that looks like a placeholder stays what it is`() {
        let values = ["feature": "{{ value }}", "value": "{{ feature }}"]

        #expect(
            AnnotationText.filled("{{feature}} {{ value }} {{ x", with: values)
                == "{{ value }} {{ feature }} {{ x")
    }

    @Test(arguments: [
        (0.123456, "0.1235"), (-0.000123456, "-0.0001235"), (12345.678, "12346"), (2, "2"),
        (0, "0"), (1e300, "1e+300"), (1.5e-20, "1.5e-20"), (1_000_000, "1000000"), (0.2, "0.2"),
    ])
    func `values are written with four digits`(value: Double, text: String) {
        #expect(AnnotationText.short(value) == text)
    }

    // MARK: - Slots

    @Test func `a group is evaluated once in each interval, also before 1970`() throws {
        for start in [minutes(0), EventTime(milliseconds: -10 * WindowSpan.minute)] {
            var engine = RuleEngine(
                rules: try ruleSet(
                    "group: g\nevery: 5m\nrules:\n  - { alert: A, expr: \"1 < 2\", for: 5m }\n"))
            let context = try World().context()
            let effects = (0..<11).map { minute in
                engine.evaluate(
                    at: start.advanced(byMilliseconds: minute * WindowSpan.minute), in: context
                ).map(\.summary)
            }
            #expect(effects.map(\.count) == [1, 0, 0, 0, 0, 1, 0, 0, 0, 0, 0])
        }
    }

    @Test func `only groups of the model are evaluated`() throws {
        var engine = RuleEngine(
            rules: try ruleSet(
                "group: g\nmodel: credit-*\nrules:\n  - { alert: A, expr: \"1 < 2\" }\n"))
        var world = World()

        #expect(engine.evaluate(at: minutes(0), in: try world.context()).isEmpty)
        world.model = "credit-1"
        #expect(engine.evaluate(at: minutes(0), in: try world.context()).count == 1)
    }

    @Test func `the newest resolved alerts are kept, a thousand of them`() throws {
        var engine = try engine("")
        _ = try run(&engine, (0..<2_100).map { $0 % 2 == 0 ? 11 : 1 })

        #expect(engine.resolved.count == 1_000)
        #expect(engine.resolved.last?.resolvedAt == minutes(2_099))
    }
}
