import MonitoringDomain
import MonitoringTestSupport
import Testing

@Suite struct ConcatenationTests {
    /// One row, with a number, a text, a segment and a label.
    private func row(
        _ number: Double, text: String?, label: String?, latency: Double? = nil,
        error: String? = nil
    ) throws -> PredictionBatch {
        var batch = PredictionBatch(model: try #require(ModelID("m")))
        func column(_ text: String?) -> TextColumn {
            text.map { TextColumn(codes: [0], dictionary: [$0]) }
                ?? TextColumn(codes: [TextColumn.missing])
        }
        batch.rowCount = 1
        batch.identities = [RecordIdentity(high: 1, low: UInt64(number))]
        batch.times = [Int64(number)]
        batch.versions = column("v1")
        batch.features = [("n", .numeric([number])), ("t", .categorical(column(text)))]
        batch.segments = [("region", column(text))]
        batch.latencies = latency.map { [$0] } ?? []
        if let error { batch.errors = column(error) }
        batch.labels = column(label)
        batch.scores = [number / 100]
        batch.values = [.nan]
        batch.truthLabels = column(nil)
        batch.truthValues = [.nan]
        return batch
    }

    @Test func `rows keep their order and their values; dictionaries are joined`() throws {
        let whole = PredictionBatch.concatenation(of: [
            try row(1, text: "a", label: "no"), try row(2, text: "b", label: nil),
            try row(3, text: nil, label: "yes"), try row(4, text: "a", label: "no"),
        ])

        #expect(whole.rowCount == 4)
        #expect(whole.times == [1, 2, 3, 4])
        #expect(whole.identities.map(\.low) == [1, 2, 3, 4])
        #expect(whole.scores == [0.01, 0.02, 0.03, 0.04])
        #expect(whole.features[0].column == .numeric([1, 2, 3, 4]))
        #expect(
            whole.features[1].column
                == .categorical(
                    TextColumn(codes: [0, 1, TextColumn.missing, 0], dictionary: ["a", "b"])))
        #expect((0..<4).map { whole.labels.text(at: $0) } == ["no", nil, "yes", "no"])
        #expect((0..<4).map { whole.segments[0].column.text(at: $0) } == ["a", "b", nil, "a"])
        #expect(whole.versions.dictionary == ["v1"])
        #expect(whole.latencies.isEmpty && whole.errors.codes.isEmpty)
    }

    @Test func `a column that some batches lack is missing in their rows`() throws {
        let whole = PredictionBatch.concatenation(of: [
            try row(1, text: "a", label: "no"),
            try row(2, text: "a", label: "no", latency: 7, error: "timeout"),
        ])

        #expect(whole.latencies[0].isNaN && whole.latencies[1] == 7)
        #expect(whole.errors.text(at: 0) == nil)
        #expect(whole.errors.text(at: 1) == "timeout")
    }

    @Test func `columns of every kind are joined`() throws {
        func one(_ number: Double, hasVector: Bool) throws -> PredictionBatch {
            var batch = try row(number, text: "a", label: nil)
            batch.features += [
                ("s", .single([Float(number)])),
                ("free", .text(TextColumn(codes: [0], dictionary: ["\(number)"]))),
                (
                    "v",
                    .vector(
                        VectorColumn(
                            dimension: 2, precision: .float64, isPresent: [hasVector],
                            numbers: hasVector ? [number, -number] : []))
                ),
            ]
            return batch
        }

        let whole = PredictionBatch.concatenation(of: [
            try one(1, hasVector: true), try one(2, hasVector: false), try one(3, hasVector: true),
        ])

        #expect(whole.features[2].column == .single([1, 2, 3]))
        #expect(
            whole.features[3].column
                == .text(TextColumn(codes: [0, 1, 2], dictionary: ["1.0", "2.0", "3.0"])))
        let vectors = VectorColumn(
            dimension: 2, precision: .float64, isPresent: [true, false, true],
            numbers: [1, -1, 3, -3])
        #expect(whole.features[4].column == .vector(vectors))
    }

    @Test func `large dictionaries are joined as small ones are`() throws {
        let names = (0..<40).map { "text \($0 % 23)" }
        let whole = PredictionBatch.concatenation(
            of: try names.enumerated().map { try row(Double($0), text: $1, label: $1) })

        #expect((0..<40).map { whole.labels.text(at: $0) } == names)
        #expect(whole.labels.dictionary == (0..<23).map { "text \($0)" })
    }

    @Test func `columns are the names and the kinds, in their order`() throws {
        let one = try row(1, text: "a", label: "no")
        var other = one
        #expect(one.hasColumns(of: other))
        other.features.swapAt(0, 1)
        #expect(!one.hasColumns(of: other))
        other = one
        other.features[0].column = other.features[1].column
        #expect(!one.hasColumns(of: other))
        other = one
        other.segments = []
        #expect(!one.hasColumns(of: other))
    }
}
