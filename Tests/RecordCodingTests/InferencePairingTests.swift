import ByteCoding
import MonitoringDomain
import RecordCoding
import Testing

@Suite struct InferencePairingTests {
    private func half(
        _ side: InferenceHalf.Side, _ id: String, rows: Int = 1, at milliseconds: Int64 = 0,
        rank: UInt8 = 4
    ) throws -> InferenceHalf {
        let model = try #require(ModelID("m"))
        var assembler = RecordAssembler(
            limits: DecodingLimits(), arrival: arrival, kindOf: { _, _ in nil })
        for index in 0..<rows {
            var row = WireRow(model: model)
            row.id = "\(id)/\(index)-\(rank)"
            row.time = EventTime(milliseconds: side == .request ? 1_000 : 2_000)
            switch side {
            case .request: row.features = [.init("x", .number(Double(index)))]
            case .response:
                row.label = "yes"
                row.version = "7"
            }
            try assembler.append(row, line: 1)
        }
        let batch = try #require(try assembler.finish().predictions.first)
        return InferenceHalf(
            side: side, key: identity(model: model, id: id.utf8),
            arrival: EventTime(milliseconds: milliseconds), identityRank: rank, batch: batch)
    }

    @Test(arguments: [false, true])
    func `both orders give the same batch`(isReversed: Bool) throws {
        let halves = [try half(.request, "a", rows: 2), try half(.response, "a", rows: 2, rank: 3)]
        var pairing = InferencePairing()

        #expect(pairing.observe(halves[isReversed ? 1 : 0]) == .waits)
        guard case .paired(let batch) = pairing.observe(halves[isReversed ? 0 : 1]) else {
            Issue.record("not paired")
            return
        }

        #expect(batch.numbers("x") == [0, 1])
        #expect(batch.labelTexts == ["yes", "yes"])
        #expect(batch.times == [1_000, 1_000])
        #expect(batch.versions.dictionary == ["7"])
        #expect(batch.ids("a/0-3", "a/1-3"))
        #expect(pairing.counts.paired == 1 && pairing.waitingCount == 0)
    }

    @Test func `a repeat counts nothing, before and after the pair`() throws {
        var pairing = InferencePairing()
        let request = try half(.request, "a")
        let response = try half(.response, "a")

        #expect(pairing.observe(request) == .waits)
        #expect(pairing.observe(request) == .repeated)
        guard case .paired = pairing.observe(response) else {
            Issue.record("not paired")
            return
        }
        #expect(pairing.observe(response) == .repeated)
        #expect(pairing.observe(request) == .repeated)
        #expect(pairing.counts.repeated == 3 && pairing.counts.paired == 1)
    }

    @Test func `halves of other lengths do not pair`() throws {
        var pairing = InferencePairing()
        _ = pairing.observe(try half(.request, "a", rows: 2))
        #expect(pairing.observe(try half(.response, "a", rows: 3)) == .mismatched)
        #expect(pairing.counts.mismatched == 1 && pairing.waitingCount == 0)
    }

    @Test func `a half that waited too long is dropped by its side and counted`() throws {
        var pairing = InferencePairing()
        let wait = InferencePairing.waitMilliseconds
        _ = pairing.observe(try half(.request, "a", at: 0))
        _ = pairing.observe(try half(.response, "b", at: 1))
        _ = pairing.observe(try half(.request, "c", at: wait))
        #expect(pairing.waitingCount == 3)
        _ = pairing.observe(try half(.request, "d", at: wait + 1))
        #expect(pairing.counts.requestOnly == 1 && pairing.waitingCount == 3)
        // The clock goes back, and time does not.
        #expect(pairing.observe(try half(.request, "e", at: 5)) == .waits)
        _ = pairing.observe(try half(.request, "f", at: .max))
        #expect(pairing.counts.responseOnly == 1 && pairing.counts.requestOnly == 4)
        #expect(pairing.waitingCount == 1)
        #expect(pairing.observe(try half(.response, "a", at: 6)) == .waits)
    }

    @Test func `memory is bounded, the oldest go first`() throws {
        var pairing = InferencePairing()
        let large = try half(.request, "big", rows: 5_000)
        let count = 200
        for index in 0..<count {
            var copy = large
            copy.key = RecordIdentity(high: 1, low: UInt64(index))
            _ = pairing.observe(copy)
        }
        let cells = 5_000 * 7 + 8
        #expect(pairing.waitingCount == InferencePairing.cellCountMax / cells)
        #expect(pairing.counts.evicted == UInt64(count - pairing.waitingCount))
    }

    @Test(arguments: UInt64(0)..<20)
    func `a naive pairing agrees, and a restored one goes on alike`(seed: UInt64) throws {
        var random = SeededGenerator(seed: seed)
        var pairing = InferencePairing()
        var seen: [String: Set<UInt8>] = [:]
        var pairedCount: UInt64 = 0
        for step in 0..<300 {
            let id = "\(Int.random(in: 0..<60, using: &random))"
            let side: InferenceHalf.Side = Bool.random(using: &random) ? .request : .response
            let outcome = pairing.observe(try half(side, id, at: Int64(step)))
            let isNew = seen[id, default: []].insert(side.rawValue).inserted
            let isPair = isNew && seen[id]?.count == 2
            if isPair { pairedCount += 1 }
            switch outcome {
            case .paired: #expect(isPair)
            case .waits: #expect(isNew && !isPair)
            case .repeated: #expect(!isNew)
            case .mismatched: Issue.record("mismatched")
            }
            if step % 50 == 0 {
                var writer = ByteWriter()
                pairing.encode(to: &writer)
                var reader = ByteReader(writer.bytes)
                let restored = try InferencePairing(decoding: &reader)
                #expect(restored == pairing && reader.isAtEnd)
                pairing = restored
            }
        }
        #expect(pairing.counts.paired == pairedCount)
    }

    @Test func `a half is one input of the log, and no bytes trap either reader`() throws {
        let input = Input.inference(try half(.response, "a", rows: 2))
        let encoded = InputCoding.encode(input)
        #expect(try InputCoding.decode(encoded) == input)
        var pairing = InferencePairing()
        _ = pairing.observe(try half(.request, "b"))
        var writer = ByteWriter()
        pairing.encode(to: &writer)
        checkHostileBytes(of: writer.bytes) { (bytes) throws(ByteReadingError) in
            var reader = ByteReader(bytes)
            _ = try InferencePairing(decoding: &reader)
        }
    }
}
