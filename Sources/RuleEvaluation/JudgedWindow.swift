public import ByteCoding
public import MonitoringDomain

/// This is one value that a rule's condition read: the question, the window and the answer.
public struct JudgedWindow: Equatable, Sendable {
    /// These are the rule groups that read it, in order of first reading.
    public var groups: [String]
    /// This is what was asked.
    public var query: MeasurementQuery
    /// This is the event-time interval that was measured.
    public var window: TimeWindow
    /// This is what was answered.
    public var reading: Reading

    /// Makes one from its parts.
    public init(
        groups: [String], query: MeasurementQuery, window: TimeWindow, reading: Reading
    ) {
        self.groups = groups
        self.query = query
        self.window = window
        self.reading = reading
    }
}

/// This is what late rows made of a value that rules had judged.
public struct Restatement: Equatable, Sendable {
    /// This is what was asked.
    public var query: MeasurementQuery
    /// This is the event-time interval that was measured, before and after.
    public var window: TimeWindow
    /// This is the answer that rules judged before the late rows.
    public var old: Reading
    /// This is the answer with the late rows.
    public var new: Reading
    /// This is the rules' time at which the window was measured again.
    public var restatedAt: EventTime

    /// Makes one from its parts.
    public init(
        query: MeasurementQuery, window: TimeWindow, old: Reading, new: Reading,
        restatedAt: EventTime
    ) {
        self.query = query
        self.window = window
        self.old = old
        self.new = new
        self.restatedAt = restatedAt
    }
}

// The stored forms. The model is not written: whoever keeps these keeps them by model.

extension JudgedWindow {
    /// Appends the value; equal values of one model have equal bytes.
    public func encode(to writer: inout ByteWriter) {
        writer.write(groups)
        query.encode(to: &writer)
        writer.write(window.start.milliseconds)
        writer.write(window.end.milliseconds)
        reading.encode(to: &writer)
    }

    /// Reads what `encode` wrote.
    ///
    /// - Throws: `ByteReadingError` for anything else.
    public init(
        decoding reader: inout ByteReader, model: ModelID
    ) throws(ByteReadingError) {
        groups = try reader.readTexts()
        query = try MeasurementQuery(decoding: &reader, model: model)
        window = try reader.readWindow()
        reading = try Reading(decoding: &reader)
    }
}

extension Restatement {
    /// Appends the value; equal values of one model have equal bytes.
    public func encode(to writer: inout ByteWriter) {
        query.encode(to: &writer)
        writer.write(window.start.milliseconds)
        writer.write(window.end.milliseconds)
        old.encode(to: &writer)
        new.encode(to: &writer)
        writer.write(restatedAt.milliseconds)
    }

    /// Reads what `encode` wrote.
    ///
    /// - Throws: `ByteReadingError` for anything else.
    public init(
        decoding reader: inout ByteReader, model: ModelID
    ) throws(ByteReadingError) {
        query = try MeasurementQuery(decoding: &reader, model: model)
        window = try reader.readWindow()
        old = try Reading(decoding: &reader)
        new = try Reading(decoding: &reader)
        restatedAt = try reader.readTime()
    }
}

extension MeasurementQuery {
    fileprivate func encode(to writer: inout ByteWriter) {
        writer.write(statistic.rawValue)
        writer.write(feature)
        writer.write(version)
        writer.write(smoothing.rawValue)
        writer.write(segment?.key)
        writer.write(segment?.value)
        writer.write(fraction)
    }

    fileprivate init(
        decoding reader: inout ByteReader, model: ModelID
    ) throws(ByteReadingError) {
        self.init(
            model: model, statistic: try reader.readName(),
            feature: try reader.readOptionalText(), version: try reader.readOptionalText(),
            smoothing: try reader.readName())
        segment = try reader.readOptionalSegment()
        fraction = try reader.readOptionalDouble()
    }
}

extension ByteReader {
    mutating func readOptionalSegment() throws(ByteReadingError) -> Segment? {
        let key = try readOptionalText()
        let value = try readOptionalText()
        guard let key, let value else { return nil }
        return Segment(key: key, value: value)
    }
}

extension Reading {
    func encode(to writer: inout ByteWriter) {
        switch self {
        case .value(let estimate):
            writer.write(UInt8(0))
            writer.write(estimate.value)
            writer.write(estimate.lower)
            writer.write(estimate.upper)
            writer.write(estimate.isCertified)
            writer.write(estimate.pValue)
        case .insufficientSamples(let found, let required):
            writer.write(UInt8(1))
            writer.write(Int64(found))
            writer.write(Int64(required))
        case .noData: writer.write(UInt8(2))
        case .undefined(let reason):
            writer.write(UInt8(3))
            writer.write(reason)
        }
    }

    init(decoding reader: inout ByteReader) throws(ByteReadingError) {
        switch try reader.readByte() {
        case 0:
            self = .value(
                Estimate(
                    value: try reader.readDouble(), lower: try reader.readOptionalDouble(),
                    upper: try reader.readOptionalDouble(), isCertified: try reader.readBool(),
                    pValue: try reader.readOptionalDouble()))
        case 1:
            self = .insufficientSamples(
                found: try reader.readInt(), required: try reader.readInt())
        case 2: self = .noData
        case 3: self = .undefined(reason: try reader.readText())
        case let other: throw .invalid(offset: reader.offset - 1, reason: "reading \(other)")
        }
    }
}
