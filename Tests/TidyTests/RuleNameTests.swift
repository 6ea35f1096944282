import Foundation
import MonitoringDomain
import MonitoringTestSupport
import Testing

@Suite struct RuleNameTests {
    /// Calls of the rule language that are no statistics.
    private let functions: Set<String> = ["reference"]
    private let statistics = Set(Statistic.allCases.map(\.rawValue))

    @Test func `every statistic named in a rule file exists`() throws {
        let files = Repository.files(in: "rules", endingIn: ".yaml", ".yml")
        var callCount = 0

        for file in files {
            let text = try String(contentsOf: file, encoding: .utf8)
            for name in Self.calls(in: text) {
                callCount += 1
                let isKnown = statistics.contains(name) || functions.contains(name)
                #expect(isKnown, "\(file.lastPathComponent): \(name)")
            }
        }

        #expect(files.isEmpty || callCount > 0)
    }

    @Test(arguments: [
        ("    expr: psi(income, window: 1h) > 0.2  # see mean(x)", ["psi"]),
        (
            "    expr: >\n      volume(window: 1h) < 100\n      or ks(*) > 1\n    for: 1h",
            ["volume", "ks"]
        ),
        ("    summary: \"psi(income)\"", []),
        (
            "    expr: 'not (accuracy(window: 1d).upper < reference(accuracy))'",
            ["accuracy", "reference"]
        ),
    ])
    func `calls are found in expressions only`(text: String, expected: [String]) {
        #expect(Self.calls(in: text) == expected)
    }

    /// This is the names before an opening parenthesis, in every `expr:` of a rule file.
    static func calls(in text: String) -> [String] {
        var calls: [String] = []
        var indentOfExpression: Int?
        for line in text.split(separator: "\n") {
            let indent = line.prefix { $0 == " " }.count
            let content = line.dropFirst(indent)
            if content.hasPrefix("expr:") {
                indentOfExpression = indent
            } else if let start = indentOfExpression, indent <= start {
                indentOfExpression = nil
            }
            guard indentOfExpression != nil else { continue }
            let code = content.components(separatedBy: " #")[0]
            let parts = code.split(separator: "(", omittingEmptySubsequences: false).dropLast()
            for part in parts {
                let name = part.reversed().prefix { $0.isLetter || $0.isNumber || $0 == "_" }
                    .reversed()
                if !name.isEmpty { calls.append(String(name)) }
            }
        }
        return calls
    }
}
