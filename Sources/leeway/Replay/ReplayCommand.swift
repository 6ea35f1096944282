import ArgumentParser
import Foundation
import MonitorCore
import MonitorService
import MonitorStore
import MonitoringDomain
import RecordCoding

struct ReplayCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "replay",
        abstract: "Fold recorded streams into a data directory, or send them to a server.",
        discussion: """
            Files may be plain, gzip or zstd; - is standard input, and a folder all files in it. The format \
            is told by the content:
              ndjson      native records; a line with "label" or "value", and without "features" and \
            "prediction", is ground truth, another one a prediction
              csv         a header, then rows; columns have roles by their names, or by --column
              sagemaker   SageMaker data capture and ground truth
              events      CloudEvents, one a line, like those of Azure ML's collector
              databricks  rows of inference tables as JSON

            Examples:
              leeway replay --data ./leeway-data --model credit predictions.ndjson.gz labels.ndjson
              leeway replay --to http://127.0.0.1:8585 --model loans --column id=loan_id \
            --column truth=defaulted history.csv
            """)

    @Argument(help: "Files, folders of files, or - for standard input.")
    var files: [String]
    @Option(help: "The data directory.")
    var data: String?
    @Option(help: "A running server, instead of a data directory.")
    var to: String?
    @Option(help: "A file that holds the server's API key.")
    var apiKeyFile: String?
    @Option(help: "The model of records that name none.")
    var model: String?
    @Option(help: "A file of reference records, pinned first.")
    var reference: String?
    @Option(
        help: """
            The format of all files, where their content does not tell it: ndjson, csv, sagemaker, \
            events or databricks.
            """)
    var format: String?
    @Option(
        name: .customLong("column"),
        help: """
            ROLE=COLUMN of CSV, as often as needed; roles are id, ts, model, version, prediction, \
            score, value, truth, revision, latency, error, weight, segment, feature and ignore.
            """)
    var columns: [String] = []
    @Option(help: "The columns of CSV that are features, with commas between; default all others.")
    var features: String?
    @Flag(
        help: """
            Count requests without a response, and responses without a request, when all files have \
            been read; with --data.
            """)
    var unpaired = false
    @Flag(
        inversion: .prefixedNo, help: "Say every second how far the reading is, on standard error.")
    var progress = true

    func run() async throws {
        let model = try checkedModel()
        let mapping = try columnMapping()
        if let format, FileFormat(rawValue: format) == nil {
            let known = FileFormat.allCases.map(\.rawValue).joined(separator: ", ")
            throw CommandFailure(
                code: .usage,
                message: "error: --format \"\(format)\" found, one of \(known) expected")
        }
        guard (data == nil) != (to == nil) else {
            throw CommandFailure(code: .usage, message: "error: either --data or --to is needed")
        }
        do {
            if let to {
                let server = try ReplayServer(base: to, keyFile: apiKeyFile)
                do {
                    try await send(to: server, model, mapping)
                } catch {
                    await server.close()
                    throw error
                }
                await server.close()
            } else if let data {
                try await fold(into: data, model, mapping)
            }
        } catch let failure as CommandFailure {
            throw failure
        } catch {
            throw CommandFailure(code: .dependency, message: "error: \(error)")
        }
    }

    private func checkedModel() throws -> ModelID? {
        try model.map { name in
            guard let model = ModelID(name) else {
                throw CommandFailure(code: .usage, message: "error: \"\(name)\" is no model name")
            }
            return model
        }
    }

    private func columnMapping() throws -> ColumnMapping {
        var mapping = ColumnMapping()
        for text in columns {
            let parts = text.split(separator: "=", maxSplits: 1).map { String($0) }
            guard parts.count == 2, let role = ColumnMapping.Role(rawValue: parts[0]) else {
                let roles = ColumnMapping.Role.allCases.map(\.rawValue).joined(separator: ", ")
                throw CommandFailure(
                    code: .usage,
                    message:
                        "error: --column \"\(text)\" found, ROLE=COLUMN expected; roles: \(roles)"
                )
            }
            mapping.roles[parts[1]] = role
        }
        mapping.features = features.map { Set($0.split(separator: ",").map { String($0) }) }
        return mapping
    }

    // MARK: - Into a data directory

    private func fold(into data: String, _ model: ModelID?, _ mapping: ColumnMapping) async throws {
        let store = try SQLiteStore(directory: data)
        defer { store.close() }
        // A replay that is cut short is rather folded on than snapshot again and again.
        let runner = try MonitorRunner(
            store: store, clock: .event, logger: Terminal.logger(), snapshotLogSizeBytes: .max)
        runner.start()
        if let reference {
            var decoder = RecordDecoder(limits: DecodingLimits(rowCountMax: .max))
            let now = WallClock.now()
            let batches = try decoder.decodePredictions(
                try RecordFile.read(reference), kind: .reference, defaultModel: model,
                arrival: now, kindOf: { _, _ in nil })
            _ = try await runner.submit(batches.map { .pinReference($0, pinnedAt: now) })
        }
        var fold = ReplayFold(runner, model: model)
        try await forEachPiece(model, mapping, schemas: runner.schemaLookup) { piece in
            switch piece {
            case .native(let lines): try await fold.fold(lines: lines)
            case .foreign(let piece, _): try await fold.fold(piece)
            case .end: try await fold.finish()
            }
        }
        let waiting = try await runner.read { monitor in
            monitor.collector.models.values.reduce(0) { $0 + $1.pairing.waitingCount }
        }
        if waiting > 0, unpaired {
            // As if the time had passed for which a half waits.
            let later = WallClock.now().advanced(
                byMilliseconds: InferencePairing.waitMilliseconds + 1)
            _ = try await runner.submit([.tick(later)])
            print("\(waiting) requests or responses without their other half")
        } else if waiting > 0 {
            print(
                "\(waiting) requests or responses wait for their other half; "
                    + "--unpaired counts them alone")
        }
        await runner.stop()
    }

    // MARK: - To a server

    private func send(
        to server: ReplayServer, _ model: ModelID?, _ mapping: ColumnMapping
    ) async throws {
        if let reference {
            guard let model else {
                throw CommandFailure(code: .usage, message: "error: --reference needs --model")
            }
            try await server.pin(reference: try RecordFile.read(reference), model: model)
        }
        try await forEachPiece(model, mapping, schemas: { [:] }) { piece in
            switch piece {
            case .native(let lines):
                return try await server.send(lines: lines, model: model)
            case .foreign(.rows(let rows, _), _): return try await server.send(rows: rows)
            case .foreign(.halves, let bytes):
                return try await server.send(events: bytes, model: model)
            case .end: return ReplayCounts()
            }
        }
    }

    // MARK: - Files

    /// This is a part of a file: of native lines the bytes, else what they say, and the bytes; or its end.
    private enum Piece {
        case native(RecordBody)
        case foreign(FilePiece, [UInt8])
        case end
    }

    private func forEachPiece(
        _ model: ModelID?, _ mapping: ColumnMapping, schemas: () -> [ModelID: ModelSchema],
        _ body: (Piece) async throws -> ReplayCounts
    ) async throws {
        for path in try RecordPaths.files(files) {
            var file = try RecordFile(path)
            guard
                let format = format.flatMap({ FileFormat(rawValue: $0) })
                    ?? FileFormat(content: file.head)
            else {
                if file.head.isEmpty {
                    print("\(path): empty")
                    continue
                }
                throw CommandFailure(
                    code: .negative,
                    message: "error: \(path): the content tells no format; --format names one")
            }
            let arrival = WallClock.now()
            var decoder: FileDecoder?
            if format != .ndjson {
                decoder = FileDecoder(
                    format: format, model: model, mapping: mapping,
                    limits: ReplayFold.limits)
            }
            var counts = ReplayCounts()
            var line = 1
            var offset = 0
            // Lines are counted when somebody asks: that reads a file again, and costs no other one.
            let isCounting = decoder != nil || !file.isRereadable
            var report = ReplayProgress(file: path, isShown: progress)
            while let lines = try file.next(format) {
                do {
                    if decoder == nil {
                        counts += try await body(.native(lines))
                    } else {
                        let known = schemas()
                        let bytes = lines.bytes
                        let piece = try decoder?.decode(
                            bytes, firstLine: line, arrival: arrival, schemaOf: { known[$0] })
                        if let piece { counts += try await body(.foreign(piece, bytes)) }
                    }
                } catch let error as RecordDecodingError {
                    var error = error
                    if decoder == nil {
                        let before = isCounting ? line - 1 : try file.lineCount(ofFirst: offset)
                        error = error.countedInLine(of: lines.bytes).behind(lines: before)
                    }
                    throw CommandFailure(code: .negative, message: "error: \(path): \(error)")
                }
                offset += lines.count
                if isCounting { line += RecordFile.lineCount(of: lines) }
                report.show(file, rowCount: counts.accepted + counts.duplicates)
            }
            counts += try await body(.end)
            for (reason, count) in (decoder?.ignored ?? [:]).sorted(by: { $0.key < $1.key }) {
                print("\(path): \(count) events ignored: \(reason)")
            }
            if let roles = decoder?.roles, !roles.isEmpty {
                let text = roles.map { "\($0.column) \($0.role.rawValue)" }.joined(separator: ", ")
                Terminal.error("\(path): columns: \(text)")
            }
            print("\(path): \(counts.text)")
        }
    }
}
