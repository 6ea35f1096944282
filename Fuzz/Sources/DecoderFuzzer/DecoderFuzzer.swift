import Glibc
import MonitoringDomain
import RecordCoding

/// What libFuzzer calls with every input.
///
/// The first byte chooses what is decoded.
///
/// The oracle: the process lives, and the answer depends on the bytes alone, whether the decoder is
/// new and guesses nothing or has learned the shapes of earlier bodies.
@_cdecl("LLVMFuzzerTestOneInput")
public func testOneInput(_ bytes: UnsafePointer<UInt8>, _ count: Int) -> CInt {
    let input = UnsafeBufferPointer(start: bytes, count: count)
    guard let choice = input.first else { return 0 }
    let body = Array(input.dropFirst())
    var limits = DecodingLimits()
    limits.isSequence = choice & 16 == 0
    switch choice & 15 {
    case 0, 1: compareDecoders(body, limits, kind: .predictions)
    case 2: compareDecoders(body, limits, kind: .reference)
    case 3: compareGroundTruth(body, limits)
    case 4: decodePieces(body, limits)
    case 5: _ = try? Compression.inflateGzip(body, limitBytes: 1 << 20)
    case 6: _ = try? Compression.zstdDecompress(body, limitBytes: 1 << 20)
    case 7: _ = try? WireValue.parse(body)
    case 8: decodeEvents(body, .structured)
    case 9: decodeEvents(body, .batch)
    case 10: decodeTelemetry(body, .json)
    case 11: decodeTelemetry(body, .protobuf)
    default: _ = try? InputCoding.decode(body)
    }
    return 0
}

private let model = ModelID("fuzzed")
private let arrival = EventTime(milliseconds: 0)

/// A decoder that keeps what it learns from one input to the next.
nonisolated(unsafe) private var experienced = RecordDecoder()

private func predictions(
    _ decoder: inout RecordDecoder, _ body: [UInt8], _ kind: RecordKind
) -> Result<[PredictionBatch], RecordDecodingError> {
    Result { () throws(RecordDecodingError) in
        try decoder.decodePredictions(
            body, kind: kind, defaultModel: model, arrival: arrival, kindOf: { _, _ in nil })
    }
}

private func compareDecoders(_ body: [UInt8], _ limits: DecodingLimits, kind: RecordKind) {
    var fresh = RecordDecoder(limits: limits)
    fresh.guessesShapes = false
    experienced.limits = limits
    let expected = predictions(&fresh, body, kind)
    // The second time its shapes are known.
    for _ in 0..<2 { compare(expected, predictions(&experienced, body, kind)) }
    // With so much left, records are read in blocks.
    let longer = body + Array(repeating: 0x0A, count: 4_096)
    compare(predictions(&fresh, longer, kind), predictions(&experienced, longer, kind))
}

private func compare(
    _ expected: Result<[PredictionBatch], RecordDecodingError>,
    _ found: Result<[PredictionBatch], RecordDecodingError>
) {
    switch (expected, found) {
    case (.success(let left), .success(let right)):
        // NaN marks what is missing, so that values are compared by their text.
        check("\(left)" == "\(right)")
    case (.failure(let left), .failure(let right)): check(left == right)
    default: check(false)
    }
}

private func compareGroundTruth(_ body: [UInt8], _ limits: DecodingLimits) {
    var fresh = RecordDecoder(limits: limits)
    fresh.guessesShapes = false
    experienced.limits = limits
    let expected = try? fresh.decodeGroundTruth(body, defaultModel: model, arrival: arrival)
    let found = try? experienced.decodeGroundTruth(body, defaultModel: model, arrival: arrival)
    check(expected.map { "\($0)" } == found.map { "\($0)" })
}

/// A body that is good as a whole is good in every piece.
private func decodePieces(_ body: [UInt8], _ limits: DecodingLimits) {
    var decoder = RecordDecoder(limits: limits)
    guard let pieces = try? RecordPieces(body, limits: limits) else { return }
    var single = limits
    single.isSequence = true
    _ = try? pieces.decodeGood { bytes throws(RecordDecodingError) in
        decoder.limits = single
        return try decoder.decodeGroundTruth(bytes, defaultModel: model, arrival: arrival)
    }
}

private func decodeEvents(_ body: [UInt8], _ mode: CloudEventMode) {
    for event in (try? CloudEvent.decode(body, mode: mode)) ?? [] {
        _ = try? EventDecoder().decode(event, arrival: arrival, schemaOf: { _ in nil })
    }
}

private func decodeTelemetry(_ body: [UInt8], _ encoding: TelemetryEncoding) {
    _ = try? TelemetryDecoder(model: model).decode(
        body, encoding: encoding, arrival: arrival, schemaOf: { _ in nil })
}

private func check(_ isTrue: Bool) { if !isTrue { abort() } }

@_silgen_name("LLVMFuzzerRunDriver")
private func runDriver(
    _ count: UnsafeMutablePointer<CInt>,
    _ arguments: UnsafeMutablePointer<UnsafeMutablePointer<UnsafeMutablePointer<CChar>?>?>,
    _ test: @convention(c) (UnsafePointer<UInt8>, Int) -> CInt
) -> CInt

/// The package manager gives `main` this name.
@_cdecl("DecoderFuzzer_main")
public func main(
    _ count: CInt, _ arguments: UnsafeMutablePointer<UnsafeMutablePointer<CChar>?>?
) -> CInt {
    var count = count
    var arguments = arguments
    return runDriver(&count, &arguments, testOneInput)
}
