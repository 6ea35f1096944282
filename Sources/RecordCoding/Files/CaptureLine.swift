import MonitoringDomain

/// This is what a line of a foreign capture is read with.
struct CaptureContext {
    let model: ModelID
    let schema: ModelSchema?
    let limits: DecodingLimits
}

/// A line of SageMaker's data capture, of its ground truth, or of both merged.
///
/// Data is a string in CSV, JSON or base64; a request of several rows has one id, and one ground-truth
/// record with all labels in the order of the rows.
enum SageMakerLine {
    static func isOne(_ value: WireValue) -> Bool {
        value["eventMetadata"] != nil
            && (value["captureData"] != nil || value["groundTruthData"] != nil)
    }

    static func rows(
        _ line: WireValue, _ context: CaptureContext
    ) throws(RecordDecodingError) -> [WireRow] {
        let metadata = line["eventMetadata"]
        guard let id = identity(metadata, context.schema) else {
            throw InferenceBody.refusal("/eventMetadata/eventId", "an id is expected")
        }
        let time = metadata?["inferenceTime"].flatMap { EventTime(wire: $0) }
        var rows: [WireRow] = []
        if let capture = line["captureData"] {
            let input = try payload(capture["endpointInput"], at: "/captureData/endpointInput")
            if let output = capture["batchTransformOutput"] {
                let found = try payload(output, at: "/captureData/batchTransformOutput")
                rows = try batch(input, found, context)
            } else {
                let output = try payload(
                    capture["endpointOutput"], at: "/captureData/endpointOutput")
                rows = try pair(input, output, context)
            }
            let segments = segments(metadata?["customAttributes"])
            for index in rows.indices {
                rows[index].id =
                    rows[index].id ?? EventDecoder.rowID(id, index, of: rows.count)
                rows[index].time = rows[index].time ?? time
                rows[index].add(segments)
                rows[index].fillSegments(context.schema)
                rows[index].takeIdentity(context.schema)
            }
        }
        if let truth = line["groundTruthData"] {
            guard let data = try payload(truth, at: "/groundTruthData") else { return rows }
            let elements = try truths(data, context)
            if rows.isEmpty {
                rows = elements.map { _ in WireRow(model: context.model) }
            }
            guard rows.count == elements.count else {
                throw InferenceBody.refusal(
                    "/groundTruthData", "\(elements.count) labels of \(rows.count) rows")
            }
            for (index, element) in elements.enumerated() {
                if line["captureData"] == nil {
                    rows[index].id = EventDecoder.rowID(id, index, of: rows.count)
                }
                guard rows[index].readTruth(element, task: context.schema?.task) else {
                    throw InferenceBody.refusal("/groundTruthData/data", "neither label nor number")
                }
            }
        }
        return rows
    }

    /// A caller's own id is the one that ground truth names, where the owner says nothing else.
    private static func identity(_ metadata: WireValue?, _ schema: ModelSchema?) -> String? {
        let event = metadata?["eventId"]?.name
        let found: String? =
            switch schema?.identity {
            case .event: event
            case .attribute(let name), .header(let name):
                metadata?[name]?.name
                    ?? segments(metadata?["customAttributes"]).first { $0.key == name }?.value
            case .automatic, .body, .feature, nil: nil
            }
        return found ?? metadata?["inferenceId"]?.name ?? event
    }

    /// Custom attributes are texts; those like `key=value` name segments.
    private static func segments(_ attributes: WireValue?) -> [Segment] {
        var context = ServingContext()
        context.add(
            all: (attributes?.array ?? []).compactMap { attribute in
                let parts = (attribute.string ?? "").split(separator: "=", maxSplits: 1)
                guard parts.count == 2 else { return nil }
                return WireValue.Member(String(parts[0]), .string(String(parts[1])))
            })
        return context.segments
    }

    /// The rows of a batch transform, whose output may hold each row's id and time: in JSON beside
    /// `SageMakerOutput`, and there the input too where it was joined; in CSV as the last two columns.
    private static func batch(
        _ input: Payload?, _ output: Payload?, _ context: CaptureContext
    ) throws(RecordDecodingError) -> [WireRow] {
        switch output {
        case .csv(let lines)?:
            let marks = lines.map { fields -> (id: String?, time: EventTime?) in
                guard fields.count > 2, let last = fields.last?.text,
                    let time = EventTime(rfc3339: last)
                else { return (nil, nil) }
                return (value(fields[fields.count - 2]).name, time)
            }
            let outputs = zip(lines, marks).map { fields, mark in
                mark.time == nil ? fields : Array(fields.dropLast(2))
            }
            var rows = try pair(input, .csv(outputs), context)
            for (index, mark) in marks.enumerated() where rows.count == marks.count {
                (rows[index].id, rows[index].time) = mark
            }
            return rows
        case .json(.bytes(let bytes))?:
            let value = try WireValue.parse(bytes, limits: context.limits)
            guard let found = value["SageMakerOutput"], let members = value.object else {
                return try pair(input, output, context)
            }
            let joined = members.filter { !$0.key.hasPrefix("SageMaker") }
            var features: [[WireRow.Feature]] = []
            if !joined.isEmpty {
                features = [
                    try InferenceTable.row(joined, at: "/captureData/batchTransformOutput")
                ]
            }
            let outputs = try InferenceOutputs.rows(
                .array([found]), at: "/SageMakerOutput", OutputKind(context.schema))
            var rows = try Self.rows(features, outputs, context)
            rows[0].id = value["SageMakerInferenceId"]?.name
            rows[0].time = value["SageMakerInferenceTime"].flatMap { EventTime(wire: $0) }
            return rows
        default: return try pair(input, output, context)
        }
    }

    private enum Payload {
        case csv([[CSVField]])
        case json(CloudEvent.Payload)
    }

    private static func payload(
        _ value: WireValue?, at path: String
    ) throws(RecordDecodingError) -> Payload? {
        guard let value else { return nil }
        guard let data = value["data"]?.string else {
            throw InferenceBody.refusal(path + "/data", "a string is expected")
        }
        var bytes = Array(data.utf8)
        var isCSV = value["encoding"]?.string == "CSV"
        if value["encoding"]?.string == "BASE64" {
            guard let decoded = Base64.decode(bytes) else {
                throw InferenceBody.refusal(path + "/data", "base64 is expected")
            }
            bytes = decoded
            isCSV = value["observedContentType"]?.string?.hasPrefix("text/csv") == true
        }
        guard isCSV else { return .json(.bytes(bytes)) }
        var reader = CSVReader(bytes)
        var lines: [[CSVField]] = []
        var fields: [CSVField] = []
        do {
            while try reader.next(into: &fields) { lines.append(fields) }
        } catch {
            throw InferenceBody.refusal(path + "/data", error.reason)
        }
        return .csv(lines)
    }

    private static func value(_ field: CSVField) -> WireValue {
        if field.text.isEmpty, !field.isQuoted { return .null }
        let text = String(decoding: field.text, as: UTF8.self)
        if let whole = Int64(text) { return .integer(whole) }
        if let number = wireNumber(field.text) { return .number(number) }
        return .string(text)
    }

    private static func pair(
        _ input: Payload?, _ output: Payload?, _ context: CaptureContext
    ) throws(RecordDecodingError) -> [WireRow] {
        var features: [[WireRow.Feature]] = []
        switch input {
        case nil: break
        case .csv(let lines):
            features = try InferenceTable(
                instances: lines.map { .array($0.map(value)) }, at: "/captureData/endpointInput",
                context.schema
            ).rows
        case .json(let payload):
            features = try InferenceTable(
                request: payload, context.schema, limits: context.limits
            ).rows
        }
        var outputs: [PredictedOutput] = []
        switch output {
        case nil: break
        case .csv(var lines):
            // Some algorithms answer several rows in one line.
            if lines.count == 1, features.count > 1, lines[0].count == features.count {
                lines = lines[0].map { [$0] }
            }
            outputs = try InferenceOutputs.rows(
                .array(lines.map { .array($0.map(value)) }), at: "/captureData/endpointOutput",
                OutputKind(context.schema))
        case .json(let payload):
            let answer = try InferenceOutputs(
                response: payload, OutputKind(context.schema), limits: context.limits)
            if let error = answer.error { return failed(features, error, context) }
            outputs = answer.rows
        }
        return try rows(features, outputs, context)
    }

    /// The rows of a call that failed; one where the request has none.
    static func failed(
        _ features: [[WireRow.Feature]], _ error: String, _ context: CaptureContext
    ) -> [WireRow] {
        (features.isEmpty ? [[]] : features).map { features in
            var row = WireRow(model: context.model)
            row.features = features
            row.error = error
            return row
        }
    }

    /// Joins features and outputs of the same call; one of them may be absent as a whole.
    static func rows(
        _ features: [[WireRow.Feature]], _ outputs: [PredictedOutput], _ context: CaptureContext
    ) throws(RecordDecodingError) -> [WireRow] {
        guard features.isEmpty || outputs.isEmpty || features.count == outputs.count else {
            throw InferenceBody.refusal(
                "", "\(outputs.count) outputs of \(features.count) rows")
        }
        return (0..<max(features.count, outputs.count)).map { index in
            var row = WireRow(model: context.model)
            if index < features.count { row.features = features[index] }
            if index < outputs.count {
                row.label = outputs[index].label
                row.score = outputs[index].score
                row.value = outputs[index].value
            }
            return row
        }
    }

    private static func truths(
        _ payload: Payload, _ context: CaptureContext
    ) throws(RecordDecodingError) -> [WireValue] {
        switch payload {
        case .csv(let lines): return lines.flatMap { $0.map(value) }
        case .json(.bytes(let bytes)):
            let value = try WireValue.parse(bytes, limits: context.limits)
            let list = value["instances"] ?? value["labels"] ?? value["predictions"] ?? value
            return list.array ?? [list]
        case .json: return []
        }
    }
}
