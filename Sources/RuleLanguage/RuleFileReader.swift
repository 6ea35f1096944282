import MonitoringDomain
import Yams

/// This reads one file's YAML into a group, and collects every fault on the way.
struct RuleFileReader {
    /// Larger files are refused before they are read.
    static let fileSizeBytesMax = 8 << 20
    /// Faults of one file that are told; whoever has more has one cause.
    static let faultCountMax = 100
    /// A longer line is not shown with its fault.
    static let sourceLineSizeMax = 400
    /// Bytes of a group's or a rule's name.
    static let nameSizeBytesMax = 128

    let file: RuleFile
    private(set) var diagnostics: [RuleDiagnostic] = []
    private let lines: [String]
    /// Lines whose expression was written without quotes.
    private var bareExpressionLines: Set<Int> = []
    /// Whether the group names a budget, right or wrong: without one, `drift` is refused.
    private var hasBudget = false

    init(file: RuleFile) {
        self.file = file
        // "\r\n" is one character of its own.
        lines = file.text.split(omittingEmptySubsequences: false) { $0 == "\n" || $0 == "\r\n" }
            .map { String($0) }
    }

    /// Nil when the file has no usable group; then there are diagnostics.
    mutating func read() -> RuleGroup? {
        guard file.text.utf8.count <= Self.fileSizeBytesMax else {
            fault(1, 1, "the file is over \(Self.fileSizeBytesMax) bytes")
            return nil
        }
        let text = quotedText()
        if let found = YAMLEventScan.firstFault(in: text) {
            fault(found.line, found.column, found.message)
            return nil
        }
        let root: Node?
        do {
            root = try Yams.compose(yaml: text)
        } catch let error as YamlError {
            report(error)
            return nil
        } catch {
            fault(1, 1, "the file is not YAML")
            return nil
        }
        guard let root, let mapping = root.mapping, !mapping.isEmpty else {
            fault(1, 1, "no rules: a mapping with group and rules was expected")
            return nil
        }
        return group(mapping)
    }

    /// This is the file with bare expressions in quotes.
    ///
    /// `psi(age, window: 1h)` without quotes is not YAML, because of the colon, and it is what
    /// everybody writes.
    private mutating func quotedText() -> String {
        var quoted: [String] = []
        quoted.reserveCapacity(lines.count)
        for (index, line) in lines.enumerated() {
            guard let start = Self.startOfBareExpression(line) else {
                quoted.append(line)
                continue
            }
            bareExpressionLines.insert(index + 1)
            var text = String(line[start...])
            var comment = ""
            if let hash = text.firstRange(of: " #") {
                comment = String(text[hash.lowerBound...])
                text = String(text[..<hash.lowerBound])
            }
            while text.last == " " || text.last == "\t" { text.removeLast() }
            let doubled = text.split(separator: "'", omittingEmptySubsequences: false)
                .joined(separator: "''")
            quoted.append(line[..<start] + "'" + doubled + "'" + comment)
        }
        return quoted.joined(separator: "\n")
    }

    /// Nil unless the line is `expr:` with a text that is neither quoted nor a block.
    private static func startOfBareExpression(_ line: String) -> String.Index? {
        var rest = line[...]
        func skip(_ characters: String) { rest = rest.drop { characters.contains($0) } }
        skip(" ")
        if rest.hasPrefix("- ") { rest = rest.dropFirst(2) }
        skip(" ")
        guard rest.hasPrefix("expr:") else { return nil }
        rest = rest.dropFirst(5)
        guard rest.first == " " || rest.first == "\t" else { return nil }
        skip(" \t")
        guard let first = rest.first, !"\"'|>#[{&".contains(first) else { return nil }
        return rest.startIndex
    }

    // MARK: - Faults

    private mutating func fault(_ line: Int, _ column: Int, _ message: String) {
        guard diagnostics.count < Self.faultCountMax else { return }
        let source = line >= 1 && line <= lines.count ? lines[line - 1] : ""
        let isShown = source.utf8.count <= Self.sourceLineSizeMax
        diagnostics.append(
            RuleDiagnostic(
                file: file.name, line: line, column: column, message: message,
                sourceLine: isShown ? source : ""))
    }

    mutating func fault(_ node: Node, _ message: String) {
        fault(node.mark?.line ?? 1, node.mark?.column ?? 1, message)
    }

    private mutating func report(_ error: YamlError) {
        switch error {
        case .scanner(_, let problem, let mark, _), .parser(_, let problem, let mark, _),
            .composer(_, let problem, let mark, _):
            fault(mark.line, mark.column, problem)
        case .duplicatedKeysInMapping(let duplicates, let context):
            fault(
                context.mark.line, context.mark.column,
                "key \(duplicates.sorted().joined(separator: ", ")) stands twice")
        case .reader(let problem, _, _, _): fault(1, 1, problem)
        default: fault(1, 1, "the file is not YAML")
        }
    }

    // MARK: - Fields

    mutating func check(_ mapping: Node.Mapping, _ known: [String], _ place: String) {
        for (key, _) in mapping {
            let name = key.scalar?.string ?? ""
            guard !known.contains(name) else { continue }
            let near = Suggestion.nearest(to: name, among: known)
            let hint =
                near.map { "; did you mean \($0)?" }
                ?? "; \(known.joined(separator: ", ")) are"
            fault(key, "\"\(name)\" is not a field of \(place)\(hint)")
        }
    }

    mutating func text(
        _ mapping: Node.Mapping, _ key: String
    ) -> (text: String, node: Node)? {
        guard let node = mapping[key] else { return nil }
        guard let scalar = node.scalar else {
            fault(node, "\(key): a text was expected")
            return nil
        }
        guard !scalar.string.isEmpty else {
            fault(node, "\(key): is empty")
            return nil
        }
        return (scalar.string, node)
    }

    /// A name without "/", which parts the names in an alert's identity.
    private mutating func name(
        _ mapping: Node.Mapping, _ key: String
    ) -> String? {
        guard let (text, node) = text(mapping, key) else { return nil }
        let isValid =
            text.utf8.count <= Self.nameSizeBytesMax
            && text.utf8.allSatisfy { $0 >= 0x20 && $0 != 0x7F && $0 != UInt8(ascii: "/") }
        if isValid { return text }
        fault(
            node,
            "\(key): a name of at most \(Self.nameSizeBytesMax) bytes without / was expected")
        return nil
    }

    private mutating func duration(
        _ mapping: Node.Mapping, _ key: String, _ fallback: Int64
    ) -> Int64 {
        guard let (text, node) = text(mapping, key) else { return fallback }
        guard case .milliseconds(let span)? = WindowSpan(text) else {
            fault(
                node, "\(key): \"\(text)\" is not a duration; 30s, 15m, 2h, 3d or 1w were expected")
            return fallback
        }
        return span
    }

    private mutating func texts(_ mapping: Node.Mapping, _ key: String) -> [String: String] {
        guard let node = mapping[key] else { return [:] }
        guard let inner = node.mapping else {
            fault(node, "\(key): a mapping was expected")
            return [:]
        }
        var result: [String: String] = [:]
        for (name, value) in inner {
            guard let name = name.scalar?.string, let text = value.scalar?.string else {
                fault(value, "\(key): a text was expected")
                continue
            }
            result[name] = text
        }
        return result
    }

    mutating func choice<Choice: RawRepresentable & CaseIterable>(
        _ mapping: Node.Mapping, _ key: String, _ fallback: Choice
    ) -> Choice where Choice.RawValue == String {
        guard let (text, node) = text(mapping, key) else { return fallback }
        guard let value = Choice(rawValue: text) else {
            let names = Choice.allCases.map(\.rawValue).joined(separator: ", ")
            fault(node, "\(key): \"\(text)\" found, one of \(names) expected")
            return fallback
        }
        return value
    }

    // MARK: - Group and rules

    private mutating func group(_ mapping: Node.Mapping) -> RuleGroup? {
        check(mapping, ["group", "model", "every", "budget", "rules"], "a group")
        hasBudget = mapping["budget"] != nil
        let budget = budget(mapping)
        let name = name(mapping, "group") ?? file.name
        let pattern = text(mapping, "model")?.text ?? "*"
        let interval = duration(mapping, "every", WindowSpan.minute)
        guard let node = mapping["rules"] else {
            fault(1, 1, "no rules: the field rules is missing")
            return nil
        }
        guard let sequence = node.sequence, !sequence.isEmpty else {
            fault(node, "rules: a list of at least one rule was expected")
            return nil
        }
        guard sequence.count <= RuleSet.ruleCountMax else {
            fault(node, "\(sequence.count) rules, at most \(RuleSet.ruleCountMax) are allowed")
            return nil
        }
        var rules: [Rule] = []
        var names: Set<String> = []
        for node in sequence {
            guard let rule = rule(node) else { continue }
            if names.insert(rule.name).inserted {
                rules.append(rule)
            } else {
                fault(node, "rule \"\(rule.name)\" stands twice")
            }
        }
        let group = RuleGroup(
            name: name, file: file.name, modelPattern: pattern, evaluationInterval: interval,
            budget: budget, rules: rules)
        check(group.driftPlans, mapping)
        return group
    }

    private mutating func rule(_ node: Node) -> Rule? {
        guard let mapping = node.mapping else {
            fault(node, "a rule is a mapping that begins with alert: or retrain:")
            return nil
        }
        let common = [
            "expr", "by", "for", "keep_firing_for", "no_data", "labels", "annotations", "schedule",
        ]
        if let node = mapping["schedule"] {
            fault(node, "schedule: is not supported yet")
            return nil
        }
        let name: String
        let action: RuleAction
        if mapping["alert"] != nil {
            check(mapping, ["alert"] + common, "an alert")
            guard let alert = self.name(mapping, "alert") else { return nil }
            (name, action) = (alert, .alert)
        } else if mapping["retrain"] != nil {
            check(
                mapping, ["retrain", "cooldown", "approval", "request"] + common, "a retrain rule")
            guard let retrain = self.name(mapping, "retrain") else { return nil }
            (name, action) = (retrain, .retrain(retrainAction(mapping)))
        } else {
            fault(node, "a rule begins with alert: or retrain: and its name")
            return nil
        }
        guard let (source, place) = text(mapping, "expr") else {
            if mapping["expr"] == nil { fault(node, "rule \"\(name)\" has no expr") }
            return nil
        }
        let hold = duration(mapping, "for", 0)
        let keepFiring = duration(mapping, "keep_firing_for", 0)
        let policy: NoDataPolicy = choice(mapping, "no_data", .keep)
        let labels = texts(mapping, "labels")
        let annotations = texts(mapping, "annotations")
        do {
            let expression = try ExpressionParser.parse(source, hasBudget: hasBudget)
            return Rule(
                name: name, action: action, segmentKey: segmentKey(mapping, of: expression),
                expression: expression,
                expressionText: source, hold: hold, keepFiring: keepFiring, noData: policy,
                labels: labels, annotations: annotations, line: node.mark?.line ?? 1)
        } catch {
            faultInExpression(place, error)
            return nil
        }
    }

    /// Points into the text itself where it stands on one line, else to where it begins.
    private mutating func faultInExpression(_ node: Node, _ error: ExpressionError) {
        let line = node.mark?.line ?? 1
        let column = node.mark?.column ?? 1
        if bareExpressionLines.contains(line) {
            fault(line, column + error.offset, error.message)
            return
        }
        switch node.scalar?.style {
        case .plain: fault(line, column + error.offset, error.message)
        case .singleQuoted, .doubleQuoted: fault(line, column + 1 + error.offset, error.message)
        default: fault(line, column, error.message)
        }
    }

    private mutating func retrainAction(_ mapping: Node.Mapping) -> RetrainAction {
        var action = RetrainAction()
        action.cooldown = duration(mapping, "cooldown", action.cooldown)
        action.approval = choice(mapping, "approval", action.approval)
        guard let node = mapping["request"] else { return action }
        guard let request = node.mapping else {
            fault(node, "request: a mapping was expected")
            return action
        }
        check(request, ["queue", "priority", "training_window", "parameters"], "request")
        if let (queue, node) = text(request, "queue") {
            let isValid =
                (1...64).contains(queue.utf8.count)
                && queue.utf8.allSatisfy {
                    (0x61...0x7A).contains($0) || (0x30...0x39).contains($0) || $0 == 0x5F
                        || $0 == 0x2E || $0 == 0x2D
                }
            if isValid {
                action.queue = queue
            } else {
                fault(node, "queue: \"\(queue)\" found, [a-z0-9_.-]{1,64} expected")
            }
        }
        if let (text, node) = text(request, "priority") {
            if let priority = Int(text), (0...32_767).contains(priority) {
                action.priority = priority
            } else {
                fault(node, "priority: \"\(text)\" found, 0 to 32767 expected")
            }
        }
        action.trainingWindow = duration(request, "training_window", action.trainingWindow)
        action.parameters = texts(request, "parameters")
        return action
    }
}
