import MonitoringDomain
import Testing

@Suite struct ModelTests {
    @Test(arguments: [
        "credit", "a", "9", "Credit-Default_v2.1", String(repeating: "x", count: 128),
    ])
    func `a model's name is taken`(text: String) {
        #expect(ModelID(text)?.rawValue == text)
    }

    @Test(arguments: [
        "", "../x", "a/b", "a b", ".", "-x", "_x", ".x", "é", "a\u{0}", "a\n",
        "x'); DROP TABLE events;--",
        "%", "all", "other", "__total__", String(repeating: "x", count: 129),
    ])
    func `a name that could be mistaken is refused`(text: String) {
        #expect(ModelID(text) == nil)
    }

    @Test func `every statistic's name is snake case and used once`() {
        let names = Statistic.allCases.map(\.rawValue)

        #expect(Set(names).count == names.count)
        for name in names {
            let isSnakeCase = name.utf8.allSatisfy {
                (97...122).contains($0) || $0 == 95 || (48...57).contains($0)
            }
            #expect(isSnakeCase, "\(name)")
        }
    }

    @Test func `an effect's key says what changed and when, so that a replay makes it again`()
        throws
    {
        let model = try #require(ModelID("credit"))
        var alert = Alert(
            rule: "Drift", group: "g", model: model, feature: "income", phase: .pending,
            labels: [:],
            annotations: [:], since: EventTime(milliseconds: 5), expression: "psi(income) > 0.2")
        let pending = Effect.alertChanged(alert).key
        alert.phase = .firing
        alert.firedAt = EventTime(milliseconds: 9)

        #expect(pending == "alert/credit/g/Drift/income/pending/5")
        #expect(Effect.alertChanged(alert).key == "alert/credit/g/Drift/income/firing/9")
    }
}
