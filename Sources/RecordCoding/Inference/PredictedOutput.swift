import MonitoringDomain

/// This is what was predicted for one row.
struct PredictedOutput: Equatable {
    var label: String?
    var score: Double?
    var value: Double?

    init() {}

    var isEmpty: Bool { label == nil && score == nil && value == nil }
}

/// This is what is known of a model's outputs.
struct OutputKind {
    var task: TaskKind?
    /// The label whose probability a binary score is.
    var positiveLabel: String?

    init(_ schema: ModelSchema?) {
        task = schema?.task
        positiveLabel = schema?.positiveLabel
    }

    init(task: TaskKind?) { self.task = task }
}

/// This is what a model server answered: one output per row of the request.
struct InferenceOutputs: Equatable {
    var id: String?
    var version: String?
    var rows: [PredictedOutput] = []
    /// What the server answered instead of outputs.
    var error: String?
    /// What stands beside the outputs.
    var body: WireValue?
}

extension PredictedOutput {
    private static let labelNames = [
        "predicted_label", "label", "predicted_class", "class", "prediction",
    ]
    private static let scoreNames = ["score", "probability", "confidence"]
    private static let listNames = ["scores", "probabilities"]
    private static let valueNames = ["predicted_value", "value"]

    /// Reads one row's output; nil where it is neither a label, a number nor probabilities.
    ///
    /// Strings, booleans and whole numbers name a class, unless the model is known as a regression. A
    /// number with a fraction is the positive class's probability of a model known as binary, else a
    /// value. Several numbers are probabilities where they are in 0...1 and their sum is 1 ± 0.02.
    init?(_ output: WireValue, _ kind: OutputKind) {
        var read: Self? = Self()
        switch output {
        case .null, .bytes: return nil
        case .string, .bool: read?.label = output.name
        case .integer(let number):
            if kind.task == .regression {
                read?.value = Double(number)
            } else {
                read?.label = String(number)
            }
        case .number(let number): read = Self(scalar: number, kind)
        case .array(let elements):
            read =
                elements.count == 1
                ? Self(elements[0], kind) : Self(probabilities: elements, kind)
        case .object(let members): read = Self(members: members, of: output, kind)
        }
        guard let read, !read.isEmpty else { return nil }
        self = read
    }

    private init?(scalar number: Double, _ kind: OutputKind) {
        switch kind.task {
        case nil, .regression: value = number
        case .binary where (0...1).contains(number): score = number
        case .binary, .multiclass:
            guard let name = WireValue.number(number).name else { return nil }
            label = name
        }
    }

    /// The label is the number of the likeliest class.
    private init?(probabilities elements: [WireValue], _ kind: OutputKind) {
        guard kind.task != .regression, elements.count > 1 else { return nil }
        var sum = 0.0
        var best = (index: 0, probability: -1.0)
        for (index, element) in elements.enumerated() {
            guard let number = element.double, (0...1).contains(number) else { return nil }
            sum += number
            if number > best.probability { best = (index, number) }
        }
        guard abs(sum - 1) <= 0.02 else { return nil }
        label = String(best.index)
        let isBinary = elements.count == 2 && kind.task != .multiclass
        score = isBinary ? elements[kind.positiveLabel == "0" ? 0 : 1].double : best.probability
    }

    private init?(members: [WireValue.Member], of output: WireValue, _ kind: OutputKind) {
        func first(_ names: [String]) -> WireValue? { names.lazy.compactMap { output[$0] }.first }
        self.init()
        if let list = first(Self.listNames), let probabilities = Self(list, kind) {
            self = probabilities
        }
        if let number = first(Self.scoreNames)?.double, (0...1).contains(number) { score = number }
        if let number = first(Self.valueNames)?.double { value = number }
        if let found = first(Self.labelNames) {
            if let name = found.name, kind.task != .regression {
                label = name
            } else if let scalar = Self(found, kind) {
                value = value ?? scalar.value
                score = score ?? scalar.score
            }
        }
        if isEmpty, members.count == 1, let output = Self(members[0].value, kind) {
            self = output
        }
    }
}

extension InferenceOutputs {
    /// Characters of a server's message that are kept.
    private static let errorCountMax = 200

    /// Reads a response: version 1 or 2 of the protocol, or Seldon's own.
    ///
    /// An error answer has no rows and predicts nothing.
    ///
    /// - Throws: Where it is neither.
    init(
        response payload: CloudEvent.Payload, headerSizeBytes: Int? = nil, _ kind: OutputKind,
        limits: DecodingLimits
    ) throws(RecordDecodingError) {
        var body = try InferenceBody(payload, headerSizeBytes: headerSizeBytes, limits: limits)
        id = body.value["id"]?.string
        version = body.value["model_version"]?.name
        self.body = body.value
        if InferenceBody.areTensors(body.value["outputs"]) {
            rows = try Self.rows(of: try body.tensors("outputs"), kind)
            return
        }
        try body.finish()
        let value = body.value
        if let predictions = value["predictions"] {
            rows = try Self.rows(predictions, at: "/predictions", kind)
        } else if let outputs = value["outputs"] {
            rows = try Self.rows(outputs, at: "/outputs", kind)
        } else if let data = value["data"], data["ndarray"] != nil || data["tensor"] != nil {
            id = value["meta"]?["puid"]?.string ?? id
            rows = try Self.rows(try InferenceTable.seldonRows(data), at: "/data", kind)
        } else if let array = value.array {
            rows = try Self.rows(.array(array), at: "", kind)
        } else if let message = value["error"]?.string, !message.isEmpty {
            error = String(message.prefix(Self.errorCountMax))
        } else if case .object = value {
            throw InferenceBody.refusal("", "a response without predictions or outputs")
        } else {
            rows = try Self.rows(.array([value]), at: "", kind)
        }
    }

    static func rows(
        _ outputs: WireValue, at path: String, _ kind: OutputKind
    ) throws(RecordDecodingError) -> [PredictedOutput] {
        // The column form with one output is that output.
        if let columns = outputs.object {
            guard columns.count == 1 else {
                throw InferenceBody.refusal(path, "one output is expected")
            }
            return try rows(columns[0].value, at: pointer(path, columns[0].key), kind)
        }
        var rows: [PredictedOutput] = []
        for (index, output) in (outputs.array ?? [outputs]).enumerated() {
            rows.append(try row(output, at: "\(path)/\(index)", kind))
        }
        return rows
    }

    private static func row(
        _ output: WireValue, at path: String, _ kind: OutputKind
    ) throws(RecordDecodingError) -> PredictedOutput {
        // A model may abstain; the call was made, and its features count.
        if output.isMissing { return PredictedOutput() }
        guard
            let row = PredictedOutput(output, kind)
        else {
            throw InferenceBody.refusal(path, "neither a label, a number nor probabilities")
        }
        return row
    }

    /// Of several tensors, one that is named for scores or has several columns holds the
    /// probabilities, and the first other one the label or the value.
    private static func rows(
        of tensors: [Tensor], _ kind: OutputKind
    ) throws(RecordDecodingError) -> [PredictedOutput] {
        guard let first = tensors.first else {
            throw InferenceBody.refusal("/outputs", "an output is expected")
        }
        if tensors.count == 1 { return try rows(of: first, at: "/outputs/0", kind) }
        let probability = tensors.firstIndex { tensor in
            let name = tensor.name.lowercased()
            return tensor.datatype.isReal
                && (name.contains("prob") || name.contains("score") || tensor.width > 1)
        }
        let main = tensors.indices.first { $0 != probability } ?? 0
        var result = try rows(of: tensors[main], at: "/outputs/\(main)", kind)
        guard let probability, tensors[probability].rowCount == result.count else { return result }
        // Beside a label a number is a score, whatever is known of the model.
        var scoring = kind
        scoring.task = kind.task ?? .binary
        let scores = try rows(of: tensors[probability], at: "/outputs/\(probability)", scoring)
        for index in result.indices { result[index].score = scores[index].score }
        return result
    }

    private static func rows(
        of tensor: Tensor, at path: String, _ kind: OutputKind
    ) throws(RecordDecodingError) -> [PredictedOutput] {
        let width = tensor.width
        var rows: [PredictedOutput] = []
        for index in 0..<tensor.rowCount {
            let cells = tensor.cells[index * width..<(index + 1) * width]
            rows.append(try row(.array(cells.map(\.wireValue)), at: path, kind))
        }
        return rows
    }
}
