import MonitoringDomain
import StreamingStatistics

/// This is the reference's own rows by segment: what a segment's windows are compared with.
///
/// A segment keeps the fine bins of the whole, so that it costs what one more pane of it costs, and what is
/// counted by segment adds up to the whole. Its deciles are its own, to the width of a fine bin: those of
/// the whole would be blind where all rows of a segment lie inside one of them. Its limits: values that
/// the reference's rows do not name, and those with fewer than `rowCountMin` of them, have none.
struct ReferenceSegments: Sendable, Equatable {
    /// Rows below which a segment's counts are no reference: a share is uncertain by a tenth even then.
    static let rowCountMin = 100

    /// The values, by key; the most frequent ones first.
    private(set) var table: SegmentTable
    /// Each like the whole reference, with the segment's profiles and outcomes, and no segments of its own.
    private(set) var references: [SegmentCode: ModelReference]

    /// Without rows.
    init(keys: [String]) {
        table = SegmentTable(keys: keys)
        references = [:]
    }

    /// Nil where a profile is of a segment that the table has not.
    init?(
        table: SegmentTable, profiles: [(code: SegmentCode, profile: PaneProfile)],
        of whole: ModelReference
    ) {
        self.table = table
        references = [:]
        for (code, profile) in profiles {
            guard table.keys.indices.contains(code.key),
                (0...table.values[code.key].count).contains(code.value),
                references.updateValue(whole.narrowed(to: profile), forKey: code) == nil
            else { return nil }
        }
    }

    /// Counts the rows of batches, with ground truth where it is inline.
    ///
    /// The reference's rows are folded as production rows are, all into one pane.
    init(keys: [String], batches: [PredictionBatch], of whole: ModelReference) {
        self.init(keys: keys)
        guard !keys.isEmpty, let model = batches.first?.model else { return }
        for (key, values) in Self.values(keys, batches).enumerated() {
            for value in values { _ = table.admit(value, key: key) }
        }
        var schema = ModelSchema(model: model)
        schema.segments = keys
        var aggregator = ModelAggregator(schema: schema)
        aggregator.reference = whole
        aggregator.segments = table
        for var batch in batches {
            batch.times = batch.times.map { _ in 0 }
            batch.versions = TextColumn(
                codes: batch.versions.codes.map { _ in TextColumn.missing }, dictionary: [])
            aggregator.absorb(batch, rows: Array(0..<batch.rowCount))
            let codes = table.codes(of: batch)
            for row in 0..<batch.rowCount {
                guard var outcome = batch.inlineOutcome(at: row) else { continue }
                outcome.version = "default"
                outcome.segments = keys.indices.map { table.value(of: codes[$0][row], key: $0) }
                aggregator.absorb(outcome, adding: true)
            }
        }
        for one in aggregator.series {
            guard let code = one.key.segment, let profile = one.levels[0].profiles.first else {
                continue
            }
            references[code] = whole.narrowed(to: profile)
        }
    }

    /// By key: the values from the most frequent one on.
    private static func values(_ keys: [String], _ batches: [PredictionBatch]) -> [[String]] {
        keys.map { key in
            var frequency: [ExactText: UInt64] = [:]
            for batch in batches {
                guard let column = batch.segments.first(where: { $0.key.isExactly(key) })?.column
                else {
                    continue
                }
                for (code, count) in column.codeCounts where count > 0 {
                    if let code {
                        frequency[ExactText(column.dictionary[Int(code)]), default: 0] += count
                    }
                }
            }
            return frequency.sorted { ($1.value, $0.key) < ($0.value, $1.key) }.map(\.key.string)
        }
    }

    /// Counts an outcome in each of its segments, or takes it back.
    ///
    /// - Parameters:
    ///   - outcome: With its segments in the order of the keys.
    ///   - whole: The task and the positive label of the whole reference.
    ///   - adding: False to take back what was counted.
    mutating func absorb(
        _ outcome: Outcome, as whole: (task: TaskKind?, positiveLabel: String?), adding: Bool
    ) {
        for key in table.keys.indices {
            let value = key < outcome.segments.count ? outcome.segments[key] : nil
            let code = SegmentCode(key: key, value: table.code(of: value, key: key))
            // What was counted in no segment cannot be taken back from one.
            guard let labelled = references[code]?.outcomes.labelled, adding || labelled > 0
            else { continue }
            references[code]?.task = whole.task
            references[code]?.positiveLabel = whole.positiveLabel
            references[code]?.absorb(outcome, adding: adding)
        }
    }

    /// The segments that have rows, by key and then by value.
    var known: [(segment: Segment, code: SegmentCode)] {
        references.keys.map { code in
            (
                Segment(
                    key: table.keys[code.key], value: table.value(of: code.value, key: code.key)),
                code
            )
        }.sorted { $0.0 < $1.0 }
    }
}

/// This is what the windows of a slice of the traffic are compared with.
enum SliceReference {
    case own(ModelReference)
    /// The key is not in the reference at all: its rows name no value of it.
    case keyUnknown(Reading)
    /// The value is not, or has too few rows.
    case absent(Reading)
}

extension ModelReference {
    /// This is the reference of a segment; of the whole traffic, and of a version, it is the reference itself.
    func reference(of segment: Segment?, isProductionFull: Bool = false) -> SliceReference {
        guard let segment, segment.key != "version" else { return .own(self) }
        guard let key = segments.table.keys.firstIndex(of: segment.key),
            !segments.table.values[key].isEmpty
        else {
            return .keyUnknown(
                .undefined(reason: "the rows of reference \(id) name no \(segment.key)"))
        }
        let code = segments.table.code(of: segment.value, key: key)
        if code == SegmentTable.other {
            guard segment.value == Segment.other else {
                return .absent(.undefined(reason: "reference \(id) has no rows of \(segment)"))
            }
            let isFull = segments.table.values[key].count >= Segment.valueCountMax
            if isFull || isProductionFull {
                return .absent(
                    .undefined(
                        reason: "\(segment) holds the values beyond the first "
                            + "\(Segment.valueCountMax), which need not be those of reference \(id)"
                    ))
            }
        }
        guard var own = segments.references[SegmentCode(key: key, value: code)] else {
            return .absent(.undefined(reason: "reference \(id) has no rows of \(segment)"))
        }
        guard own.rowCount >= ReferenceSegments.rowCountMin else {
            return .absent(
                .insufficientSamples(
                    found: own.rowCount, required: ReferenceSegments.rowCountMin))
        }
        (own.id, own.pinnedAt, own.origin, own.moving) = (id, pinnedAt, origin, moving)
        (own.task, own.positiveLabel) = (task, positiveLabel)
        return .own(own)
    }

    /// The same reference with the profiles and outcomes of some of its rows, and deciles of their own.
    fileprivate func narrowed(to profile: PaneProfile) -> ModelReference {
        var own = self
        own.segments = ReferenceSegments(keys: [])
        own.rowCount = Int(clamping: profile.predictionCount)
        for index in own.features.indices {
            switch (own.features[index].content, profile.features[index]) {
            case (.numeric(let numeric), .numeric(let counts)):
                own.features[index].content = .numeric(numeric.narrowed(to: counts))
            case (.categorical(var categorical), .categorical(let counts)):
                categorical.profile = counts
                own.features[index].content = .categorical(categorical)
            case (.numeric, .categorical), (.categorical, .numeric):
                preconditionFailure("profiles of one feature are of one kind")
            }
        }
        own.prediction = prediction.narrowed(to: profile.prediction)
        own.label.profile = profile.label
        own.outcomes = profile.outcomes
        own.truthCounts = profile.truth
        return own
    }

    /// The segment's rows as one pane, to be stored.
    var asPane: PaneProfile {
        var pane = PaneProfile(for: self)
        pane.predictionCount = UInt64(clamping: rowCount)
        pane.features = features.map(\.content.profile)
        pane.prediction = prediction.profile
        pane.label = label.profile
        pane.outcomes = outcomes
        pane.truth = truthCounts
        return pane
    }
}

extension NumericReference {
    fileprivate func narrowed(to profile: NumericProfile) -> NumericReference {
        NumericReference(edges: edges.withDeciles(of: profile.counts), profile: profile)
    }
}
