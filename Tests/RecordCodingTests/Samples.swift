import MonitoringDomain
import RecordCoding

/// A generator with a printed seed (SplitMix64), so that a failure can be repeated.
struct SeededGenerator: RandomNumberGenerator {
    private var state: UInt64

    init(seed: UInt64) { state = seed }

    mutating func next() -> UInt64 {
        state &+= 0x9E37_79B9_7F4A_7C15
        var mixed = state
        mixed = (mixed ^ (mixed >> 30)) &* 0xBF58_476D_1CE4_E5B9
        mixed = (mixed ^ (mixed >> 27)) &* 0x94D0_49BB_1331_11EB
        return mixed ^ (mixed >> 31)
    }
}

let arrival = EventTime(milliseconds: 1_795_428_000_000)

func decode(
    _ body: [UInt8], kind: RecordKind = .predictions, defaultModel: ModelID? = ModelID("m"),
    limits: DecodingLimits = DecodingLimits(),
    kindOf: (ModelID, String) -> FeatureKind? = { _, _ in nil }
) -> Result<[PredictionBatch], RecordDecodingError> {
    var decoder = RecordDecoder(limits: limits)
    return decode(body, with: &decoder, kind: kind, defaultModel: defaultModel, kindOf: kindOf)
}

func decode(
    _ body: [UInt8], with decoder: inout RecordDecoder, kind: RecordKind = .predictions,
    defaultModel: ModelID? = ModelID("m"),
    kindOf: (ModelID, String) -> FeatureKind? = { _, _ in nil }
) -> Result<[PredictionBatch], RecordDecodingError> {
    do {
        return .success(
            try decoder.decodePredictions(
                body, kind: kind, defaultModel: defaultModel, arrival: arrival, kindOf: kindOf))
    } catch {
        return .failure(error)
    }
}

func decode(
    _ text: String, kind: RecordKind = .predictions, defaultModel: ModelID? = ModelID("m"),
    limits: DecodingLimits = DecodingLimits(),
    kindOf: (ModelID, String) -> FeatureKind? = { _, _ in nil }
) -> Result<[PredictionBatch], RecordDecodingError> {
    decode(Array(text.utf8), kind: kind, defaultModel: defaultModel, limits: limits, kindOf: kindOf)
}

func decodeTruth(_ text: String) -> Result<[GroundTruthBatch], RecordDecodingError> {
    var decoder = RecordDecoder(limits: DecodingLimits())
    do {
        return .success(
            try decoder.decodeGroundTruth(
                Array(text.utf8), defaultModel: ModelID("m"), arrival: arrival))
    } catch {
        return .failure(error)
    }
}

extension Result where Failure == RecordDecodingError {
    var isMalformed: Bool {
        if case .failure(.malformed) = self { return true }
        return false
    }

    var items: [ItemError] {
        if case .failure(.items(let items)) = self { return items }
        return []
    }

    var isSuccess: Bool {
        if case .success = self { return true }
        return false
    }
}

/// Two records with everything that a record may hold.
let sampleLines = #"""
    {"id":"p-1","ts":"2026-11-23T10:00:00.123Z","model":"credit","version":"3",\#
    "features":{"age":41,"income":-5.5e3,"region":"n\u00f6rd","owner":true,"note":null},\#
    "prediction":{"label":1,"score":0.8731,"scores":{"0":0.1,"1":0.9}},\#
    "segments":{"channel":"web"},"latency_ms":12.5,"error":null}
    {"id":"p-2","ts":1795428000123,"model":"credit","version":3,\#
    "features":{"age":null,"income":1,"region":"süd","owner":false},"prediction":{"label":"UP"}}

    """#
