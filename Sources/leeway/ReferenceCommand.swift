import ArgumentParser
import AsyncHTTPClient
import ByteCoding
import Foundation
import MonitoringDomain
import NIOCore
import NIOHTTP1

struct ReferenceCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "reference",
        abstract: "Pin and list what a running server compares a model's windows with.",
        subcommands: [Pin.self, List.self])

    struct Place: ParsableArguments {
        @Option(help: "The running server.")
        var server = "http://127.0.0.1:8585"
        @Option(help: "A file that holds the server's API key.")
        var apiKeyFile: String?
    }

    struct Pin: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Make a reference of a file's records, or of a span of production.",
            discussion: """
                The file holds prediction records, one a line, with ground truth inline as "label" or \
                "value" at the top level; plain, gzip or zstd. The answer is the new reference: it is \
                "profiling" until the model's records are folded again, and then "active".

                Examples:
                  leeway reference pin credit training.ndjson.gz
                  leeway reference pin credit --from 2026-11-01T00:00:00Z --to 2026-11-08T00:00:00Z
                """)

        @Argument(help: "The model.")
        var model: String
        @Argument(help: "A file of reference records.")
        var file: String?
        @Option(help: "The first instant of production, RFC 3339.")
        var from: String?
        @Option(help: "The end of production, RFC 3339; it does not belong to the span.")
        var to: String?
        @OptionGroup var place: Place

        func run() async throws {
            let model = try checked(model: model)
            let body: [UInt8]
            let type: String
            switch (file, from, to) {
            case (let file?, nil, nil):
                (body, type) = (try Self.records(of: file), "application/x-ndjson")
            case (nil, let from?, let to?):
                (body, type) = (try Self.span(from, to), "application/json")
            default:
                throw CommandFailure(
                    code: .usage, message: "error: either FILE or --from and --to are needed")
            }
            let client = try ReferenceClient(place)
            let answer = try await client.send(.POST, model, body: body, type: type)
            print(String(decoding: answer, as: UTF8.self))
        }

        /// As it is on the disk: the server knows both compressions, and large references need one.
        private static func records(of path: String) throws -> [UInt8] {
            guard let data = FileManager.default.contents(atPath: path) else {
                throw CommandFailure(code: .usage, message: "error: \(path) cannot be read")
            }
            guard !data.isEmpty else {
                throw CommandFailure(code: .negative, message: "error: \(path) is empty")
            }
            return [UInt8](data)
        }

        private static func span(_ from: String, _ to: String) throws -> [UInt8] {
            for (name, text) in [("from", from), ("to", to)]
            where EventTime(rfc3339: text.utf8) == nil {
                throw CommandFailure(
                    code: .usage, message: "error: --\(name) \"\(text)\" found, RFC 3339 expected")
            }
            return Array(
                JSONValue.object([("from", .string(from)), ("to", .string(to))]).text.utf8)
        }
    }

    struct List: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "List the references that a model had, has and is about to have.",
            discussion: """
                Example:
                  leeway reference list credit --server http://127.0.0.1:8585
                """)

        @Argument(help: "The model.")
        var model: String
        @Flag(help: "The server's answer, instead of a table.")
        var json = false
        @OptionGroup var place: Place

        func run() async throws {
            let model = try checked(model: model)
            let client = try ReferenceClient(place)
            let answer = try await client.send(.GET, model)
            if json {
                print(String(decoding: answer, as: UTF8.self))
                return
            }
            guard let list = try? JSONDecoder().decode(References.self, from: Data(answer)) else {
                throw CommandFailure(
                    code: .dependency, message: "error: \(place.server) is not a leeway server")
            }
            print("REFERENCE  STATE       ROWS       PINNED                    SOURCE")
            for one in list.references {
                let columns = [
                    (one.reference, 9), (one.state, 10), (one.rows.map { "\($0)" } ?? "-", 9),
                    (one.pinnedAt, 24),
                ].map { $0.padding(toLength: max($0.count, $1), withPad: " ", startingAt: 0) }
                print((columns + [one.source ?? "-"]).joined(separator: "  "))
            }
        }

        private struct References: Decodable {
            struct Entry: Decodable {
                let reference: String
                let state: String
                let rows: Int?
                let pinnedAt: String
                let source: String?

                enum CodingKeys: String, CodingKey {
                    case reference, state, rows, source
                    case pinnedAt = "pinned_at"
                }
            }
            let references: [Entry]
        }
    }
}

private func checked(model: String) throws -> ModelID {
    guard let id = ModelID(model) else {
        throw CommandFailure(code: .usage, message: "error: \"\(model)\" is no model name")
    }
    return id
}

/// This asks a running server about references.
private struct ReferenceClient {
    /// Profiling a large reference takes the server a while before it answers.
    private static let answerTimeout = TimeAmount.seconds(300)
    /// An answer names every feature of a reference, at most 2,000.
    private static let answerSizeBytesMax = 16 << 20

    private let base: String
    private let key: String?

    init(_ place: ReferenceCommand.Place) throws {
        guard let url = URL(string: place.server), ["http", "https"].contains(url.scheme),
            url.host != nil
        else {
            throw CommandFailure(
                code: .usage,
                message: "error: --server needs an http or https URL, \"\(place.server)\" found")
        }
        base = place.server.hasSuffix("/") ? String(place.server.dropLast()) : place.server
        key = try place.apiKeyFile.map { path in
            guard let text = try? String(contentsOfFile: path, encoding: .utf8) else {
                throw CommandFailure(code: .usage, message: "error: \(path) cannot be read")
            }
            return text.trimmingCharacters(in: .whitespacesAndNewlines)
        }
    }

    func send(
        _ method: HTTPMethod, _ model: ModelID, body: [UInt8]? = nil, type: String? = nil
    ) async throws -> [UInt8] {
        let path = "/v1/models/\(model.rawValue)/references"
        var request = HTTPClientRequest(url: base + path)
        request.method = method
        if let key { request.headers.add(name: "authorization", value: "Bearer \(key)") }
        if let type { request.headers.add(name: "content-type", value: type) }
        if let body {
            if body.starts(with: [0x1F, 0x8B]) {
                request.headers.add(name: "content-encoding", value: "gzip")
            } else if body.starts(with: [0x28, 0xB5, 0x2F, 0xFD]) {
                request.headers.add(name: "content-encoding", value: "zstd")
            }
            request.body = .bytes(body)
        }
        let (status, text) = try await execute(request)
        guard (200..<300).contains(status.code) else {
            throw CommandFailure(
                code: status.code >= 500 ? .dependency : .negative,
                message: "error: \(method.rawValue) \(path) was answered \(status.code): "
                    + String(decoding: text.prefix(500), as: UTF8.self))
        }
        return text
    }

    private func execute(
        _ request: HTTPClientRequest
    ) async throws -> (status: HTTPResponseStatus, text: [UInt8]) {
        var configuration = HTTPClient.Configuration()
        configuration.redirectConfiguration = .disallow
        // Else a server that is not there would be asked until the answer's time is over.
        configuration.connectionPool.retryConnectionEstablishment = false
        let client = HTTPClient(eventLoopGroupProvider: .singleton, configuration: configuration)
        do {
            let answer = try await client.execute(request, timeout: Self.answerTimeout)
            let body = try await answer.body.collect(upTo: Self.answerSizeBytesMax)
            try await client.shutdown()
            return (answer.status, Array(body.readableBytesView))
        } catch {
            try? await client.shutdown()
            throw CommandFailure(
                code: .dependency, message: "error: \(base) does not answer: \(error)")
        }
    }
}
