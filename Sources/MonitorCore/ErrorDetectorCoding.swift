import ByteCoding
import MonitoringDomain

// The stored form of the classic detectors: the wanted ones, sorted by name; versions in order, each with its
// warm-up and, by name, what runs: the state, cusum's reference, the detector's numbers, its changes.

extension ErrorDetectors {
    func encode(to writer: inout ByteWriter) {
        writer.write(wanted.map(\.rawValue).sorted())
        writer.writeCount(versions.count)
        for version in versions { version.encode(to: &writer) }
    }

    init(decoding reader: inout ByteReader) throws(ByteReadingError) {
        let start = reader.offset
        var wanted: Set<Statistic> = []
        for name in try reader.readTexts() {
            guard let statistic = Statistic(rawValue: name), statistic.group == .detector else {
                throw .invalid(offset: start, reason: "\"\(name)\" is not a detector")
            }
            wanted.insert(statistic)
        }
        var versions: [Version] = []
        let count = try reader.readCount(elementSize: 8)
        guard count <= Self.versionCountMax else {
            throw .invalid(offset: start, reason: "\(count) versions with detectors")
        }
        for _ in 0..<count { versions.append(try Version(decoding: &reader, wanted: wanted)) }
        self.init(wanted: wanted, versions: versions)
    }
}

extension ErrorDetectors.Version {
    fileprivate func encode(to writer: inout ByteWriter) {
        writer.write(name)
        writer.write(isOfLabels)
        writer.write(outcomeCount)
        writer.write(correctedCount)
        writer.write(usual.count)
        writer.write(usual.mean)
        writer.write(usual.squares)
        writer.writeCount(running.count)
        for (statistic, one) in running.sorted(by: { $0.key.rawValue < $1.key.rawValue }) {
            writer.write(statistic.rawValue)
            writer.write(one.detector.state.rawValue)
            writer.write(one.detector.reference?.mean ?? 0)
            writer.write(one.detector.reference?.deviation ?? 0)
            writer.write(one.detector.numbers)
            writer.write(one.outcomeCount)
            writer.write(one.changes.map(\.milliseconds))
        }
    }

    fileprivate init(
        decoding reader: inout ByteReader, wanted: Set<Statistic>
    ) throws(ByteReadingError) {
        self.init(name: try reader.readText(), isOfLabels: try reader.readBool())
        self.wanted = wanted
        outcomeCount = try reader.read()
        correctedCount = try reader.read()
        let start = reader.offset
        usual = (try reader.read(), try reader.readDouble(), try reader.readDouble())
        guard usual.mean >= 0, usual.mean.isFinite, usual.squares >= 0, usual.squares.isFinite
        else { throw .invalid(offset: start, reason: "not the mean of errors") }
        let count = try reader.readCount(elementSize: 8)
        for _ in 0..<count {
            let offset = reader.offset
            let name = try reader.readText()
            let stateName = try reader.readText()
            let mean = try reader.readDouble()
            let deviation = try reader.readDouble()
            let numbers = try reader.readDoubles()
            guard let statistic = Statistic(rawValue: name), wanted.contains(statistic),
                let state = DetectorFinding.State(rawValue: stateName),
                var detector = ClassicDetector(
                    statistic, isOfLabels: isOfLabels, mean: mean, deviation: deviation),
                detector.restore(numbers, state: state)
            else { throw .invalid(offset: offset, reason: "not a detector's state") }
            var one = ErrorDetectors.Running(detector: detector)
            one.outcomeCount = try reader.read()
            let times: [Int64] = try reader.readArray()
            one.changes = times.suffix(ErrorDetectors.changeCountMax).map {
                EventTime(milliseconds: $0)
            }
            running[statistic] = one
        }
    }
}
