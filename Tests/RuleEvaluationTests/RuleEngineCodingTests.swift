import ByteCoding
import MonitoringDomain
import MonitoringTestSupport
import RuleLanguage
import Testing

@testable import RuleEvaluation

@Suite struct RuleEngineCodingTests {
    private static let files = """
        group: g
        budget: { false_alarms: 1 per 90d }
        rules:
          - alert: Features
            expr: drift(features, window: 1d)
          - alert: Drift
            expr: psi(*, window: 1h) > 0.2
            for: 2m
            keep_firing_for: 3m
            labels: { severity: page, team: x }
            annotations: { text: "{{ feature }} {{ value }}" }
          - retrain: Decay
            expr: accuracy(window: 1h).upper < reference(accuracy) - 0.03 or volume(window: 1h) < 5
            cooldown: 10m
            request: { parameters: { trainer: gbm } }
          - retrain: Other
            expr: accuracy(window: 1h) < 0.5
            no_data: ok

        """

    /// One seeded minute: readings change, trainers report, verdicts come.
    private func step(
        _ engine: inout RuleEngine, _ minute: Int64, _ random: inout SeededGenerator
    ) throws -> [Effect] {
        var world = World()
        world.baselines["accuracy"] = 0.9
        for feature in world.features {
            world.set("psi(\(feature))", Bool.random(using: &random) ? 0.3 : 0.1)
        }
        switch Int.random(in: 0..<4, using: &random) {
        case 0: world.readings["accuracy"] = .insufficientSamples(found: 3, required: 30)
        case 1:
            world.readings["accuracy"] = .value(
                Estimate(value: 0.4, lower: 0.3, upper: 0.5, isCertified: true, pValue: 0.5))
        case 2: world.readings["accuracy"] = .undefined(reason: "one class")
        default: world.set("accuracy", 0.95)
        }
        if Bool.random(using: &random) { world.driftEvidence = ["age": 120, "income": 3] }
        world.set("volume", Double(Int.random(in: 0..<20, using: &random)))
        var effects = engine.evaluate(at: minutes(minute), in: try world.context())
        if let request = engine.requests.last, Int.random(in: 0..<4, using: &random) == 0 {
            let state =
                RetrainingState.allCases.filter { $0 != .filing }.randomElement(using: &random)
                ?? .failed
            effects += engine.report(
                TrainerReport(requestID: request.id, state: state, newVersion: "2"),
                at: minutes(minute))
        }
        if let request = engine.requests.last, Int.random(in: 0..<4, using: &random) == 0 {
            let verdict: Verdict =
                [.watching, .helped, .didNotHelp, .madeItWorse].randomElement(using: &random)
                ?? .helped
            effects += engine.record(
                Verification(
                    verdict: verdict, statistic: .accuracy, oldVersion: "1", newVersion: "2",
                    before: 0.1, after: 0.2, beforeCount: 3, afterCount: 4, effect: 0.1,
                    effectLower: -1, effectUpper: 1, decidedAt: minutes(minute), method: "m"),
                for: request.id)
        }
        return effects
    }

    private func engine(seed: UInt64, steps: Int) throws -> RuleEngine {
        var random = SeededGenerator(seed: seed)
        var engine = RuleEngine(rules: try ruleSet(Self.files))
        for minute in 0..<steps { _ = try step(&engine, Int64(minute), &random) }
        return engine
    }

    @Test(arguments: UInt64(0)..<16)
    func `decoding what was encoded gives the same engine`(seed: UInt64) throws {
        let engine = try engine(seed: seed, steps: 60)

        let decoded = try RuleEngine(bytes: engine.bytes, rules: engine.rules)

        #expect(decoded == engine)
        #expect(decoded.bytes == engine.bytes)
    }

    @Test(arguments: UInt64(0)..<16)
    func `the same inputs give the same bytes and the same keys, each once`(seed: UInt64) throws {
        var keys: [[String]] = []
        var bytes: [[UInt8]] = []
        for _ in 0..<2 {
            var random = SeededGenerator(seed: seed)
            var engine = RuleEngine(rules: try ruleSet(Self.files))
            keys.append(
                try (0..<80).flatMap { try step(&engine, $0, &random).map(\.key) })
            bytes.append(engine.bytes)
        }

        #expect(keys[0] == keys[1])
        #expect(bytes[0] == bytes[1])
        let once = keys[0].filter { $0.hasPrefix("alert/") || $0.hasPrefix("file/") }
        #expect(Set(once).count == once.count)
    }

    @Test(arguments: UInt64(0)..<16)
    func `a restored engine goes on as the one that was stored`(seed: UInt64) throws {
        var random = SeededGenerator(seed: seed)
        let cut = Int64.random(in: 0..<60, using: &random)
        var whole = RuleEngine(rules: try ruleSet(Self.files))
        for minute in 0..<cut { _ = try step(&whole, minute, &random) }
        var restored = try RuleEngine(bytes: whole.bytes, rules: whole.rules)
        var again = random

        for minute in cut..<80 {
            let effects = try step(&whole, minute, &random)
            #expect(try step(&restored, minute, &again) == effects)
        }

        #expect(restored.bytes == whole.bytes)
    }

    @Test(arguments: UInt64(0)..<8)
    func `at most one request of a model and queue is open`(seed: UInt64) throws {
        var random = SeededGenerator(seed: seed)
        var engine = RuleEngine(rules: try ruleSet(Self.files))
        for minute in 0..<100 {
            _ = try step(&engine, Int64(minute), &random)
            #expect(engine.requests.filter { !$0.state.isFinal }.count <= 1)
        }
        #expect(Set(engine.requests.map(\.id)).count == engine.requests.count)
    }

    @Test func `every prefix of a stored engine is refused`() throws {
        let engine = try engine(seed: 1, steps: 6)
        let bytes = engine.bytes
        for end in bytes.indices {
            #expect(throws: ByteReadingError.self) {
                try RuleEngine(bytes: Array(bytes[..<end]), rules: engine.rules)
            }
        }
    }

    @Test(arguments: [UInt8(0x01), 0x80, 0xFF])
    func `every flipped byte ends in an engine that goes on, or in the typed error`(
        mask: UInt8
    ) throws {
        let engine = try engine(seed: 2, steps: 6)
        let bytes = engine.bytes
        for place in bytes.indices {
            var flipped = bytes
            flipped[place] ^= mask
            // Decoding is for every place; going on, which costs more, for some.
            guard mask == 1 || place % 8 == 0 else {
                _ = try? RuleEngine(bytes: flipped, rules: engine.rules)
                continue
            }
            guard var other = try? RuleEngine(bytes: flipped, rules: engine.rules) else { continue }
            var random = SeededGenerator(seed: 3)
            _ = try step(&other, 7, &random)
            #expect(try RuleEngine(bytes: other.bytes, rules: engine.rules).bytes == other.bytes)
        }
    }
}
