import ArgumentParser
import LeewayBenchmarks

struct BenchCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "bench", abstract: "Measure this machine, with ratios of the same run.",
        discussion: """
            Build with -c release first: a debug build says nothing about speed.

            Example:
              leeway bench path --json
            """)

    @Argument(help: "Benchmarks: path. All where absent.")
    var names: [String] = []
    @Flag(help: "One JSON object a line.")
    var json = false

    func run() throws {
        for name in names where name != "path" {
            throw CommandFailure(code: .usage, message: "error: no benchmark \"\(name)\"; path is")
        }
        for result in try PathBenchmark.run() {
            let ratios = result.ratios.map { "\"\($0.0)\":\($0.1)" }.joined(separator: ",")
            if json {
                print(
                    "{\"bench\":\"\(result.bench)\",\"case\":\"\(result.name)\",\"value\":"
                        + "\(result.value),\"unit\":\"\(result.unit)\",\"ratios\":{\(ratios)}}")
            } else {
                let words = result.ratios.map { "\(round($0.1 * 1_000) / 10) % of \($0.0)" }
                print(
                    "\(result.bench)  \(result.name): \(Int(result.value)) \(result.unit)  "
                        + words.joined(separator: ", "))
            }
        }
    }

    private func round(_ value: Double) -> Double { value.rounded() }
}
