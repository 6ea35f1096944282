import ByteCoding
import MonitoringDomain
import MonitoringTestSupport
import Testing
import WindowAggregation

@Suite struct OutcomeJoinTests {
    private func predictions(_ ids: [UInt64], label: String = "yes") throws -> PredictionBatch {
        var batch = try Samples.batch(
            ids.map { Sample(time: Int64($0), label: label, score: Double($0 % 10) / 10) })
        batch.identities = ids.map { RecordIdentity(high: 7, low: $0) }
        return batch
    }

    private func truth(
        _ join: inout OutcomeJoin, _ id: UInt64, _ label: String, revision: Int64 = 0
    ) -> OutcomeJoin.TruthChange {
        join.observeTruth(
            of: RecordIdentity(high: 7, low: id), label: label, value: .nan, revision: revision)
    }

    private func outcome(_ id: UInt64, _ truth: String) -> Outcome {
        Outcome(
            version: "1", time: EventTime(milliseconds: Int64(id)), predictedLabel: "yes",
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

    @Test func `prediction and ground truth join in either order`() throws {
        var join = OutcomeJoin()
        _ = try join.admit(predictions([1]))
        #expect(truth(&join, 1, "no").added == outcome(1, "no"))

        let early = truth(&join, 2, "yes")
        #expect(early.added == nil)
        #expect(!early.isDuplicate)
        #expect(try join.admit(predictions([2])).outcomes == [outcome(2, "yes")])
    }

    @Test func `a revision replaces, an older one and a repeat do not`() throws {
        var join = OutcomeJoin()
        _ = try join.admit(predictions([1]))
        _ = truth(&join, 1, "no", revision: 3)

        #expect(truth(&join, 1, "no", revision: 3).isDuplicate)
        #expect(truth(&join, 1, "yes", revision: 2).isDuplicate)
        let revised = truth(&join, 1, "yes", revision: 4)
        #expect(revised.removed == outcome(1, "no"))
        #expect(revised.added == outcome(1, "yes"))
        #expect(join.truth(of: RecordIdentity(high: 7, low: 1))?.label == "yes")
    }

    @Test(arguments: [1, 2, 3] as [UInt64])
    func `the table agrees with dictionaries, and so does its copy from bytes`(seed: UInt64) throws
    {
        var random = SeededGenerator(seed: seed)
        var join = OutcomeJoin()
        var predicted: Set<UInt64> = []
        var truths: [UInt64: String] = [:]

        for step in 0..<4_000 {
            // Multiples of a power of two collide in a table that looks at the low bits.
            let id = UInt64.random(in: 1...1_500, using: &random) << 10
            if Bool.random(using: &random) {
                let admission = try join.admit(predictions([id]))
                let isNew = predicted.insert(id).inserted
                #expect(admission.rows.isEmpty != isNew)
                #expect(
                    admission.outcomes == (isNew ? truths[id].map { [outcome(id, $0)] } ?? [] : []))
            } else {
                let label = ["yes", "no"][Int.random(in: 0...1, using: &random)]
                let change = truth(&join, id, label)
                let isRepeat = truths[id] == label
                #expect(change.isDuplicate == isRepeat)
                let isJoined = predicted.contains(id) && !isRepeat
                #expect(change.added == (isJoined ? outcome(id, label) : nil))
                #expect(change.removed == (isJoined ? truths[id].map { outcome(id, $0) } : nil))
                truths[id] = label
            }
            if step == 2_000 {
                let bytes = encoded(join)
                var reader = ByteReader(bytes)
                join = try OutcomeJoin(decoding: &reader)
                let isSame = encoded(join) == bytes
                #expect(isSame && reader.isAtEnd)
            }
        }
        #expect(join.count == predicted.union(truths.keys).count)
    }

    @Test func `every prefix ends in a typed error`() throws {
        var join = OutcomeJoin()
        _ = try join.admit(predictions([1, 2]))
        _ = truth(&join, 1, "no")
        let bytes = encoded(join)

        for count in 0..<bytes.count {
            var reader = ByteReader(Array(bytes[..<count]))
            #expect(throws: ByteReadingError.self, "\(count) bytes") {
                try OutcomeJoin(decoding: &reader)
            }
        }
    }

    private func encoded(_ join: OutcomeJoin) -> [UInt8] {
        var writer = ByteWriter()
        join.encode(to: &writer)
        return writer.bytes
    }
}
