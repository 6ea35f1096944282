import MonitoringDomain
import StreamingStatistics
import WindowAggregation

/// This is the classic detectors of a model, each over the errors of each version.
///
/// The signal is one value for each outcome, in the order in which ground truth met its prediction, which is
/// the log's: for labels 1 when they differ and 0 when not; for values |prediction − truth| over its mean in
/// the version's first `warmUpCount` outcomes, so that 1 is usual whatever the unit. It guarantees that a
/// replay reports at the same outcomes. Its limits: only what rules name is run; ground truth that replaces
/// other is counted and not taken back: a detector's state depends on every outcome's place in the order, so an
/// outcome in the middle cannot be taken out of it, and the order itself is not kept; none of them promises a
/// rate of false alarms.
struct ErrorDetectors: Equatable, Sendable {
    /// Outcomes from which the usual size of an error is learned: by `cusum`, and by all where errors are
    /// no labels.
    static let warmUpCount: UInt64 = 500
    /// Versions that are kept apart, the newest ones; the oldest is forgotten.
    static let versionCountMax = 4
    /// Changes whose times are kept; the oldest is forgotten, and a window counts at most so many.
    static let changeCountMax = 64

    /// The detectors that rules name.
    private(set) var wanted: Set<Statistic> = []
    /// In order of their first outcome.
    private(set) var versions: [Version] = []

    init() {}

    init(wanted: Set<Statistic>, versions: [Version]) {
        self.wanted = wanted
        self.versions = versions
    }

    /// Runs these from now on; those that run already go on.
    mutating func want(_ statistics: Set<Statistic>) {
        wanted = statistics
        for index in versions.indices { versions[index].want(statistics) }
        if statistics.isEmpty { versions = [] }
    }

    /// Adds an outcome whose ground truth came for the first time.
    mutating func absorb(_ outcome: Outcome) {
        guard !wanted.isEmpty, let signal = Signal(outcome) else { return }
        if let index = versions.lastIndex(where: { $0.name.isExactly(outcome.version) }) {
            versions[index].absorb(signal, at: outcome.time)
            return
        }
        var version = Version(name: outcome.version, isOfLabels: signal.isOfLabels)
        version.want(wanted)
        version.absorb(signal, at: outcome.time)
        versions.append(version)
        if versions.count > Self.versionCountMax { versions.removeFirst() }
    }

    /// Notes that the ground truth of an outcome was replaced, which the detectors do not see.
    mutating func correct(_ outcome: Outcome) {
        guard !wanted.isEmpty, Signal(outcome) != nil,
            let index = versions.lastIndex(where: { $0.name.isExactly(outcome.version) })
        else { return }
        versions[index].correctedCount &+= 1
    }

    /// This is how many changes were reported at outcomes of predictions in a window.
    func measure(_ query: MeasurementQuery, window: TimeWindow) -> Measurement {
        var measurement = Measurement(
            model: query.model, statistic: query.statistic, feature: query.feature,
            version: query.version, segment: query.segment, window: window, reading: .noData,
            count: 0)
        let name = query.statistic.rawValue
        guard query.feature == "error", query.segment == nil else {
            measurement.reading = .undefined(reason: "\(name) runs over the model's errors: error")
            return measurement
        }
        guard wanted.contains(query.statistic) else {
            measurement.reading = .undefined(reason: "no rule of this model names \(name)")
            return measurement
        }
        let found = query.version.map { wanted in versions.last { $0.name.isExactly(wanted) } }
        guard let version = found ?? versions.last else { return measurement }
        measurement.version = version.name
        measurement.count = Int(clamping: version.outcomeCount)
        guard let running = version.running[query.statistic] else {
            measurement.reading = version.absence(of: query.statistic)
            return measurement
        }
        let count = running.changes.reduce(0) { $0 + (window.contains($1) ? 1 : 0) }
        measurement.reading = .value(Estimate(value: Double(count)))
        measurement.finding = .detector(
            DetectorFinding(
                state: running.detector.state, lastChange: running.changes.last,
                outcomeCount: running.outcomeCount, correctedCount: version.correctedCount))
        return measurement
    }

    /// This is the error of one outcome.
    struct Signal {
        let value: Double
        let isOfLabels: Bool

        /// Nil where the two sides cannot be compared, or differ by more than a double holds.
        init?(_ outcome: Outcome) {
            if let predicted = outcome.predictedLabel, let truth = outcome.truthLabel {
                value = predicted == truth ? 0 : 1
                isOfLabels = true
            } else if let predicted = outcome.predictedValue, let truth = outcome.truthValue {
                value = abs(predicted - truth)
                isOfLabels = false
                guard value.isFinite else { return nil }
            } else {
                return nil
            }
        }
    }

    /// This is one detector at work.
    struct Running: Equatable, Sendable {
        var detector: ClassicDetector
        var outcomeCount: UInt64 = 0
        /// Event times of the predictions at whose outcomes a change was reported, in that order.
        var changes: [EventTime] = []
    }

    /// This is a version's detectors.
    struct Version: Equatable, Sendable {
        let name: String
        let isOfLabels: Bool
        var outcomeCount: UInt64 = 0
        /// Outcomes whose ground truth was replaced.
        var correctedCount: UInt64 = 0
        /// The errors' mean, and the sum of squares about it, of the warm-up.
        var usual = (count: UInt64(0), mean: 0.0, squares: 0.0)
        var wanted: Set<Statistic> = []
        var running: [Statistic: Running] = [:]

        static func == (left: Self, right: Self) -> Bool {
            left.name == right.name && left.isOfLabels == right.isOfLabels
                && left.outcomeCount == right.outcomeCount
                && left.correctedCount == right.correctedCount && left.usual == right.usual
                && left.wanted == right.wanted && left.running == right.running
        }

        /// Divisor n, as everywhere.
        private var deviation: Double {
            usual.count == 0 ? 0 : (usual.squares / Double(usual.count)).squareRoot()
        }

        /// Whether the usual error is known: from enough outcomes that were not all alike.
        private var isWarm: Bool {
            usual.count >= ErrorDetectors.warmUpCount && deviation > 0 && usual.mean > 0
        }

        mutating func want(_ statistics: Set<Statistic>) {
            wanted = statistics
            running = running.filter { statistics.contains($0.key) }
            start()
        }

        /// Starts what can be started by now.
        private mutating func start() {
            for statistic in wanted where running[statistic] == nil {
                guard isOfLabels ? statistic != .cusum || isWarm : isWarm,
                    let detector = ClassicDetector(
                        statistic, isOfLabels: isOfLabels,
                        mean: isOfLabels ? usual.mean : 1,
                        deviation: isOfLabels ? deviation : deviation / usual.mean)
                else { continue }
                running[statistic] = Running(detector: detector)
            }
        }

        mutating func absorb(_ signal: Signal, at time: EventTime) {
            guard signal.isOfLabels == isOfLabels else { return }
            outcomeCount &+= 1
            let value = isOfLabels ? signal.value : signal.value / usual.mean
            if isWarm, !value.isFinite { return }
            for statistic in running.keys { running[statistic]?.absorb(value, at: time) }
            guard !isWarm else { return }
            usual.count += 1
            let before = usual.mean
            usual.mean += (signal.value - before) / Double(usual.count)
            usual.squares += (signal.value - before) * (signal.value - usual.mean)
            if isWarm { start() }
        }

        /// Why a wanted detector does not run.
        func absence(of statistic: Statistic) -> Reading {
            if !isOfLabels, statistic == .ddm || statistic == .eddm {
                return .undefined(
                    reason: "\(statistic.rawValue) is of labels, and this model predicts values")
            }
            if usual.count >= ErrorDetectors.warmUpCount {
                return .undefined(reason: "all errors so far are equal")
            }
            return .insufficientSamples(
                found: Int(clamping: usual.count), required: Int(ErrorDetectors.warmUpCount))
        }
    }
}

extension ErrorDetectors.Running {
    fileprivate mutating func absorb(_ value: Double, at time: EventTime) {
        outcomeCount &+= 1
        guard detector.absorb(value) else { return }
        changes.append(time)
        if changes.count > ErrorDetectors.changeCountMax { changes.removeFirst() }
    }
}

/// This is any of the classic detectors, with the settings of its paper or of River.
struct ClassicDetector: Equatable, Sendable {
    private enum Kind: Equatable, Sendable {
        case adwin(ADWIN)
        case pageHinkley(PageHinkley)
        case cusum(TabularCUSUM)
        case ddm(DriftDetectionMethod)
        case eddm(EarlyDriftDetectionMethod)
        case kswin(KSWIN)
    }

    private var kind: Kind
    /// How the newest value left it.
    private(set) var state = DetectorFinding.State.stable

    /// Nil for what is no classic detector, or not of this signal.
    init?(_ statistic: Statistic, isOfLabels: Bool, mean: Double, deviation: Double) {
        switch statistic {
        case .adwin: kind = .adwin(ADWIN())
        case .pageHinkley: kind = .pageHinkley(PageHinkley())
        case .cusum:
            guard deviation > 0, deviation.isFinite, mean.isFinite else { return nil }
            kind = .cusum(TabularCUSUM(mean: mean, deviation: deviation))
        case .ddm where isOfLabels: kind = .ddm(DriftDetectionMethod())
        case .eddm where isOfLabels: kind = .eddm(EarlyDriftDetectionMethod())
        case .kswin: kind = .kswin(KSWIN())
        default: return nil
        }
    }

    /// Adds a value; true when it reports a change.
    ///
    /// - Precondition: `value` is finite.
    mutating func absorb(_ value: Double) -> Bool {
        let status: DetectorStatus
        switch kind {
        case .adwin(var detector):
            status = detector.absorb(value)
            kind = .adwin(detector)
        case .pageHinkley(var detector):
            status = detector.absorb(value)
            kind = .pageHinkley(detector)
        case .cusum(var detector):
            status = detector.absorb(value) == nil ? .stable : .drift
            kind = .cusum(detector)
        case .ddm(var detector):
            status = detector.absorb(isError: value > 0)
            kind = .ddm(detector)
        case .eddm(var detector):
            status = detector.absorb(isError: value > 0)
            kind = .eddm(detector)
        case .kswin(var detector):
            status = detector.absorb(value)
            kind = .kswin(detector)
        }
        switch status {
        case .stable: state = .stable
        case .warning: state = .warning
        case .drift: state = .drift
        }
        return status == .drift
    }

    /// This is all that changes, to be stored.
    var numbers: [Double] {
        switch kind {
        case .adwin(let detector): detector.numbers
        case .pageHinkley(let detector): detector.numbers
        case .cusum(let detector): detector.numbers
        case .ddm(let detector): detector.numbers
        case .eddm(let detector): detector.numbers
        case .kswin(let detector): detector.numbers
        }
    }

    /// Goes on from stored numbers; false, and unchanged, when no such detector can have them.
    mutating func restore(_ numbers: [Double], state: DetectorFinding.State) -> Bool {
        switch kind {
        case .adwin(var detector):
            guard detector.restore(numbers) else { return false }
            kind = .adwin(detector)
        case .pageHinkley(var detector):
            guard detector.restore(numbers) else { return false }
            kind = .pageHinkley(detector)
        case .cusum(var detector):
            guard detector.restore(numbers) else { return false }
            kind = .cusum(detector)
        case .ddm(var detector):
            guard detector.restore(numbers) else { return false }
            kind = .ddm(detector)
        case .eddm(var detector):
            guard detector.restore(numbers) else { return false }
            kind = .eddm(detector)
        case .kswin(var detector):
            guard detector.restore(numbers) else { return false }
            kind = .kswin(detector)
        }
        self.state = state
        return true
    }

    /// The mean and deviation that `cusum` was made with; nil for the others.
    var reference: (mean: Double, deviation: Double)? {
        if case .cusum(let detector) = kind { (detector.mean, detector.deviation) } else { nil }
    }
}
