import Foundation
import MonitoringTestSupport
import Testing

@Suite struct SourceTests {
    @Test(arguments: ["try!", "fatalError("])
    func `no source traps on what the world may do`(word: String) {
        for file in SourceFile.sources {
            #expect(file.lineNumbers(of: word) == [], "\(file): \(word)")
        }
    }

    @Test func `only the command line and the benchmarks print`() {
        let printing: Set<String> = ["leeway", "LeewayBenchmarks"]

        for file in SourceFile.sources where !printing.contains(file.module) {
            #expect(file.lineNumbers(of: "print(") == [], "\(file)")
        }
    }

    @Test func `every file is short enough to be read at once`() {
        for file in SourceFile.sources + SourceFile.tests {
            #expect(file.lineCount < 400, "\(file)")
        }
    }

    @Test(arguments: [("ARCHITECTURE.md", 150), ("README.md", 200)])
    func `a document is short`(name: String, limit: Int) throws {
        let text = try String(
            contentsOf: Repository.root.appendingPathComponent(name), encoding: .utf8)
        let count = text.split(separator: "\n", omittingEmptySubsequences: false).count

        #expect(count <= limit + 1)
        #expect(count > 10)
    }
}
