public import ByteCoding
public import MonitoringDomain

/// This is measurements as columns: for spreadsheets, data frames, and a terminal.
///
/// The columns are those of the API's objects, in their order; the window is `from` and `to`.
public struct MeasurementTable: Sendable {
    private let measurements: [Measurement]

    /// Makes a table with one row for each measurement, in their order.
    public init(_ measurements: [Measurement]) { self.measurements = measurements }

    /// These are the names of the columns.
    public static let columnNames = columns.map(\.name)

    private struct Column: Sendable {
        let name: String
        let value: @Sendable (Measurement) -> JSONValue
    }

    private static let columns = [
        Column(name: "from") { .string("\($0.window.start)") },
        Column(name: "to") { .string("\($0.window.end)") },
        Column(name: "statistic") { .string($0.statistic.rawValue) },
        Column(name: "feature") { .optional($0.feature) },
        Column(name: "version") { .optional($0.version) },
        Column(name: "segment") { .optional($0.segment?.description) },
        Column(name: "value") { .optional($0.reading.estimate?.value) },
        Column(name: "lower") { .optional($0.reading.estimate?.lower) },
        Column(name: "upper") { .optional($0.reading.estimate?.upper) },
        Column(name: "certified") { .bool($0.reading.estimate?.isCertified ?? false) },
        Column(name: "p_value") { .optional($0.reading.estimate?.pValue) },
        Column(name: "count") { .int(Int64($0.count)) },
        Column(name: "missing") { .int(Int64($0.missing)) },
        Column(name: "reference_count") { .optional($0.referenceCount) },
        Column(name: "status") { .string($0.reading.status) },
        Column(name: "reason") { .optional($0.reading.reason) },
        Column(name: "revised") { .bool($0.isRevised) },
    ]

    /// This is an object with one array for each column, all of one length: a data frame's own shape.
    public var columnarJSON: JSONValue {
        .object(
            Self.columns.map { column in
                (column.name, .array(measurements.map { column.value($0) }))
            })
    }

    /// This is the table as RFC 4180 has it: a header, CRLF after each row, an empty cell where there is
    /// no value.
    ///
    /// A text that a spreadsheet would run as a formula gets an apostrophe in front.
    public var csv: String {
        var text = Self.columnNames.joined(separator: ",") + "\r\n"
        for measurement in measurements {
            text += Self.columns.map { Self.cell($0.value(measurement)) }.joined(separator: ",")
            text += "\r\n"
        }
        return text
    }

    private static func cell(_ value: JSONValue) -> String {
        guard case .string(let text) = value else { return value == .null ? "" : value.text }
        let isFormula = text.utf8.first.map { "=+-@\t\r".utf8.contains($0) } ?? false
        let safe = isFormula ? "'" + text : text
        guard safe.utf8.contains(where: { ",\"\r\n".utf8.contains($0) }) else { return safe }
        return "\""
            + safe.split(separator: "\"", omittingEmptySubsequences: false)
            .joined(separator: "\"\"") + "\""
    }

    /// These are the rows for a terminal: columns that say something, padded to equal width.
    public var aligned: String {
        let shown = Self.columns.filter { column in
            switch column.name {
            case "certified", "reference_count", "revised": false
            case "feature", "version", "segment", "reason", "p_value", "lower", "upper":
                measurements.contains { column.value($0) != .null }
            default: true
            }
        }
        let rows =
            [shown.map(\.name)]
            + measurements.map { row in shown.map { Self.short($0.value(row)) } }
        let widths = shown.indices.map { index in rows.map { $0[index].count }.max() ?? 0 }
        return rows.map { row in
            let padded = row.indices.map { index in
                row[index] + String(repeating: " ", count: widths[index] - row[index].count)
            }
            return String(padded.joined(separator: "  ").trimmingSuffix(while: { $0 == " " }))
        }.joined(separator: "\n")
    }

    private static func short(_ value: JSONValue) -> String {
        switch value {
        case .null: ""
        case .string(let text): text
        case .double(let number): Self.fourDigits(number)
        default: value.text
        }
    }

    /// Four significant digits are what a person compares.
    ///
    /// The CSV and JSON forms have all.
    private static func fourDigits(_ value: Double) -> String {
        guard value != 0, value.isFinite else { return "\(value)" }
        if value == value.rounded(), value.magnitude < 1e15 { return "\(Int64(value))" }
        guard value.magnitude >= 1e-4, value.magnitude < 1e6 else { return "\(value)" }
        var scale = 1.0
        while value.magnitude * scale < 1_000 { scale *= 10 }
        return "\((value * scale).rounded() / scale)"
    }
}

extension Reading {
    /// This is why there is no value; nil where there is one, or where no row came.
    public var reason: String? {
        switch self {
        case .undefined(let reason): reason
        case .insufficientSamples(let found, let required):
            "\(found) rows found, \(required) required"
        case .value, .noData: nil
        }
    }
}

extension String {
    fileprivate func trimmingSuffix(while predicate: (Character) -> Bool) -> Substring {
        var end = endIndex
        while end > startIndex, predicate(self[index(before: end)]) { end = index(before: end) }
        return self[..<end]
    }
}
