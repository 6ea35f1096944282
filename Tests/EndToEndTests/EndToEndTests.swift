import Foundation
import MonitoringTestSupport
import Testing

/// The built binary as its users meet it: over HTTP, from the command line, in a browser.
///
/// One after another, because each of these tests keeps the machine busy by itself.
@Suite(.serialized) struct EndToEndTests {}

/// This is one test's folder and the server over it; both go with the value.
final class Site {
    let folder: URL
    let data: URL
    let rules: URL
    private(set) var server: LeewayServer

    private let arguments: [String]

    init(_ name: String, ruleFile: String? = nil, arguments: [String] = []) throws {
        self.arguments = arguments
        folder = try Repository.temporaryFolder(name)
        data = folder.appendingPathComponent("data")
        rules = folder.appendingPathComponent("rules")
        for path in [data, rules] {
            try FileManager.default.createDirectory(at: path, withIntermediateDirectories: true)
        }
        if let ruleFile {
            try Data(ruleFile.utf8).write(to: rules.appendingPathComponent("rules.yaml"))
        }
        server = try LeewayServer(data: data, rules: rules, arguments: arguments)
    }

    deinit {
        server.kill()
        try? FileManager.default.removeItem(at: folder)
    }

    var client: HTTPClient { server.client }

    /// Starts the server again on the same data; the old one must have ended.
    func restart() throws {
        server = try LeewayServer(data: data, rules: rules, arguments: arguments)
    }
}

extension HTTPClient {
    /// Posts a batch, which must be taken.
    @discardableResult
    func ingest(
        _ lines: [String], as kind: String = "predictions", of model: String? = nil,
        encoding: String? = nil, body: [UInt8]? = nil
    ) throws -> IngestAnswer {
        let query = model.map { "?model=\($0)" } ?? ""
        let headers = encoding.map { ["Content-Encoding": $0] } ?? [:]
        let answer = try post("/v1/\(kind)\(query)", body ?? ndjson(lines), headers: headers)
        guard answer.status == 202 else {
            throw HTTPFailure(reason: "\(kind): \(answer.status) \(answer.text.prefix(500))")
        }
        return try answer.decoded()
    }

    /// Pins a reference, which must be taken.
    ///
    /// It goes out compressed, because large ones are over the limit of what the wire may carry.
    func pinReference(of model: String, _ lines: [String]) throws {
        let answer = try post(
            "/v1/models/\(model)/references", try compressed(ndjson(lines), by: "gzip"),
            headers: ["Content-Encoding": "gzip"])
        guard answer.status == 201 else {
            throw HTTPFailure(reason: "reference: \(answer.status) \(answer.text.prefix(500))")
        }
    }

    /// This is what the API says of `model`, over the whole stream or over part of it.
    func measurements(
        of model: String, _ query: String
    ) throws -> [MeasurementsAnswer.Entry] {
        let answer = try get("/v1/models/\(model)/measurements?\(query)")
        guard answer.status == 200 else {
            throw HTTPFailure(reason: "measurements: \(answer.status) \(answer.text.prefix(500))")
        }
        return try answer.decoded(as: MeasurementsAnswer.self).measurements
    }

    /// This is the number of predictions that the days of `model` hold together.
    func volume(of model: String) throws -> Double {
        try measurements(of: model, "window=1d&statistic=volume").reduce(0) { $0 + ($1.value ?? 0) }
    }
}

/// This is `bytes` through the command `encoder`.
func compressed(_ bytes: [UInt8], by encoder: String) throws -> [UInt8] {
    let run = try CommandRun("/usr/bin/env", [encoder, "-c"], input: bytes)
    guard run.status == 0 else { throw HTTPFailure(reason: "\(encoder): \(run.errors)") }
    return run.output
}

extension Array {
    /// This is the elements in runs of `size`.
    func chunks(of size: Int) -> [[Element]] {
        stride(from: 0, to: count, by: size).map { Array(self[$0..<Swift.min($0 + size, count)]) }
    }
}

/// This is a Monday, 2026-11-23T00:00:00Z.
let monday: Int64 = 1_795_392_000_000
