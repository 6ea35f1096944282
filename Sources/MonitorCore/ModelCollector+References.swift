public import MonitoringDomain
import WindowAggregation

extension ModelCollector {
    /// Rows that a reference may be learned from.
    public static let learningRowCountMax = 1_000_000

    /// This is true for the reference in force.
    public func isActive(_ id: String) -> Bool { aggregator.reference?.id == id }

    // MARK: - Asking for a reference

    /// Pins uploaded rows.
    ///
    /// A model without a reference has it at once, and folds the rows that waited for one. Else the
    /// reference before stays in force until the log has been folded again in the new one's bins.
    public mutating func pin(_ batch: PredictionBatch, at time: EventTime, position: Int64) {
        extendSchema(with: batch)
        if let first = batch.times.min() {
            referenceStart = min(
                referenceStart ?? .init(milliseconds: first), .init(milliseconds: first))
        }
        let isFirst = isLearning || !hasRows
        if isFirst { inferTask(from: [batch]) }
        let id = isLearning ? learningID() : references.nextID()
        guard isFirst else {
            return wait(
                for: PendingReference(
                    id: id, source: .uploaded(at: position), requestedAt: time, schema: schema,
                    position: position), "uploaded rows")
        }
        list(id, "uploaded rows", time, .profiling)
        pending = nil
        movingAfterLearning = nil
        referenceRows = ReferenceRows(source: .uploaded(at: position), position: position)
        start(
            with: ModelReference(
                id: id, pinnedAt: time, origin: .uploaded, schema: schema, batches: [batch]))
        if hasRows { resegment(at: position) } else { aggregator.restartSegments() }
    }

    /// Asks for a reference that is made of the model's own log.
    public mutating func choose(_ source: ReferenceSource, at time: EventTime, position: Int64) {
        switch source {
        case .moving(let kind):
            if isLearning {
                movingAfterLearning = kind
                list(learningID(), source.text, time, .learning)
            } else {
                let id = references.nextID()
                list(id, source.text, time, .profiling)
                pending = nil
                aggregator.move(id: id, at: time, by: kind)
                references.activate(id, rowCount: aggregator.reference?.rowCount ?? 0)
            }
        case .first(let count, let version):
            let count = min(max(1, count), Self.learningRowCountMax)
            if isLearning, version == nil {
                learningTarget = count
                list(learningID(), source.text, time, .learning)
                return
            }
            wait(
                for: PendingReference(
                    id: references.nextID(), source: .log(.first(count: count, version: version)),
                    requestedAt: time, schema: schema,
                    position: rowCount(of: version) >= count ? position : nil), source.text)
        case .span:
            wait(
                for: PendingReference(
                    id: references.nextID(), source: .log(source), requestedAt: time,
                    schema: schema, position: position), source.text)
        }
    }

    /// Other segment keys: the reference is made of the same rows again, to count them by the new keys, and
    /// the log is folded again.
    ///
    /// While rows wait for the first reference, this waits with them.
    mutating func resegment(at position: Int64) {
        guard let reference = aggregator.reference,
            aggregator.segmentKeys != schema.segments
        else { return }
        var known = schema
        known.features = schema.features.filter { reference.featureNames.contains($0.name) }
        wait(
            for: PendingReference(
                id: references.nextID(), source: referenceRows?.source ?? .current,
                requestedAt: watermark ?? reference.pinnedAt, schema: known,
                position: referenceRows?.position ?? position, isResegmented: true),
            "\(reference.id) with other segments")
    }

    private mutating func wait(for reference: PendingReference, _ text: String) {
        list(
            reference.id, text, reference.requestedAt,
            reference.position == nil ? .learning : .profiling)
        pending = reference
    }

    private mutating func list(
        _ id: String, _ text: String, _ time: EventTime, _ state: ReferenceHistory.State
    ) {
        references.remove(id)
        references.add(
            ReferenceHistory.Entry(
                id: id, source: text, requestedAt: time, state: state, rowCount: nil, reason: nil))
    }

    /// The id of the reference that is being learned; it is given when the first row or wish comes.
    mutating func learningID() -> String {
        if let last = references.entries.last, last.state == .learning, pending == nil {
            return last.id
        }
        let id = references.nextID()
        list(
            id, ReferenceSource.first(count: learningTarget, version: nil).text,
            watermark ?? EventTime(milliseconds: 0), .learning)
        return id
    }

    // MARK: - Counting towards one

    private func rowCount(of version: String?) -> Int {
        guard let version else { return Int(clamping: recordCount) }
        return rowCountOfVersion[ExactText(version)] ?? 0
    }

    mutating func countVersions(of batch: PredictionBatch, rows: [Int], at position: Int64) {
        let texts = batch.versions.dictionary + ["default"]
        var counts = [Int](repeating: 0, count: texts.count)
        for row in rows { counts[min(Int(batch.versions.codes[row]), texts.count - 1)] += 1 }
        for (version, count) in zip(texts, counts) where count > 0 {
            guard
                rowCountOfVersion[ExactText(version)] != nil
                    || rowCountOfVersion.count < ModelAggregator.versionCountMax
            else { continue }
            rowCountOfVersion[ExactText(version), default: 0] += count
        }
        guard case .log(.first(let count, let version))? = pending?.source,
            pending?.position == nil, rowCount(of: version) >= count
        else { return }
        pending?.position = position
        if let id = pending?.id { references.change(id) { $0.state = .profiling } }
    }

    // MARK: - Folding again

    /// This is the work that puts the reference in force that was asked for last; nil when there is none,
    /// or when its rows have not all come.
    public var refolding: Refolding? {
        guard let pending, let position = pending.position else { return nil }
        return Refolding(pending, through: position, of: self)
    }

    /// The same, where it cannot wait: with other segments, the join's texts are other ones too.
    var urgentRefolding: Refolding? { pending?.isResegmented == true ? refolding : nil }

    /// Takes the panes that a refolding made, of all inputs so far.
    ///
    /// What was asked for and declared meanwhile stays as it is here.
    ///
    /// - Parameters:
    ///   - refolding: What was folded.
    ///   - time: Rows of earlier event times may be missing from the log; nil where it is whole.
    mutating func finish(_ refolding: consuming Refolding, since time: EventTime?) {
        guard let pending, pending.id == refolding.id else { return }
        self.pending = nil
        switch refolding.outcome {
        case .failure(let failure):
            references.fail(pending.id, reason: failure.description)
        case .success(let other):
            aggregator = other.aggregator
            aggregator.update(schema: schema)
            profiledSince = time
            waiting = []
            waitingOutcomes = []
            if pending.isResegmented {
                join = other.join
                rowCountOfVersion = other.rowCountOfVersion
            } else if let position = pending.position {
                referenceRows = ReferenceRows(source: pending.source, position: position)
            }
            references.activate(
                pending.id, rowCount: aggregator.reference?.rowCount ?? 0)
        }
    }
}
