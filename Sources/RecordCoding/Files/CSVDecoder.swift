import MonitoringDomain

/// This reads rows of CSV with a header, in pieces of whole lines.
///
/// A column is numeric where the schema says so, or where every value of the first piece that has any
/// is a number; it stays what it is. An empty field without quotes is missing, and in a numeric column
/// also `NA`, `NaN`, `null` and `None`; `inf` is a number that `non_finite_rate` counts. A feature that the schema declares a vector stands in its field as a
/// JSON array.
struct CSVDecoder {
    private let mapping: ColumnMapping
    private let model: ModelID?
    private let separator: UInt8
    private var columns: [Column] = []

    private struct Column {
        let name: String
        let role: ColumnMapping.Role
        /// Nil until a value has come.
        var kind: FeatureKind?
        /// False once a number with a fraction has come: then whole ones are values too, not classes.
        var isWhole = true

        var isVector: Bool {
            if case .vector? = kind { return true }
            return false
        }
    }

    /// Makes a decoder that has not seen the header.
    init(mapping: ColumnMapping, model: ModelID?, separator: UInt8) {
        self.mapping = mapping
        self.model = model
        self.separator = separator
    }

    /// What each column was taken for, once the header has been read.
    var roles: [(column: String, role: ColumnMapping.Role)] { columns.map { ($0.name, $0.role) } }

    /// Reads a piece whose first line is the line `firstLine` of the file.
    mutating func decode(
        _ piece: [UInt8], firstLine: Int, schemaOf: (ModelID) -> ModelSchema?
    ) throws(RecordDecodingError) -> [(row: WireRow, line: Int)] {
        var records: [(fields: [CSVField], line: Int)] = []
        var reader = CSVReader(piece, separator: separator)
        var fields: [CSVField] = []
        do {
            while try reader.next(into: &fields) {
                records.append((fields, firstLine + reader.line - 1))
            }
        } catch {
            throw .malformed(line: firstLine + error.line - 1, offset: 0, reason: error.reason)
        }
        if columns.isEmpty, !records.isEmpty {
            try readHeader(records.removeFirst().fields, line: firstLine)
        }
        for (fields, line) in records where fields.count != columns.count {
            throw .malformed(
                line: line, offset: 0,
                reason: "\(fields.count) fields found, \(columns.count) expected by the header")
        }
        let modelColumn = columns.firstIndex { $0.role == .model }
        try learnKinds(records, modelColumn, schemaOf)
        var rows: [(row: WireRow, line: Int)] = []
        for (fields, line) in records {
            rows.append((try row(fields, line: line, modelColumn, schemaOf), line))
        }
        return rows
    }

    private mutating func readHeader(
        _ fields: [CSVField], line: Int
    ) throws(RecordDecodingError) {
        var names: Set<ExactText> = []
        for (index, field) in fields.enumerated() {
            var text = field.text
            if index == 0, text.starts(with: [0xEF, 0xBB, 0xBF]) { text.removeFirst(3) }
            guard let name = String(validating: text, as: UTF8.self) else {
                throw .malformed(line: line, offset: 0, reason: "invalid UTF-8")
            }
            let trimmed = name.split(separator: " ").joined(separator: " ")
            // Data frames write their index as a column without a name.
            let role = trimmed.isEmpty ? ColumnMapping.Role.ignore : mapping.role(of: trimmed)
            guard trimmed.isEmpty || names.insert(ExactText(trimmed)).inserted else {
                throw .malformed(line: line, offset: 0, reason: "a repeated column \"\(trimmed)\"")
            }
            columns.append(Column(name: trimmed, role: role))
        }
        let told = Set(mapping.roles.keys).union(mapping.features ?? [])
        for name in told.sorted() where !names.contains(ExactText(name)) {
            throw .malformed(line: line, offset: 0, reason: "no column \"\(name)\"")
        }
    }

    private mutating func learnKinds(
        _ records: [(fields: [CSVField], line: Int)], _ modelColumn: Int?,
        _ schemaOf: (ModelID) -> ModelSchema?
    ) throws(RecordDecodingError) {
        let schema = modelColumn == nil ? model.flatMap(schemaOf) : nil
        for index in columns.indices where columns[index].kind == nil {
            let column = columns[index]
            if column.role == .feature, let known = schema?.kind(of: column.name) {
                columns[index].kind = known
                continue
            }
            var found: FeatureKind?
            for (fields, _) in records {
                let field = fields[index]
                if Self.isMissing(field, inNumbers: true) { continue }
                let isNumber = wireNumber(field.text) ?? wireInfinity(field.text) != nil
                found = isNumber && !field.isQuoted ? .numeric : .categorical
                if found == .categorical { break }
                if !Self.isWhole(field.text) { columns[index].isWhole = false }
            }
            columns[index].kind = found
        }
    }

    private func row(
        _ fields: [CSVField], line: Int, _ modelColumn: Int?,
        _ schemaOf: (ModelID) -> ModelSchema?
    ) throws(RecordDecodingError) -> WireRow {
        func refusal(_ column: String, _ detail: String) -> RecordDecodingError {
            .items([
                ItemError(
                    line: line, pointer: pointer("", column), code: ItemError.invalidField,
                    detail: detail)
            ])
        }
        let name = modelColumn.map { String(decoding: fields[$0].text, as: UTF8.self) }
        guard let model = name.map({ ModelID($0) }) ?? model else {
            throw refusal("model", "a record needs the name of a model")
        }
        var row = WireRow(model: model)
        let schema = schemaOf(model)
        let kind = OutputKind(schema)
        for (column, field) in zip(columns, fields) where column.role != .ignore {
            guard let value = Self.value(field, of: column) else {
                guard String(validating: field.text, as: UTF8.self) != nil else {
                    throw refusal(column.name, "invalid UTF-8")
                }
                throw refusal(
                    column.name,
                    "\"\(Self.excerpt(field))\" is no \(column.role == .feature ? "\(column.kind?.name ?? "numeric") value" : column.role.rawValue)"
                )
            }
            guard row.take(value, as: column.role, column: column.name, kind: kind) else {
                throw refusal(
                    column.name, "\"\(Self.excerpt(field))\" is no \(column.role.rawValue)")
            }
        }
        row.fillSegments(schema)
        row.takeIdentity(schema)
        return row
    }

    /// The value of a field: of a feature by the column's kind, else by its own form.
    private static func value(_ field: CSVField, of column: Column) -> WireValue? {
        let isNumeric = column.kind == .numeric || column.kind == .single
        if isMissing(field, inNumbers: isNumeric || column.role != .feature) { return .null }
        switch column.role {
        case .feature where isNumeric:
            return (wireNumber(field.text) ?? wireInfinity(field.text)).map { .number($0) }
        case .feature where column.isVector: return vector(field)
        case .score, .value, .latency, .weight: return wireNumber(field.text).map { .number($0) }
        case .revision:
            return Int64(String(decoding: field.text, as: UTF8.self)).map { .integer($0) }
        case .prediction, .truth:
            // The whole column decides whether `1` is a class or a value.
            guard isNumeric, let number = wireNumber(field.text) else { return text(field) }
            if column.isWhole, isWhole(field.text),
                let whole = Int64(String(decoding: field.text, as: UTF8.self))
            {
                return .integer(whole)
            }
            return .number(number)
        case .feature, .id, .ts, .model, .version, .error, .segment, .ignore: return text(field)
        }
    }

    /// A vector stands in a field as a JSON array of numbers.
    private static func vector(_ field: CSVField) -> WireValue? {
        guard let value = try? WireValue.parse(field.text),
            case .vector? = WireScalar(feature: value)
        else { return nil }
        return value
    }

    private static func isWhole(_ text: [UInt8]) -> Bool {
        !text.contains { $0 == UInt8(ascii: ".") || $0 | 0x20 == 0x65 }
    }

    private static func text(_ field: CSVField) -> WireValue? {
        String(validating: field.text, as: UTF8.self).map { .string($0) }
    }

    private static func isMissing(_ field: CSVField, inNumbers: Bool) -> Bool {
        if field.isQuoted { return false }
        if field.text.isEmpty { return true }
        guard inNumbers, field.text.count <= 4 else { return false }
        return ["NA", "NaN", "nan", "null", "None"].contains {
            field.text.elementsEqual($0.utf8)
        }
    }

    private static func excerpt(_ field: CSVField) -> String {
        String(String(decoding: field.text.prefix(60), as: UTF8.self))
    }
}
