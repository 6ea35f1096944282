import ArgumentParser
import Foundation
import LeewayBenchmarks

struct BenchCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "bench", abstract: "Measure this machine, with ratios of the same run.",
        discussion: """
            Build with -c release first: a debug build says nothing about speed.

              path          bytes to profiles, on one core
              histogram     values into bins, beside numpy and the memory's speed
              memory        bytes that a stored profile takes
              drift         what a window's end costs: detectors, restatement, distances
              join          predictions with ids, up to 50 million of them
              judge         a tick of the clock under rules; outcomes through detectors; many models
              replay        a file into a data directory, on one core; needs taskset
              ingest        the real server over HTTP, durable and joined
              overload      once, three and ten times the rate that the server sustains; only when named
              crowd         a healthy client beside a thousand slow ones of each kind; only when named
              false-alarms  simulated traffic without drift: each method's alarms against its promise
              plots         the plots of docs/statistics.md as SVG files; only when it is named

            Examples:
              leeway bench ingest --seconds 60 --json
              leeway bench false-alarms --replications 1000
              leeway bench plots --to docs/plots
            """)

    private static let known = [
        "path", "histogram", "memory", "drift", "join", "judge", "replay", "ingest", "false-alarms",
    ]

    /// What runs only when it is named.
    private static let named = ["overload", "crowd", "plots"]

    @Argument(
        help: """
            Benchmarks: path, histogram, memory, drift, join, judge, replay, ingest, false-alarms; \
            overload, crowd or plots.
            """)
    var names: [String] = []
    @Flag(help: "One JSON object a line.")
    var json = false
    @Option(help: "How long the server is loaded.")
    var seconds = 60
    @Flag(help: "Overload's server and client on the same cores, not on half of them each.")
    var sharedCores = false
    @Option(help: "The folder that plots writes to.")
    var to = "docs/plots"
    @Option(help: "Simulated worlds of false-alarms and plots; their time grows with them.")
    var replications = FalseAlarmBenchmark.usualReplicationCount

    func validate() throws {
        for name in names where !(Self.known + Self.named).contains(name) {
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
                case "histogram": HistogramBenchmark.run(show)
                case "drift": for result in DriftBenchmark.run() { show(result) }
                case "memory": for result in MemoryBenchmark.run() { show(result) }
                case "join": try JoinBenchmark.run(show)
                case "replay": try ReplayBenchmark.run(show)
                case "judge": for result in try JudgeBenchmark.run() { show(result) }
                case "ingest": try IngestBenchmark.run(seconds: seconds, show)
                case "overload":
                    try OverloadBenchmark.run(
                        seconds: seconds, areCoresShared: sharedCores, show)
                case "crowd": try CrowdBenchmark.run(seconds: seconds, show)
                case "false-alarms": showFalseAlarms()
                case "plots": try writePlots()
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
            let note = result.note.map { ",\"note\":\"\($0)\"" } ?? ""
            print(
                "{\"bench\":\"\(result.bench)\",\"case\":\"\(result.name)\",\"value\":"
                    + "\(result.value),\"unit\":\"\(result.unit)\",\"ratios\":{\(ratios)}\(note)}")
        } else {
            let words =
                result.ratios.map { name, ratio in
                    ratio < 2
                        ? "\(rounded(ratio * 100)) % of \(name)" : "\(rounded(ratio)) times \(name)"
                } + [result.note].compactMap(\.self)
            let value =
                result.value < 10
                ? "\((result.value * 1_000).rounded() / 1_000)"
                : result.value < 100 ? "\(rounded(result.value))" : "\(Int(result.value))"
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

    private func writePlots() throws {
        let folder = URL(fileURLWithPath: to)
        do {
            try FileManager.default.createDirectory(
                at: folder, withIntermediateDirectories: true)
            for plot in DocumentationPlots.all(replicationCount: replications) {
                let file = folder.appendingPathComponent(plot.name)
                try Data(plot.svg.utf8).write(to: file)
                print(file.path)
            }
        } catch {
            throw CommandFailure(
                code: .dependency, message: "error: \(to): \(error.localizedDescription)")
        }
    }

    private func rounded(_ value: Double) -> Double { (value * 10).rounded() / 10 }
}
