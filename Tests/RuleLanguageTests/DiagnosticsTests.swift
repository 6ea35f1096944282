import Foundation
import MonitoringDomain
import MonitoringTestSupport
import RuleLanguage
import Testing

/// The text of every fixture's diagnostics lies beside it; `UPDATE_GOLDEN=1` rewrites them.
@Suite struct DiagnosticsTests {
    private static let fixtures = Repository.files(
        in: "Tests/RuleLanguageTests/Fixtures", endingIn: ".rules.yaml")

    @Test(arguments: fixtures)
    func `a bad file is refused with a place and a caret`(file: URL) throws {
        let text = try String(contentsOf: file, encoding: .utf8)

        let result = RuleSet.parse([RuleFile(name: file.lastPathComponent, text: text)])

        guard case .failure(let faults) = result else {
            Issue.record("\(file.lastPathComponent) was taken")
            return
        }
        let expected = file.deletingPathExtension().deletingPathExtension()
            .appendingPathExtension("expected.txt")
        let found = "\(faults)\n"
        #expect(try found == GoldenFile.text(at: expected, updatedTo: found))
        let lineCount = text.split(omittingEmptySubsequences: false) { $0.isNewline }.count
        for fault in faults.diagnostics {
            #expect((1...max(1, lineCount + 1)).contains(fault.line))
            #expect(fault.column >= 1)
            #expect(!fault.message.isEmpty)
        }
    }

    @Test func `there is a fixture for every family of bad input`() {
        #expect(Self.fixtures.count >= 20)
    }

    @Test func `all faults of all files are told at once`() {
        let bad = "group: g\nrules:\n  - alert: A\n    expr: psi(age, window: 1h)\n"

        let result = RuleSet.parse([
            RuleFile(name: "one.yaml", text: bad), RuleFile(name: "two.yaml", text: bad),
        ])

        guard case .failure(let faults) = result else {
            Issue.record("bad files were taken")
            return
        }
        #expect(faults.diagnostics.map(\.file) == ["one.yaml", "two.yaml", "two.yaml"])
        #expect(faults.diagnostics.last?.message == "group \"g\" stands in two files")
    }

    @Test func `a file with a thousand faults tells the first hundred`() {
        let text =
            "rules:\n" + String(repeating: "  - { alert: A, expr: x }\n", count: 1_000)

        guard case .failure(let faults) = RuleSet.parse([RuleFile(name: "x", text: text)]) else {
            Issue.record("a bad file was taken")
            return
        }
        #expect(faults.diagnostics.count == 100)
    }

    @Test func `a very long line is not repeated in its diagnostic`() {
        let text = "rules:\n  - alert: A\n    expr: x\(String(repeating: " ", count: 500))y\n"

        guard case .failure(let faults) = RuleSet.parse([RuleFile(name: "x", text: text)]) else {
            Issue.record("a bad file was taken")
            return
        }
        #expect(faults.description.utf8.count < 200)
    }
}
