import MonitoringDomain
import MonitoringTestSupport
import Testing

@testable import MonitorCore

/// A budget with a reference that moves, and with one whose own windows calibrate.
@Suite struct MovingDriftTests {
    private static let span = 10 * WindowSpan.minute

    private static func rules(_ budget: String) -> Input {
        .rules([
            RuleFile(
                name: "g.yaml",
                text: """
                    group: g
                    every: 1m
                    budget: \(budget)
                    rules:
                      - alert: Features
                        expr: drift(features, window: 10m)

                    """)
        ])
    }

    private static let byRows = "{ false_alarms: 1 per 1d, tolerance: { ks: 0.02 } }"
    private static let byWindows = "{ false_alarms: 1 per 2h, null: windows }"

    private static func moving(_ traffic: inout Traffic) throws -> [Input] {
        [
            .pinReference(
                try Batches.predictions(traffic.next(600)),
                pinnedAt: EventTime(milliseconds: traffic.time)),
            .chooseReference(try model(), .moving(.previous), at: EventTime(milliseconds: 0)),
        ]
    }

    private static func rows(_ traffic: inout Traffic, windows: Int) -> [[Row]] {
        (0..<windows * 6).map { _ in traffic.next(50) }
    }

    private func drift(
        _ replay: Replay, at start: EventTime? = nil, span: Int64 = span
    ) throws -> Measurement {
        let state = try #require(replay.monitor.collector.models[try model()])
        return replay.monitor.judge.measure(
            DriftQuery(group: nil, feature: nil, span: span, start: start), of: state)
    }

    private func finding(_ measurement: Measurement) throws -> DriftFinding {
        guard case .drift(let finding)? = measurement.finding else { throw SampleError() }
        return finding
    }

    private func firingTimes(_ replay: Replay) -> [EventTime] {
        replay.effects.compactMap { effect in
            if case .alertChanged(let alert) = effect, alert.phase == .firing {
                alert.firedAt
            } else {
                nil
            }
        }
    }

    @Test func `a window is compared with the one before, so a change is named once`() throws {
        var traffic = Traffic(seed: 1)
        var replay = Replay(clock: .event)
        replay.apply(try [Self.rules(Self.byRows)] + Self.moving(&traffic))
        for rows in Self.rows(&traffic, windows: 8) {
            replay.apply(.predictions(try Batches.predictions(rows)))
        }
        #expect(firingTimes(replay).isEmpty)
        let quiet = try drift(replay)
        #expect(quiet.reference == "r-2")
        // The rows of the window before, and not those that the bins were made of.
        #expect(quiet.referenceCount == 300 && quiet.count == 300)
        #expect(try finding(quiet).null == .rows)
        #expect(try finding(quiet).calibrationCount == nil)

        traffic.shift = 6
        for rows in Self.rows(&traffic, windows: 8) {
            replay.apply(.predictions(try Batches.predictions(rows)))
        }

        #expect(firingTimes(replay).count == 1)
        // What has stayed moved is quiet again beside the window before.
        #expect(try #require(try drift(replay).reading.estimate).value < 0.15)
        #expect(try finding(try drift(replay)).isAlarm == false)
    }

    @Test(arguments: [byRows, byWindows])
    func `a restored snapshot goes on, and late rows change both windows of a pair`(
        budget: String
    ) throws {
        var traffic = Traffic(seed: 2)
        let start = try [Self.rules(budget)] + Self.moving(&traffic)
        let batches = Self.rows(&traffic, windows: 7)
        let end = Input.predictions(try Batches.predictions(traffic.next(60)))
        func replay(_ batches: [[Row]], restartAt cut: Int? = nil) throws -> Replay {
            var replay = Replay(clock: .event)
            replay.apply(start)
            for (index, rows) in batches.enumerated() {
                replay.apply(.predictions(try Batches.predictions(rows)))
                if index == cut { try replay.restart() }
            }
            replay.apply(end)
            return replay
        }
        let whole = try replay(batches)

        let restarted = try replay(batches, restartAt: 20)
        let isSame = restarted.monitor.snapshot() == whole.monitor.snapshot()
        #expect(isSame)

        var late = batches
        late.insert(late.remove(at: 8), at: late.count - 1)
        late.insert(late.remove(at: 14), at: late.count - 1)
        let disordered = try replay(late)
        var revisedCount = 0
        let newest = try drift(whole).window.start
        for index in 0..<Int64(7) {
            let time = newest.advanced(byMilliseconds: -index * Self.span)
            let (one, other) = (try drift(whole, at: time), try drift(disordered, at: time))
            #expect(one.finding == other.finding)
            #expect(one.reading == other.reading && one.referenceCount == other.referenceCount)
            revisedCount += other.isRevised ? 1 : 0
        }
        // The second and third windows got late rows, and the fourth is compared with the third.
        #expect(revisedCount == 3)
    }

    @Test func `pairs of windows and earlier ones do not overlap within a phase`() throws {
        let week = try #require(MovingPairs(.sameHoursLastWeek, span: WindowSpan.day))
        let before = try #require(MovingPairs(.previous, span: WindowSpan.hour))
        for (pairs, span) in [(week, WindowSpan.day), (before, WindowSpan.hour)] {
            for phase in [0, 1] {
                var used: Set<Int64> = []
                for index in Int64(-40)..<40 {
                    let start = EventTime(milliseconds: index * span)
                    guard pairs.phase(of: start) == phase else { continue }
                    let window = TimeWindow(
                        start: start, end: start.advanced(byMilliseconds: span))
                    let own = used.insert(start.milliseconds).inserted
                    let other = used.insert(pairs.reference(of: window).start.milliseconds)
                        .inserted
                    #expect(own && other, "\(index)")
                }
            }
        }
        #expect(MovingPairs(.sameHoursLastWeek, span: 2 * WindowSpan.day) == nil)
        #expect(MovingPairs(.sameHoursLastWeek, span: 2 * WindowSpan.week) == nil)
        #expect(MovingPairs(.previous, span: 2 * WindowSpan.day) != nil)
    }

    @Test func `windows that do not divide the week say so`() throws {
        var traffic = Traffic(seed: 3)
        var replay = Replay(clock: .event)
        replay.apply([
            .rules([
                RuleFile(
                    name: "g.yaml",
                    text: "group: g\nbudget: { false_alarms: 1 per 900d }\nrules:\n"
                        + "  - { alert: A, expr: \"drift(features, window: 2d)\" }\n")
            ]),
            .pinReference(
                try Batches.predictions(traffic.next(600)),
                pinnedAt: EventTime(milliseconds: traffic.time)),
            .chooseReference(
                try model(), .moving(.sameHoursLastWeek), at: EventTime(milliseconds: 0)),
            .predictions(try Batches.predictions(traffic.next(60))),
        ])

        guard
            case .undefined(let reason) = try drift(replay, span: 2 * WindowSpan.day).reading
        else { throw SampleError() }
        #expect(reason.hasPrefix("windows of 2d are no even part of a week"))
    }

    // MARK: - Calibration

    @Test func `windows of the reference's own span calibrate the null of windows`() throws {
        var traffic = Traffic(seed: 4)
        var replay = Replay(clock: .event)
        let start = EventTime(milliseconds: traffic.time + 2_000)
        for rows in Self.rows(&traffic, windows: 40) {
            replay.apply(.predictions(try Batches.predictions(rows)))
        }
        let span = TimeWindow(start: start, end: EventTime(milliseconds: traffic.time))
        replay.apply([
            .chooseReference(
                try model(), .span(span), at: EventTime(milliseconds: traffic.time)),
            Self.rules(Self.byWindows),
        ])
        try replay.activatePending()
        for rows in Self.rows(&traffic, windows: 2) {
            replay.apply(.predictions(try Batches.predictions(rows)))
        }

        // The first window of the span is not whole; a quarter of the others is the centre.
        let first = try finding(try drift(replay))
        #expect(try #require(first.calibrationCount) >= 29)
        #expect(firingTimes(replay).isEmpty)
        let quiet = replay.monitor.snapshot()
        try replay.restart()
        let isSame = replay.monitor.snapshot() == quiet
        #expect(isSame)

        traffic.shift = 3
        for rows in Self.rows(&traffic, windows: 5) {
            replay.apply(.predictions(try Batches.predictions(rows)))
        }

        // Without calibration, no window's p-value could be below a third by now.
        #expect(!firingTimes(replay).isEmpty)
    }

    @Test func `an uploaded reference has no windows, and the first ones calibrate`() throws {
        var traffic = Traffic(seed: 5)
        var replay = Replay(clock: .event)
        replay.apply([
            Self.rules(Self.byWindows),
            .pinReference(
                try Batches.predictions(traffic.next(2_000)),
                pinnedAt: EventTime(milliseconds: traffic.time)),
        ])
        for rows in Self.rows(&traffic, windows: 4) {
            replay.apply(.predictions(try Batches.predictions(rows)))
        }

        #expect(try #require(try finding(try drift(replay)).calibrationCount) <= 4)
    }
}
