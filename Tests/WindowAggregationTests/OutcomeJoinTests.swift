import ByteCoding
import MonitoringDomain
import MonitoringTestSupport
import Testing

@testable import WindowAggregation

@Suite struct OutcomeJoinTests {
    private func predictions(
        _ ids: [UInt64], at times: [Int64]? = nil, label: String = "yes"
    ) throws -> PredictionBatch {
        var batch = try Samples.batch(
            zip(ids, times ?? ids.map { Int64($0) }).map {
                Sample(time: $1, label: label, score: Double($0 % 10) / 10)
            })
        batch.identities = ids.map { identity($0) }
        return batch
    }

    private func identity(_ id: UInt64) -> RecordIdentity {
        // Few high halves, so that buckets hold many ids; and ids that share one low half.
        RecordIdentity(high: (id % 3) << 62 | id % 7, low: id)
    }

    private func truth(
        _ join: inout OutcomeJoin, _ id: UInt64, _ label: String?, value: Double = .nan,
        revision: Int64 = 0, at time: Int64? = nil
    ) throws -> OutcomeJoin.TruthChange {
        var batch = GroundTruthBatch(model: try Samples.schema().model)
        batch.identities = [identity(id)]
        batch.times = [time ?? Int64(id)]
        batch.labels = Samples.column([label])
        batch.values = [value]
        batch.revisions = [revision]
        var changes: [OutcomeJoin.TruthChange] = []
        join.observe(batch) { changes.append($0) }
        return try #require(changes.first)
    }

    private func outcome(_ id: UInt64, _ truth: String, at time: Int64? = nil) -> Outcome {
        Outcome(
            version: "1", time: EventTime(milliseconds: time ?? Int64(id)), predictedLabel: "yes",
            score: Double(id % 10) / 10, predictedValue: nil, truthLabel: truth, truthValue: nil)
    }

    @Test func `each id counts once, a row without id each time`() throws {
        var join = OutcomeJoin()
        #expect(try join.admit(predictions([1, 2, 1])).rows == [0, 1])
        let again = try join.admit(predictions([2, 3]))
        #expect(again.rows == [1])
        #expect(again.duplicateCount == 1)

        var nameless = try predictions([1, 2])
        nameless.identities = [.none, .none]
        #expect(join.admit(nameless).rows == [0, 1])
        #expect(join.admit(nameless).rows == [0, 1])
        #expect(join.count == 3)
    }

    @Test func `a repeat with other content is a conflict, with another time it is not`() throws {
        var join = OutcomeJoin()
        _ = try join.admit(predictions([1, 2]))
        let moved = try join.admit(predictions([1, 2], at: [5, 6]))
        #expect(moved.duplicateCount == 2)
        #expect(moved.conflictCount == 0)
        let changed = try join.admit(predictions([1, 3], label: "no"))
        #expect(changed.rows == [1])
        #expect(changed.conflictCount == 1)
        #expect(join.tally.conflicts == 1)
        #expect(try truth(&join, 1, "no").added == outcome(1, "no"))
    }

    @Test func `prediction and ground truth join in either order`() throws {
        var join = OutcomeJoin()
        _ = try join.admit(predictions([1]))
        #expect(try truth(&join, 1, "no").added == outcome(1, "no"))

        let early = try truth(&join, 2, "yes")
        #expect(early.added == nil)
        #expect(!early.isDuplicate)
        #expect(join.tally.unmatchedTruths == 1)
        #expect(try join.admit(predictions([2])).outcomes == [outcome(2, "yes")])
        #expect(join.tally.unmatchedTruths == 0)
    }

    @Test func `a revision replaces, an older one and a repeat do not`() throws {
        var join = OutcomeJoin()
        _ = try join.admit(predictions([1]))
        _ = try truth(&join, 1, "no", revision: 3)

        #expect(try truth(&join, 1, "no", revision: 3).isDuplicate)
        #expect(try truth(&join, 1, "yes", revision: 2).isDuplicate)
        let revised = try truth(&join, 1, "yes", revision: 4)
        #expect(revised.removed == outcome(1, "no"))
        #expect(revised.added == outcome(1, "yes"))
    }

    @Test func `a regression's outcome has both numbers, in memory and sealed`() throws {
        var join = OutcomeJoin()
        join.limits.recentCountMax = 3
        var batch = try predictions([1, 2])
        batch.scores = [.nan, 0.5]
        batch.values = [1.5, 2.5]
        _ = join.admit(batch)
        #expect(try truth(&join, 1, nil, value: 1, revision: 7).added?.predictedValue == 1.5)
        _ = try join.admit(predictions([3]))
        #expect(join.recent.count == 0)

        let revised = try truth(&join, 1, nil, value: 4, revision: 8)
        #expect(revised.removed?.truthValue == 1)
        #expect(revised.added?.truthValue == 4)
        #expect(revised.added?.score == nil)
        let second = try truth(&join, 2, nil, value: 0)
        #expect(second.added?.score == 0.5)
        #expect(second.added?.predictedValue == 2.5)
    }

    @Test func `beyond the horizon ids are forgotten, and records are counted by reason`() throws {
        var join = OutcomeJoin()
        join.limits.horizonMilliseconds = 1_000
        join.limits.recentCountMax = 2
        _ = try join.admit(predictions([1, 2], at: [0, 900]))
        _ = try join.admit(predictions([3, 4], at: [1_500, 1_600]))

        #expect(try join.admit(predictions([5], at: [599])).tooOldCount == 1)
        #expect(join.tally.tooOldPredictions == 1)
        #expect(try truth(&join, 1, "no", at: 500).added == nil)
        #expect(join.tally.tooOldTruths == 1)
        #expect(try truth(&join, 1, "no", at: 1_500).added == nil)
        #expect(join.tally.unmatchedTruths == 1)
        #expect(try truth(&join, 2, "no", at: 100).added == outcome(2, "no", at: 900))
        #expect(try join.admit(predictions([2], at: [1_700])).duplicateCount == 1)
        _ = try join.admit(predictions([6], at: [90 * 3_600_000]))
        #expect(join.partitions.isEmpty)
    }

    /// This is the join as two dictionaries would do it.
    private struct Twin {
        var predicted: [UInt64: Int64] = [:]
        var truths: [UInt64: (label: String, time: Int64)] = [:]
        /// Of ground truth that came before its prediction.
        var earlyTruths: [UInt64: Int64] = [:]
        var newest = Int64.min
        let horizon: Int64

        var cutoff: Int64 { newest == .min ? .min : newest - horizon }

        mutating func forget(_ id: UInt64) {
            if let time = predicted[id] {
                if max(time, earlyTruths[id] ?? .min) < cutoff {
                    (predicted[id], truths[id], earlyTruths[id]) = (nil, nil, nil)
                }
            } else if let truth = truths[id], truth.time < cutoff {
                truths[id] = nil
            }
        }
    }

    @Test(arguments: [1, 2, 3, 4] as [UInt64])
    func `the join agrees with dictionaries, sealed, merged, copied from bytes`(
        seed: UInt64
    ) throws {
        var random = SeededGenerator(seed: seed)
        let shelf = Shelf()
        var limits = OutcomeJoin.Limits()
        limits.horizonMilliseconds = seed % 2 == 0 ? 40_000 : 30 * 3_600_000
        limits.recentCountMax = [5, 60, 400][Int(seed % 3)]
        limits.sealCountMin = 20
        var join = OutcomeJoin(limits: limits, storage: shelf.storage)
        var twin = Twin(horizon: limits.horizonMilliseconds)
        var clock: Int64 = 0

        for step in 0..<2_000 {
            let id = UInt64.random(in: 1...1_500, using: &random) << 10
            clock += Int64.random(in: 0...(seed % 2 == 0 ? 40 : 40_000), using: &random)
            let time = clock - Int64.random(in: 0...50_000, using: &random)
            twin.forget(id)
            if Bool.random(using: &random) {
                let admission = try join.admit(predictions([id], at: [time]))
                guard time >= twin.cutoff else {
                    #expect(admission.tooOldCount == 1 && admission.rows.isEmpty)
                    continue
                }
                twin.newest = max(twin.newest, time)
                twin.forget(id)
                let isNew = twin.predicted[id] == nil
                if isNew {
                    twin.predicted[id] = time
                    twin.earlyTruths[id] = twin.truths[id]?.time
                }
                #expect(admission.rows.isEmpty != isNew)
                #expect(
                    admission.outcomes
                        == (isNew
                            ? twin.truths[id].map { [outcome(id, $0.label, at: time)] } ?? [] : []))
            } else {
                let label = ["yes", "no"][Int.random(in: 0...1, using: &random)]
                let change = try truth(&join, id, label, at: time)
                let known = twin.predicted[id]
                let earlier = twin.truths[id]?.label
                guard known != nil || earlier != nil || time >= twin.cutoff else {
                    #expect(change.added == nil && !change.isDuplicate)
                    continue
                }
                let isRepeat = earlier == label
                #expect(change.isDuplicate == isRepeat)
                let isJoined = known != nil && !isRepeat
                #expect(change.added == (isJoined ? outcome(id, label, at: known) : nil))
                #expect(
                    change.removed
                        == (isJoined ? earlier.map { outcome(id, $0, at: known) } : nil))
                if !isRepeat {
                    twin.truths[id] = (label, twin.truths[id]?.time ?? time)
                }
            }
            if step % 7 == 0, let merge = join.merge {
                let merged = try #require(merge.merged())
                #expect(merged.count <= merge.partitions.reduce(0) { $0 + $1.count })
                let isAdopted = join.adopt(merged, of: merge)
                #expect(isAdopted)
            }
            if step % 700 == 350 {
                let bytes = encoded(join)
                var reader = ByteReader(bytes)
                join = try OutcomeJoin(
                    decoding: &reader, limits: limits, storage: shelf.storage)
                let isSame = encoded(join) == bytes
                #expect(isSame && reader.isAtEnd)
            }
        }
        #expect(!join.isDamaged)
        #expect(join.partitionSequence > 2)
    }

    @Test func `sealing and merging change no answer, and are made again by the same records`()
        throws
    {
        var limits = OutcomeJoin.Limits()
        limits.recentCountMax = 64
        var small = OutcomeJoin(limits: limits)
        var again = OutcomeJoin(limits: limits)
        var large = OutcomeJoin()
        for start in stride(from: UInt64(0), to: 4_000, by: 100) {
            let ids = (0..<100).map { 1 + (start * 7 + $0 * 13) % 3_000 }
            let batch = try predictions(ids)
            let admission = large.admit(batch)
            #expect(small.admit(batch) == admission)
            #expect(again.admit(batch) == admission)
        }
        #expect(encoded(small) == encoded(again))
        #expect(small.count == large.count)
        #expect(small.partitions.count > 20)
        #expect(large.partitions.isEmpty)
    }

    @Test func `every prefix ends in a typed error`() throws {
        var join = OutcomeJoin()
        _ = try join.admit(predictions([1, 2]))
        _ = try truth(&join, 1, "no", revision: 2)
        let bytes = encoded(join)

        for count in 0..<bytes.count {
            var reader = ByteReader(Array(bytes[..<count]))
            #expect(throws: ByteReadingError.self, "\(count) bytes") {
                try OutcomeJoin(decoding: &reader)
            }
        }
    }

    @Test func `a snapshot whose partition is gone or another one is refused`() throws {
        let shelf = Shelf()
        var limits = OutcomeJoin.Limits()
        limits.recentCountMax = 10
        var join = OutcomeJoin(limits: limits, storage: shelf.storage)
        _ = try join.admit(predictions(Array(1...20)))
        let bytes = encoded(join)
        let kept = shelf.files

        shelf.files = [:]
        var reader = ByteReader(bytes)
        #expect(throws: ByteReadingError.self) {
            try OutcomeJoin(decoding: &reader, storage: shelf.storage)
        }
        var other = OutcomeJoin(limits: limits, storage: shelf.storage)
        _ = try other.admit(predictions(Array(2...21)))
        reader = ByteReader(bytes)
        #expect(throws: ByteReadingError.self) {
            try OutcomeJoin(decoding: &reader, storage: shelf.storage)
        }
        shelf.files = kept
        reader = ByteReader(bytes)
        #expect(throws: Never.self) {
            try OutcomeJoin(decoding: &reader, storage: shelf.storage)
        }
    }

    private func encoded(_ join: OutcomeJoin) -> [UInt8] {
        var writer = ByteWriter()
        join.encode(to: &writer)
        return writer.bytes
    }
}
