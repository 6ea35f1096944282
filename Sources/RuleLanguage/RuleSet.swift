public import MonitoringDomain

/// This is all rules of all files, checked.
public struct RuleSet: Equatable, Sendable {
    /// Rules that may be loaded; a file beyond is refused.
    public static let ruleCountMax = 10_000

    /// These are the files' groups, in the order of the files; their names differ.
    public let groups: [RuleGroup]

    /// Makes a rule set of groups that were checked.
    public init(groups: [RuleGroup]) { self.groups = groups }

    /// This is no rules at all.
    public static let empty = RuleSet(groups: [])

    /// Parses and checks every file: all rules, or every diagnostic.
    public static func parse(_ files: [RuleFile]) -> Result<RuleSet, RuleDiagnostics> {
        var groups: [RuleGroup] = []
        var diagnostics: [RuleDiagnostic] = []
        for file in files {
            var reader = RuleFileReader(file: file)
            if let group = reader.read() { groups.append(group) }
            diagnostics += reader.diagnostics
        }
        let count = groups.reduce(0) { $0 + $1.rules.count }
        if count > ruleCountMax, let file = files.first {
            diagnostics.append(
                RuleDiagnostic(
                    file: file.name, line: 1, column: 1,
                    message: "\(count) rules, at most \(ruleCountMax) are allowed", sourceLine: ""))
        }
        var names: Set<String> = []
        for group in groups where !names.insert(group.name).inserted {
            diagnostics.append(
                RuleDiagnostic(
                    file: group.file, line: 1, column: 1,
                    message: "group \"\(group.name)\" stands in two files", sourceLine: ""))
        }
        return diagnostics.isEmpty
            ? .success(RuleSet(groups: groups))
            : .failure(RuleDiagnostics(diagnostics: diagnostics))
    }
}

/// This is one file's rules, for one model or a pattern of them.
public struct RuleGroup: Equatable, Sendable {
    /// This is the group's name, unique among all files.
    public let name: String
    /// This is the file's name.
    public let file: String
    /// A name, with `*` for any run of characters.
    public let modelPattern: String
    /// Milliseconds between evaluations.
    public let evaluationInterval: Int64
    /// This is what `drift` may spend; nil where no rule of the group uses it.
    public let budget: DriftBudget?
    /// These are the group's rules, in the order of the file; their names differ.
    public let rules: [Rule]

    /// These are the kinds of windows that the budget is spent on, by length.
    ///
    /// All rules of one length read the same detector, so they share its alarms and cost once.
    public var driftPlans: [DriftPlan] {
        guard let budget else { return [] }
        // By length, then by segment key: "" for the whole traffic, so that it stands first.
        var subjects: [Int64: [String: Set<DriftSubject>]] = [:]
        for rule in rules {
            for call in rule.expression.driftCalls {
                subjects[call.span, default: [:]][rule.segmentKey ?? "", default: []]
                    .insert(call.subject)
            }
        }
        return subjects.sorted { $0.key < $1.key }.map { span, watched in
            DriftPlan(
                group: name, budget: budget, span: span, sharerCount: subjects.count,
                slicings: watched.sorted { $0.key < $1.key }.map { key, subjects in
                    DriftSlicing(
                        segmentKey: key.isEmpty ? nil : key,
                        watchesFeatures: subjects.contains(.features) || subjects.contains(.each),
                        names: subjects.compactMap { subject -> String? in
                            if case .one(let name) = subject { name } else { nil }
                        }.sorted())
                })
        }
    }

    /// These are the classic detectors that the rules name.
    public var detectors: Set<Statistic> {
        rules.reduce(into: []) { $0.formUnion($1.expression.detectors) }
    }

    /// True when the group's rules are of this model.
    public func matches(_ model: ModelID) -> Bool {
        Self.matches(Array(model.rawValue.utf8)[...], Array(modelPattern.utf8)[...])
    }

    /// Greedy with one point of return, so linear in practice and at worst quadratic.
    private static func matches(_ text: ArraySlice<UInt8>, _ pattern: ArraySlice<UInt8>) -> Bool {
        var (t, p) = (text.startIndex, pattern.startIndex)
        var retry: (text: Int, pattern: Int)?
        while t < text.endIndex {
            if p < pattern.endIndex, pattern[p] == UInt8(ascii: "*") {
                retry = (t, p + 1)
                p += 1
            } else if p < pattern.endIndex, pattern[p] == text[t] {
                t += 1
                p += 1
            } else if let point = retry {
                retry = (point.text + 1, point.pattern)
                (t, p) = (point.text + 1, point.pattern)
            } else {
                return false
            }
        }
        while p < pattern.endIndex, pattern[p] == UInt8(ascii: "*") { p += 1 }
        return p == pattern.endIndex
    }
}

/// This is one condition with a consequence.
public struct Rule: Equatable, Sendable {
    /// This is the rule's name, unique in its group.
    public let name: String
    /// This is the consequence.
    public let action: RuleAction
    /// The segment key of which each value is judged apart, with an alert of its own; nil: the whole traffic.
    public let segmentKey: String?
    /// This is the condition; its type is boolean.
    public let expression: Expression
    /// This is the condition as the file has it.
    public let expressionText: String
    /// Milliseconds that a breach must last before it fires.
    public let hold: Int64
    /// Milliseconds that an alert stays firing after its breach ended.
    public let keepFiring: Int64
    /// This is what an unknown condition means.
    public let noData: NoDataPolicy
    /// These travel with every alert of the rule.
    public let labels: [String: String]
    /// These are texts for people, with placeholders in `{{ }}`.
    public let annotations: [String: String]
    /// This is the rule's place in its file, from 1.
    public let line: Int
}

/// This is what an unknown reading means to a rule.
public enum NoDataPolicy: String, Sendable, CaseIterable { case keep, ok, alert }

/// This is what a firing rule does.
public enum RuleAction: Equatable, Sendable {
    case alert
    case retrain(RetrainAction)
}

/// This is how a retraining is asked for.
public struct RetrainAction: Equatable, Sendable {
    /// Milliseconds in which the rule asks at most once.
    public var cooldown = 24 * WindowSpan.hour
    /// This is whether a person must agree before a trainer may claim.
    public var approval = Approval.automatic
    /// This is the queue that trainers claim from.
    public var queue = "default"
    /// This orders a queue: lower numbers are claimed first.
    public var priority = 100
    /// Milliseconds before the request whose records the trainer should use.
    public var trainingWindow = 30 * WindowSpan.day
    /// These are the rule's own words to the trainer.
    public var parameters: [String: String] = [:]

    /// Who decides.
    public enum Approval: String, Sendable, CaseIterable { case automatic, required, suggest }
}

/// This is one fault in a rule file: where, what, and what was expected.
public struct RuleDiagnostic: Equatable, Sendable {
    /// This is the file's name.
    public let file: String
    /// From 1.
    public let line: Int
    /// From 1, in characters.
    public let column: Int
    /// This is what was found and what was expected, a sentence.
    public let message: String
    /// This is the faulty line, for the caret; empty where no line is at fault.
    public let sourceLine: String
}

/// This is every fault of a set of rule files.
public struct RuleDiagnostics: Error, Equatable, CustomStringConvertible {
    /// These are the faults, in the order of files and lines.
    public let diagnostics: [RuleDiagnostic]

    /// Each fault with its line and a caret below the place.
    public var description: String {
        diagnostics.map { fault in
            let place = "\(fault.file):\(fault.line):\(fault.column): error: \(fault.message)"
            guard !fault.sourceLine.isEmpty else { return place }
            // Tabs stay tabs, so that the caret stands below its place.
            let before = fault.sourceLine.prefix(max(0, fault.column - 1))
            let indent = String(before.map { $0 == "\t" ? "\t" : " " })
            let caret = indent + "^"
            return "\(place)\n    \(fault.sourceLine)\n    \(caret)"
        }.joined(separator: "\n")
    }
}
