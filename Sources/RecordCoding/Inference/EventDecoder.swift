public import MonitoringDomain

/// This is what a CloudEvent says to the monitor.
public enum EventContent: Equatable, Sendable {
    /// A request or a response, to be paired.
    case half(InferenceHalf)
    /// What is complete in itself: ground truth of feedback.
    case records(DecodedRecords)
    /// An event that is well formed, but not for the monitor; why.
    case ignored(String)
    /// An event that is refused, among others for values of other types than their features'.
    case mistyped([TypeErrors], RecordDecodingError)
}

/// This is what the receiver's URL says about the events that come there.
public struct EventOptions: Sendable, Equatable {
    /// The model of all events, whatever service they name.
    public var model: ModelID?
    /// The component whose events count.
    ///
    /// Each component of a service logs its own pair under its own id, so counting two would count
    /// the same call twice.
    public var component: String

    /// Makes options; without further words, those of a predictor that names its service.
    public init(model: ModelID? = nil, component: String = "predictor") {
        self.model = model
        self.component = component
    }
}

/// This reads what model servers log as CloudEvents: KServe, Seldon Core 1 and Azure ML.
public struct EventDecoder: Sendable {
    private let limits: DecodingLimits
    private let options: EventOptions

    /// Makes a decoder with these bounds.
    public init(limits: DecodingLimits = DecodingLimits(), options: EventOptions = EventOptions()) {
        self.limits = limits
        self.options = options
    }

    private enum Role {
        case request, response, feedback

        init?(type: String) {
            switch type {
            case "org.kubeflow.serving.inference.request",
                "io.seldon.serving.inference.request", "azureml.inference.request",
                "azureml.inference.model_inputs", "azureml.inference.inputs":
                self = .request
            case "org.kubeflow.serving.inference.response",
                "io.seldon.serving.inference.response", "azureml.inference.response",
                "azureml.inference.model_outputs", "azureml.inference.outputs":
                self = .response
            case "io.seldon.serving.feedback": self = .feedback
            default: return nil
            }
        }
    }

    /// Reads an event that came at `arrival`.
    ///
    /// What is wrong is told of the event's number in its batch, from 1; `decode` without a number is that
    /// of an event by itself.
    ///
    /// - Throws: Why the event is refused: no JSON, or not what its type promises.
    public func decode(
        _ event: CloudEvent, number: Int, arrival: EventTime,
        schemaOf: (ModelID) -> ModelSchema?
    ) throws(RecordDecodingError) -> EventContent {
        do {
            return try decode(event, arrival: arrival, schemaOf: schemaOf)
        } catch {
            throw number == 1 ? error : error.moved(toLine: number)
        }
    }

    /// Reads an event that came at `arrival`.
    ///
    /// - Parameters:
    ///   - event: Checked as an envelope already.
    ///   - arrival: The receiver's clock.
    ///   - schemaOf: What is known of a model: the names of unnamed columns, the meaning of its
    ///     outputs, and which field is its id.
    /// - Returns: What the event adds, or why it adds nothing.
    /// - Throws: Why the event is refused: no JSON, or not what its type promises.
    public func decode(
        _ event: CloudEvent, arrival: EventTime, schemaOf: (ModelID) -> ModelSchema?
    ) throws(RecordDecodingError) -> EventContent {
        guard let role = Role(type: event.type) else { return .ignored("type") }
        if let component = event.attributes["component"], component != options.component {
            return .ignored("component")
        }
        if event.attributes["datainblob"]?.lowercased() == "true" {
            return .ignored("data in a blob")
        }
        let model = try model(of: event)
        guard event.attributes["sampledrate"] == nil || event.weight != nil else {
            throw InferenceBody.refusal("/sampledrate", "a whole number from 1 on is expected")
        }
        let schema = schemaOf(model)
        switch role {
        case .request: return try request(event, model, schema, arrival)
        case .response: return try response(event, model, schema, arrival)
        case .feedback: return try feedback(event, model, schema, arrival)
        }
    }

    private func request(
        _ event: CloudEvent, _ model: ModelID, _ schema: ModelSchema?, _ arrival: EventTime
    ) throws(RecordDecodingError) -> EventContent {
        let table = try InferenceTable(
            request: event.payload, headerSizeBytes: headerSizeBytes(event), schema, limits: limits)
        let (id, bestRank) = callID(of: event, bodyID: table.id, bodyRank: 1, schema)
        var rank = bestRank
        let context = ServingContext(event, body: table.body, schema, limits: limits)
        var rows: [WireRow] = []
        for (index, features) in table.rows.enumerated() {
            var row = WireRow(model: model)
            row.id = Self.rowID(id, index, of: table.rows.count)
            row.time = event.time
            row.version = table.version ?? version(of: event)
            row.features = features
            row.latency = context.latency
            row.weight = event.weight
            row.add(context.segments)
            row.fillSegments(schema)
            if row.takeIdentity(schema) { rank = 0 }
            rows.append(row)
        }
        return try half(.request, event, rows, rank, schema, arrival)
    }

    private func response(
        _ event: CloudEvent, _ model: ModelID, _ schema: ModelSchema?, _ arrival: EventTime
    ) throws(RecordDecodingError) -> EventContent {
        let outputs = try InferenceOutputs(
            response: event.payload, OutputKind(schema), limits: limits)
        let (id, rank) = callID(of: event, bodyID: outputs.id, bodyRank: 3, schema)
        let context = ServingContext(event, body: outputs.body, schema, limits: limits)
        var rows: [WireRow] = []
        // An error is of the whole call, however many rows the request has.
        let answers = outputs.error == nil ? outputs.rows : [PredictedOutput()]
        for (index, output) in answers.enumerated() {
            var row = WireRow(model: model)
            row.id = Self.rowID(id, index, of: answers.count)
            row.time = event.time
            row.version = outputs.version ?? version(of: event)
            row.label = output.label
            row.score = output.score
            row.value = output.value
            row.error = outputs.error
            row.weight = event.weight
            row.latency = context.latency
            row.add(context.segments)
            rows.append(row)
        }
        return try half(.response, event, rows, rank, schema, arrival)
    }

    private func half(
        _ side: InferenceHalf.Side, _ event: CloudEvent, _ rows: [WireRow], _ rank: UInt8,
        _ schema: ModelSchema?, _ arrival: EventTime
    ) throws(RecordDecodingError) -> EventContent {
        let records: DecodedRecords
        switch try assemble(rows, schema, arrival) {
        case .success(let found): records = found
        case .failure(let refusal): return .mistyped(refusal.typeErrors, refusal.error)
        }
        guard let batch = records.predictions.first else { return .ignored("no rows") }
        // A name of Kubernetes holds no zero byte, so the parts cannot run into one another.
        let parts = [
            event.attributes["namespace"] ?? "", event.attributes["inferenceservicename"] ?? "",
            event.attributes["component"] ?? "", event.attributes["modelid"] ?? "",
            pairingID(of: event),
        ]
        let key = identity(model: batch.model, id: parts.joined(separator: "\0").utf8)
        return .half(
            InferenceHalf(
                side: side, key: key, arrival: arrival, identityRank: rank, batch: batch,
                occurredNanoseconds: event.occurrenceNanoseconds))
    }

    /// Feedback carries what was true for an earlier call; without it, there is nothing to learn.
    private func feedback(
        _ event: CloudEvent, _ model: ModelID, _ schema: ModelSchema?, _ arrival: EventTime
    ) throws(RecordDecodingError) -> EventContent {
        let body = try InferenceBody(event.payload, limits: limits)
        try body.finish()
        guard let truth = body.value["truth"]?["data"] else { return .ignored("no ground truth") }
        let elements = try InferenceTable.seldonRows(truth).array ?? []
        let bodyID =
            body.value["response"]?["meta"]?["puid"]?.string
            ?? body.value["request"]?["meta"]?["puid"]?.string
        guard let id = event.attributes["requestid"] ?? bodyID else {
            throw InferenceBody.refusal("/requestid", "feedback needs the id of its request")
        }
        var rows: [WireRow] = []
        for (index, element) in elements.enumerated() {
            var row = WireRow(model: model)
            row.id = Self.rowID(id, index, of: elements.count)
            row.truthTime = event.time
            guard row.readTruth(element, task: schema?.task) else {
                throw InferenceBody.refusal("/truth/data", "neither a label nor a number")
            }
            rows.append(row)
        }
        switch try assemble(rows, schema, arrival) {
        case .success(let records): return .records(records)
        case .failure(let refusal): return .mistyped(refusal.typeErrors, refusal.error)
        }
    }

    private struct Refusal: Error {
        let typeErrors: [TypeErrors]
        let error: RecordDecodingError
    }

    private func assemble(
        _ rows: [WireRow], _ schema: ModelSchema?, _ arrival: EventTime
    ) throws(RecordDecodingError) -> Result<DecodedRecords, Refusal> {
        let kinds = schema.kinds
        var assembler = RecordAssembler(limits: limits, arrival: arrival) {
            kinds[ExactText($1)]
        }
        var issues: [ItemError] = []
        for (index, row) in rows.enumerated() where issues.count < ItemError.countMax {
            if let issue = try assembler.appendIfValid(row, line: index + 1) {
                issues.append(issue)
            }
        }
        let typeErrors = assembler.typeErrors
        let records = try assembler.finish()
        if issues.isEmpty { return .success(records) }
        guard !typeErrors.isEmpty else { throw .items(issues) }
        return .failure(Refusal(typeErrors: typeErrors, error: .items(issues)))
    }
}

extension Optional<ModelSchema> {
    /// The kinds of the known features, by name.
    var kinds: [ExactText: FeatureKind] {
        Dictionary(
            (self?.features ?? []).map { (ExactText($0.name), $0.kind) },
            uniquingKeysWith: { first, _ in first })
    }
}

extension EventDecoder {
    /// The id of a row: of several rows each has its place behind the call's id.
    static func rowID(_ id: String?, _ index: Int, of count: Int) -> String? {
        guard let id else { return nil }
        return count == 1 ? id : "\(id)/\(index)"
    }

    private func model(of event: CloudEvent) throws(RecordDecodingError) -> ModelID {
        if let model = options.model { return model }
        if let name = event.attributes["inferenceservicename"] {
            if let model = ModelID(name) { return model }
        } else if let name = Self.part(of: event.source, after: "onlineEndpoints"),
            let model = ModelID(name)
        {
            return model
        }
        throw InferenceBody.refusal("/inferenceservicename", "the name of a model is expected")
    }

    /// The part of Azure's resource path that follows `name`.
    private static func part(of source: String, after name: String) -> String? {
        let parts = source.split(separator: "/")
        guard let index = parts.firstIndex(of: Substring(name)), index + 1 < parts.count else {
            return nil
        }
        return String(parts[index + 1])
    }

    /// The canary's traffic has a version of its own; `default` says nothing.
    private func version(of event: CloudEvent) -> String? {
        let named = [
            event.attributes["modelversion"], event.attributes["endpoint"],
            Self.part(of: event.source, after: "deployments"),
        ]
        return named.lazy.compactMap { $0 }.first { $0 != "default" }
    }

    /// What request and response share.
    ///
    /// KServe gives both the same id, Seldon and Azure do not.
    private func pairingID(of event: CloudEvent) -> String {
        event.attributes["requestid"] ?? event.attributes["correlationid"] ?? event.id
    }

    /// The id of the call and how good it is; the lower rank wins when the halves meet.
    ///
    /// Ranks: 0 a column of the request, 1 the request's own id, 2 a logged header, 3 the answer's id,
    /// which some servers make up, 4 the event's.
    private func callID(
        of event: CloudEvent, bodyID: String?, bodyRank: UInt8, _ schema: ModelSchema?
    ) -> (id: String, rank: UInt8) {
        let fallback = (pairingID(of: event), UInt8(4))
        switch schema?.identity ?? .automatic {
        case .automatic:
            let header = header("x-request-id", of: event).map { ($0, UInt8(2)) }
            if let bodyID, !bodyID.isEmpty, bodyRank == 1 || header == nil {
                return (bodyID, bodyRank)
            }
            return header ?? fallback
        case .body: return bodyID.map { ($0, bodyRank) } ?? fallback
        case .header(let name): return header(name, of: event).map { ($0, 2) } ?? fallback
        case .attribute(let name): return event.attributes[name].map { ($0, 2) } ?? fallback
        case .event, .feature: return fallback
        }
    }

    /// The first value of a request header that the platform has logged in `metadata`.
    private func header(_ name: String, of event: CloudEvent) -> String? {
        guard let text = event.attributes["metadata"],
            let metadata = try? WireValue.parse(Array(text.utf8), limits: limits)
        else { return nil }
        let member = metadata.object?.first { $0.key.lowercased() == name.lowercased() }
        let value = member?.value.array?.first?.string ?? member?.value.string
        return value.flatMap { $0.isEmpty ? nil : $0 }
    }

    /// Where the header of binary tensors was logged, it is that of the request.
    private func headerSizeBytes(_ event: CloudEvent) -> Int? {
        header("inference-header-content-length", of: event).flatMap { Int($0) }
    }
}
