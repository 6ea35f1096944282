public import MonitoringDomain
import RecordCoding
import WindowAggregation

/// This is the folding of a model's log once more, for a reference in other bins.
///
/// It is a value: whoever holds the log feeds it, first the inputs up to `selectionEnd` where rows are
/// selected, then all inputs from the first on. It can be done in the background, thrown away when a newer
/// reference is asked for, or done anew in a replay: what it makes depends on the log alone.
public struct Refolding: Sendable {
    /// Rows that a span of production may hold; beyond, the reference fails.
    public static let rowCountMax = 1_000_000

    /// This is the model that is folded again.
    public let model: ModelID
    /// This is the reference that will be in force.
    public let id: String
    /// The position through which rows are selected.
    public let selectionEnd: Int64
    /// True when inputs must be passed to `select` before the first one is folded.
    public var needsSelection: Bool { pending.source != .current }

    private let pending: PendingReference
    /// The reference in force, where this is the same one by other segment keys.
    private let current: ModelReference?
    private var selection: Selection
    private var collector: ModelCollector
    private var failure: Failure?
    private var isFolding = false

    /// Why there is no reference.
    struct Failure: Error, Equatable, CustomStringConvertible { let description: String }

    private struct Selection: Sendable {
        var join = OutcomeJoin()
        var pairing = InferencePairing()
        var batches: [PredictionBatch] = []
        var rowCount = 0
    }

    init(_ pending: PendingReference, through position: Int64, of current: ModelCollector) {
        self.pending = pending
        model = current.schema.model
        id = pending.id
        selectionEnd = position
        selection = Selection()
        collector = ModelCollector(schema: pending.schema)
        if let horizon = pending.schema.horizonMilliseconds {
            collector.join.limits.horizonMilliseconds = horizon
        }
        self.current = pending.isResegmented ? current.aggregator.reference : nil
        guard let reference = self.current else { return }
        collector.join = current.join.emptied()
        if case .current = pending.source { restart(reference) }
    }

    private mutating func restart(_ reference: ModelReference) {
        collector.take(reference.restarted(id: id, pinnedAt: pending.requestedAt))
    }

    /// Selects the rows of the reference from an input.
    ///
    /// - Precondition: positions grow, and none is beyond `selectionEnd`.
    public mutating func select(_ input: Input, at position: Int64) {
        precondition(position <= selectionEnd, "position \(position) after \(selectionEnd)")
        switch (pending.source, input) {
        case (.uploaded(let place), .pinReference(let batch, _)) where place == position:
            add(batch)
        case (.log(let source), .predictions(let batch)) where batch.model == model:
            add(batch, from: source)
        case (.log(let source), .inference(let half)) where half.batch.model == model:
            let outcome = selection.pairing.observe(half)
            addUnpaired(from: source)
            if case .paired(let batch) = outcome { add(batch, from: source) }
        case (.log(let source), .tick(let now)):
            selection.pairing.expire(at: now)
            addUnpaired(from: source)
        default: return
        }
    }

    private mutating func addUnpaired(from source: ReferenceSource) {
        for batch in selection.pairing.takeUnpaired() { add(batch, from: source) }
    }

    private mutating func add(_ batch: PredictionBatch, from source: ReferenceSource) {
        let rows = selection.join.admit(batch).rows.filter { isWanted($0, of: batch, source) }
        add(batch.selecting(rows: rows))
    }

    private func isWanted(
        _ row: Int, of batch: PredictionBatch, _ source: ReferenceSource
    ) -> Bool {
        switch source {
        case .span(let window): window.contains(EventTime(milliseconds: batch.times[row]))
        case .first(_, let version):
            version == nil || (batch.versions.text(at: row) ?? "default") == version
        case .moving: false
        }
    }

    private mutating func add(_ batch: PredictionBatch) {
        var batch = batch.measured
        if case .log(.first(let count, _)) = pending.source {
            batch = batch.selecting(
                rows: Array(0..<min(batch.rowCount, max(0, count - selection.rowCount))))
        }
        guard batch.rowCount > 0, selection.rowCount <= Self.rowCountMax else { return }
        selection.rowCount += batch.rowCount
        selection.batches.append(batch)
    }

    /// Folds an input; after all of `select`, in the order of the log.
    public mutating func fold(_ input: Input, at position: Int64) {
        begin()
        guard failure == nil else { return }
        let occasion = ModelCollector.Occasion(position: position)
        switch input {
        case .predictions(let batch) where batch.model == model:
            _ = collector.absorb(batch, on: occasion)
        case .groundTruth(let batch) where batch.model == model:
            _ = collector.absorb(batch, on: occasion)
        case .inference(let half) where half.batch.model == model:
            _ = collector.absorb(half, on: occasion)
        case .tick(let now): collector.expireHalves(at: now, on: occasion)
        case .typeErrors(let batch, let features) where batch.model == model:
            collector.absorb(typeErrorsOf: batch, features: features)
        default: return
        }
    }

    private mutating func begin() {
        guard !isFolding else { return }
        isFolding = true
        guard needsSelection else { return }
        if case .log = pending.source, selection.rowCount > Self.rowCountMax {
            failure = Failure(description: "over \(Self.rowCountMax) rows are in the span")
        } else if selection.rowCount == 0 {
            // The part of the log that held the rows of a reference in force may be gone.
            if let current { return restart(current) }
            failure = Failure(description: "no rows are in the span")
        }
        let batches = selection.batches
        selection = Selection()
        guard failure == nil else { return }
        collector.inferTask(from: batches)
        let reference = ModelReference(
            id: id, pinnedAt: pending.requestedAt,
            origin: origin, schema: collector.schema, batches: batches,
            outcomeWindow: origin == .uploaded ? nil : batches.extent)
        let moving = current?.moving
        collector.take(
            moving.map { reference.moved(id: id, pinnedAt: pending.requestedAt, by: $0) }
                ?? reference)
    }

    private var origin: ModelReference.Origin {
        switch pending.source {
        case .uploaded: .uploaded
        case .log(.first): .learned
        case .log, .current: .production
        }
    }

    /// What was made, once every input has been folded.
    var outcome: Result<ModelCollector, Failure> {
        mutating get {
            begin()
            if let failure { return .failure(failure) }
            return .success(collector)
        }
    }
}

extension ModelCollector {
    /// Starts with a reference and no rows.
    fileprivate mutating func take(_ reference: ModelReference) {
        aggregator.pin(reference)
        aggregator.restartSegments()
    }
}

extension [PredictionBatch] {
    /// This is from the first event time to just after the last; nil without rows.
    var extent: TimeWindow? {
        let firsts = compactMap { $0.times.min() }
        let lasts = compactMap { $0.times.max() }
        guard let first = firsts.min(), let last = lasts.max() else { return nil }
        return TimeWindow(
            start: EventTime(milliseconds: first),
            end: EventTime(milliseconds: last).advanced(byMilliseconds: 1))
    }
}
