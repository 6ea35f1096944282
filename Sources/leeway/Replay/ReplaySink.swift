import AsyncHTTPClient
import ByteCoding
import Foundation
import MonitorService
import MonitoringDomain
import NIOCore
import NIOHTTP1
import RecordCoding

/// This is what became of the records that were replayed.
struct ReplayCounts {
    var accepted = 0
    var duplicates = 0
    /// Duplicates that repeat an id with other content.
    var conflicts = 0
    /// Records beyond the model's horizon, which are counted nowhere.
    var tooOld = 0

    /// What is said of a file.
    var text: String {
        var text = "\(accepted) records, \(duplicates) duplicates"
        if conflicts > 0 {
            text += ", \(conflicts) of them with other content than the first, which counts"
        }
        if tooOld > 0 { text += ", \(tooOld) too old to count" }
        return text
    }
}

extension ReplayCounts {
    init(_ receipt: Receipt) {
        self.init(
            accepted: receipt.accepted, duplicates: receipt.duplicates,
            conflicts: receipt.conflicts, tooOld: receipt.tooOld)
    }
}

/// This is a running server that records are sent to: as anybody would, batch by batch.
struct ReplayServer {
    /// Rows of one body; the server's limit is twice as many.
    private static let batchRowCount = 5_000
    /// Lines of events in one body.
    private static let batchEventCount = 500
    /// How often a body is sent before its refusal ends the command.
    private static let attemptCountMax = 8
    private static let answerTimeout = TimeAmount.seconds(60)

    private let base: String
    private let key: String?
    private let http: HTTPClient

    /// Makes a sender to `base`, an http or https URL, with the API key in the file where there is one.
    init(base: String, keyFile: String?) throws {
        guard let url = URL(string: base), ["http", "https"].contains(url.scheme), url.host != nil
        else {
            throw CommandFailure(
                code: .usage, message: "error: --to needs an http or https URL, \"\(base)\" found")
        }
        self.base = base.hasSuffix("/") ? String(base.dropLast()) : base
        key = try keyFile.map { path in
            guard let text = try? String(contentsOfFile: path, encoding: .utf8) else {
                throw CommandFailure(code: .dependency, message: "error: \(path) cannot be read")
            }
            return text.trimmingCharacters(in: .whitespacesAndNewlines)
        }
        var configuration = HTTPClient.Configuration()
        configuration.redirectConfiguration = .disallow
        http = HTTPClient(eventLoopGroupProvider: .singleton, configuration: configuration)
    }

    func close() async { try? await http.shutdown() }

    /// Sends native lines.
    func send(lines body: RecordBody, model: ModelID?) async throws -> ReplayCounts {
        if let runs = NativeLines.runs(of: body) {
            var counts = ReplayCounts()
            for run in runs { counts += try await send(lines: run.body, model: model) }
            return counts
        }
        let piece = body.bytes
        let path = NativeLines.isPredictions(body) ? "/v1/predictions" : "/v1/ground-truth"
        let query = model.map { "?model=\($0.rawValue)" } ?? ""
        var counts = ReplayCounts()
        // An array cannot be cut without reading it.
        guard piece.first(where: { $0 > 0x20 }) != UInt8(ascii: "[") else {
            return try await post(path + query, piece, "application/json")
        }
        let lines = piece.split(separator: 0x0A)
        for first in stride(from: 0, to: lines.count, by: Self.batchRowCount) {
            let batch = lines[first..<min(first + Self.batchRowCount, lines.count)]
            let body = Array(batch.joined(separator: [0x0A]))
            counts += try await post(path + query, body, "application/x-ndjson")
        }
        return counts
    }

    /// Sends rows as native records.
    func send(rows: [WireRow]) async throws -> ReplayCounts {
        var counts = ReplayCounts()
        for first in stride(from: 0, to: rows.count, by: Self.batchRowCount) {
            var predictions: [UInt8] = []
            var truths: [UInt8] = []
            for row in rows[first..<min(first + Self.batchRowCount, rows.count)] {
                guard !row.features.contains(where: { $0.value.isInfinite }) else {
                    throw CommandFailure(
                        code: .negative,
                        message: "error: an infinite feature has no word in JSON; use --data")
                }
                let records = row.records
                records.prediction?.write(to: &predictions)
                if records.prediction != nil { predictions.append(0x0A) }
                guard row.id != nil, let truth = records.groundTruth else { continue }
                truth.write(to: &truths)
                truths.append(0x0A)
            }
            for (path, body) in [("/v1/predictions", predictions), ("/v1/ground-truth", truths)]
            where !body.isEmpty {
                counts += try await post(path, body, "application/x-ndjson")
            }
        }
        return counts
    }

    /// Sends lines of events as batches of events.
    func send(events piece: [UInt8], model: ModelID?) async throws -> ReplayCounts {
        let query = model.map { "?model=\($0.rawValue)" } ?? ""
        let isArray = piece.first { $0 > 0x20 } == UInt8(ascii: "[")
        let lines =
            isArray
            ? try RecordPieces(piece, limits: DecodingLimits(rowCountMax: .max)).pieces.map {
                piece[$0.range]
            } : piece.split(separator: 0x0A).filter { $0.contains { $0 > 0x20 } }
        var counts = ReplayCounts()
        for first in stride(from: 0, to: lines.count, by: Self.batchEventCount) {
            let batch = lines[first..<min(first + Self.batchEventCount, lines.count)]
            let body = [UInt8(ascii: "[")] + batch.joined(separator: [UInt8(ascii: ",")]) + [0x5D]
            _ = try await post(
                "/v1/events" + query, body, "application/cloudevents-batch+json")
            counts.accepted += batch.count
        }
        return counts
    }

    func pin(reference lines: [UInt8], model: ModelID) async throws {
        _ = try await post(
            "/v1/models/\(model.rawValue)/references", lines, "application/x-ndjson")
    }

    /// Sends one body, again as long as the server asks for patience; a repeat counts nothing twice.
    private func post(
        _ path: String, _ body: [UInt8], _ type: String
    ) async throws -> ReplayCounts {
        var attempt = 1
        while true {
            var request = HTTPClientRequest(url: base + path)
            request.method = .POST
            request.headers.add(name: "content-type", value: type)
            if let key { request.headers.add(name: "authorization", value: "Bearer \(key)") }
            request.body = .bytes(body)
            let answer: HTTPClientResponse
            do {
                answer = try await http.execute(request, timeout: Self.answerTimeout)
            } catch {
                throw CommandFailure(
                    code: .dependency,
                    message: "error: \(base) does not answer: \(error)")
            }
            let text = Data(try await answer.body.collect(upTo: 1 << 20).readableBytesView)
            switch answer.status.code {
            case 200..<300:
                let receipt = try? JSONDecoder().decode(Acceptance.self, from: text)
                return ReplayCounts(
                    accepted: receipt?.accepted ?? 0, duplicates: receipt?.duplicates ?? 0,
                    conflicts: receipt?.conflicts ?? 0, tooOld: receipt?.tooOld ?? 0)
            case let code where (code == 429 || code == 503) && attempt < Self.attemptCountMax:
                let wait = answer.headers.first(name: "retry-after").flatMap { Int($0) } ?? 1
                try await Task.sleep(for: .seconds(min(max(wait, 1), 30)))
                attempt += 1
            default:
                throw CommandFailure(
                    code: .negative,
                    message: "error: POST \(path) was answered \(answer.status.code): "
                        + String(decoding: text.prefix(500), as: UTF8.self))
            }
        }
    }

    private struct Acceptance: Decodable {
        let accepted: Int
        let duplicates: Int
        let conflicts: Int?
        let tooOld: Int?

        enum CodingKeys: String, CodingKey {
            case accepted, duplicates, conflicts
            case tooOld = "too_old"
        }
    }
}

func + (left: ReplayCounts, right: ReplayCounts) -> ReplayCounts {
    var sum = left
    sum += right
    return sum
}

func += (left: inout ReplayCounts, right: ReplayCounts) {
    left.accepted += right.accepted
    left.duplicates += right.duplicates
    left.conflicts += right.conflicts
    left.tooOld += right.tooOld
}
