import MonitorService
import MonitoringDomain
import RecordCoding

/// This folds pieces of recorded files into a data directory, in their order.
///
/// While some pieces are written and applied, the next ones are decoded: so the processor does not wait
/// for the disk, and the writer finds several for its next flush. What is known of features is taken from
/// the pieces themselves, because the machine may not have seen the last one yet; so the same files make
/// the same log.
struct ReplayFold {
    private let runner: MonitorRunner
    private let model: ModelID?
    private let arrival = WallClock.now()
    private var decoder = RecordDecoder(limits: ReplayFold.limits)
    private var kinds: [ModelID: [ExactText: FeatureKind]]
    /// True once lines of both kinds have come.
    private var isMixed = false
    /// Pieces that are decoded and not yet durable and applied.
    private static let pendingCountMax = 32
    private static let overloadPause = Duration.milliseconds(10)
    private var pendingCount = 0
    private let answers: AsyncStream<Result<Receipt, SubmissionError>>.Continuation
    private var answer: AsyncStream<Result<Receipt, SubmissionError>>.AsyncIterator

    init(_ runner: MonitorRunner, model: ModelID?) {
        self.runner = runner
        self.model = model
        kinds = runner.kindLookup()
        decoder.limits.independentScores = runner.independentScores
        let (stream, answers) = AsyncStream.makeStream(of: Result<Receipt, SubmissionError>.self)
        self.answers = answers
        answer = stream.makeAsyncIterator()
    }

    /// The bounds of what is replayed: a slip of a unit would take the rules' clock with it.
    static let limits = {
        var limits = DecodingLimits(rowCountMax: .max)
        limits.times = Service.recordedTimes
        return limits
    }()

    /// Folds native lines; the counts are those of pieces before, as of all of these.
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
        var counts = ReplayCounts()
        while pendingCount > 0 { counts += try await finishOne() }
        return counts
    }

    private mutating func finishOne() async throws -> ReplayCounts {
        guard let result = await answer.next() else { return ReplayCounts() }
        pendingCount -= 1
        let receipt = try result.get()
        return ReplayCounts(receipt)
    }

    private mutating func submit(_ inputs: [Input]) async throws -> ReplayCounts {
        var counts = ReplayCounts()
        while pendingCount >= Self.pendingCountMax { counts += try await finishOne() }
        while !inputs.isEmpty {
            do throws(SubmissionError) {
                try runner.enqueue(inputs) { [answers] in answers.yield($0) }
                pendingCount += 1
                break
            } catch {
                // The log is longer than the last snapshot allows; the next one is being written.
                guard error == .overloaded else { throw error }
                counts += try await finish()
                try await Task.sleep(for: Self.overloadPause)
            }
        }
        return counts
    }

    /// Predictions and ground truth may stand in one file, which mostly they do not.
    private mutating func decode(_ lines: RecordBody) throws(RecordDecodingError) -> [Input] {
        guard !isMixed else { return try decode(runs: lines) }
        do {
            return try decode(lines, isPredictions: NativeLines.isPredictions(lines))
        } catch .items(let items) {
            guard NativeLines.runs(of: lines) != nil else { throw .items(items) }
            isMixed = true
            return try decode(runs: lines)
        }
    }

    private mutating func decode(runs lines: RecordBody) throws(RecordDecodingError) -> [Input] {
        guard let runs = NativeLines.runs(of: lines) else {
            return try decode(lines, isPredictions: NativeLines.isPredictions(lines))
        }
        var inputs: [Input] = []
        for run in runs {
            do {
                inputs += try decode(run.body, isPredictions: run.isPredictions)
            } catch {
                throw error.behind(lines: run.lineCount, bytes: run.offset)
            }
        }
        return inputs
    }

    private mutating func decode(
        _ lines: RecordBody, isPredictions: Bool
    ) throws(RecordDecodingError) -> [Input] {
        guard isPredictions else {
            return try decoder.decodeGroundTruth(lines, defaultModel: model, arrival: arrival)
                .map { .groundTruth($0) }
        }
        let known = kinds
        let batches = try decoder.decodePredictions(
            lines, kind: .predictions, defaultModel: model, arrival: arrival,
            kindOf: { known[$0]?[ExactText($1)] })
        for batch in batches {
            for (text, column) in batch.features {
                let name = ExactText(text)
                guard known[batch.model]?[name] == nil else { continue }
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
                limits: Self.limits, arrival: arrival,
                kindOf: { kinds[$0]?[ExactText($1)] })
            for (row, line) in zip(rows, lines) { try assembler.append(row, line: line) }
            let records = try assembler.finish()
            return records.predictions.map { .predictions($0) }
                + records.groundTruth.map { .groundTruth($0) }
        case .halves(let halves, let truths):
            return halves.map { .inference($0) } + truths.map { .groundTruth($0) }
        }
    }
}
