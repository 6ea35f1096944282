import ArgumentParser
import Foundation
import MonitorCore
import MonitorService
import MonitorStore
import MonitoringDomain
import RecordCoding

struct ReplayCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "replay", abstract: "Fold recorded streams into a data directory.",
        discussion: """
            Records are told apart by their content: a line with "features" or "prediction" is a \
            prediction, another one ground truth. Files may be plain, .gz or .zst; - is standard input.

            Example:
              leeway replay --data ./leeway-data --model credit predictions.ndjson.gz labels.ndjson
            """)

    @Argument(help: "Files of NDJSON.")
    var files: [String]
    @Option(help: "The data directory.")
    var data: String
    @Option(help: "The model of records that name none.")
    var model: String?
    @Option(help: "A file of reference records, pinned first.")
    var reference: String?

    func run() async throws {
        let fallback = try model.map { name in
            guard let model = ModelID(name) else {
                throw CommandFailure(code: .usage, message: "error: \"\(name)\" is no model name")
            }
            return model
        }
        do {
            let store = try SQLiteStore(directory: data)
            defer { store.close() }
            let runner = try MonitorRunner(
                store: store, clock: .event, logger: Terminal.logger())
            runner.start()
            if let reference {
                var decoder = RecordDecoder(limits: DecodingLimits(rowCountMax: .max))
                let now = WallClock.now()
                let batches = try decoder.decodePredictions(
                    try RecordFile.read(reference), kind: .reference, defaultModel: fallback,
                    arrival: now, kindOf: { _, _ in nil })
                _ = try await runner.submit(batches.map { .pinReference($0, pinnedAt: now) })
            }
            for file in files { try await fold(file, into: runner, fallback) }
            await runner.stop()
        } catch let failure as CommandFailure {
            throw failure
        } catch {
            throw CommandFailure(code: .dependency, message: "error: \(error)")
        }
    }

    private func fold(_ file: String, into runner: MonitorRunner, _ model: ModelID?) async throws {
        let bytes = try RecordFile.read(file)
        var decoder = RecordDecoder(limits: DecodingLimits(rowCountMax: .max))
        var accepted = 0
        var duplicates = 0
        var line = 1
        for chunk in RecordFile.chunks(of: bytes) {
            let part = Array(bytes[chunk])
            let inputs: [Input]
            do {
                let arrival = WallClock.now()
                if RecordFile.isPredictions(part) {
                    let kinds = runner.kindLookup()
                    inputs = try decoder.decodePredictions(
                        part, kind: .predictions, defaultModel: model, arrival: arrival,
                        kindOf: { kinds[$0]?[$1] }
                    ).map { .predictions($0) }
                } else {
                    inputs = try decoder.decodeGroundTruth(
                        part, defaultModel: model, arrival: arrival
                    ).map { .groundTruth($0) }
                }
            } catch {
                throw CommandFailure(
                    code: .negative, message: "error: \(file), from line \(line): \(error)")
            }
            let receipt = try await runner.submit(inputs)
            accepted += receipt.accepted
            duplicates += receipt.duplicates
            line += part.reduce(0) { $0 + ($1 == 0x0A ? 1 : 0) }
        }
        print("\(file): \(accepted) records, \(duplicates) duplicates")
    }
}

/// This is the reading of recorded files.
enum RecordFile {
    /// The bytes of one batch: large enough to spread its fixed cost, small enough for the cache.
    static let chunkSizeBytes = 1 << 20
    private static let decodedSizeBytesMax = 8 << 30

    static func read(_ path: String) throws -> [UInt8] {
        let data: Data
        if path == "-" {
            data = FileHandle.standardInput.readDataToEndOfFile()
        } else {
            guard let contents = FileManager.default.contents(atPath: path) else {
                throw CommandFailure(
                    code: .dependency, message: "error: \(path) cannot be read")
            }
            data = contents
        }
        let bytes = [UInt8](data)
        if bytes.starts(with: [0x1F, 0x8B]) {
            return try Compression.inflateGzip(bytes, limitBytes: decodedSizeBytesMax)
        }
        if bytes.starts(with: [0x28, 0xB5, 0x2F, 0xFD]) {
            return try Compression.zstdDecompress(bytes, limitBytes: decodedSizeBytesMax)
        }
        return bytes
    }

    /// Cuts after a line's end, about every `chunkSizeBytes`; an array is one chunk.
    static func chunks(of bytes: [UInt8]) -> [Range<Int>] {
        guard let first = bytes.first(where: { $0 > 0x20 }), first != UInt8(ascii: "[") else {
            return bytes.isEmpty ? [] : [0..<bytes.count]
        }
        var chunks: [Range<Int>] = []
        var start = 0
        while start < bytes.count {
            var end = min(start + chunkSizeBytes, bytes.count)
            while end < bytes.count, bytes[end - 1] != 0x0A { end += 1 }
            chunks.append(start..<end)
            start = end
        }
        return chunks
    }

    /// A prediction names its features or its prediction in the first record; ground truth neither.
    static func isPredictions(_ bytes: [UInt8]) -> Bool {
        let line = bytes.prefix { $0 != 0x0A }
        let text = String(decoding: line, as: UTF8.self)
        return text.contains("\"features\"") || text.contains("\"prediction\"")
    }
}
