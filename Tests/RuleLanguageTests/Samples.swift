import MonitoringDomain
import RuleLanguage

/// This is the expression of one rule, or what the file's reader says of it.
func parse(_ expression: String) -> Result<RuleLanguage.Expression, RuleDiagnostics> {
    let text = "rules:\n  - alert: A\n    expr: \(expression)\n"
    return RuleSet.parse([RuleFile(name: "x.yaml", text: text)]).map {
        $0.groups.first?.rules.first?.expression ?? .number(0)
    }
}

/// This is the expression, or nil.
func expression(_ text: String) -> RuleLanguage.Expression? { try? parse(text).get() }

/// This is a file that uses every field, quotes of every kind, comments and a bare expression.
let everyField = """
    # comment
    group: credit-default
    model: credit-*
    every: 5m
    rules:
      - alert: IncomeDrift
        expr: psi(income, window: 1h) > 0.2   # bare, with a colon
        for: 15m
        keep_firing_for: 30m
        no_data: alert
        labels: { severity: page, receiver: data-science }
        annotations:
          summary: "{{ feature }} moved: PSI {{ value }} over {{ window }}"
          text: |
            *Look* at &everything
            expr: not a rule
      - retrain: 'Performance: decay'
        expr: >-
          accuracy(window: 1d).upper < reference(accuracy) - 0.03
          and coverage(window: 1d) >= 0.5
        cooldown: 3d
        approval: required
        request: { queue: default, priority: 50, training_window: 30d, parameters: { trainer: gbm } }

    """

func rules(_ text: String) -> RuleSet? {
    try? RuleSet.parse([RuleFile(name: "x.yaml", text: text)]).get()
}
