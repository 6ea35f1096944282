import ArgumentParser
import Foundation
import LeewayBenchmarks

struct BenchCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "bench", abstract: "Measure this machine, with ratios of the same run.",
        discussion: """
            Build with -c release first: a debug build says nothing about speed.

              path    bytes to profiles, on one core
              join    predictions with ids, up to 50 million of them
              ingest  the real server over HTTP, durable and joined
              false-alarms  simulated traffic without drift: each method's alarms against its promise

            Examples:
              leeway bench ingest --seconds 60 --json
              leeway bench false-alarms --replications 1000
            """)

    private static let known = ["path", "join", "ingest", "false-alarms"]

    @Argument(help: "Benchmarks: path, join, ingest, false-alarms. All where absent.")
    var names: [String] = []
    @Flag(help: "One JSON object a line.")
    var json = false
    @Option(help: "How long the server is loaded.")
    var seconds = 60
    @Option(help: "Simulated worlds of false-alarms; its time grows with them.")
    var replications = FalseAlarmBenchmark.usualReplicationCount

    func validate() throws {
        for name in names where !Self.known.contains(name) {
            throw ValidationError(
                "no benchmark \"\(name)\"; \(Self.known.joined(separator: ", ")) are")
        }
        guard (1...3_600).contains(seconds) else {
            throw ValidationError("seconds: \(seconds) found, 1 to 3600 expected")
        }
        guard (1...1_000_000).contains(replications) else {
            throw ValidationError("replications: \(replications) found, 1 to 1000000 expected")
        }
    }

    func run() throws {
        do {
            for name in names.isEmpty ? Self.known : names {
                switch name {
                case "join": try JoinBenchmark.run(show)
                case "ingest": try IngestBenchmark.run(seconds: seconds, show)
                case "false-alarms": showFalseAlarms()
                default: for result in try PathBenchmark.run() { show(result) }
                }
            }
        } catch let error as BenchmarkError {
            throw CommandFailure(code: .dependency, message: "error: \(error)")
        }
    }

    private func show(_ result: BenchmarkResult) {
        let ratios = result.ratios.map { "\"\($0.0)\":\($0.1)" }.joined(separator: ",")
        if json {
            print(
                "{\"bench\":\"\(result.bench)\",\"case\":\"\(result.name)\",\"value\":"
                    + "\(result.value),\"unit\":\"\(result.unit)\",\"ratios\":{\(ratios)}}")
        } else {
            let words = result.ratios.map { "\(rounded($0.1 * 100)) % of \($0.0)" }
            let value = result.value < 100 ? "\(rounded(result.value))" : "\(Int(result.value))"
            print(
                "\(result.bench)  \(result.name): \(value) \(result.unit)  "
                    + words.joined(separator: ", "))
        }
        // A curve takes minutes: each point is to be seen when it is there.
        fflush(nil)
    }

    private func showFalseAlarms() {
        let rows = FalseAlarmBenchmark.run(replicationCount: replications)
        for line in json ? rows.map(\.json) : FalseAlarmBenchmark.table(rows) { print(line) }
    }

    private func rounded(_ value: Double) -> Double { (value * 10).rounded() / 10 }
}
