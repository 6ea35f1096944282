import MonitoringDomain

/// This is the rule file that the demo gives to Leeway: relative to the reference, never to a stream.
struct DemoRules {
    /// The loss that the model's owner accepts: three points of accuracy.
    static let accuracyTolerance = 0.03
    /// The loss that the owner of a regression accepts: a quarter more error than on the reference.
    static let errorFactor = 1.25
    /// The population stability index above which a feature counts as moved, the customary level.
    private static let driftLevel = 0.2

    var world: World
    var pace: WorldPace

    /// Nobody retrains on a window that holds less than half of the ground truth that is usual.
    private var coverageMin: Double { (pace.expectedCoverage * 50).rounded() / 100 }

    private var decay: String {
        let window = span(pace.window)
        switch world.task {
        case .binary, .multiclass:
            return "accuracy(window: \(window)).upper < reference(accuracy) - "
                + "\(Self.accuracyTolerance)"
        case .regression:
            return "mae(window: \(window)) > reference(mae) * \(Self.errorFactor)"
        }
    }

    var text: String {
        """
        group: demo
        model: \(world.model)
        every: \(span(pace.step))
        rules:
          - alert: FeatureDrift
            expr: psi(*, window: \(span(pace.window))) > \(Self.driftLevel)
            for: \(span(pace.hold))
            labels: { severity: ticket, receiver: data-science }
            annotations:
              summary: "{{ feature }} moved: PSI {{ value }} over {{ window }}"
          - retrain: PerformanceDecay
            expr: \(decay) and coverage(window: \(span(pace.window))) >= \(coverageMin)
            for: \(span(pace.hold))
            cooldown: \(span(pace.cooldown))
            request:
              queue: \(Self.queue)
              priority: 50
              training_window: \(span(pace.trainingWindow))

        """
    }

    /// The queue from which the demo's trainer claims.
    static let queue = "default"

    private func span(_ milliseconds: Int64) -> String {
        WindowSpan.milliseconds(milliseconds).text
    }
}
