public import MonitoringDomain

/// This is a checked expression: its types fit, its names exist, its depth is bounded.
public indirect enum Expression: Equatable, Sendable {
    case number(Double)
    case statistic(StatisticCall)
    /// True while the newest window's alarm names the subject, under the group's budget.
    case drift(DriftCall)
    /// A statistic on the reference; without a feature, that of the alert's subject.
    case reference(Statistic, feature: Subject?)
    case negate(Expression)
    case not(Expression)
    case arithmetic(ArithmeticOperator, Expression, Expression)
    case comparison(ComparisonOperator, Expression, Expression)
    case and(Expression, Expression)
    case or(Expression, Expression)

    /// What a statistic is computed on.
    public enum Subject: Equatable, Sendable {
        case feature(String)
        /// `*`: each feature in turn, with an alert of its own.
        case each
    }

    /// This is an operation on two numbers.
    public enum ArithmeticOperator: String, Sendable {
        case add = "+", subtract = "-", multiply = "*", divide = "/"
    }
    /// This is a condition on two numbers.
    public enum ComparisonOperator: String, Sendable {
        case less = "<"
        case lessOrEqual = "<="
        case greater = ">"
        case greaterOrEqual = ">="
        case equal = "=="
        case notEqual = "!="
    }

    /// This is true when the expression is of `*`.
    public var isOfEachFeature: Bool {
        switch self {
        case .number: false
        case .statistic(let call): call.subject == .each
        case .drift(let call): call.subject == .each
        case .reference(_, let subject): subject == .each
        case .negate(let inner), .not(let inner): inner.isOfEachFeature
        case .arithmetic(_, let left, let right), .comparison(_, let left, let right),
            .and(let left, let right), .or(let left, let right):
            left.isOfEachFeature || right.isOfEachFeature
        }
    }

    /// These are all calls of `drift`.
    var driftCalls: [DriftCall] {
        switch self {
        case .drift(let call): [call]
        case .number, .statistic, .reference: []
        case .negate(let inner), .not(let inner): inner.driftCalls
        case .arithmetic(_, let left, let right), .comparison(_, let left, let right),
            .and(let left, let right), .or(let left, let right):
            left.driftCalls + right.driftCalls
        }
    }

    /// These are the names, as files have them, of what is of the whole traffic only: the classic detectors.
    var wholeTrafficNames: [String] { detectors.map(\.rawValue).sorted() }

    /// These are the classic detectors that the expression names.
    var detectors: Set<Statistic> {
        switch self {
        case .statistic(let call): call.statistic.group == .detector ? [call.statistic] : []
        case .number, .drift, .reference: []
        case .negate(let inner), .not(let inner): inner.detectors
        case .arithmetic(_, let left, let right), .comparison(_, let left, let right),
            .and(let left, let right), .or(let left, let right):
            left.detectors.union(right.detectors)
        }
    }
}

/// This is one question to a budgeted detector.
public struct DriftCall: Hashable, Sendable {
    /// This is what is watched.
    public var subject: DriftSubject
    /// Milliseconds of a window; windows follow each other, aligned to UTC.
    public var span: Int64
}

/// This is one statistic over a window.
public struct StatisticCall: Equatable, Sendable {
    /// This is the wanted quantity.
    public var statistic: Statistic
    /// This is what it is computed on; nil for the model as a whole.
    public var subject: Expression.Subject?
    /// This is the span that ends now.
    public var window: WindowSpan
    /// This is the wanted version; nil for the newest.
    public var version: String?
    /// This is the number of the reading that the expression means.
    public var part: Part
    /// This is the fraction of `quantile`, in 0...1; nil for the median.
    public var fraction: Double?

    /// Which number of the reading.
    public enum Part: String, Sendable, CaseIterable {
        case value, lower, upper
        case pValue = "p_value"
        case count
    }
}
