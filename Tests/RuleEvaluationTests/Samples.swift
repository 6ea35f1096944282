import ByteCoding
import MonitoringDomain
import RuleLanguage

@testable import RuleEvaluation

struct SampleError: Error {}

/// This is a model whose readings a test sets; it answers as the aggregator would.
struct World {
    var model = "m"
    var features = ["age", "income"]
    var version: String? = "1"
    var reference: String? = "r-1"
    /// The values of each segment key.
    var segments: [String: [String]] = [:]
    /// By `statistic` or `statistic(feature)`, with `@key:value` of a segment behind; what is not here has
    /// no data.
    var readings: [String: Reading] = [:]
    var baselines: [String: Double] = [:]

    static func key(
        _ statistic: Statistic, _ feature: String?, _ segment: Segment? = nil
    ) -> String {
        statistic.rawValue + (feature.map { "(\($0))" } ?? "") + (segment.map { "@\($0)" } ?? "")
    }

    /// The evidence of each stream, by feature; at 100 or more it is named.
    var driftEvidence: [String: Double] = [:]

    /// This answers as the judge would.
    func drift(_ query: DriftQuery, of name: ModelID) -> Measurement {
        let streams = driftEvidence.filter { query.feature == nil || query.feature == $0.key }
            .sorted { ($1.value, $0.key) < ($0.value, $1.key) }
            .map {
                DriftFinding.Stream(
                    feature: $0.key, evidence: $0.value, distance: 0.1, distanceLowerBound: 0.05,
                    isNamed: $0.value >= 100)
            }
        var measurement = Measurement(
            model: name, statistic: .drift, feature: query.feature,
            version: version,
            window: TimeWindow(
                start: EventTime(milliseconds: 0), end: EventTime(milliseconds: query.span)),
            reading: .noData, count: 7)
        guard !streams.isEmpty else { return measurement }
        measurement.reading = .value(Estimate(value: 0.1, lower: 0.05))
        measurement.finding = .drift(
            DriftFinding(
                null: .rows, level: 0.01, tolerance: 0.03, streamCount: streams.count,
                streams: streams))
        return measurement
    }

    mutating func set(_ key: String, _ value: Double?) {
        readings[key] = value.map { .value(Estimate(value: $0)) }
    }

    func context() throws -> RuleContext {
        guard let model = ModelID(model) else { throw SampleError() }
        return RuleContext(
            model: model, features: features, version: version, reference: reference,
            segments: { segments[$0] ?? [] },
            measure: { query, window in
                Measurement(
                    model: query.model, statistic: query.statistic, feature: query.feature,
                    version: query.version, segment: query.segment, window: window,
                    reading: readings[Self.key(query.statistic, query.feature, query.segment)]
                        ?? .noData,
                    count: 7)
            },
            baseline: { statistic, feature, _ in
                baselines[Self.key(statistic, feature)].map { .value(Estimate(value: $0)) }
                    ?? .undefined(reason: "no baseline in this test")
            },
            drift: { drift($0, of: model) })
    }
}

func ruleSet(_ files: String...) throws -> RuleSet {
    try RuleSet.parse(
        files.enumerated().map { RuleFile(name: "\($0.offset).yaml", text: $0.element) }
    ).get()
}

func minutes(_ count: Int64) -> EventTime {
    EventTime(milliseconds: 1_000_000 * WindowSpan.minute + count * WindowSpan.minute)
}

extension RuleEngine {
    /// This is the stored form.
    var bytes: [UInt8] {
        var writer = ByteWriter()
        encode(to: &writer)
        return writer.bytes
    }

    init(bytes: [UInt8], rules: RuleSet) throws(ByteReadingError) {
        var reader = ByteReader(bytes)
        try self.init(decoding: &reader, rules: rules)
        guard reader.isAtEnd else {
            throw .invalid(offset: reader.offset, reason: "bytes are left")
        }
    }
}

extension Effect {
    /// This is what kind of effect it is, in short.
    var summary: String {
        switch self {
        case .alertChanged(let alert):
            "\(alert.rule)\(alert.feature.map { "/\($0)" } ?? "") \(alert.phase.rawValue)"
        case .fileRequest(let request): "file \(request.rule)"
        case .requestChanged(let request):
            "\(request.state.rawValue) \(request.triggerCount)"
                + (request.verification.map { " \($0.verdict.rawValue)" } ?? "")
        }
    }
}
