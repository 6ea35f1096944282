import MonitoringDomain
import Yams

// The reading of a group's `budget`: how many false drift alarms its owner accepts.
//
//     budget: { false_alarms: 1 per 90d, tolerance: { psi: 0.05, ks: 0.03 }, null: windows, season: week }

extension RuleFileReader {
    /// Above this a budget promises nothing that an owner could mean, and is a slip of a unit.
    static let alarmsPerWindowMax = 0.5
    /// False alarms of one period; more are a slip.
    static let falseAlarmCountMax = 1_000.0

    /// Nil where the group has none, or a wrong one, which is told.
    mutating func budget(_ mapping: Node.Mapping) -> DriftBudget? {
        guard let node = mapping["budget"] else { return nil }
        guard let budget = node.mapping else {
            fault(node, "budget: a mapping was expected, as in { false_alarms: 1 per 90d }")
            return nil
        }
        check(budget, ["false_alarms", "tolerance", "null", "season"], "budget")
        let null: DriftNull = choice(budget, "null", .rows)
        let season: DriftSeason = choice(budget, "season", .none)
        if season != .none, null == .rows, let node = budget["season"] {
            fault(node, "season: is of null: windows, which compares windows of one season")
        }
        let tolerance = tolerance(budget)
        if null == .windows, let node = budget["tolerance"],
            tolerance.psi != nil || tolerance.ks != nil
        {
            fault(node, "tolerance: is of null: rows; windows are compared with quiet windows")
        }
        guard let (text, place) = text(budget, "false_alarms") else {
            if budget["false_alarms"] == nil {
                fault(node, "budget: has no false_alarms, as in false_alarms: 1 per 90d")
            }
            return nil
        }
        guard let (count, period) = Self.rate(text) else {
            fault(
                place,
                "false_alarms: \"\(text)\" found; a number per duration, as in 1 per 90d, expected")
            return nil
        }
        guard count > 0, count <= Self.falseAlarmCountMax else {
            fault(
                place,
                "false_alarms: \"\(text)\" found; above 0 and at most 1000 per period expected")
            return nil
        }
        return DriftBudget(
            falseAlarmCount: count, periodMilliseconds: period, psiTolerance: tolerance.psi,
            ksTolerance: tolerance.ks, null: null, season: season)
    }

    /// The parts of `1 per 90d`; nil for anything else.
    private static func rate(_ text: String) -> (count: Double, period: Int64)? {
        let words = text.split(separator: " ")
        guard words.count == 3, words[1] == "per", let count = decimal(String(words[0])),
            case .milliseconds(let period)? = WindowSpan(String(words[2]))
        else { return nil }
        return (count, period)
    }

    private static func decimal(_ text: String) -> Double? {
        let isPlain = text.utf8.allSatisfy { (0x30...0x39).contains($0) || $0 == 0x2E }
        guard isPlain, let value = Double(text), value.isFinite else { return nil }
        return value
    }

    private mutating func tolerance(_ budget: Node.Mapping) -> (psi: Double?, ks: Double?) {
        guard let node = budget["tolerance"] else { return (nil, nil) }
        guard let mapping = node.mapping else {
            fault(node, "tolerance: a mapping was expected, as in { psi: 0.05, ks: 0.03 }")
            return (nil, nil)
        }
        check(mapping, ["psi", "ks"], "tolerance")
        return (number(mapping, "psi", below: 10), number(mapping, "ks", below: 1))
    }

    private mutating func number(
        _ mapping: Node.Mapping, _ key: String, below limit: Double
    ) -> Double? {
        guard let (text, node) = text(mapping, key) else { return nil }
        guard let value = Self.decimal(text), value < limit else {
            let top = limit == 1 ? "1" : "10"
            fault(
                node, "\(key): \"\(text)\" found; a number of at least 0 and below \(top) expected")
            return nil
        }
        return value
    }

    /// Tells of windows for which the budget accepts an alarm nearly always.
    mutating func check(_ plans: [DriftPlan], _ mapping: Node.Mapping) {
        for plan in plans {
            let perWindow =
                plan.budget.falseAlarmCount * Double(plan.span)
                / Double(plan.budget.periodMilliseconds)
            guard perWindow > Self.alarmsPerWindowMax, let node = mapping["budget"] else {
                continue
            }
            let window = WindowSpan.milliseconds(plan.span).text
            fault(
                node,
                "budget: accepts more than one false alarm in two windows of \(window); ask for fewer, "
                    + "or for shorter windows")
        }
    }
}
