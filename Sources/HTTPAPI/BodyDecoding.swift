import RecordCoding
import Synchronization

/// This decodes bodies of records, as a whole or, where that is asked for, the good records only.
struct BodyDecoding: Sendable {
    /// This is what was left out of a body.
    struct Refusal: Sendable {
        let count: Int
        /// At most 100.
        let errors: [ItemError]
        /// The lines of what was not left out, increasing.
        let keptLines: [Int]
        /// The records among them, as NDJSON, that were refused for a value of a feature.
        let mistyped: [UInt8]
    }

    /// Decoders keep the layout of earlier bodies; one is taken for a body and given back.
    private let decoders = DecoderPool()

    /// Decodes a body.
    ///
    /// - Returns: The good records, none where none is good, and what was left out.
    /// - Throws: A `Problem` in the default mode, for the first thing that is wrong.
    func decode<Batch>(
        _ body: RecordBody, isPartial: Bool, limits: DecodingLimits,
        _ decode: (inout RecordDecoder, [UInt8]) throws(RecordDecodingError) -> [Batch]
    ) throws(Problem) -> (batches: [Batch], refusal: Refusal?) {
        var limits = limits
        limits.isSequence = body.isSequence
        let error: RecordDecodingError
        do throws(RecordDecodingError) {
            return (try decoders.with(limits, body.bytes, decode), nil)
        } catch let found {
            error = found
        }
        let pieces: RecordPieces
        switch error {
        case .batchTooLarge: throw Problem(error)
        case .items where !isPartial: throw Problem(error)
        case .malformed where !isPartial && !body.isSequence: throw Problem(error)
        case .malformed, .items:
            do throws(RecordDecodingError) {
                pieces = try RecordPieces(body.bytes, limits: limits)
            } catch {
                throw Problem(error)
            }
        }
        // One record that is no JSON is a body that is no JSON.
        if case .malformed = error, pieces.pieces.count <= 1 { throw Problem(error) }
        limits.isSequence = true
        let found: RecordPieces.Outcome<[Batch]>
        var mistyped: [UInt8] = []
        do throws(RecordDecodingError) {
            found = try pieces.decodeGood(
                stopsAtCountMax: !isPartial, mistyped: { mistyped += $0 }
            ) { bytes throws(RecordDecodingError) in
                try decoders.with(limits, bytes, decode)
            }
        } catch {
            throw Problem(error)
        }
        if !isPartial { throw Problem(found.value == nil ? error : .items(found.errors)) }
        return (
            found.value ?? [],
            Refusal(
                count: found.refusedCount, errors: found.errors, keptLines: found.lines,
                mistyped: mistyped)
        )
    }

    /// Counts the values of other types in records that were refused for them, as far as they can be read.
    func typeErrors(
        _ mistyped: [UInt8], limits: DecodingLimits,
        _ decode: (inout RecordDecoder, [UInt8]) throws(RecordDecodingError) -> [TypeErrors]
    ) -> [TypeErrors] {
        guard !mistyped.isEmpty else { return [] }
        let bodies = try? RecordPieces(mistyped, limits: limits).decodeGood {
            bytes throws(RecordDecodingError) in try decoders.with(limits, bytes, decode)
        }
        return bodies?.value ?? []
    }

    /// Decodes a body once more, record by record, when the runner has refused what it holds.
    ///
    /// - Parameters:
    ///   - body: The body, which could be decoded before.
    ///   - isPartial: True where the good records are to be stored.
    ///   - limits: What a body may hold now.
    ///   - admit: What the runner has against a batch, after those before it.
    ///   - decode: Decodes NDJSON.
    /// - Returns: The good records, and what is wrong with the others.
    /// - Throws: A `Problem` that names the records: in the default mode for any, in the partial mode
    ///   where no record is good.
    func examine<Batch>(
        _ body: RecordBody, isPartial: Bool, limits: DecodingLimits,
        admit: (Batch) -> [ItemError],
        _ decode: (inout RecordDecoder, [UInt8]) throws(RecordDecodingError) -> [Batch]
    ) throws(Problem) -> (batches: [Batch], refusal: Refusal?) {
        var limits = limits
        limits.isSequence = body.isSequence
        do throws(RecordDecodingError) {
            let pieces = try RecordPieces(body.bytes, limits: limits)
            limits.isSequence = true
            let found = try pieces.decodeEach(stopsAtCountMax: !isPartial) {
                bytes throws(RecordDecodingError) in
                try decoders.with(limits, bytes, decode)
            } faults: { batches in
                batches.flatMap(admit)
            }
            guard found.refusedCount > 0 else { return (found.value ?? [], nil) }
            guard isPartial, let batches = found.value else { throw .items(found.errors) }
            return (
                batches,
                Refusal(
                    count: found.refusedCount, errors: found.errors, keptLines: found.lines,
                    mistyped: [])
            )
        } catch {
            throw Problem(error)
        }
    }
}

/// This is a stack of decoders that nobody uses at the moment.
private final class DecoderPool: Sendable {
    private let idle = Mutex<[RecordDecoder]>([])

    func with<Result>(
        _ limits: DecodingLimits, _ bytes: [UInt8],
        _ decode: (inout RecordDecoder, [UInt8]) throws(RecordDecodingError) -> Result
    ) throws(RecordDecodingError) -> Result {
        var decoder = idle.withLock { $0.popLast() } ?? RecordDecoder()
        decoder.limits = limits
        let result = try decode(&decoder, bytes)
        // A decoder that threw is not given back: its layout may be half learned.
        idle.withLock { [decoder] in $0.append(decoder) }
        return result
    }
}
