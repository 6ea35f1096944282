import Foundation
public import MonitorCore
public import MonitorStore
public import MonitoringDomain
import RecordCoding
import WindowAggregation

/// This is the check that what is stored equals what its log says: every aggregate is computed again,
/// and every id is counted again by a set that knows nothing of the join.
public enum LogVerification {
    /// Ids that are counted by a set; with more, the join's own count is believed.
    static let countedIDsMax = 30_000_000
    /// Differences that are named; more are as wrong.
    public static let differenceCountMax = 50

    /// This is what was compared, and what differs.
    public struct Report: Sendable {
        /// Entries of the log that were folded again.
        public var entryCount = 0
        /// Rows in them.
        public var rowCount = 0
        /// Models that were compared.
        public var modelCount = 0
        /// The position from which on the log was folded; what was before was taken as it is stored.
        public var start: Int64 = 0
        /// Models whose reference was made of rows that the log no longer has: they cannot be compared.
        public var incomparable: Set<ModelID> = []
        /// Sentences; nothing where all is equal.
        public var differences: [String] = []
    }

    /// Folds the log again, from its first entry to the last that `state` has seen, and compares.
    ///
    /// Where the log's beginning was taken away, it begins with the state that is stored for that place.
    ///
    /// - Parameters:
    ///   - state: What is stored: the newest snapshot and the log's tail.
    ///   - store: The log.
    ///   - quarantined: Positions of entries that were left out of the state because they are damaged.
    /// - Returns: What differs.
    /// - Throws: `StoreError`.
    public static func run(
        _ state: Monitor, _ store: SQLiteStore, quarantined: [Int64] = []
    ) throws -> Report {
        var report = Report()
        // Those behind the state's last position are not read again.
        report.differences = quarantined.filter { $0 > state.position }.map {
            "the entry at \($0) is damaged"
        }
        let folder = FileManager.default.temporaryDirectory
            .appending(path: "leeway-verify-\(UUID().uuidString)")
        defer { try? FileManager.default.removeItem(at: folder) }
        try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
        let files = PartitionFiles(dataDirectory: folder.path)
        var again = Monitor(clock: state.clock, storage: files.storage(isReadOnly: false))
        if try store.isTrimmed {
            again = try base(of: store, files: files)
            report.start = again.position
        }
        var ids: [ModelID: CountedIDs] = [:]
        var idCount = 0
        let start = report.start
        report.differences += try damages(of: store)
        try store.forEachEntry(after: start, through: state.position) { entry in
            if !entry.isLinked,
                !store.findings.lost.contains(where: { $0.contains(entry.position - 1) })
            {
                report.differences.append(
                    "the entry at \(entry.position) does not follow the one before it")
            }
            let input: Input
            do {
                input = try LogPayload.decode(entry.payload)
            } catch {
                report.differences.append("the entry at \(entry.position) is damaged: \(error)")
                return
            }
            report.entryCount += 1
            report.rowCount += input.rowCount
            let application = again.apply(input, at: entry.position)
            if let refolding = application.refolding {
                if again.logStart.position < start { report.incomparable.insert(refolding.model) }
                try MonitorRunner.finish(
                    refolding, of: &again, through: entry.position, from: store)
            }
            if case .predictions(let batch) = input, idCount <= countedIDsMax {
                idCount += ids[batch.model, default: CountedIDs()].count(batch)
            }
        }
        report.modelCount = state.collector.models.count
        report.differences += store.findings.lost.filter { $0.upperBound > start }.map {
            "the entries from \($0.lowerBound) to \($0.upperBound) are lost"
        }
        report.differences += differences(state, again, besides: report.incomparable)
        // What was counted before the log's beginning is known to the join alone.
        guard start == 0, idCount <= countedIDsMax else { return report }
        for (model, counted) in ids {
            guard let collector = again.collector.models[model] else { continue }
            // What is older than the horizon counts nowhere, or again; halves are joined elsewhere.
            guard collector.join.tally.tooOldPredictions == 0,
                collector.pairing == InferencePairing()
            else { continue }
            if collector.recordCount != counted.total {
                report.differences.append(
                    "\(model): \(collector.recordCount) predictions counted, \(counted.total) "
                        + "distinct ids in the log")
            }
        }
        return report
    }

    /// What is stored beside the log and is not as it was written.
    private static func damages(of store: SQLiteStore) throws -> [String] {
        var damages: [String] = []
        for position in try store.snapshotPositions().sorted()
        where try store.snapshot(at: position) == nil {
            damages.append("the snapshot at \(position) is damaged: its checksum does not hold")
        }
        for key in try store.damagedEffects() {
            damages.append("the effect \(key) is damaged: its checksum does not hold")
        }
        return damages
    }

    private struct CountedIDs {
        var known: Set<RecordIdentity> = []
        var nameless: UInt64 = 0
        var total: UInt64 { UInt64(known.count) + nameless }

        mutating func count(_ batch: PredictionBatch) -> Int {
            let before = known.count
            for identity in batch.identities {
                if identity == .none { nameless += 1 } else { known.insert(identity) }
            }
            return known.count - before
        }
    }

    /// The state at which the log begins, with its sealed ids.
    private static func base(of store: SQLiteStore, files: PartitionFiles) throws -> Monitor {
        let first = try store.firstPosition ?? 1
        guard let place = try store.snapshotPositions().last(where: { $0 + 1 >= first }),
            let bytes = try store.snapshot(at: place)
        else { throw StoreError.corrupt("the state at the log's beginning, \(first), is missing") }
        let stored = PartitionFiles(dataDirectory: store.directory).storage(isReadOnly: true)
        let own = files.storage(isReadOnly: false)
        return try Monitor(snapshot: try LogPayload.decompress(bytes)) { model in
            PartitionStorage(
                make: { name, write in own(model).make(name, write) },
                open: { name in own(model).open(name) ?? stored(model).open(name) })
        }
    }

    private static func differences(
        _ stored: Monitor, _ again: Monitor, besides incomparable: Set<ModelID>
    ) -> [String] {
        var differences: [String] = []
        let models = Set(stored.collector.models.keys).union(again.collector.models.keys)
            .subtracting(incomparable)
        for model in models.sorted() {
            guard let left = stored.collector.models[model],
                let right = again.collector.models[model]
            else {
                differences.append("\(model): known only to one of state and log")
                continue
            }
            if left.recordCount != right.recordCount {
                differences.append(
                    "\(model): \(left.recordCount) predictions stored, \(right.recordCount) in the log"
                )
            }
            guard !left.aggregator.equals(right.aggregator) else { continue }
            let named = measuredDifferences(left, right)
            differences +=
                named.isEmpty ? ["\(model): profiles differ in their last digits"] : named
        }
        return Array(differences.prefix(differenceCountMax))
    }

    /// Names the hours and statistics in which two states of a model differ.
    private static func measuredDifferences(
        _ stored: ModelCollector, _ again: ModelCollector
    ) -> [String] {
        let extents = [stored.aggregator.extent, again.aggregator.extent].compactMap { $0 }
        guard let first = extents.map(\.start).min(), let last = extents.map(\.end).max() else {
            return []
        }
        let model = stored.schema.model
        var differences: [String] = []
        var start = WindowSpan.milliseconds(WindowSpan.hour).window(containing: first).start
        while start < last, differences.count < differenceCountMax {
            let end = start.advanced(byMilliseconds: WindowSpan.hour)
            let window = TimeWindow(start: start, end: end)
            for statistic in Statistic.windowCases {
                let isOfFeature = statistic.group == .quality || statistic.group == .drift
                let features: [String?] = isOfFeature ? stored.aggregator.featureNames : [nil]
                for feature in features {
                    let query = MeasurementQuery(
                        model: model, statistic: statistic, feature: feature)
                    let left = stored.measure(query, window: window)
                    let right = again.measure(query, window: window)
                    guard left != right else { continue }
                    let subject = feature.map { "\(statistic.rawValue)(\($0))" }
                    differences.append(
                        "\(model): \(subject ?? statistic.rawValue) of \(start)/\(end): "
                            + "\(left.reading) stored, \(right.reading) in the log")
                }
            }
            start = end
        }
        return differences
    }
}
