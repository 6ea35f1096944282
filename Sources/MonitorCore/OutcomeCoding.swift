import ByteCoding
import MonitoringDomain
import WindowAggregation

// The stored form of an outcome that waits for a reference.

extension Outcome {
    func encode(to writer: inout ByteWriter) {
        writer.write(version)
        writer.write(time.milliseconds)
        writer.write(predictedLabel)
        writer.write(score)
        writer.write(predictedValue)
        writer.write(truthLabel)
        writer.write(truthValue)
    }

    init(decoding reader: inout ByteReader) throws(ByteReadingError) {
        self.init(
            version: try reader.readText(), time: EventTime(milliseconds: try reader.read()),
            predictedLabel: try reader.readOptionalText(),
            score: try reader.readOptionalDouble(),
            predictedValue: try reader.readOptionalDouble(),
            truthLabel: try reader.readOptionalText(),
            truthValue: try reader.readOptionalDouble())
    }
}
