public import MonitoringDomain
import RuleLanguage

// The life of retraining requests: filed by a firing rule, moved by a trainer's reports, judged by the
// verification.

extension RuleEngine {
    /// A rule's cooldown is at most this many times as long as written.
    private static let cooldownFactorMax: Int64 = 8

    /// Files a request, or counts the trigger on the open one.
    mutating func file(_ alert: Alert, _ occasion: Occasion) -> [Effect] {
        guard case .retrain(let action) = occasion.rule.action else { return [] }
        let model = occasion.context.model
        let now = occasion.now
        if let index = requests.lastIndex(where: {
            $0.model == model && $0.queue == action.queue && !$0.state.isFinal
        }) {
            let isOwn =
                requests[index].rule == occasion.rule.name
                && requests[index].alert.group == occasion.group.name
            if isOwn { return [] }
            requests[index].triggerCount += 1
            return [.requestChanged(requests[index])]
        }
        guard !isCooling(occasion, action) else { return [] }
        let needsApproval = action.approval != .automatic
        let request = RetrainingRequest(
            id: "\(occasion.group.name):\(occasion.rule.name):\(model):\(now.milliseconds)",
            rule: occasion.rule.name, model: model,
            modelVersion: occasion.context.version ?? "default", queue: action.queue,
            priority: action.priority, needsApproval: needsApproval, state: .filing,
            createdAt: now,
            trainingWindow: TimeWindow(
                start: now.advanced(byMilliseconds: -action.trainingWindow), end: now),
            alert: alert, reference: occasion.context.reference, parameters: action.parameters)
        requests.append(request)
        return [.fileRequest(request)]
    }

    /// A breach that outlives its cooldown asks again.
    mutating func refile(
        _ alert: Alert, _ evaluation: Evaluation, _ occasion: Occasion
    ) -> [Effect] {
        guard case .retrain(let action) = occasion.rule.action else { return [] }
        let model = occasion.context.model
        let isOpen = requests.contains {
            $0.model == model && $0.queue == action.queue && !$0.state.isFinal
        }
        guard !isOpen else { return [] }
        var renewed = alert
        renewed.evidence = evaluation.evidence
        renewed.segments = evaluation.segments(in: occasion.context)
        active[alert.fingerprint] = renewed
        return file(renewed, occasion)
    }

    private func isCooling(_ occasion: Occasion, _ action: RetrainAction) -> Bool {
        let (model, group, rule) = (
            occasion.context.model, occasion.group.name, occasion.rule.name
        )
        let factor = cooldownFactors["\(model)/\(group)/\(rule)"] ?? 1
        guard
            let last = requests.last(where: {
                $0.model == model && $0.rule == rule && $0.alert.group == group
            })
        else { return false }
        let (span, overflow) = action.cooldown.multipliedReportingOverflow(by: factor)
        let since = max(last.createdAt, last.finishedAt ?? last.createdAt)
        return overflow || occasion.now.milliseconds(since: since) < span
    }

    /// Moves a request by what its trainer, or PostgreSQL, says of it.
    ///
    /// Unknown ids change nothing, and a final request stays as it is.
    public mutating func report(_ report: TrainerReport, at now: EventTime) -> [Effect] {
        guard let index = requests.lastIndex(where: { $0.id == report.requestID }),
            !requests[index].state.isFinal, requests[index].state != report.state,
            report.state != .filing
        else { return [] }
        requests[index].state = report.state
        if let version = report.newVersion { requests[index].newVersion = version }
        requests[index].detail = report.detail
        if report.state.isFinal { requests[index].finishedAt = now }
        return [.requestChanged(requests[index])]
    }

    /// Stores what a verification found, and lets the rule learn from it: a retraining that did not help
    /// doubles the cooldown, one that helped restores it.
    public mutating func record(
        _ verification: Verification, for requestID: String
    ) -> [Effect] {
        guard let index = requests.lastIndex(where: { $0.id == requestID }) else { return [] }
        let earlier = requests[index].verification?.verdict
        requests[index].verification = verification
        guard earlier != verification.verdict else { return [] }
        let request = requests[index]
        let key = "\(request.model)/\(request.alert.group)/\(request.rule)"
        switch verification.verdict {
        case .watching: break
        case .helped: cooldownFactors[key] = nil
        case .didNotHelp, .madeItWorse:
            cooldownFactors[key] = min(Self.cooldownFactorMax, (cooldownFactors[key] ?? 1) * 2)
        }
        return [.requestChanged(requests[index])]
    }
}
