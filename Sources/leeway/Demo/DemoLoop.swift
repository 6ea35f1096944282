import Foundation
import MonitoringDomain

/// This is the world that turns around Leeway: scores, ground truth, and a trainer that answers.
///
/// The world waits until Leeway has counted each step, so the same seed gives the same story.
struct DemoLoop {
    /// The largest reference that is uploaded: it fits into one body.
    private static let referenceRowCountMax = 10_000
    private static let truthRowCountMax = 5_000
    /// How long the world stands still for PostgreSQL and the relay before it goes on without them.
    private static let patience = Duration.seconds(20)
    /// Before so much of wall time has passed, nothing is concluded about the machine's speed.
    private static let warmUp = Duration.seconds(4)
    private static let stepFactorMax: Int64 = 6

    let world: World
    let pace: WorldPace
    let client: LeewayClient
    let channel: TrainerChannel
    /// The wall time within which the last event should be sent.
    let budget: Duration
    var story: DemoStory

    private let records: WireRecords
    private let trainer: Trainer
    private(set) var ledger = DemoLedger()
    private var version = 1
    private var firstModel: TrainedModel
    private var model: TrainedModel
    private var firing: [String: AlertView] = [:]
    private var requests: [String: RequestView] = [:]
    /// The retraining that runs, and when its version will be there.
    private var running: (job: TrainerJob, trained: TrainedVersion, readyAt: Int64)?
    private var eventIndex = 0
    private var truthIndex = 0
    private var driftIndex = 0

    init(
        world: World, pace: WorldPace, client: LeewayClient, channel: TrainerChannel,
        budget: Duration, story: DemoStory
    ) {
        self.world = world
        self.pace = pace
        self.client = client
        self.channel = channel
        self.budget = budget
        self.story = story
        records = WireRecords(world: world)
        trainer = Trainer(
            task: world.task, numericCount: world.numericNames.count,
            categoricalCount: world.categoricalNames.count)
        firstModel = trainer.fit(world.history)
        model = firstModel
    }

    /// Plays the world to its end.
    mutating func run() async throws -> DemoLedger {
        let began = ContinuousClock.now
        try await deployFirst()
        var now = world.start - world.start % pace.step
        while eventIndex < world.production.count {
            let step = pace.step * stepFactor(since: began, at: now)
            try await play(from: now, to: now + step)
            now += step
            story.progress(at: min(now, world.end), recentPerformance(at: now))
        }
        // What is still due comes without further predictions: it lets open verdicts conclude.
        try await sendTruth(until: .max)
        try await listen(at: world.end)
        ledger.verdicts = requests.values.sorted { $0.id < $1.id }
            .map { (order: ledger.order(of: $0.id), verdict: $0.verification?.verdict ?? $0.state) }
            .sorted { $0.order < $1.order }.map(\.verdict)
        return ledger
    }

    // MARK: - Version 1

    private mutating func deployFirst() async throws {
        try await client.declare(records.schema(pane: WindowSpan.hour), model: world.model)
        let rows = world.reference.filter { $0.truth != nil }
            .map { (event: $0, prediction: firstModel.prediction(for: $0)) }
        guard rows.count >= Trainer.outcomeCountMin else {
            throw DemoError("the reference holds \(rows.count) outcomes, too few for a baseline")
        }
        ledger.baseline = trainer.performance(of: rows)
        try await pin(rows, version: "1")
        story.tell(
            .trainer,
            "\(world.model) v1 deployed: \(measure) \(digits(ledger.baseline)) on \(rows.count) "
                + "rows that it did not see; pinned as the reference", at: world.start)
        ledger.deployments.append(DemoLedger.Deployment(version: 1, time: world.start))
    }

    private func pin(
        _ rows: [(event: WorldEvent, prediction: ModelOutput)], version: String
    ) async throws {
        let limit = Self.referenceRowCountMax
        let stride = max(1, (rows.count + limit - 1) / limit)
        let chosen = Swift.stride(from: 0, to: rows.count, by: stride).map { rows[$0] }
        try await client.send(
            records.predictions(chosen, version: version, withTruth: true),
            to: "/v1/models/\(world.model)/references")
    }

    // MARK: - One step

    private mutating func play(from start: Int64, to end: Int64) async throws {
        try await sendTruth(until: start)
        try await deployIfReady(at: start)
        while driftIndex < world.drifts.count, world.drifts[driftIndex].time < end {
            let drift = world.drifts[driftIndex]
            story.tell(.world, "\(drift.kind) change: \(drift.what)", at: drift.time)
            driftIndex += 1
        }
        var rows: [(event: WorldEvent, prediction: ModelOutput)] = []
        while eventIndex < world.production.count, world.production[eventIndex].time < end {
            let event = world.production[eventIndex]
            let prediction = model.prediction(for: event)
            let alone = version == 1 ? prediction : firstModel.prediction(for: event)
            rows.append((event, prediction))
            if let truth = event.truth {
                ledger.outcomes.append(
                    DemoLedger.Outcome(
                        time: event.time, version: version,
                        withLoop: trainer.score(of: prediction, truth: truth),
                        withoutLoop: trainer.score(of: alone, truth: truth)))
            }
            eventIndex += 1
        }
        guard !rows.isEmpty else { return }
        try await client.send(
            records.predictions(rows, version: String(version)), to: "/v1/predictions")
        try await listen(at: end)
    }

    private mutating func sendTruth(until time: Int64) async throws {
        var end = truthIndex
        while end < world.groundTruth.count, world.groundTruth[end].time <= time { end += 1 }
        while truthIndex < end {
            let next = min(end, truthIndex + Self.truthRowCountMax)
            try await client.send(
                records.groundTruth(world.groundTruth[truthIndex..<next]), to: "/v1/ground-truth")
            truthIndex = next
        }
    }

    /// The factor by which steps grow when the machine is too slow for the budget.
    private func stepFactor(since began: ContinuousClock.Instant, at now: Int64) -> Int64 {
        let elapsed = began.duration(to: .now)
        guard elapsed > Self.warmUp, now > world.start else { return 1 }
        let done = Double(now - world.start) / Double(max(1, world.end - world.start))
        let projected = elapsed / done
        let ratio = (projected - elapsed) / max(budget - elapsed, .seconds(1))
        return max(1, min(Self.stepFactorMax, Int64(ratio.rounded(.up))))
    }

    // MARK: - What Leeway says

    private mutating func listen(at now: Int64) async throws {
        try await hearAlerts(at: now)
        for request in try await client.requests() {
            let known = requests[request.id]
            requests[request.id] = request
            if known == nil {
                ledger.requests.append(DemoLedger.Request(id: request.id, time: now))
                story.tell(.leeway, announcement(of: request), at: now)
                try await answer(request, at: now)
            }
            let verdict = request.verification?.verdict
            if let verification = request.verification, verdict != known?.verification?.verdict,
                verdict != Verdict.watching.rawValue
            {
                story.tell(.leeway, judgement(verification), at: now)
            }
        }
    }

    private mutating func hearAlerts(at now: Int64) async throws {
        let alerts = try await client.firingAlerts().filter { $0.feature != nil }
        let new = alerts.filter { firing[$0.fingerprint] == nil }
        if !new.isEmpty {
            let features = new.map { alert in
                "\(alert.feature ?? "") (PSI \(alert.value.map { decimal($0, 2) } ?? "?"))"
            }.joined(separator: ", ")
            story.tell(.leeway, "moved from the reference: \(features)", at: now)
        }
        firing = Dictionary(alerts.map { ($0.fingerprint, $0) }, uniquingKeysWith: { $1 })
    }

    private func announcement(of request: RequestView) -> String {
        let reading = request.payload.evidence.first { $0.statistic == measure }
        let interval = reading.flatMap { reading -> String? in
            guard let lower = reading.lower, let upper = reading.upper else { return nil }
            return " [\(digits(lower)), \(digits(upper))]"
        }
        let value = reading?.value.map(digits) ?? "?"
        let tolerance =
            switch world.task {
            case .binary, .multiclass:
                "more than \(DemoRules.accuracyTolerance) below its reference"
            case .regression: "more than \(DemoRules.errorFactor) times its reference"
            }
        return "\(request.reason): \(measure) of v\(request.modelVersion) over "
            + "\(spoken(pace.window)) is \(value)\(interval ?? ""),\n"
            + "\(tolerance) for \(spoken(pace.hold)): files a retraining request"
    }

    private func judgement(_ verification: VerificationView) -> String {
        let words =
            switch verification.verdict {
            case Verdict.helped.rawValue: "the retraining helped"
            case Verdict.didNotHelp.rawValue: "the retraining did not help"
            case Verdict.madeItWorse.rawValue: "the retraining made it worse"
            default: verification.verdict
            }
        let effect = verification.effect
        return "verdict: \(words): \(verification.statistic) \(digits(verification.before)) → "
            + "\(digits(verification.after)), effect \(signed(effect.value)) "
            + "[\(signed(effect.lower)), \(signed(effect.upper))]"
    }

    // MARK: - The trainer

    private mutating func answer(_ request: RequestView, at now: Int64) async throws {
        guard running == nil else { return }
        guard let job = try await channel.claim(request, client: client, patience: Self.patience)
        else {
            story.tell(.trainer, "found no request to claim; it stays open", at: now)
            return
        }
        let outcomes = matured(in: job.trainingWindow, at: now)
        guard let trained = trainer.train(on: outcomes) else {
            story.tell(
                .trainer, "gave up: only \(outcomes.count) outcomes to train on", at: now)
            try await channel.fail(job, "\(outcomes.count) outcomes are too few", client: client)
            return
        }
        try await channel.start(job, client: client)
        story.tell(
            .trainer,
            "claimed it \(channel.name); trains on the newest \(trained.usedCount) of "
                + "\(trained.outcomeCount) outcomes of the request's window", at: now)
        running = (job, trained, now + pace.trainingTime)
    }

    private mutating func deployIfReady(at now: Int64) async throws {
        guard let (job, trained, readyAt) = running, readyAt <= now else { return }
        running = nil
        version += 1
        model = trained.model
        try await channel.complete(job, newVersion: String(version), client: client)
        try await waitForSuccess(of: job)
        try await pin(trained.acceptance, version: String(version))
        ledger.deployments.append(DemoLedger.Deployment(version: version, time: now))
        story.tell(
            .trainer,
            "v\(version) deployed: \(measure) \(digits(trained.performance)) in cross-validation; "
                + "success reported, new reference pinned", at: now)
    }

    private mutating func waitForSuccess(of job: TrainerJob) async throws {
        let deadline = ContinuousClock.now + Self.patience
        while ContinuousClock.now < deadline {
            let request = try await client.requests().first { $0.id == job.requestID }
            if request?.state == RetrainingState.succeeded.rawValue { return }
            try await Task.sleep(for: .milliseconds(50))
        }
        throw DemoError("Leeway did not hear of the success of \(job.requestID)")
    }

    /// The outcomes whose ground truth has come by `now`.
    private func matured(in window: TimeWindow, at now: Int64) -> [WorldEvent] {
        let past = world.reference + world.production[..<eventIndex]
        return past.filter { event in
            guard let truthTime = event.truthTime else { return false }
            return truthTime <= now && window.contains(EventTime(milliseconds: event.time))
        }
    }

    // MARK: - Words

    private var measure: String { world.task == .regression ? "mae" : "accuracy" }

    private func digits(_ value: Double) -> String {
        decimal(value, world.task == .regression ? 1 : 3)
    }

    private func signed(_ value: Double) -> String { (value > 0 ? "+" : "") + digits(value) }

    private func recentPerformance(at now: Int64) -> String {
        let recent = ledger.outcomes.suffix(while: { $0.time >= now - pace.window })
        let (with, without) = DemoLedger.performance(of: recent)
        return "\(measure) over \(spoken(pace.window)): v\(version) \(digits(with)), "
            + "without the loop \(digits(without))"
    }
}

extension Array {
    /// This is the longest end of the array whose elements all satisfy `isIncluded`.
    fileprivate func suffix(while isIncluded: (Element) -> Bool) -> ArraySlice<Element> {
        var start = endIndex
        while start > startIndex, isIncluded(self[start - 1]) { start -= 1 }
        return self[start...]
    }
}
