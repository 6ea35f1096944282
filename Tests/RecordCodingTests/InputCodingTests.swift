import ByteCoding
import MonitoringDomain
import RecordCoding
import Testing

@Suite struct InputCodingTests {
    private func samples() throws -> [Input] {
        let predictions = try decode(sampleLines).get()
        let truth = try decodeTruth(
            #"[{"id":"a","label":1},{"id":"b","value":-2.5,"revision":7,"ts":0}]"#
        ).get()
        let many = try decode(
            (0..<300).map { #"{"id":"i\#($0)","features":{"c":"t\#($0)","x":\#($0)}}"# }
                .joined(separator: "\n")
        ).get()
        let credit = try #require(ModelID("credit"))
        let schema = ModelSchema(
            model: credit, task: .binary,
            features: [
                FeatureSchema(name: "age", kind: .numeric),
                FeatureSchema(name: "régïon", kind: .categorical),
                FeatureSchema(name: "limit", kind: .single),
                FeatureSchema(name: "note", kind: .text),
                FeatureSchema(name: "face", kind: .vector(dimension: 512, precision: .float32)),
                FeatureSchema(name: "voice", kind: .vector(dimension: 1, precision: .float64)),
            ], positiveLabel: "1", paneMilliseconds: WindowSpan.hour,
            segments: ["channel", "région"])
        let span = TimeWindow(start: EventTime(milliseconds: -5), end: arrival)
        let report = TrainerReport(
            requestID: "r-1", state: .succeeded, newVersion: "4", detail: nil)
        let kinds = try kindSamples()
        return predictions.map { .predictions($0) } + kinds.map { .predictions($0) }
            + [
                .typeErrors(
                    predictions[0],
                    features: TextColumn(codes: [0, .max], dictionary: ["a"]))
            ] + truth.map { .groundTruth($0) }
            + many.map { .predictions($0) } + [
                .predictions(PredictionBatch(model: credit)),
                .groundTruth(GroundTruthBatch(model: credit)),
                .pinReference(predictions[0], pinnedAt: EventTime(milliseconds: -1)),
                .rules([]),
                .rules([
                    RuleFile(name: "a.yaml", text: "groups: []\n"), RuleFile(name: "", text: ""),
                ]),
                .tick(EventTime(milliseconds: .min)), .tick(arrival), .report(report, at: arrival),
                .report(TrainerReport(requestID: "", state: .filing, detail: "why"), at: arrival),
                .declareSchema(schema), .declareSchema(ModelSchema(model: credit)),
                .declareSchema(ModelSchema(model: credit, horizonMilliseconds: 60_000)),
                .declareSchema(ModelSchema(model: credit, scores: .independent)),
                .declareSchema(
                    ModelSchema(
                        model: credit, horizonMilliseconds: 60_000, segments: ["a"],
                        scores: .distribution)),
                .chooseReference(credit, .span(span), at: arrival),
                .chooseReference(credit, .first(count: 5, version: nil), at: arrival),
                .chooseReference(credit, .first(count: 1 << 40, version: "3"), at: arrival),
                .chooseReference(credit, .moving(.sameHoursLastWeek), at: arrival),
                .activateReference(credit, id: "r-2"),
            ]
    }

    /// Every kind of feature, with decimals and without, present and missing.
    private func kindSamples() throws -> [PredictionBatch] {
        let lines = (0..<40).map { row in
            let (x, y) = (Double(row) / 8, Double(row).squareRoot())
            return row % 7 == 3
                ? "{}"
                : #"{"features":{"limit":\#(x),"ratio":\#(y),"note":"word \#(row)","#
                    + #""face":[\#(x),0.1,-2],"voice":[\#(y),1e9]}}"#
        }
        return try decode(lines.joined(separator: "\n")) { _, name in
            switch name {
            case "limit", "ratio": .single
            case "note": .text
            case "face": .vector(dimension: 3, precision: .float32)
            default: nil
            }
        }.get()
    }

    @Test func `decoding undoes encoding`() throws {
        for input in try samples() {
            let bytes = InputCoding.encode(input)
            #expect(try InputCoding.decode(bytes) == input)
            #expect(InputCoding.encode(try InputCoding.decode(bytes)) == bytes)
        }
    }

    @Test func `every prefix, flip and extension of a payload is refused`() throws {
        for input in try samples() {
            let bytes = InputCoding.encode(input)
            let step = max(1, bytes.count / 400)
            for count in stride(from: 0, to: bytes.count, by: step) {
                #expect(throws: ByteReadingError.self) {
                    try InputCoding.decode(Array(bytes.prefix(count)))
                }
            }
            for place in stride(from: 0, to: bytes.count, by: step) {
                for mask in [0x01, 0x80, 0xFF] as [UInt8] {
                    var flipped = bytes
                    flipped[place] ^= mask
                    #expect(throws: ByteReadingError.self) { try InputCoding.decode(flipped) }
                }
            }
            #expect(throws: ByteReadingError.self) { try InputCoding.decode(bytes + [0]) }
        }
    }

    @Test func `flips under a right checksum never trap`() throws {
        for input in try samples() {
            let content = InputCoding.encode(input).dropLast(4)
            let step = max(1, content.count / 400)
            for place in stride(from: 0, to: content.count, by: step) {
                for mask in [0x01, 0x7F, 0x80, 0xFF] as [UInt8] {
                    var flipped = Array(content)
                    flipped[place] ^= mask
                    var writer = ByteWriter()
                    writer.append(contentsOf: flipped)
                    writer.write(crc32c(flipped))
                    if case .predictions(let batch) = try? InputCoding.decode(writer.bytes) {
                        #expect(hasEqualLengths(batch))
                    }
                }
            }
        }
    }

    @Test func `dictionaries of every code size come back`() throws {
        let model = try #require(ModelID("m"))
        for count in [0, 1, 254, 255, 256, 65_534, 65_535, 65_536] {
            var batch = GroundTruthBatch(model: model)
            for row in 0...count {
                batch.identities.append(RecordIdentity(high: UInt64(row), low: 1))
                batch.times.append(Int64(row))
                batch.values.append(.nan)
                batch.revisions.append(0)
            }
            batch.labels = TextColumn(
                codes: (0..<count).map { UInt32($0) } + [TextColumn.missing],
                dictionary: (0..<count).map { "\($0)" })
            #expect(
                try InputCoding.decode(InputCoding.encode(.groundTruth(batch)))
                    == .groundTruth(batch))
        }
    }

    @Test(arguments: UInt64(0)..<24)
    func `numbers and integers of every form come back, bit by bit`(seed: UInt64) throws {
        var random = SplitMix(seed: seed)
        let model = try #require(ModelID("m"))
        let specials = [
            0, -0.0, 1, -1, 0.1, 0.3, 1e-6, 123.456, 1e15, 1e16, 1e17, -1e300,
            .leastNonzeroMagnitude,
            .greatestFiniteMagnitude, 1 / 3, 4_294_967_295, 65_534, 255,
        ]
        for span in [0, 1, 254, 255, 256, 65_534, 65_535, 4_294_967_294, 4_294_967_296] as [Int64] {
            var batch = GroundTruthBatch(model: model)
            let scale = [1, 10, 1_000, 1_000_000].randomElement(using: &random) ?? 1
            let base = Int64.random(in: -1_000_000...1_000_000, using: &random)
            for row in 0..<40 {
                let offset =
                    row == 0 ? 0 : row == 1 ? span : Int64.random(in: 0...span, using: &random)
                let isMissing = Int.random(in: 0..<8, using: &random) == 0
                let isSpecial = seed % 3 == 0 && Int.random(in: 0..<8, using: &random) == 0
                batch.identities.append(RecordIdentity(high: random.next(), low: 1))
                batch.times.append(base &+ offset)
                batch.values.append(
                    isMissing
                        ? .nan
                        : isSpecial
                            ? specials.randomElement(using: &random) ?? 0
                            : Double(base + offset) / Double(scale))
                batch.revisions.append(
                    seed % 2 == 0 ? Int64.random(in: .min ... .max, using: &random) : 7)
                batch.labels.codes.append(TextColumn.missing)
            }
            let bytes = InputCoding.encode(.groundTruth(batch))
            #expect(try InputCoding.decode(bytes) == .groundTruth(batch))
        }
    }

    @Test func `decimal columns take the bytes of their span`() throws {
        var batch = GroundTruthBatch(model: try #require(ModelID("m")))
        for row in 0..<1_000 {
            batch.identities.append(RecordIdentity(high: 1, low: UInt64(row)))
            batch.times.append(1_795_392_000_000 + Int64(row))
            batch.values.append(Double(row) / 1_000)
            batch.revisions.append(0)
            batch.labels.codes.append(TextColumn.missing)
        }
        // Sixteen bytes of identity, two of time, two of the value.
        #expect(InputCoding.encode(.groundTruth(batch)).count < 1_000 * 20 + 64)
    }
}

private struct SplitMix: RandomNumberGenerator {
    var state: UInt64
    init(seed: UInt64) { state = seed &* 0x9E37_79B9_7F4A_7C15 &+ 1 }
    mutating func next() -> UInt64 {
        state &+= 0x9E37_79B9_7F4A_7C15
        var z = state
        z = (z ^ (z >> 30)) &* 0xBF58_476D_1CE4_E5B9
        z = (z ^ (z >> 27)) &* 0x94D0_49BB_1331_11EB
        return z ^ (z >> 31)
    }
}
