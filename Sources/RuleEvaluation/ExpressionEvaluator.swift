import MonitoringDomain
import RuleLanguage

/// This is the value of a rule's expression for one subject, with what it read.
struct Evaluation: Equatable {
    /// Nil: unknown, because a reading has no value.
    var isBreached: Bool?
    /// The number that a reader wants to see: the first statistic's.
    var value: Double?
    var evidence: [Measurement]
    /// These are the readings of windows, without detectors' states.
    var judged: [JudgedWindow] = []

    /// These are the segments that contribute most to what an alarm names first, or to the first reading; of
    /// a detector's alarm, the index of the feature with the strongest evidence.
    func segments(in context: RuleContext) -> [SegmentPart] {
        func strongest(_ measurement: Measurement) -> DriftFinding.Stream? {
            guard case .drift(let finding)? = measurement.finding, finding.isAlarm else {
                return nil
            }
            return finding.streams.first
        }
        let alarm = evidence.first { strongest($0) != nil }
        guard let first = alarm ?? evidence.first(where: { $0.statistic.group != .detector })
        else { return [] }
        let stream = strongest(first)
        return context.split(
            MeasurementQuery(
                model: first.model, statistic: stream == nil ? first.statistic : .psi,
                feature: stream?.feature ?? first.feature, version: first.version,
                segment: first.segment), first.window)
    }
}

/// This evaluates an expression; an unknown reading makes unknown whatever depends on it.
struct ExpressionEvaluator {
    let context: RuleContext
    /// The name of the rule's group, whose budget `drift` spends.
    let group: String
    /// The feature that `*` stands for.
    let subject: String?
    /// The slice that every statistic is of; nil for the whole traffic.
    let segment: Segment?
    let now: EventTime
    private var evidence: [Measurement] = []
    private var judged: [JudgedWindow] = []
    private var value: Double?

    private init(
        context: RuleContext, group: String, subject: String?, segment: Segment?, now: EventTime
    ) {
        self.context = context
        self.group = group
        self.subject = subject
        self.segment = segment
        self.now = now
    }

    static func evaluate(
        _ expression: Expression, in context: RuleContext, group: String, subject: String?,
        segment: Segment? = nil, at now: EventTime
    ) -> Evaluation {
        var evaluator = Self(
            context: context, group: group, subject: subject, segment: segment, now: now)
        let isBreached = evaluator.condition(expression)
        return Evaluation(
            isBreached: isBreached, value: evaluator.value, evidence: evaluator.evidence,
            judged: evaluator.judged)
    }

    /// Three-valued logic: false wins in `and`, true wins in `or`.
    ///
    /// Both sides are always read, so that the evidence is whole.
    private mutating func condition(_ expression: Expression) -> Bool? {
        switch expression {
        case .and(let left, let right):
            let (a, b) = (condition(left), condition(right))
            if a == false || b == false { return false }
            return a == nil || b == nil ? nil : true
        case .or(let left, let right):
            let (a, b) = (condition(left), condition(right))
            if a == true || b == true { return true }
            return a == nil || b == nil ? nil : false
        case .not(let inner): return condition(inner).map { !$0 }
        case .drift(let call): return read(call)
        case .comparison(let operation, let left, let right):
            let (a, b) = (number(left), number(right))
            guard let a, let b else { return nil }
            switch operation {
            case .less: return a < b
            case .lessOrEqual: return a <= b
            case .greater: return a > b
            case .greaterOrEqual: return a >= b
            case .equal: return a == b
            case .notEqual: return a != b
            }
        case .number, .statistic, .reference, .negate, .arithmetic: return nil
        }
    }

    private mutating func number(_ expression: Expression) -> Double? {
        switch expression {
        case .number(let value): return value
        case .negate(let inner): return number(inner).map { -$0 }
        case .statistic(let call): return read(call)
        case .reference(let statistic, let subject):
            return context.baseline(statistic, name(of: subject) ?? self.subject, segment)
                .estimate?.value
        case .arithmetic(let operation, let left, let right):
            let (a, b) = (number(left), number(right))
            guard let a, let b else { return nil }
            let result: Double
            switch operation {
            case .add: result = a + b
            case .subtract: result = a - b
            case .multiply: result = a * b
            case .divide: result = a / b
            }
            return result.isFinite ? result : nil
        case .drift, .not, .comparison, .and, .or: return nil
        }
    }

    private func name(of subject: Expression.Subject?) -> String? {
        switch subject {
        case .feature(let name): name
        case .each: self.subject
        case nil: nil
        }
    }

    /// Nil while no window with rows is the newest that has ended.
    private mutating func read(_ call: DriftCall) -> Bool? {
        let feature: String? =
            switch call.subject {
            case .features: nil
            case .one(let name): name
            case .each: subject
            }
        let measurement = context.drift(
            DriftQuery(group: group, feature: feature, span: call.span, segment: segment))
        evidence.append(measurement)
        guard let estimate = measurement.reading.estimate,
            case .drift(let finding)? = measurement.finding
        else { return nil }
        if value == nil { value = estimate.value }
        return finding.isAlarm
    }

    private mutating func read(_ call: StatisticCall) -> Double? {
        guard case .milliseconds(let span) = call.window else { return nil }
        // The newest instant itself belongs to the window: an event clock stands on its last event.
        let end = now.advanced(byMilliseconds: 1)
        let window = TimeWindow(start: end.advanced(byMilliseconds: -span), end: end)
        // By version, each version is judged, and not only the newest.
        let isOfVersion =
            switch call.statistic.group {
            case .performance, .drift, .detector: segment?.key != "version"
            case .volume, .quality: false
            }
        let query = MeasurementQuery(
            model: context.model, statistic: call.statistic, feature: name(of: call.subject),
            version: call.version ?? (isOfVersion ? context.version : nil), segment: segment,
            fraction: call.fraction)
        let measurement = context.measure(query, window)
        evidence.append(measurement)
        if call.statistic.group != .detector {
            judged.append(
                JudgedWindow(
                    groups: [group], query: query, window: measurement.window,
                    reading: measurement.reading))
        }
        if call.part == .count { return Double(measurement.count) }
        guard let estimate = measurement.reading.estimate else { return nil }
        if value == nil { value = estimate.value }
        switch call.part {
        case .value: return estimate.value
        case .lower: return estimate.lower
        case .upper: return estimate.upper
        case .pValue: return estimate.pValue
        case .count: return nil
        }
    }
}
