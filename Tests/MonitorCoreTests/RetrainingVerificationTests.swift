import MonitoringDomain
import RuleEvaluation
import Testing
import WindowAggregation

@testable import MonitorCore

@Suite struct RetrainingVerificationTests {
    private func summary(_ correct: UInt64, of count: UInt64) -> OutcomeSummary {
        var summary = OutcomeSummary()
        summary.count = count
        summary.correct = correct
        return summary
    }

    private func verify(
        _ before: OutcomeSummary, _ after: OutcomeSummary, _ task: TaskKind = .binary,
        days: Int64 = 1
    ) -> Verification? {
        RetrainingVerification.verify(
            RetrainingVerification.Question(
                oldVersion: "1", newVersion: "2", before: before, after: after, task: task,
                watchedSince: EventTime(milliseconds: 0),
                now: EventTime(milliseconds: days * WindowSpan.day)))
    }

    @Test func `with fewer than a hundred outcomes on a side nothing is said`() {
        #expect(verify(summary(99, of: 99), summary(500, of: 1_000)) == nil)
        #expect(verify(summary(500, of: 1_000), summary(99, of: 99)) == nil)
        #expect(verify(summary(50, of: 100), summary(50, of: 100)) != nil)
    }

    @Test(
        arguments: [
            (600, 900, Verdict.helped), (900, 600, .madeItWorse), (800, 810, .watching),
        ] as [(UInt64, UInt64, Verdict)])
    func `a clear difference of accuracy is a verdict, an unclear one is watched`(
        before: UInt64, after: UInt64, verdict: Verdict
    ) throws {
        let found = try #require(verify(summary(before, of: 1_000), summary(after, of: 1_000)))

        #expect(found.verdict == verdict)
        #expect(found.statistic == .accuracy)
        #expect(abs(found.effect - (found.after - found.before)) < 1e-12)
        #expect(found.effectLower <= found.effect && found.effect <= found.effectUpper)
    }

    @Test func `what is unclear after fourteen days did not help`() {
        let (before, after) = (summary(800, of: 1_000), summary(810, of: 1_000))

        #expect(verify(before, after, days: 13)?.verdict == .watching)
        #expect(verify(before, after, days: 14)?.verdict == .didNotHelp)
        #expect(
            verify(summary(600, of: 1_000), summary(900, of: 1_000), days: 20)?.verdict == .helped)
    }

    @Test func `a smaller error of a regression is an improvement`() throws {
        func errors(_ mean: Double) -> OutcomeSummary {
            var summary = OutcomeSummary()
            summary.count = 2_000
            summary.absoluteErrorSum = mean * 2_000
            summary.absoluteErrorSquareSum = (mean * mean + 1) * 2_000
            return summary
        }

        let better = try #require(verify(errors(5), errors(3), .regression))
        #expect(better.verdict == .helped)
        #expect(better.statistic == .mae)
        #expect(abs(better.effect - 2) < 1e-9)
        #expect(verify(errors(3), errors(5), .regression)?.verdict == .madeItWorse)
        #expect(verify(errors(3), errors(3), .regression)?.verdict == .watching)
    }

    @Test func `the loop closes: decay, request, new version, verdict`() throws {
        let rules = RuleFile(
            name: "g.yaml",
            text: """
                group: g
                rules:
                  - retrain: Decay
                    expr: accuracy(window: 30m).upper < reference(accuracy) - 0.1
                """)
        var replay = Replay(clock: .event)
        var traffic = Traffic(seed: 7)
        let reference = try Batches.predictions(traffic.next(300), withTruth: true)
        replay.apply([
            .rules([rules]), .pinReference(reference, pinnedAt: EventTime(milliseconds: 0)),
        ])
        func send(_ count: Int) throws {
            for _ in 0..<count {
                let rows = traffic.next(100)
                replay.apply([
                    .predictions(try Batches.predictions(rows)),
                    .groundTruth(try Batches.groundTruth(rows)),
                ])
            }
        }

        try send(3)
        #expect(replay.monitor.judge.engine.requests.isEmpty)
        traffic.accuracy = 0.5
        try send(12)
        let request = try #require(replay.monitor.judge.engine.requests.first)
        #expect(request.modelVersion == "1")
        replay.apply(
            .report(
                TrainerReport(requestID: request.id, state: .succeeded, newVersion: "2"),
                at: EventTime(milliseconds: traffic.time)))
        try replay.restart()
        traffic.accuracy = 0.95
        traffic.version = "2"
        try send(12)

        let done = try #require(replay.monitor.judge.engine.requests.first)
        #expect(done.newVersion == "2")
        #expect(done.verification?.verdict == .helped)
        #expect((done.verification?.effectLower ?? -1) > 0)
        #expect(replay.monitor.judge.engine.requests.count == 1)
        let keys = replay.effects.map(\.key)
        #expect(Set(keys).count == keys.count)
    }
}
