import ByteCoding
import MonitoringDomain
import WindowAggregation

// The stored form of an outcome that waits for a reference.

extension Outcome {
    func encode(to writer: inout ByteWriter) {
        writer.write(version)
        writer.write(segments)
        writer.write(time.milliseconds)
        writer.write(predictedLabel)
        writer.write(score)
        writer.write(predictedValue)
        writer.write(truthLabel)
        writer.write(truthValue)
    }

    init(decoding reader: inout ByteReader) throws(ByteReadingError) {
        let version = try reader.readText()
        let segments = try reader.readTexts()
        self.init(
            version: version, time: EventTime(milliseconds: try reader.read()),
            predictedLabel: try reader.readOptionalText(),
            score: try reader.readOptionalDouble(),
            predictedValue: try reader.readOptionalDouble(),
            truthLabel: try reader.readOptionalText(),
            truthValue: try reader.readOptionalDouble())
        self.segments = segments
    }
}
