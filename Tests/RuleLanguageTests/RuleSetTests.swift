import Foundation
import MonitoringDomain
import MonitoringTestSupport
import Testing

@testable import RuleLanguage

@Suite struct RuleSetTests {
    @Test func `a file's fields are read as they are written`() throws {
        let group = try #require(rules(everyField)?.groups.first)

        #expect(group.name == "credit-default")
        #expect(group.modelPattern == "credit-*")
        #expect(group.evaluationInterval == 5 * WindowSpan.minute)
        let drift = group.rules[0]
        #expect(drift.name == "IncomeDrift")
        #expect(drift.action == .alert)
        #expect(drift.expressionText == "psi(income, window: 1h) > 0.2")
        #expect(drift.hold == 15 * WindowSpan.minute)
        #expect(drift.keepFiring == 30 * WindowSpan.minute)
        #expect(drift.noData == .alert)
        #expect(drift.labels == ["severity": "page", "receiver": "data-science"])
        #expect(drift.annotations["text"]?.hasPrefix("*Look* at &everything\n") == true)
        #expect(drift.line == 6)
        let decay = group.rules[1]
        #expect(decay.name == "Performance: decay")
        let action = RetrainAction(
            cooldown: 3 * WindowSpan.day, approval: .required, queue: "default", priority: 50,
            trainingWindow: 30 * WindowSpan.day, parameters: ["trainer": "gbm"])
        #expect(decay.action == .retrain(action))
    }

    @Test func `what a file leaves out has a value that does no harm`() throws {
        let text = "rules:\n  - retrain: A\n    expr: accuracy(window: 1d) < 0.9\n"

        let group = try #require(rules(text)?.groups.first)

        #expect(group.name == "x.yaml")
        #expect(group.modelPattern == "*")
        #expect(group.evaluationInterval == WindowSpan.minute)
        #expect(group.rules[0].hold == 0)
        #expect(group.rules[0].noData == .keep)
        #expect(group.rules[0].action == .retrain(RetrainAction()))
    }

    @Test func `the words of YAML 1.1 are texts where texts are meant`() throws {
        for word in ["on", "no", "yes", "1e3", "012", "12:30:45", "2026-01-01", "null", "~"] {
            let text =
                "group: \(word)\nrules:\n  - alert: \(word)\n    expr: volume(window: 1h) < 1\n"
                + "    labels: { \(word): \(word) }\n"
            let group = try #require(rules(text)?.groups.first, "\(word)")
            #expect(group.name == word)
            #expect(group.rules[0].name == word)
            #expect(group.rules[0].labels == [word: word])
        }
    }

    @Test func `line ends of Windows and a missing last one change nothing`() {
        let windows = everyField.split(separator: "\n", omittingEmptySubsequences: false)
            .joined(separator: "\r\n")
        var withoutEnd = everyField
        withoutEnd.removeLast()

        #expect(rules(windows) == rules(everyField))
        #expect(rules(withoutEnd) == rules(everyField))
    }

    @Test func `bare and quoted expressions are the same`() {
        let bare = "psi(age, window: 1h) > 0.2 and not volume(window: 1h) < 10"
        for quoted in ["'\(bare)'", "\"\(bare)\"", "|\n      \(bare)", ">-\n      \(bare)"] {
            #expect(expression(quoted) == expression(bare))
        }
        #expect(expression(bare + "  # because") == expression(bare))
    }

    @Test func `the rules of the repository are read`() throws {
        for file in Repository.files(in: "rules", endingIn: ".yaml") {
            let text = try String(contentsOf: file, encoding: .utf8)
            #expect(throws: Never.self) {
                try RuleSet.parse([RuleFile(name: file.lastPathComponent, text: text)]).get()
            }
        }
    }

    @Test func `10,000 rules are read and one more is refused`() {
        func file(_ count: Int) -> String {
            "rules:\n"
                + (0..<count).map { "  - { alert: A\($0), expr: \"1 < 2\" }\n" }.joined()
        }

        #expect(rules(file(1_000))?.groups.first?.rules.count == 1_000)
        #expect(rules(file(10_001)) == nil)
        let half = file(5_001)
        let two = [("a", half), ("b", half)].map { RuleFile(name: $0.0, text: $0.1) }
        #expect(throws: RuleDiagnostics.self) { try RuleSet.parse(two).get() }
    }

    @Test func `a file over 8 MiB is refused before it is read`() {
        let text = everyField + "#" + String(repeating: "x", count: 8 << 20)

        #expect(rules(text) == nil)
    }

    @Test func `nesting is refused at a depth that no stack minds`() {
        for (open, close) in [("[", "]"), ("{a: ", "}"), ("- ", ""), ("? ", "")] {
            for depth in [40, 1_001, 50_000] {
                let text =
                    String(repeating: open, count: depth) + "x"
                    + String(repeating: close, count: depth)
                #expect(rules(text) == nil)
            }
        }
    }

    // MARK: - Hostile bytes

    @Test func `every prefix of a file ends in rules or diagnostics`() {
        let bytes = Array(everyField.utf8)
        for end in bytes.indices {
            let text = String(decoding: bytes[..<end], as: UTF8.self)
            switch RuleSet.parse([RuleFile(name: "x", text: text)]) {
            case .success(let set): #expect(set.groups.first?.rules.isEmpty == false)
            case .failure(let faults): #expect(!faults.diagnostics.isEmpty)
            }
        }
    }

    @Test(arguments: [UInt8(0x01), 0x20, 0x80])
    func `every flipped byte of a file ends in rules or diagnostics`(mask: UInt8) {
        let bytes = Array(everyField.utf8)
        for place in bytes.indices {
            var flipped = bytes
            flipped[place] ^= mask
            let text = String(decoding: flipped, as: UTF8.self)
            if case .failure(let faults) = RuleSet.parse([RuleFile(name: "x", text: text)]) {
                #expect(!faults.diagnostics.isEmpty)
                #expect(!faults.description.isEmpty)
            }
        }
    }

    // MARK: - Patterns

    @Test(arguments: UInt64(0)..<64)
    func `a pattern matches as its naive twin does`(seed: UInt64) throws {
        var random = SeededGenerator(seed: seed)
        for _ in 0..<50 {
            let pattern = (0..<Int.random(in: 1...6, using: &random))
                .map { _ in "ab**".randomElement(using: &random) ?? "*" }
            let name = (0..<Int.random(in: 1...8, using: &random))
                .map { _ in "ab".randomElement(using: &random) ?? "a" }
            let text =
                "model: '\(String(pattern))'\nrules:\n  - { alert: A, expr: \"1 < 2\" }\n"
            let group = try #require(rules(text)?.groups.first)
            let model = try #require(ModelID(String(name)))
            #expect(group.matches(model) == matches(name[...], pattern[...]))
        }
    }

    private func matches(_ name: ArraySlice<Character>, _ pattern: ArraySlice<Character>) -> Bool {
        guard let first = pattern.first else { return name.isEmpty }
        if first == "*" {
            return matches(name, pattern.dropFirst())
                || (!name.isEmpty && matches(name.dropFirst(), pattern))
        }
        return name.first == first && matches(name.dropFirst(), pattern.dropFirst())
    }
}

@Suite struct BudgetTests {
    private func group(_ text: String) throws -> RuleGroup? {
        try RuleSet.parse([RuleFile(name: "g.yaml", text: text)]).get().groups.first
    }

    @Test func `a budget has a rate, tolerances and a null`() throws {
        let group = try group(
            """
            group: g
            budget: { false_alarms: 1.5 per 90d, tolerance: { psi: 0.05, ks: 0.03 } }
            rules: [{ alert: A, expr: "drift(features, window: 24h)" }]
            """)

        #expect(
            group?.budget
                == DriftBudget(
                    falseAlarmCount: 1.5, periodMilliseconds: 90 * WindowSpan.day,
                    psiTolerance: 0.05, ksTolerance: 0.03))
    }

    @Test func `windows of one length are one plan, and lengths share the budget`() throws {
        let group = try group(
            """
            group: g
            budget: { false_alarms: 1 per 90d, null: windows, season: week }
            rules:
              - alert: A
                expr: drift(*, window: 24h) or drift(prediction, window: 1h)
              - alert: B
                expr: drift(prediction, window: 1d) and volume(window: 1h) > 10
              - alert: C
                expr: drift(age, window: 1h) and ddm(error, window: 1h) > 0
            """)

        let plans = try #require(group?.driftPlans)
        #expect(plans.map(\.span) == [WindowSpan.hour, WindowSpan.day])
        #expect(plans.map(\.sharerCount) == [2, 2])
        #expect(
            plans.map(\.slicings) == [
                [
                    DriftSlicing(
                        segmentKey: nil, watchesFeatures: false, names: ["age", "prediction"])
                ],
                [DriftSlicing(segmentKey: nil, watchesFeatures: true, names: ["prediction"])],
            ])
        #expect(plans.allSatisfy { $0.budget.null == .windows && $0.budget.season == .week })
        #expect(group?.detectors == [.ddm])
    }

    @Test func `slices of one length share its plan, the whole traffic first`() throws {
        let group = try group(
            """
            group: g
            budget: { false_alarms: 1 per 90d }
            rules:
              - { alert: A, by: region, expr: "drift(age, window: 1d)" }
              - { alert: B, by: channel, expr: "drift(*, window: 1d)" }
              - { alert: C, by: channel, expr: "drift(prediction, window: 1d)" }
              - { alert: D, expr: "drift(features, window: 1d)" }
            """)

        let plans = try #require(group?.driftPlans)
        #expect(plans.map(\.sharerCount) == [1])
        #expect(
            plans.first?.slicings == [
                DriftSlicing(segmentKey: nil, watchesFeatures: true, names: []),
                DriftSlicing(segmentKey: "channel", watchesFeatures: true, names: ["prediction"]),
                DriftSlicing(segmentKey: "region", watchesFeatures: false, names: ["age"]),
            ])
    }

    @Test func `a group without drift has no plans, with a budget or without`() throws {
        let text = "rules: [{ alert: A, expr: \"volume(window: 1h) > 1\" }]"

        #expect(try group("group: g\n" + text)?.driftPlans == [])
        #expect(
            try group("group: g\nbudget: { false_alarms: 1 per 90d }\n" + text)?.driftPlans == [])
    }
}
