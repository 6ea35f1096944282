import MonitoringDomain

/// This is one event of the demo's world: what the model sees, and what turns out to be true.
struct WorldEvent: Sendable, Equatable {
    var id: String
    /// Event time, in milliseconds since the epoch.
    var time: Int64
    /// One per numeric feature; NaN where missing.
    var numbers: [Double]
    /// One per categorical feature; nil where missing.
    var categories: [String?]
    /// Binary: 1 when the positive label is true, else 0; several classes: the index of the true one;
    /// regression: the value; nil when nobody ever learns it.
    var truth: Double?
    /// When ground truth arrives; nil when it never does.
    var truthTime: Int64?
}

/// This is one record of ground truth as it is sent.
///
/// A recorded stream repeats some, and has some for ids that nobody predicted.
struct WorldTruth: Sendable, Equatable {
    var id: String
    var time: Int64
    var truth: Double
}

/// This is what the demo's model predicts, and how its labels are written.
enum WorldTask: Sendable, Equatable {
    case binary(positive: WorldLabel, negative: WorldLabel)
    /// At least three classes; a truth is the index of its class.
    case multiclass([WorldLabel])
    case regression
}

/// This is what a model says of one event.
struct ModelOutput: Sendable, Equatable {
    /// P(positive label), the index of the most probable class, or the predicted value.
    var value: Double
    /// The probability of each class, of several; else empty.
    var shares: [Double] = []
}

/// This is a label as the wire writes it.
enum WorldLabel: Sendable, Equatable {
    case text(String)
    case whole(Int64)

    /// This is the label as the name of a class.
    var text: String {
        switch self {
        case .text(let text): text
        case .whole(let whole): "\(whole)"
        }
    }
}

/// This is a change of the world whose time is known; nobody tells Leeway.
struct WorldDrift: Sendable, Equatable {
    var time: Int64
    var kind: String
    var what: String
}

/// This is everything that happens around Leeway in a demo, before any model has seen it.
struct World: Sendable {
    var title: String
    var model: String
    var task: WorldTask
    var numericNames: [String]
    var categoricalNames: [String]
    /// What version 1 is trained on, with ground truth.
    var history: [WorldEvent]
    /// What version 1 is accepted on: later than the history, so that the baseline is out of sample.
    var reference: [WorldEvent]
    /// In time order.
    var production: [WorldEvent]
    /// In order of arrival.
    var groundTruth: [WorldTruth]
    var drifts: [WorldDrift]

    /// This is the time of the first production event.
    var start: Int64 { production.first?.time ?? 0 }
    var end: Int64 { production.last?.time ?? 0 }
}

/// This is how much of the world a rule looks at, derived from the rate of the reference and from its
/// ground-truth delay; nothing here knows which stream it is.
struct WorldPace: Sendable, Equatable {
    /// The spans that rules may use, in days; a span below half a day sees only part of the daily cycle.
    private static let windowDayCounts: [Int64] = [1, 2, 3, 4, 7, 14, 21, 28, 42, 56]
    /// With fewer outcomes an accuracy of 0.9 is known to ±0.04 at best.
    private static let outcomeCountMin = 250.0
    /// Below this coverage a window says more about its oldest hours than about itself.
    private static let coverageMin = 0.25
    /// The spans of event time that the world may advance at once.
    private static let stepHourCounts: [Int64] = [1, 2, 3, 6, 12, 24]
    /// More steps than this do not fit into the demo's time.
    private static let stepCountMax: Int64 = 1_000

    /// The rules' window.
    var window: Int64
    /// The share of a window's predictions that have ground truth when the window ends, as expected
    /// from the reference.
    var expectedCoverage: Double
    /// How far event time advances at once.
    var step: Int64

    init(of world: World) {
        let past = world.history + world.reference
        let first = past.first?.time ?? 0
        let last = past.last?.time ?? 0
        let delays = past.compactMap { event in event.truthTime.map { $0 - event.time } }.sorted()
        let days = max(1, Double(last - first) / Double(WindowSpan.day))
        let dailyCount = Double(past.count) / days
        let arrivingShare = Double(delays.count) / Double(max(1, past.count))

        /// The share of a window of `span` whose ground truth is there when it ends: an event that is
        /// `age` old has it when its delay is shorter, and ages are uniform over the span.
        func coverage(_ span: Int64) -> Double {
            let sum = delays.reduce(0.0) { $0 + max(0, Double(span - $1)) / Double(span) }
            return arrivingShare * sum / Double(max(1, delays.count))
        }

        let spans = Self.windowDayCounts.map { $0 * WindowSpan.day }
        let wide = spans[spans.count - 1]
        let chosen = spans.first { span in
            let share = coverage(span)
            let count = dailyCount * Double(span) / Double(WindowSpan.day) * share
            return share >= Self.coverageMin && count >= Self.outcomeCountMin
        }
        let window = chosen ?? wide
        self.window = window
        expectedCoverage = coverage(window)
        let span = max(0, world.end - world.start)
        let steps = Self.stepHourCounts.map { $0 * WindowSpan.hour }
        step =
            steps.first { span / $0 <= Self.stepCountMax && $0 <= window / 4 }
            ?? min(steps[steps.count - 1], window / 4)
    }

    /// A breach must last half a window: a model that is retrained at the first sign learns from
    /// ground truth that is nearly all older than the change.
    var hold: Int64 { window / 2 }
    var cooldown: Int64 { window }
    var trainingWindow: Int64 { 6 * window }
    /// How long the trainer takes, in event time.
    var trainingTime: Int64 { max(step, 2 * WindowSpan.hour) }
}
