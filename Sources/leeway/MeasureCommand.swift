import ArgumentParser
import ByteCoding
import Foundation
import MonitorCore
import MonitorService
import MonitorStore
import MonitoringDomain

struct MeasureCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "measure", abstract: "Print measurements of a data directory.",
        discussion: """
            Examples:
              leeway measure credit --window 1d --statistic psi,ks --data ./leeway-data
              leeway measure credit --statistic quantile --q 0.9 --segment channel:web
            """)

    @Argument(help: "The model.")
    var model: String
    @Option(help: "The window: 5m, 1h, 1d, 1w, 1mo.")
    var window = "1d"
    @Option(help: "Statistics, separated by commas; all where absent.")
    var statistic: String?
    @Option(help: "Features, separated by commas; all where absent.")
    var feature: String?
    @Option(help: "The model's version; all together where absent.")
    var version: String?
    @Option(help: "A segment, key:value as in channel:web; the whole traffic where absent.")
    var segment: String?
    @Option(help: "The fraction of quantile, 0 to 1; the median where absent.")
    var q: Double?
    @Option(help: "table, json or csv.")
    var format = "table"
    @Option(help: "The data directory.")
    var data = "./leeway-data"

    func run() throws {
        guard let modelID = ModelID(model) else { throw usage("\"\(model)\" is no model name") }
        guard let span = WindowSpan(window) else { throw usage("window: \"\(window)\"") }
        guard ["table", "json", "csv"].contains(format) else {
            throw usage("format: \"\(format)\"")
        }
        let statistics: [Statistic] =
            try statistic?.split(separator: ",").map { name in
                guard let value = Statistic(rawValue: String(name)) else {
                    throw usage("statistic: \"\(name)\" is not known")
                }
                return value
            } ?? Statistic.windowCases
        let slice = segment.flatMap { Segment($0) }
        if let segment, slice == nil {
            throw usage("segment: \"\(segment)\" found, key:value expected")
        }
        if let q, !(0...1).contains(q) { throw usage("q: \(q) found, 0 to 1 expected") }
        let question = MeasurementsQuestion(
            model: modelID, statistics: statistics,
            features: feature?.split(separator: ",").map { String($0) } ?? [], version: version,
            span: span, from: nil, to: nil, segment: slice, fraction: q)
        guard FileManager.default.fileExists(atPath: data) else {
            throw usage("\(data): no such folder")
        }
        let monitor: Monitor
        do {
            let store = try SQLiteStore(directory: data, readOnly: true)
            defer { store.close() }
            monitor = try MonitorRunner.recover(
                store, clock: nil, logger: Terminal.logger(), keepsEffects: false
            ).monitor
        } catch {
            throw CommandFailure(code: .dependency, message: "error: \(error)")
        }
        switch monitor.measurements(question) {
        case .failure(let error):
            throw CommandFailure(code: .negative, message: "error: \(error.description)")
        case .success(let measurements):
            switch format {
            case "json":
                if case .success(let json) = monitor.measurementsJSON(question) { print(json.text) }
            case "csv": print(MeasurementTable(measurements).csv, terminator: "")
            default: print(MeasurementTable(measurements).aligned)
            }
        }
    }

    private func usage(_ message: String) -> CommandFailure {
        CommandFailure(code: .usage, message: "error: \(message)")
    }
}
