import Foundation
import MonitoringDomain
import MonitoringTestSupport
import Testing

/// These hold docs/statistics.md against the list of statistics: what can be measured can be looked up.
@Suite struct StatisticDocumentTests {
    private static func document() throws -> String {
        let file = Repository.root.appendingPathComponent("docs/statistics.md")
        return try String(contentsOf: file, encoding: .utf8)
    }

    @Test(arguments: Statistic.allCases)
    func `a statistic has a row that says what it is`(statistic: Statistic) throws {
        let rows = try Self.document().split(separator: "\n").filter { line in
            let first = line.split(separator: "|").first ?? ""
            return line.hasPrefix("| `") && first.contains("`\(statistic.rawValue)`")
                && line.split(separator: "|").count >= 3
        }
        #expect(rows.count == 1, "\(statistic.rawValue): \(rows.count) rows")
    }

    /// A name in the first column of a table of statistics is one of the list, so none is promised only.
    @Test func `every name that has a row can be measured`() throws {
        let known = Set(Statistic.allCases.map(\.rawValue))
        for line in try Self.document().split(separator: "\n") where line.hasPrefix("| `") {
            let first = line.split(separator: "|").first ?? ""
            let names = first.split(separator: "`", omittingEmptySubsequences: false)
                .enumerated().filter { $0.offset % 2 == 1 }.map { String($0.element) }
            for name in names { #expect(known.contains(name), "\(name)") }
        }
    }
}
