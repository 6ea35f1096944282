import MonitoringDomain

/// A row of Databricks' inference table, of either generation.
enum DatabricksLine {
    static func isOne(_ value: WireValue) -> Bool {
        (value["request"] != nil || value["status_code"] != nil)
            && (value["databricks_request_id"] != nil || value["invocation_id"] != nil)
    }

    /// A call that failed gives the rows of its request, with its status as their error.
    static func rows(
        _ line: WireValue, _ context: CaptureContext
    ) throws(RecordDecodingError) -> [WireRow] {
        let (table, outputs) = try call(line, context)
        var rows: [WireRow]
        if let error = outputs.error {
            rows = SageMakerLine.failed(table.rows, error, context)
        } else {
            rows = try SageMakerLine.rows(table.rows, outputs.rows, context)
            // The call was made, whatever of it is not in the table.
            if rows.isEmpty { rows = [WireRow(model: context.model)] }
        }
        let latency = ["execution_time_ms", "execution_duration_ms", "latency_ms"].lazy
            .compactMap { line[$0]?.double }.first
        let metadata = metadata(line["request_metadata"], context)
        let version =
            outputs.version ?? line["served_entity_id"]?.name
            ?? metadata.first { $0.key == "model_version" }?.value.name
        let id = identity(line, table.id, metadata, context.schema)
        var serving = ServingContext()
        serving.add(all: metadata)
        if let body = table.body { serving.add(body: body) }
        serving.add(declared: context.schema?.segments ?? [], of: line.object ?? [])
        let times = ["timestamp_ms", "request_time", "event_time", "request_date"]
        for index in rows.indices {
            rows[index].id = EventDecoder.rowID(id, index, of: rows.count)
            rows[index].time = times.lazy.compactMap { line[$0] }.first.flatMap {
                EventTime(wire: $0)
            }
            rows[index].version = version
            rows[index].latency = latency
            rows[index].weight = line["sampling_fraction"]?.weightOfFraction
            rows[index].add(serving.segments)
            rows[index].fillSegments(context.schema)
            rows[index].takeIdentity(context.schema)
        }
        return rows
    }

    /// The caller's id, where the owner says nothing else.
    private static func identity(
        _ line: WireValue, _ body: String?, _ metadata: [WireValue.Member], _ schema: ModelSchema?
    ) -> String? {
        let event = line["databricks_request_id"]?.name ?? line["invocation_id"]?.name
        let found: String? =
            switch schema?.identity {
            case .body: body
            case .event: event
            case .attribute(let name), .header(let name):
                line[name]?.name ?? metadata.first { $0.key == name }?.value.name
            case .automatic, .feature, nil: nil
            }
        return found ?? line["client_request_id"]?.name ?? body ?? event
    }

    /// The request and its answer, whose error is set where the call failed.
    private static func call(
        _ line: WireValue, _ context: CaptureContext
    ) throws(RecordDecodingError) -> (InferenceTable, InferenceOutputs) {
        var outputs = InferenceOutputs()
        if case .integer(let status)? = line["status_code"], !(200..<300).contains(status) {
            outputs.error = "status \(status)"
            // What could not be served need not be readable.
            let request = (try? payload(line, "request")) ?? CloudEvent.Payload.none
            let table = try? InferenceTable(
                request: request, context.schema, limits: context.limits)
            return (table ?? InferenceTable(), outputs)
        }
        // Bodies beyond a size are not logged: then the call has only its other half.
        var table = InferenceTable()
        if let request = try payload(line, "request") {
            table = try placed("request") { () throws(RecordDecodingError) in
                try InferenceTable(request: request, context.schema, limits: context.limits)
            }
        }
        if let response = try payload(line, "response") {
            outputs = try placed("response") { () throws(RecordDecodingError) in
                try InferenceOutputs(
                    response: response, OutputKind(context.schema), limits: context.limits)
            }
        }
        return (table, outputs)
    }

    /// A body is a text of JSON; exports that unpack it are taken too.
    private static func payload(
        _ line: WireValue, _ name: String
    ) throws(RecordDecodingError) -> CloudEvent.Payload? {
        switch line[name] {
        case nil: return nil
        case .string(let text)?: return .bytes(Array(text.utf8))
        case .object?, .array?: return line[name].map { .value($0) }
        default: throw InferenceBody.refusal("/\(name)", "a text of JSON is expected")
        }
    }

    /// Says in which of the line's texts something is wrong.
    private static func placed<Value>(
        _ name: String, _ body: () throws(RecordDecodingError) -> Value
    ) throws(RecordDecodingError) -> Value {
        do {
            return try body()
        } catch {
            switch error {
            case .malformed(_, let offset, let reason):
                throw InferenceBody.refusal(
                    "/\(name)", "byte \(offset): \(reason)", code: ItemError.malformedJSON)
            case .items(let items):
                throw .items(
                    items.map { item in
                        ItemError(
                            line: item.line, pointer: "/\(name)\(item.pointer)", code: item.code,
                            detail: item.detail)
                    })
            case .batchTooLarge: throw error
            }
        }
    }

    /// A map, which some exports write as a text of JSON.
    private static func metadata(
        _ value: WireValue?, _ context: CaptureContext
    ) -> [WireValue.Member] {
        if let text = value?.string {
            return (try? WireValue.parse(Array(text.utf8), limits: context.limits))?.object ?? []
        }
        return value?.object ?? []
    }
}
