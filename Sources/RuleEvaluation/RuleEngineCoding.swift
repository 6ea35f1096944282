public import ByteCoding
import MonitoringDomain
public import RuleLanguage

// The stored form of the engine: active alerts by fingerprint, resolved ones in order, slots, last
// breaches, requests in order, cooldown factors; dictionaries sorted by key, so that equal engines give
// equal bytes. The rules themselves are stored by the caller, as files.

extension RuleEngine {
    /// Appends the state; equal engines have equal bytes.
    public func encode(to writer: inout ByteWriter) {
        writer.writeCount(active.count)
        for (_, alert) in active.sorted(by: { $0.key < $1.key }) { alert.encode(to: &writer) }
        writer.writeCount(resolved.count)
        for alert in resolved { alert.encode(to: &writer) }
        writer.writeCount(slots.count)
        for (key, slot) in slots.sorted(by: { $0.key < $1.key }) {
            writer.write(key)
            writer.write(slot)
        }
        writer.writeCount(lastBreach.count)
        for (key, time) in lastBreach.sorted(by: { $0.key < $1.key }) {
            writer.write(key)
            writer.write(time.milliseconds)
        }
        writer.writeCount(requests.count)
        for request in requests { request.encode(to: &writer) }
        writer.writeCount(cooldownFactors.count)
        for (key, factor) in cooldownFactors.sorted(by: { $0.key < $1.key }) {
            writer.write(key)
            writer.write(factor)
        }
    }

    /// Reads what `encode` wrote, under the rules that were in force then.
    ///
    /// - Throws: `ByteReadingError` for anything else.
    public init(decoding reader: inout ByteReader, rules: RuleSet) throws(ByteReadingError) {
        self.init(rules: rules)
        let activeCount = try reader.readCount()
        for _ in 0..<activeCount {
            let alert = try Alert(decoding: &reader)
            active[alert.fingerprint] = alert
        }
        let resolvedCount = try reader.readCount()
        for _ in 0..<resolvedCount { resolved.append(try Alert(decoding: &reader)) }
        let slotCount = try reader.readCount()
        for _ in 0..<slotCount {
            let key = try reader.readText()
            slots[key] = try reader.read()
        }
        let breachCount = try reader.readCount()
        for _ in 0..<breachCount {
            let key = try reader.readText()
            lastBreach[key] = try reader.readTime()
        }
        let requestCount = try reader.readCount()
        for _ in 0..<requestCount { requests.append(try RetrainingRequest(decoding: &reader)) }
        let factorCount = try reader.readCount()
        for _ in 0..<factorCount {
            let key = try reader.readText()
            let factor: Int64 = try reader.read()
            guard (1...64).contains(factor) else {
                throw .invalid(offset: reader.offset, reason: "a cooldown factor of \(factor)")
            }
            cooldownFactors[key] = factor
        }
    }
}

extension ByteWriter {
    fileprivate mutating func write(_ texts: [String: String]) {
        writeCount(texts.count)
        for (key, value) in texts.sorted(by: { $0.key < $1.key }) {
            write(key)
            write(value)
        }
    }

    fileprivate mutating func write(_ time: EventTime?) {
        write(time != nil)
        if let time { write(time.milliseconds) }
    }
}

extension ByteReader {
    mutating func readTime() throws(ByteReadingError) -> EventTime {
        EventTime(milliseconds: try read())
    }

    mutating func readOptionalTime() throws(ByteReadingError) -> EventTime? {
        try readBool() ? try readTime() : nil
    }

    mutating func readTextMap() throws(ByteReadingError) -> [String: String] {
        var texts: [String: String] = [:]
        let count = try readCount(elementSize: 2)
        for _ in 0..<count {
            let key = try readText()
            texts[key] = try readText()
        }
        return texts
    }

    mutating func readWindow() throws(ByteReadingError) -> TimeWindow {
        let start = try readTime()
        let end = try readTime()
        guard start <= end else {
            throw .invalid(offset: offset, reason: "a window that ends first")
        }
        return TimeWindow(start: start, end: end)
    }

    mutating func readName<Name: RawRepresentable>(
        _ type: Name.Type = Name.self
    ) throws(ByteReadingError) -> Name where Name.RawValue == String {
        let start = offset
        let text = try readText()
        guard let name = Name(rawValue: text) else {
            throw .invalid(offset: start, reason: "\"\(text)\" is not a known name")
        }
        return name
    }

    mutating func readModel() throws(ByteReadingError) -> ModelID {
        let start = offset
        guard let model = ModelID(try readText()) else {
            throw .invalid(offset: start, reason: "not a model's name")
        }
        return model
    }

    mutating func readInt() throws(ByteReadingError) -> Int {
        Int(clamping: try read(Int64.self))
    }
}

extension Alert {
    fileprivate func encode(to writer: inout ByteWriter) {
        writer.write(rule)
        writer.write(group)
        writer.write(model.rawValue)
        writer.write(feature)
        writer.write(segment?.key)
        writer.write(segment?.value)
        writer.write(phase.rawValue)
        writer.write(labels)
        writer.write(annotations)
        writer.write(since.milliseconds)
        writer.write(firedAt)
        writer.write(resolvedAt)
        writer.write(value)
        writer.write(expression)
        writer.writeCount(evidence.count)
        for measurement in evidence { measurement.encode(to: &writer) }
        writer.writeCount(segments.count)
        for part in segments { part.encode(to: &writer) }
    }

    fileprivate init(decoding reader: inout ByteReader) throws(ByteReadingError) {
        self.init(
            rule: try reader.readText(), group: try reader.readText(),
            model: try reader.readModel(), feature: try reader.readOptionalText(),
            segment: try reader.readOptionalSegment(), phase: try reader.readName(),
            labels: try reader.readTextMap(),
            annotations: try reader.readTextMap(), since: try reader.readTime(),
            firedAt: try reader.readOptionalTime(), resolvedAt: try reader.readOptionalTime(),
            value: try reader.readOptionalDouble(), expression: try reader.readText())
        let count = try reader.readCount()
        for _ in 0..<count { evidence.append(try Measurement(decoding: &reader)) }
        let segmentCount = try reader.readCount(elementSize: 16)
        for _ in 0..<segmentCount { segments.append(try SegmentPart(decoding: &reader)) }
    }
}

extension SegmentPart {
    fileprivate func encode(to writer: inout ByteWriter) {
        writer.write(segment.key)
        writer.write(segment.value)
        writer.write(statistic.rawValue)
        writer.write(feature)
        writer.write(share)
        for number in [value, baseline, baselineShare, mix, rate] { writer.write(number) }
    }

    fileprivate init(decoding reader: inout ByteReader) throws(ByteReadingError) {
        self.init(
            segment: Segment(key: try reader.readText(), value: try reader.readText()),
            statistic: try reader.readName(), feature: try reader.readOptionalText(),
            share: try reader.readDouble())
        value = try reader.readOptionalDouble()
        baseline = try reader.readOptionalDouble()
        baselineShare = try reader.readOptionalDouble()
        mix = try reader.readOptionalDouble()
        rate = try reader.readOptionalDouble()
    }
}

extension Measurement {
    fileprivate func encode(to writer: inout ByteWriter) {
        writer.write(model.rawValue)
        writer.write(statistic.rawValue)
        writer.write(feature)
        writer.write(version)
        writer.write(segment?.key)
        writer.write(segment?.value)
        writer.write(window.start.milliseconds)
        writer.write(window.end.milliseconds)
        reading.encode(to: &writer)
        writer.write(Int64(count))
        writer.write(Int64(missing))
        writer.write(referenceCount != nil)
        writer.write(Int64(referenceCount ?? 0))
        writer.write(reference)
        writer.write(isRevised)
        switch finding {
        case nil: writer.write(UInt8(0))
        case .drift(let finding)?:
            writer.write(UInt8(1))
            finding.encode(to: &writer)
        case .detector(let finding)?:
            writer.write(UInt8(2))
            writer.write(finding.state.rawValue)
            writer.write(finding.lastChange)
            writer.write(finding.outcomeCount)
            writer.write(finding.correctedCount)
        }
    }

    fileprivate init(decoding reader: inout ByteReader) throws(ByteReadingError) {
        self.init(
            model: try reader.readModel(), statistic: try reader.readName(),
            feature: try reader.readOptionalText(), version: try reader.readOptionalText(),
            segment: try reader.readOptionalSegment(), window: try reader.readWindow(),
            reading: .noData, count: 0)
        reading = try Reading(decoding: &reader)
        count = try reader.readInt()
        missing = try reader.readInt()
        let hasReference = try reader.readBool()
        let rows = try reader.readInt()
        referenceCount = hasReference ? rows : nil
        reference = try reader.readOptionalText()
        isRevised = try reader.readBool()
        switch try reader.readByte() {
        case 0: finding = nil
        case 1: finding = .drift(try DriftFinding(decoding: &reader))
        case 2:
            finding = .detector(
                DetectorFinding(
                    state: try reader.readName(), lastChange: try reader.readOptionalTime(),
                    outcomeCount: try reader.read(), correctedCount: try reader.read()))
        case let other: throw .invalid(offset: reader.offset - 1, reason: "finding \(other)")
        }
    }
}

extension DriftFinding {
    fileprivate func encode(to writer: inout ByteWriter) {
        writer.write(null.rawValue)
        writer.write(level)
        writer.write(tolerance)
        writer.writeCount(streamCount)
        writer.writeCount(calibrationCount.map { $0 + 1 } ?? 0)
        writer.writeCount(streams.count)
        for stream in streams {
            writer.write(stream.feature)
            writer.write(stream.segment?.key)
            writer.write(stream.segment?.value)
            writer.write(stream.evidence)
            writer.write(stream.distance)
            writer.write(stream.distanceLowerBound)
            writer.write(stream.isNamed)
        }
    }

    fileprivate init(decoding reader: inout ByteReader) throws(ByteReadingError) {
        self.init(
            null: try reader.readName(), level: try reader.readDouble(),
            tolerance: try reader.readDouble(),
            streamCount: Int(clamping: try reader.readVarint()), streams: [])
        let calibration = Int(clamping: try reader.readVarint())
        calibrationCount = calibration > 0 ? calibration - 1 : nil
        let count = try reader.readCount(elementSize: 14)
        for _ in 0..<count {
            streams.append(
                Stream(
                    feature: try reader.readText(), segment: try reader.readOptionalSegment(),
                    evidence: try reader.readDouble(), distance: try reader.readOptionalDouble(),
                    distanceLowerBound: try reader.readOptionalDouble(),
                    isNamed: try reader.readBool()))
        }
    }
}

extension RetrainingRequest {
    fileprivate func encode(to writer: inout ByteWriter) {
        writer.write(id)
        writer.write(rule)
        writer.write(model.rawValue)
        writer.write(modelVersion)
        writer.write(queue)
        writer.write(Int64(priority))
        writer.write(needsApproval)
        writer.write(state.rawValue)
        writer.write(Int64(triggerCount))
        writer.write(createdAt.milliseconds)
        writer.write(trainingWindow.start.milliseconds)
        writer.write(trainingWindow.end.milliseconds)
        alert.encode(to: &writer)
        writer.write(reference)
        writer.write(parameters)
        writer.write(finishedAt)
        writer.write(newVersion)
        writer.write(detail)
        writer.write(verification != nil)
        verification?.encode(to: &writer)
    }

    fileprivate init(decoding reader: inout ByteReader) throws(ByteReadingError) {
        self.init(
            id: try reader.readText(), rule: try reader.readText(), model: try reader.readModel(),
            modelVersion: try reader.readText(), queue: try reader.readText(),
            priority: try reader.readInt(), needsApproval: try reader.readBool(),
            state: try reader.readName(), triggerCount: try reader.readInt(),
            createdAt: try reader.readTime(), trainingWindow: try reader.readWindow(),
            alert: try Alert(decoding: &reader), reference: try reader.readOptionalText(),
            parameters: try reader.readTextMap())
        finishedAt = try reader.readOptionalTime()
        newVersion = try reader.readOptionalText()
        detail = try reader.readOptionalText()
        verification = try reader.readBool() ? try Verification(decoding: &reader) : nil
    }
}

extension Verification {
    fileprivate func encode(to writer: inout ByteWriter) {
        writer.write(verdict.rawValue)
        writer.write(statistic.rawValue)
        writer.write(oldVersion)
        writer.write(newVersion)
        for number in [before, after, effect, effectLower, effectUpper] { writer.write(number) }
        writer.write(Int64(beforeCount))
        writer.write(Int64(afterCount))
        writer.write(decidedAt.milliseconds)
        writer.write(method)
    }

    fileprivate init(decoding reader: inout ByteReader) throws(ByteReadingError) {
        let verdict: Verdict = try reader.readName()
        let statistic: Statistic = try reader.readName()
        let oldVersion = try reader.readText()
        let newVersion = try reader.readText()
        let before = try reader.readDouble()
        let after = try reader.readDouble()
        let effect = try reader.readDouble()
        let lower = try reader.readDouble()
        let upper = try reader.readDouble()
        self.init(
            verdict: verdict, statistic: statistic, oldVersion: oldVersion, newVersion: newVersion,
            before: before, after: after, beforeCount: try reader.readInt(),
            afterCount: try reader.readInt(), effect: effect, effectLower: lower,
            effectUpper: upper, decidedAt: try reader.readTime(), method: try reader.readText())
    }
}
