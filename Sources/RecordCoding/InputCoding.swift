public import ByteCoding
public import MonitoringDomain

/// This is the stored form of an input: columns, with a checksum at the end.
///
/// Layout, little-endian; `count` is a LEB128 number, `text` a count of bytes and UTF-8:
///
///     byte 0     version, 3
///     byte 1     kind: 1 predictions, 2 ground truth, 3 pinned reference, 4 rules, 5 tick,
///                6 report, 7 schema, 8 chosen reference, 9 activated reference, 10 inference half,
///                11 inference half with its moment, 12 values of other types, 13 trimmed log
///     …          the kind's fields, below
///     last 4     CRC-32C of everything before
///
///     predictions   model text · rowCount count · identities [rowCount] of (high u64, low u64) ·
///                   times integers · versions · featureCount count · features
///                   [featureCount] of (name text, column as FeatureColumnCoding.swift has it) ·
///                   segmentCount count · segments of (key text, column) · byte 1 and latencies
///                   numbers, or byte 0 · byte 1 and errors, or byte 0 ·
///                   labels · scores numbers · values numbers · truth labels ·
///                   truth values numbers · weights numbers where there are some
///     ground truth  model text · rowCount count · identities · times · labels · values numbers ·
///                   revisions integers
///     pinned        pinnedAt i64 · as predictions
///     rules         count · of (name text, text text)
///     tick          i64
///     report        time i64 · request text · state text · optional new version · optional detail
///     schema        model text · optional task · count · of (name text, kind text) ·
///                   optional positive label · pane i64 · optional identity ·
///                   segment keys · horizon i64 where one is declared
///     chosen        model text · time i64 · byte 0 span, from i64, to i64; or 1 first, count,
///                   optional version; or 2 moving, its name
///     activated     model text · id text
///     trimmed       position i64 · time i64
///     half          side u8 · key (high u64, low u64) · arrival i64 · rank u8 · of kind 11 moment i64 ·
///                   as predictions
///     other types   rowCount count · names of features, a text column · as predictions
///     text column   count · dictionary texts · codes [rowCount], each in 1, 2 or 4 bytes, the
///                   least that holds every code and the largest value, which is missing; none
///                   where there is no text
///     numbers, integers   as `PackedColumns` says
///     optional      byte 0, or byte 1 and the text
///
/// Columns have no counts of their own: their lengths are the row count. Numbers keep every bit.
public enum InputCoding {
    private static let version: UInt8 = 3
    /// About what a row of twenty features takes, so that most inputs are written without growing.
    private static let rowSizeBytes = 96

    /// This is `input` as bytes, behind those of `prefix`; equal inputs give equal bytes.
    public static func encode(_ input: Input, after prefix: [UInt8] = []) -> [UInt8] {
        var writer = ByteWriter()
        if case .predictions(let batch) = input { writer.reserve(batch.rowCount * rowSizeBytes) }
        writer.append(contentsOf: prefix)
        writer.write(version)
        switch input {
        case .predictions(let batch):
            writer.write(UInt8(1))
            writer.write(batch)
        case .groundTruth(let batch):
            writer.write(UInt8(2))
            writer.write(batch)
        case .typeErrors(let batch, let features):
            writer.write(UInt8(12))
            writer.writeCount(batch.rowCount)
            writer.write(features, batch.rowCount)
            writer.write(batch)
        case .pinReference(let batch, let pinnedAt):
            writer.write(UInt8(3))
            writer.write(pinnedAt.milliseconds)
            writer.write(batch)
        case .rules(let files):
            writer.write(UInt8(4))
            writer.writeCount(files.count)
            for file in files {
                writer.write(file.name)
                writer.write(file.text)
            }
        case .tick(let time):
            writer.write(UInt8(5))
            writer.write(time.milliseconds)
        case .report(let report, let time):
            writer.write(UInt8(6))
            writer.write(time.milliseconds)
            writer.write(report.requestID)
            writer.write(report.state.rawValue)
            writer.write(report.newVersion)
            writer.write(report.detail)
        case .declareSchema(let schema):
            writer.write(UInt8(7))
            writer.write(schema)
        case .inference(let half):
            writer.write(UInt8(half.occurredNanoseconds == nil ? 10 : 11))
            writer.write(half.side.rawValue)
            writer.write(half.key.high)
            writer.write(half.key.low)
            writer.write(half.arrival.milliseconds)
            writer.write(half.identityRank)
            if let moment = half.occurredNanoseconds { writer.write(moment) }
            writer.write(half.batch)
        case .chooseReference(let model, let source, let time):
            writer.write(UInt8(8))
            writer.write(model.rawValue)
            writer.write(time.milliseconds)
            writer.write(source)
        case .activateReference(let model, let id):
            writer.write(UInt8(9))
            writer.write(model.rawValue)
            writer.write(id)
        case .trimLog(let position, let time):
            writer.write(UInt8(13))
            writer.write(position)
            writer.write(time.milliseconds)
        }
        let checksum = writer.bytes.withUnsafeBytes { bytes in
            crc32c(UnsafeRawBufferPointer(rebasing: bytes[prefix.count...]))
        }
        writer.write(checksum)
        return writer.bytes
    }

    /// This is the input that `encode` has written as `bytes`.
    ///
    /// - Throws: Anything else than exactly that: a changed or missing byte, bytes behind the end,
    ///   an unknown version or kind, columns that do not fit together.
    public static func decode(_ bytes: [UInt8]) throws(ByteReadingError) -> Input {
        guard bytes.count >= 6 else {
            throw .truncated(offset: bytes.count, needed: 6 - bytes.count)
        }
        var tail = ByteReader(Array(bytes.suffix(4)))
        let expected = try tail.read(UInt32.self)
        let content = Array(bytes.dropLast(4))
        let found = crc32c(content)
        guard found == expected else { throw .checksumMismatch(found: found, expected: expected) }
        var reader = ByteReader(content)
        let version = try reader.readByte()
        guard version == Self.version else {
            throw .invalid(offset: 0, reason: "version \(version), \(Self.version) expected")
        }
        let input = try reader.readInput()
        guard reader.isAtEnd else {
            throw .invalid(offset: reader.offset, reason: "\(reader.remaining) bytes too many")
        }
        return input
    }
}

extension ByteReader {
    fileprivate mutating func readInput() throws(ByteReadingError) -> Input {
        switch try readByte() {
        case 1: return .predictions(try readPredictions())
        case 2: return .groundTruth(try readGroundTruth())
        case 3:
            let pinnedAt = try readTime()
            return .pinReference(try readPredictions(), pinnedAt: pinnedAt)
        case 4:
            let count = try readCount(elementSize: 2)
            var files: [RuleFile] = []
            for _ in 0..<count {
                let name = try readText()
                files.append(RuleFile(name: name, text: try readText()))
            }
            return .rules(files)
        case 5: return .tick(try readTime())
        case 13: return .trimLog(through: try read(), reaching: try readTime())
        case 6:
            let time = try readTime()
            let requestID = try readText()
            let state = try readCase(RetrainingState.self)
            let newVersion = try readOptionalText()
            let report = TrainerReport(
                requestID: requestID, state: state, newVersion: newVersion,
                detail: try readOptionalText())
            return .report(report, at: time)
        case 7: return .declareSchema(try readSchema())
        case 8:
            let model = try readModel()
            let time = try readTime()
            return .chooseReference(model, try readReferenceSource(), at: time)
        case 9:
            let model = try readModel()
            return .activateReference(model, id: try readText())
        case 10: return .inference(try readHalf(hasMoment: false))
        case 11: return .inference(try readHalf(hasMoment: true))
        case 12:
            // Each row has an identity in the batch that follows.
            let rowCount = try readCount(elementSize: identitySizeBytes)
            let features = try readTextColumn(rowCount)
            let start = offset
            let batch = try readPredictions()
            guard batch.rowCount == rowCount else {
                throw .invalid(offset: start, reason: "\(batch.rowCount) rows, not \(rowCount)")
            }
            return .typeErrors(batch, features: features)
        case let kind: throw .invalid(offset: offset - 1, reason: "\(kind) is no kind of input")
        }
    }

    private mutating func readTime() throws(ByteReadingError) -> EventTime {
        EventTime(milliseconds: try read(Int64.self))
    }

    private mutating func readReferenceSource() throws(ByteReadingError) -> ReferenceSource {
        let start = offset
        switch try readByte() {
        case 0:
            let from = try readTime()
            let to = try readTime()
            guard from < to else { throw .invalid(offset: start, reason: "an empty span") }
            return .span(TimeWindow(start: from, end: to))
        case 1:
            guard let count = Int(exactly: try readVarint()), count > 0 else {
                throw .invalid(offset: start, reason: "no number of rows")
            }
            return .first(count: count, version: try readOptionalText())
        case 2: return .moving(try readCase(MovingReference.self))
        case let kind: throw .invalid(offset: start, reason: "\(kind) is no source of a reference")
        }
    }

    private mutating func readSchema() throws(ByteReadingError) -> ModelSchema {
        let model = try readModel()
        let task = try readBool() ? try readCase(TaskKind.self) : nil
        let count = try readCount(elementSize: 2)
        var features: [FeatureSchema] = []
        for _ in 0..<count {
            let name = try readText()
            let start = offset
            guard let kind = FeatureKind(code: try readText()) else {
                throw .invalid(offset: start, reason: "an unknown kind of feature")
            }
            features.append(FeatureSchema(name: name, kind: kind))
        }
        let positiveLabel = try readOptionalText()
        let start = offset
        let pane = try read(Int64.self)
        // Whoever divides by the pane relies on this.
        guard pane > 0, WindowSpan.day % pane == 0 else {
            throw .invalid(offset: start, reason: "a pane of \(pane) ms does not divide a day")
        }
        let identityStart = offset
        let identity = try readOptionalText().map { text throws(ByteReadingError) in
            guard let key = JoinKey(text) else {
                throw ByteReadingError.invalid(offset: identityStart, reason: "an unknown join key")
            }
            return key
        }
        let segments = try readTexts()
        let horizonStart = offset
        let horizon = isAtEnd ? nil : try read(Int64.self)
        let scores = isAtEnd ? nil : try readCase(ClassScores.self)
        // Zero: there is none, and something follows.
        guard horizon ?? 1 > 0 || horizon == 0 && scores != nil else {
            throw .invalid(offset: horizonStart, reason: "a horizon of \(horizon ?? 0) ms")
        }
        return ModelSchema(
            model: model, task: task, features: features, positiveLabel: positiveLabel,
            paneMilliseconds: pane, identity: identity,
            horizonMilliseconds: horizon == 0 ? nil : horizon, segments: segments, scores: scores)
    }

    private mutating func readHalf(hasMoment: Bool) throws(ByteReadingError) -> InferenceHalf {
        let start = offset
        guard let side = InferenceHalf.Side(rawValue: try readByte()) else {
            throw .invalid(offset: start, reason: "an unknown side")
        }
        let high: UInt64 = try read()
        let key = RecordIdentity(high: high, low: try read())
        let arrival = try readTime()
        let rank = try readByte()
        let moment = hasMoment ? try read(Int64.self) : nil
        return InferenceHalf(
            side: side, key: key, arrival: arrival, identityRank: rank,
            batch: try readPredictions(), occurredNanoseconds: moment)
    }

    private mutating func readCase<Case: RawRepresentable<String>>(
        _ type: Case.Type
    ) throws(ByteReadingError) -> Case {
        let start = offset
        let text = try readText()
        guard let value = Case(rawValue: text) else {
            throw .invalid(offset: start, reason: "an unknown \(type)")
        }
        return value
    }
}

extension ByteWriter {
    fileprivate mutating func write(_ schema: ModelSchema) {
        write(schema.model.rawValue)
        write(schema.task?.rawValue)
        writeCount(schema.features.count)
        for feature in schema.features {
            write(feature.name)
            write(feature.kind.code)
        }
        write(schema.positiveLabel)
        write(schema.paneMilliseconds)
        write(schema.identity?.text)
        write(schema.segments)
        // What is not there is not written, so that the schemas of earlier versions are read too.
        if let scores = schema.scores {
            write(schema.horizonMilliseconds ?? 0)
            write(scores.rawValue)
        } else if let horizon = schema.horizonMilliseconds {
            write(horizon)
        }
    }

    fileprivate mutating func write(_ source: ReferenceSource) {
        switch source {
        case .span(let window):
            write(UInt8(0))
            write(window.start.milliseconds)
            write(window.end.milliseconds)
        case .first(let count, let version):
            write(UInt8(1))
            writeCount(count)
            write(version)
        case .moving(let kind):
            write(UInt8(2))
            write(kind.rawValue)
        }
    }
}
