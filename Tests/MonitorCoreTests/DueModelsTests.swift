import MonitorCore
import MonitoringDomain
import Testing

/// An input looks at its own model; others are looked at when the clock makes something of them due.
@Suite struct DueModelsTests {
    private static func rules(_ every: String) -> Input {
        .rules([
            RuleFile(
                name: "g.yaml",
                text: """
                    group: g
                    every: \(every)
                    rules:
                      - alert: Quiet
                        expr: volume(window: 5m) < 10
                        for: 2m

                    """)
        ])
    }

    private static func pin(_ traffic: inout Traffic, _ name: String) throws -> Input {
        .pinReference(
            try Batches.predictions(traffic.next(50), model: name),
            pinnedAt: EventTime(milliseconds: traffic.time))
    }

    @Test(arguments: ["1m", "10s", "7s"])
    func `a quiet model's rule fires by the clock that another one moves`(every: String) throws {
        var traffic = Traffic(seed: 1)
        var replay = Replay(clock: .event)
        replay.apply([
            Self.rules(every), try Self.pin(&traffic, "quiet"), try Self.pin(&traffic, "busy"),
        ])
        let start = traffic.time
        replay.apply(
            .predictions(
                try Batches.predictions(traffic.next(30), model: "quiet", withTruth: false)))

        for _ in 0..<60 {
            replay.apply(.predictions(try Batches.predictions(traffic.next(5), model: "busy")))
        }

        let alerts = replay.effects.compactMap { effect -> Alert? in
            guard case .alertChanged(let alert) = effect, alert.model.rawValue == "quiet",
                alert.phase == .firing, alert.since.milliseconds > start + 2 * WindowSpan.minute
            else { return nil }
            return alert
        }
        let alert = try #require(alerts.first)
        // Its last row is a minute after the first: fewer than ten of the last five minutes' are left about
        // five minutes later, and two minutes more must pass.
        let sinceLast = alert.since.milliseconds - start - WindowSpan.minute
        #expect(abs(sinceLast - 5 * WindowSpan.minute) <= WindowSpan.minute + 10_000)
        let fired = try #require(alert.firedAt).milliseconds(since: alert.since)
        #expect(fired >= 2 * WindowSpan.minute && fired <= 3 * WindowSpan.minute)
    }

    @Test func `rules that are loaded look at every model at the next input`() throws {
        var traffic = Traffic(seed: 2)
        var replay = Replay(clock: .event)
        for name in ["a", "b", "c"] {
            replay.apply(try Self.pin(&traffic, name))
            replay.apply(.predictions(try Batches.predictions(traffic.next(1), model: name)))
        }
        replay.apply(
            .rules([
                RuleFile(
                    name: "g.yaml",
                    text: "group: g\nrules:\n  - { alert: Any, expr: \"volume(window: 1h) < 9\" }\n"
                )
            ]))

        replay.apply(.predictions(try Batches.predictions(traffic.next(1), model: "a")))

        let models = replay.effects.compactMap { effect -> String? in
            if case .alertChanged(let alert) = effect { alert.model.rawValue } else { nil }
        }
        #expect(Set(models) == ["a", "b", "c"])
    }

    @Test func `what was touched and not yet judged is kept in a snapshot`() throws {
        var traffic = Traffic(seed: 3)
        var inputs: [Input] = [
            Self.rules("1m"), try Self.pin(&traffic, "a"), try Self.pin(&traffic, "b"),
        ]
        for index in 0..<30 {
            inputs.append(
                .predictions(
                    try Batches.predictions(traffic.next(4), model: index % 3 == 0 ? "a" : "b")))
            if index == 9 { inputs.append(.declareSchema(ModelSchema(model: try model("c")))) }
        }
        var whole = Replay(clock: .event)
        whole.apply(inputs)
        for cut in [2, 11, 12, 20] {
            var restarted = Replay(clock: .event)
            restarted.apply(Array(inputs[..<cut]))

            try restarted.restart()
            restarted.apply(Array(inputs[cut...]))

            #expect(restarted.effects == whole.effects)
            let isSame = restarted.monitor.snapshot() == whole.monitor.snapshot()
            #expect(isSame)
        }
    }
}
