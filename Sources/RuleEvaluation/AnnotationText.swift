import MonitoringDomain
import RuleLanguage

/// This is the filling of `{{ name }}` in a rule's annotations.
enum AnnotationText {
    static func annotations(
        _ evaluation: Evaluation, _ occasion: RuleEngine.Occasion
    ) -> [String: String] {
        let span = evaluation.evidence.first.map {
            WindowSpan.milliseconds($0.window.end.milliseconds(since: $0.window.start)).text
        }
        let values = [
            "feature": occasion.subject ?? evaluation.evidence.first?.feature ?? "",
            "value": evaluation.value.map { short($0) } ?? "unknown",
            "window": span ?? "", "model": occasion.context.model.rawValue,
            "version": occasion.context.version ?? "",
            "segment": occasion.segment?.description ?? "",
        ]
        return occasion.rule.annotations.mapValues { filled($0, with: values) }
    }

    /// The template with each known name replaced, in one pass: a value that looks like a placeholder
    /// stays what it is.
    ///
    /// Unknown names stay as they are written.
    static func filled(_ template: String, with values: [String: String]) -> String {
        var result = ""
        var rest = template[...]
        while let open = rest.firstRange(of: "{{") {
            guard let close = rest[open.upperBound...].firstRange(of: "}}") else { break }
            result += rest[..<open.lowerBound]
            let name = rest[open.upperBound..<close.lowerBound].filter { !$0.isWhitespace }
            result += values[name] ?? String(rest[open.lowerBound..<close.upperBound])
            rest = rest[close.upperBound...]
        }
        return result + rest
    }

    /// At least four significant digits.
    static func short(_ value: Double) -> String {
        guard value != 0, value.isFinite else { return value == 0 ? "0" : "\(value)" }
        var scale = 1.0
        var magnitude = value.magnitude
        while magnitude < 1_000, scale < 1e12 {
            magnitude *= 10
            scale *= 10
        }
        if magnitude < 1_000 { return "\(value)" }
        let rounded = (value * scale).rounded() / scale
        return rounded == rounded.rounded() && rounded.magnitude < 1e15
            ? "\(Int64(rounded))" : "\(rounded)"
    }
}
