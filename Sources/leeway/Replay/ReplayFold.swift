import MonitorService
import MonitoringDomain
import RecordCoding

/// This folds pieces of recorded files into a data directory, in their order.
///
/// While one piece is written and applied, the next one is decoded: so the processor does not wait for
/// the disk. What is known of features is taken from the pieces themselves, because the machine may not
/// have seen the last one yet; so the same files make the same log.
struct ReplayFold {
    private let runner: MonitorRunner
    private let model: ModelID?
    private let arrival = WallClock.now()
    private var decoder = RecordDecoder(limits: DecodingLimits(rowCountMax: .max))
    private var kinds: [ModelID: [String: FeatureKind]]
    private var pending: Task<Receipt, any Error>?

    init(_ runner: MonitorRunner, model: ModelID?) {
        self.runner = runner
        self.model = model
        kinds = runner.kindLookup()
        decoder.limits.independentScores = runner.independentScores
    }

    /// Folds native lines; the counts are those of the piece before, as of all of these.
    mutating func fold(lines: RecordBody) async throws -> ReplayCounts {
        let inputs: [Input]
        do {
            inputs = try decode(lines)
        } catch {
            _ = try await finish()
            throw error
        }
        return try await submit(inputs)
    }

    /// Folds what a foreign format says.
    mutating func fold(_ piece: FilePiece) async throws -> ReplayCounts {
        let counts = try await submit(try inputs(of: piece))
        // What is known after it is asked for when the next one is read.
        return counts + (try await finish())
    }

    /// Waits until all pieces are durable and applied.
    mutating func finish() async throws -> ReplayCounts {
        guard let receipt = try await pending?.value else { return ReplayCounts() }
        pending = nil
        return ReplayCounts(accepted: receipt.accepted, duplicates: receipt.duplicates)
    }

    private mutating func submit(_ inputs: [Input]) async throws -> ReplayCounts {
        let counts = try await finish()
        if !inputs.isEmpty {
            pending = Task { [runner] in try await runner.submit(inputs) }
        }
        return counts
    }

    private mutating func decode(_ lines: RecordBody) throws(RecordDecodingError) -> [Input] {
        guard RecordFile.isPredictions(lines) else {
            return try decoder.decodeGroundTruth(lines, defaultModel: model, arrival: arrival)
                .map { .groundTruth($0) }
        }
        let known = kinds
        let batches = try decoder.decodePredictions(
            lines, kind: .predictions, defaultModel: model, arrival: arrival,
            kindOf: { known[$0]?[$1] })
        for batch in batches {
            for (name, column) in batch.features where known[batch.model]?[name] == nil {
                kinds[batch.model, default: [:]][name] = column.kind
            }
        }
        return batches.map { .predictions($0) }
    }

    private func inputs(of piece: FilePiece) throws(RecordDecodingError) -> [Input] {
        let kinds = runner.kindLookup()
        switch piece {
        case .rows(let rows, let lines):
            var assembler = RecordAssembler(
                limits: DecodingLimits(rowCountMax: .max), arrival: arrival,
                kindOf: { kinds[$0]?[$1] })
            for (row, line) in zip(rows, lines) { try assembler.append(row, line: line) }
            let records = try assembler.finish()
            return records.predictions.map { .predictions($0) }
                + records.groundTruth.map { .groundTruth($0) }
        case .halves(let halves, let truths):
            return halves.map { .inference($0) } + truths.map { .groundTruth($0) }
        }
    }
}
