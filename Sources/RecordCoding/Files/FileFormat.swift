/// This is the format of a recorded file.
public enum FileFormat: String, Sendable, CaseIterable {
    /// Native records, one a line.
    case ndjson
    /// Rows below a header; the separator is the header's.
    case csv
    /// SageMaker's data capture and ground truth.
    case sagemaker
    /// CloudEvents, one a line: Azure ML's collector, or a recorded webhook.
    case events
    /// Rows of Databricks' inference tables as JSON.
    case databricks

    /// The format that the start of a file has: JSON by the members of its first object, which may be an
    /// array's first element, else CSV where the first line is one.
    public init?(content: [UInt8]) {
        var start = content[...]
        if start.starts(with: [0xEF, 0xBB, 0xBF]) { start = start.dropFirst(3) }
        start = start.drop { isSpace($0) }
        guard let first = start.first else { return nil }
        let line = Array(start.prefix { $0 != 0x0A })
        guard first == UInt8(ascii: "{") || first == UInt8(ascii: "[") else {
            guard String(validating: line, as: UTF8.self) != nil,
                line.allSatisfy({ $0 >= 0x20 || $0 == 0x09 || $0 == 0x0D }),
                line.contains(where: { FileFormat.separators.contains($0) })
            else { return nil }
            self = .csv
            return
        }
        guard let value = try? WireValue.firstRecord(in: Array(start)) else {
            self = .ndjson
            return
        }
        if SageMakerLine.isOne(value) {
            self = .sagemaker
        } else if value["specversion"] != nil {
            self = .events
        } else if DatabricksLine.isOne(value) {
            self = .databricks
        } else {
            self = .ndjson
        }
    }

    static let separators: [UInt8] = [
        UInt8(ascii: ","), UInt8(ascii: ";"), UInt8(ascii: "\t"), UInt8(ascii: "|"),
    ]

    /// The separator that the header has most of; a comma where it has none.
    static func separator(of header: [UInt8]) -> UInt8 {
        var best = (separator: separators[0], count: 0)
        for separator in separators {
            let count = header.count { $0 == separator }
            if count > best.count { best = (separator, count) }
        }
        return best.separator
    }
}
