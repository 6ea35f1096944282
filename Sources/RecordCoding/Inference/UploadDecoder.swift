public import MonitoringDomain

/// This is an upload of TrustyAI's shape: a request and its response in one body, under a tag.
public struct Upload: Equatable, Sendable {
    /// What the upload is for.
    public enum Purpose: Equatable, Sendable {
        /// Rows of the tag `TRAINING`, which are what production is compared with.
        case reference(PredictionBatch)
        /// Everything else.
        case records(DecodedRecords)
    }

    /// Whose rows they are.
    public var model: ModelID
    /// The rows.
    public var purpose: Purpose
    /// How many there are.
    public var rowCount: Int
}

/// This reads TrustyAI's `POST /data/upload`.
///
///     {"model_name": "m", "data_tag": "TRAINING", "is_ground_truth": false,
///      "request": {"inputs": [...]}, "response": {"outputs": [...]}}
///
/// Rows are named by the id of the request, or of the response; of ground truth it is the id of the
/// earlier call, and the outputs are what was true.
public enum UploadDecoder {
    /// Reads an upload that came at `arrival`.
    ///
    /// - Parameters:
    ///   - body: JSON in UTF-8.
    ///   - arrival: The time of the rows.
    ///   - limits: Its bounds; of references the body's size is the bound of rows.
    ///   - schemaOf: What is known of a model.
    /// - Returns: The rows and what they are for.
    /// - Throws: Why the upload is refused as a whole.
    public static func decode(
        _ body: [UInt8], arrival: EventTime, limits: DecodingLimits = DecodingLimits(),
        schemaOf: (ModelID) -> ModelSchema?
    ) throws(RecordDecodingError) -> Upload {
        let value = try WireValue.parse(body, limits: limits)
        guard let model = value["model_name"]?.string.flatMap({ ModelID($0) }) else {
            throw InferenceBody.refusal("/model_name", "the name of a model is expected")
        }
        let schema = schemaOf(model)
        var isTruth = false
        if case .bool(let flag)? = value["is_ground_truth"] { isTruth = flag }
        let context = CaptureContext(model: model, schema: schema, limits: limits)
        var rows =
            isTruth
            ? try truths(value, context) : try predictions(value, context)
        let id = value["request"]?["id"]?.string ?? value["response"]?["id"]?.string
        for index in rows.indices {
            rows[index].id = EventDecoder.rowID(id, index, of: rows.count)
            rows[index].takeIdentity(schema)
        }
        let kinds = schema.kinds
        var assembler = RecordAssembler(limits: limits, arrival: arrival) {
            kinds[ExactText($1)]
        }
        for (index, row) in rows.enumerated() { try assembler.append(row, line: index + 1) }
        let records = try assembler.finish()
        var purpose = Upload.Purpose.records(records)
        if !isTruth, value["data_tag"]?.string == "TRAINING", let batch = records.predictions.first
        {
            purpose = .reference(batch)
        }
        return Upload(model: model, purpose: purpose, rowCount: rows.count)
    }

    private static func predictions(
        _ value: WireValue, _ context: CaptureContext
    ) throws(RecordDecodingError) -> [WireRow] {
        guard let request = value["request"] else {
            throw InferenceBody.refusal("/request", "a request is expected")
        }
        let table = try InferenceTable(
            request: .value(request), context.schema, limits: context.limits)
        var outputs: [PredictedOutput] = []
        if let response = value["response"] {
            outputs = try InferenceOutputs(
                response: .value(response), OutputKind(context.schema), limits: context.limits
            ).rows
        }
        var serving = ServingContext()
        serving.add(body: request)
        return try SageMakerLine.rows(table.rows, outputs, context).map { row in
            var row = row
            row.latency = serving.latency
            row.add(serving.segments)
            row.fillSegments(context.schema)
            return row
        }
    }

    private static func truths(
        _ value: WireValue, _ context: CaptureContext
    ) throws(RecordDecodingError) -> [WireRow] {
        guard let response = value["response"] else {
            throw InferenceBody.refusal("/response", "the outputs of ground truth are expected")
        }
        // What was true has the form of what was predicted.
        let outputs = try InferenceOutputs(
            response: .value(response), OutputKind(context.schema), limits: context.limits)
        return outputs.rows.map { output in
            var row = WireRow(model: context.model)
            // A number is both where nothing tells which of them it is.
            row.truthLabel = output.label ?? output.value.flatMap { WireValue.number($0).name }
            row.truthValue = output.value ?? output.score
            if context.schema?.task == nil, let label = output.label {
                row.truthValue = row.truthValue ?? wireNumber(Array(label.utf8))
            }
            return row
        }
    }
}
