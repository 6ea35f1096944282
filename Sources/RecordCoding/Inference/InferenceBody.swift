import ByteCoding
import MonitoringDomain

/// This is a body of a model server: JSON, and the raw tensors behind it where there are some.
struct InferenceBody {
    let value: WireValue
    private(set) var raw: ByteReader?

    /// Reads a payload of either kind, with `Inference-Header-Content-Length` where it is known.
    ///
    /// The size of the JSON is not told by loggers that forward only the body and its type, so it is
    /// found by reading the first value to its end.
    ///
    /// - Throws: `malformed` where the start is no JSON, or is not as long as it should be.
    init(
        _ payload: CloudEvent.Payload, headerSizeBytes: Int? = nil, limits: DecodingLimits
    ) throws(RecordDecodingError) {
        switch payload {
        case .none: throw .malformed(line: 1, offset: 0, reason: "an empty body")
        case .value(let value): self.value = value
        case .bytes(let bytes):
            if let headerSizeBytes {
                guard headerSizeBytes > 0, headerSizeBytes <= bytes.count else {
                    throw .malformed(
                        line: 1, offset: 0,
                        reason: "a header of \(headerSizeBytes) bytes in \(bytes.count)")
                }
                value = try WireValue.parse(Array(bytes[..<headerSizeBytes]), limits: limits)
                raw = ByteReader(Array(bytes[headerSizeBytes...]))
            } else {
                let (value, end) = try WireValue.parsePrefix(bytes, limits: limits)
                self.value = value
                if end < bytes.count { raw = ByteReader(Array(bytes[end...])) }
            }
        }
    }

    /// These are the tensors below `key`, and with them all raw bytes.
    mutating func tensors(_ key: String) throws(RecordDecodingError) -> [Tensor] {
        var tensors: [Tensor] = []
        for (index, element) in (value[key]?.array ?? []).enumerated() {
            do {
                tensors.append(try Tensor(element, at: "/\(key)/\(index)", raw: &raw))
            } catch {
                throw Self.refusal(error.pointer, error.detail)
            }
        }
        try finish()
        return tensors
    }

    /// - Throws: `malformed` where raw bytes, and not only white space, are left that no tensor has claimed.
    func finish() throws(RecordDecodingError) {
        guard let raw, !raw.isAtEnd else { return }
        var rest = raw
        if let bytes = try? rest.readSlice(count: raw.remaining), bytes.allSatisfy(isSpace) {
            return
        }
        throw .malformed(
            line: 1, offset: raw.offset, reason: "\(raw.remaining) bytes behind the body")
    }

    static func refusal(
        _ pointer: String, _ detail: String, code: String = ItemError.invalidField
    ) -> RecordDecodingError {
        .items([ItemError(line: 1, pointer: pointer, code: code, detail: detail)])
    }

    /// True where `inputs` or `outputs` are tensors of the Open Inference Protocol.
    static func areTensors(_ value: WireValue?) -> Bool {
        guard let elements = value?.array, let first = elements.first else { return false }
        return first["datatype"] != nil
    }
}

/// This is rows under the names of their columns.
struct InferenceTable: Equatable {
    /// The body's own id.
    var id: String?
    var version: String?
    var rows: [[WireRow.Feature]] = []
    /// What stands beside the rows.
    var body: WireValue?
}

extension InferenceTable {
    /// These are the names of `width` columns without names of their own: the schema's features, where
    /// there are as many, else `prefix` and the number of the column.
    static func names(width: Int, prefix: String, _ schema: ModelSchema?) -> [String] {
        if let schema, schema.features.count == width { return schema.features.map(\.name) }
        return (0..<width).map { "\(prefix)-\($0)" }
    }

    /// Appends the scalars of `value`, which may be nested, in their order.
    static func flatten(
        _ value: WireValue, into cells: inout [WireScalar], at path: String
    ) throws(RecordDecodingError) {
        if case .array(let elements) = value {
            for element in elements { try flatten(element, into: &cells, at: path) }
        } else if let cell = WireScalar(value) {
            cells.append(cell)
        } else {
            throw InferenceBody.refusal(path, "a scalar or an array is expected")
        }
    }

    /// Rows as they stand in `instances`: arrays, scalars or objects.
    init(
        instances: [WireValue], at path: String, _ schema: ModelSchema?
    )
        throws(RecordDecodingError)
    {
        var names: [String] = []
        for (index, instance) in instances.enumerated() {
            let place = "\(path)/\(index)"
            var instance = instance
            // SageMaker's algorithms put the row into an object of its own.
            if let members = instance.object, members.count == 1, members[0].key == "features" {
                instance = members[0].value
            }
            if let members = instance.object {
                rows.append(try Self.row(members, at: place, schema))
                continue
            }
            var cells: [WireScalar] = []
            try Self.flatten(instance, into: &cells, at: place)
            if names.count != cells.count {
                names = Self.names(width: cells.count, prefix: "feature", schema)
            }
            rows.append(zip(names, cells).map { WireRow.Feature($0, $1) })
        }
    }

    /// A row as an object: a member that is an array of one is that one; a longer one is a vector where the
    /// schema says so, else numbered.
    static func row(
        _ members: [WireValue.Member], at path: String, _ schema: ModelSchema? = nil
    ) throws(RecordDecodingError) -> [WireRow.Feature] {
        var row: [WireRow.Feature] = []
        for member in members {
            var cells: [WireScalar] = []
            try flatten(member.value, into: &cells, at: pointer(path, member.key))
            if member.value.array != nil, let vector = schema.vector(member.key, cells[...]) {
                row.append(WireRow.Feature(member.key, vector))
            } else if cells.count == 1, let cell = cells.first {
                row.append(WireRow.Feature(member.key, cell))
            } else {
                for (index, cell) in cells.enumerated() {
                    row.append(WireRow.Feature("\(member.key)-\(index)", cell))
                }
            }
        }
        return row
    }

    /// Columns as they stand in the column form: an object of arrays of equal length.
    init(
        columns: [WireValue.Member], at path: String, _ schema: ModelSchema?
    ) throws(RecordDecodingError) {
        let rowCount = columns.first?.value.array?.count ?? 1
        rows = Array(repeating: [], count: rowCount)
        for column in columns {
            let place = pointer(path, column.key)
            let elements = column.value.array ?? [column.value]
            guard elements.count == rowCount else {
                throw InferenceBody.refusal(
                    place, "\(elements.count) rows found, \(rowCount) expected")
            }
            for (index, element) in elements.enumerated() {
                let member = WireValue.Member(column.key, element)
                rows[index] += try Self.row([member], at: place, schema)
            }
        }
    }

    /// Tensors as rows: the first dimension is the batch where it is the same for all, else everything
    /// is one row.
    init(tensors: [Tensor], _ schema: ModelSchema?) {
        guard let rowCount = tensors.first?.rowCount else { return }
        let isSplittable = tensors.allSatisfy { $0.rowCount == rowCount }
        rows = Array(repeating: [], count: isSplittable ? rowCount : 1)
        for tensor in tensors {
            let width = isSplittable ? tensor.width : tensor.cells.count
            var names = [tensor.name]
            if width != 1 {
                names = Self.names(
                    width: width, prefix: tensor.name, tensors.count == 1 ? schema : nil)
            }
            if schema.hasVector(tensor.name) {
                for row in rows.indices {
                    let cells = tensor.cells[row * width..<(row + 1) * width]
                    // What is no number is refused for its type.
                    let value = schema.vector(tensor.name, cells) ?? cells.first ?? .missing
                    rows[row].append(WireRow.Feature(tensor.name, value))
                }
                continue
            }
            for (index, cell) in tensor.cells.enumerated() {
                rows[index / width].append(WireRow.Feature(names[index % width], cell))
            }
        }
    }
}

extension Optional<ModelSchema> {
    /// True where the schema declares the feature a vector.
    fileprivate func hasVector(_ feature: String) -> Bool {
        if case .vector? = self?.kind(of: feature) { return true }
        return false
    }

    /// The cells as one value of a feature that the schema declares a vector; nil for other features.
    ///
    /// Missing cells make the whole missing: a vector has every number or none.
    fileprivate func vector(_ feature: String, _ cells: ArraySlice<WireScalar>) -> WireScalar? {
        guard hasVector(feature), !cells.isEmpty else { return nil }
        if cells.contains(.missing) { return .missing }
        return WireScalar(vector: Array(cells), count: cells.count)
    }
}

extension InferenceTable {
    /// Reads a request: version 1 or 2 of the protocol, MLflow's data frames, or Seldon's own.
    init(
        request payload: CloudEvent.Payload, headerSizeBytes: Int? = nil, _ schema: ModelSchema?,
        limits: DecodingLimits
    ) throws(RecordDecodingError) {
        var body = try InferenceBody(payload, headerSizeBytes: headerSizeBytes, limits: limits)
        if InferenceBody.areTensors(body.value["inputs"]) {
            let tensors = try body.tensors("inputs")
            let table = Self(tensors: tensors, schema)
            self = table
            self.body = body.value
            id = body.value["id"]?.string
            return
        }
        try body.finish()
        let value = body.value
        if let rows = value.array {
            self = try Self(instances: rows, at: "", schema)
        } else if let instances = value["instances"] {
            self = try Self.rows(instances, at: "/instances", schema)
        } else if let inputs = value["inputs"] {
            self = try Self.rows(inputs, at: "/inputs", schema)
        } else if let frame = value["dataframe_split"] {
            self = try Self(
                names: frame["columns"], rows: frame["data"], at: "/dataframe_split", schema)
        } else if let records = value["dataframe_records"] {
            self = try Self.rows(records, at: "/dataframe_records", schema)
        } else if let frame = value["input_data"], frame["columns"] != nil {
            // Azure's name of MLflow's data frame.
            self = try Self(names: frame["columns"], rows: frame["data"], at: "/input_data", schema)
        } else if let input = value["input_data"] {
            self = try Self.rows(input, at: "/input_data", schema)
        } else if let rows = value["data"]?.array {
            // What most scoring scripts of Azure ML expect.
            self = try Self(instances: rows, at: "/data", schema)
        } else if let data = value["data"], data["ndarray"] != nil || data["tensor"] != nil {
            self = try Self(seldon: data, schema)
            self.body = value
            id = value["meta"]?["puid"]?.string
            return
        } else {
            throw InferenceBody.refusal("", "a request without instances, inputs or data")
        }
        self.body = value
        id = value["id"]?.string ?? value["client_request_id"]?.string
    }

    /// Rows, or columns where `value` is an object.
    private static func rows(
        _ value: WireValue, at path: String, _ schema: ModelSchema?
    ) throws(RecordDecodingError) -> InferenceTable {
        switch value {
        case .array(let rows): return try InferenceTable(instances: rows, at: path, schema)
        case .object(let columns): return try InferenceTable(columns: columns, at: path, schema)
        default: throw InferenceBody.refusal(path, "an array or an object is expected")
        }
    }

    /// Rows of equal length below the names of their columns.
    private init(
        names: WireValue?, rows: WireValue?, at path: String, _ schema: ModelSchema?
    ) throws(RecordDecodingError) {
        guard let names = names?.array, let rows = rows?.array else {
            throw InferenceBody.refusal(path, "columns and data are expected")
        }
        for (index, row) in rows.enumerated() {
            guard let cells = row.array, cells.count == names.count else {
                throw InferenceBody.refusal(
                    "\(path)/data/\(index)", "an array of \(names.count) values is expected")
            }
            var members: [WireValue.Member] = []
            for (name, cell) in zip(names, cells) {
                guard let name = name.name else {
                    throw InferenceBody.refusal(path + "/columns", "a name is a string")
                }
                members.append(WireValue.Member(name, cell))
            }
            self.rows.append(try Self.row(members, at: "\(path)/data/\(index)", schema))
        }
    }

    /// Seldon's `data`: an array of rows, or a tensor of `shape` and `values`, with `names` or without.
    init(seldon data: WireValue, _ schema: ModelSchema?) throws(RecordDecodingError) {
        let rows = try Self.seldonRows(data)
        if let names = data["names"]?.array, !names.isEmpty, rows.array?.first?.array != nil {
            self = try Self(names: .array(names), rows: rows, at: "/data", schema)
        } else {
            self = try Self(instances: rows.array ?? [rows], at: "/data/ndarray", schema)
        }
    }

    /// These are the rows of Seldon's `data`, in either form.
    static func seldonRows(_ data: WireValue) throws(RecordDecodingError) -> WireValue {
        if let array = data["ndarray"] { return array }
        let tensor = data["tensor"]
        guard let values = tensor?["values"]?.array, let shape = tensor?["shape"]?.array,
            case .integer(let rowCount)? = shape.first, rowCount > 0,
            let rowCount = Int(exactly: rowCount), values.count % rowCount == 0
        else { throw InferenceBody.refusal("/data/tensor", "a shape and its values are expected") }
        let width = values.count / rowCount
        return .array((0..<rowCount).map { .array(Array(values[$0 * width..<($0 + 1) * width])) })
    }
}
