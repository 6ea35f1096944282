import ByteCoding
import MonitoringDomain
import MonitoringTestSupport
import StreamingStatistics
import Testing

@testable import WindowAggregation

/// This is one row with a text, a vector and a number of single precision, each perhaps missing.
private struct Row {
    var note: String?
    var face: [Double]?
    var ratio: Float?

    static func rows(_ count: Int, seed: UInt64) -> [Row] {
        var random = SeededGenerator(seed: seed)
        let words = ["", "Ok", "très bien", "No 42!", "日本 語"]
        return (0..<count).map { _ in
            let length = Int.random(in: 0..<4, using: &random)
            let text = (0..<length).map { _ in words.randomElement(using: &random) ?? "" }
            let isMissing = (0..<3).map { _ in Int.random(in: 0..<10, using: &random) == 0 }
            let face = (0..<5).map { _ in Double.random(in: -1...1, using: &random) }
            let ratio = Float.random(in: -3...3, using: &random)
            return Row(
                note: isMissing[0] ? nil : text.joined(separator: " "),
                face: isMissing[1] ? nil : face, ratio: isMissing[2] ? nil : ratio)
        }
    }
}

private func schema(_ features: [FeatureSchema]) throws -> ModelSchema {
    ModelSchema(model: try Samples.schema().model, task: .binary, features: features)
}

private func batch(
    _ rows: [Row], _ features: [(name: String, column: FeatureColumn)]
) throws -> PredictionBatch {
    var batch = try Samples.batch(rows.indices.map { Sample(time: Int64($0) * 500) })
    batch.features = features
    return batch
}

/// The columns as records bring them.
private func asSent(_ rows: [Row]) throws -> PredictionBatch {
    let face = VectorColumn(
        dimension: 5, precision: .float64, isPresent: rows.map { $0.face != nil },
        numbers: rows.flatMap { $0.face ?? [] })
    return try batch(
        rows,
        [
            ("note", .text(Samples.column(rows.map(\.note)))), ("face", .vector(face)),
            ("ratio", .single(rows.map { $0.ratio ?? .nan })),
        ])
}

/// The twin: every number that stands for a value is a numeric feature, computed by hand.
private func asNumbers(_ rows: [Row]) throws -> PredictionBatch {
    func share(_ text: String, _ isCounted: (Unicode.Scalar) -> Bool) -> Double {
        let scalars = text.unicodeScalars
        return scalars.isEmpty
            ? .nan : Double(scalars.count(where: isCounted)) / Double(scalars.count)
    }
    let measures: [(String, (String) -> Double)] = [
        ("length", { Double($0.unicodeScalars.count) }),
        ("tokens", { Double($0.split(whereSeparator: \.isWhitespace).count) }),
        ("letters", { share($0) { $0.properties.isAlphabetic } }),
        ("uppercase", { share($0) { $0.properties.isUppercase } }),
        ("digits", { share($0) { (0x30...0x39).contains($0.value) } }),
        ("whitespace", { share($0) { $0.properties.isWhitespace } }),
        ("punctuation", { share($0) { $0 == "!" } }), ("non_ascii", { share($0) { !$0.isASCII } }),
    ]
    var columns = measures.map { name, measure in
        ("note.\(name)", FeatureColumn.numeric(rows.map { $0.note.map(measure) ?? .nan }))
    }
    let projection = VectorProjection(dimension: 5)
    for (place, name) in FeatureKind.vectorMeasures.enumerated() {
        let values = rows.map { row in
            row.face.flatMap { projection.columns(of: $0.span)[place].first } ?? .nan
        }
        columns.append(("face.\(name)", .numeric(values)))
    }
    columns.append(("ratio", .numeric(rows.map { $0.ratio.map { Double($0) } ?? .nan })))
    return try batch(rows, columns)
}

private let sent = [
    FeatureSchema(name: "note", kind: .text),
    FeatureSchema(name: "face", kind: .vector(dimension: 5, precision: .float64)),
    FeatureSchema(name: "ratio", kind: .single),
]

private func aggregator(
    _ features: [FeatureSchema], reference: PredictionBatch
) throws -> ModelAggregator {
    let schema = try schema(features)
    var aggregator = ModelAggregator(schema: schema)
    aggregator.pin(
        ModelReference(
            id: "r-1", pinnedAt: EventTime(milliseconds: 0), origin: .uploaded, schema: schema,
            batches: [reference]))
    return aggregator
}

/// A reference and a window of the same rows, sent and as numbers.
private func pair() throws -> (sent: ModelAggregator, twin: ModelAggregator) {
    let (before, after) = (Row.rows(300, seed: 1), Row.rows(200, seed: 2))
    var real = try aggregator(sent, reference: asSent(before))
    var twin = try aggregator(
        asNumbers(before).features.map { FeatureSchema(name: $0.name, kind: .numeric) },
        reference: asNumbers(before))
    real.absorb(try asSent(after), rows: Array(0..<200))
    twin.absorb(try asNumbers(after), rows: Array(0..<200))
    return (real, twin)
}

@Suite struct MeasuredFeatureTests {
    @Test func `texts, vectors and singles are measured as the numbers that stand for them`() throws
    {
        let (real, twin) = try pair()

        #expect(real.featureNames == twin.featureNames && real.featureNames.count == 8 + 9 + 1)
        for name in twin.featureNames {
            for statistic in Statistic.windowCases where !statistic.isOfModel {
                // Of a text or a vector the value as sent has a type, and not each number.
                if statistic == .typeErrorRate, name != "ratio" { continue }
                let (found, expected) = (
                    real.reading(statistic, of: name, in: 0..<2),
                    twin.reading(statistic, of: name, in: 0..<2)
                )
                #expect(found == expected, "\(statistic) of \(name)")
                #expect(
                    real.baseline(statistic, feature: name)
                        == twin.baseline(statistic, feature: name), "\(statistic) of \(name)")
            }
        }
    }

    @Test func `the words of the domain are those of the functions`() {
        #expect(FeatureKind.textMeasures == TextMeasures.names)
        let projection = VectorProjection(
            dimension: 3, directionCount: FeatureKind.vectorDirectionCount)
        #expect(projection.columns(of: [1, 2, 3].span).count == FeatureKind.vectorMeasures.count)
    }

    @Test func `a text or a vector itself is missing, and all else is told of its measures`() throws
    {
        let (real, twin) = try pair()

        for (name, first) in [("note", "note.length"), ("face", "face.norm")] {
            #expect(
                real.reading(.missingRate, of: name, in: 0..<2)
                    == twin.reading(.missingRate, of: first, in: 0..<2))
            guard case .undefined(let reason) = real.reading(.psi, of: name, in: 0..<2) else {
                Issue.record("psi of \(name) has a value")
                continue
            }
            #expect(reason.contains(first))
        }
    }

    @Test func `what is restored goes on as what was stored`() throws {
        var (real, _) = try pair()
        var reader = ByteReader(real.encoded)
        var restored = try ModelAggregator(decoding: &reader)
        #expect(restored.schema == real.schema && restored.reference == real.reference)
        let more = try asSent(Row.rows(100, seed: 3))

        real.absorb(more, rows: Array(0..<100))
        restored.absorb(more, rows: Array(0..<100))

        #expect(restored.encoded == real.encoded)
    }

    @Test func `rows may be batched in any way`() throws {
        let rows = Row.rows(120, seed: 4)
        let whole = try asSent(rows)
        var (once, often) = (
            try aggregator(sent, reference: whole), try aggregator(sent, reference: whole)
        )

        once.absorb(whole, rows: Array(0..<120))
        for start in stride(from: 0, to: 120, by: 7) {
            often.absorb(whole, rows: Array(start..<min(start + 7, 120)))
        }

        for name in once.featureNames {
            for statistic in [Statistic.psi, .ks, .min, .max, .missingRate] {
                #expect(
                    once.reading(statistic, of: name, in: 0..<2)
                        == often.reading(statistic, of: name, in: 0..<2))
            }
        }
    }

    @Test func `an own feature wins over a measure of its name`() throws {
        var batch = try asSent(Row.rows(10, seed: 5))
        batch.features.append(("note.length", .numeric([Double](repeating: 7, count: 10))))

        let names = batch.measured.features.map(\.name)

        #expect(names.count { $0 == "note.length" } == 1)
        #expect(batch.measured.features.last?.column == .numeric([Double](repeating: 7, count: 10)))
    }

    @Test func `a vector beyond a double's range is there, and not finite`() throws {
        let vectors = VectorColumn(
            dimension: 5, precision: .float64, isPresent: [true],
            numbers: [Double](repeating: 1.7e308, count: 5))
        var real = try aggregator(sent, reference: asSent(Row.rows(50, seed: 6)))

        real.absorb(try batch([Row()], [("face", .vector(vectors))]), rows: [0])

        for measure in FeatureKind.vectorMeasures {
            #expect(real.value(.missingRate, of: "face.\(measure)") == 0)
        }
        #expect(real.value(.nonFiniteRate, of: "face.norm") == 1)
    }

    @Test func `values of other types are counted by pane, version and segment`() throws {
        var real = try aggregator(sent, reference: asSent(Row.rows(50, seed: 7)))
        real.absorb(try asSent(Row.rows(6, seed: 8)), rows: Array(0..<6))
        let errors = try Samples.batch([
            Sample(time: 1_000), Sample(time: 2_000, version: "2"), Sample(time: 70_000),
        ])
        let names = TextColumn(codes: [0, 0, 1], dictionary: ["note", "gone"])

        real.absorb(typeErrorsOf: errors, features: names)

        #expect(real.newestVersion == "1" && real.servedVersions == ["1"])
        #expect(real.value(.typeErrorRate, of: "note") == 2.0 / 8)
        #expect(real.value(.typeErrorRate, of: "note", version: "2") == 1)
        #expect(real.value(.typeErrorRate, of: "ratio") == 0)
        #expect(real.reading(.typeErrorRate, of: "note", in: 1..<2) == .noData)
        #expect(real.value(.volume) == 6)
        #expect(real.baseline(.typeErrorRate, feature: "note").estimate?.value == 0)
        for name in ["note.tokens", "prediction"] {
            #expect(real.reading(.typeErrorRate, of: name).estimate == nil)
        }
        var reader = ByteReader(real.encoded)
        #expect(try ModelAggregator(decoding: &reader).encoded == real.encoded)
    }
}
