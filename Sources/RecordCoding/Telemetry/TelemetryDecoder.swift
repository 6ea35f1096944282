public import MonitoringDomain

/// This reads predictions and ground truth that come as log records of OTLP.
///
/// There is no standard for them. Taken are: BentoML's monitor (a flat body whose columns have roles,
/// told by its `bento_meta` or by their names), and bodies like native records, with `features`, a
/// `prediction` or a `label`, under the event names `leeway.prediction` and `leeway.label` or none.
public struct TelemetryDecoder: Sendable {
    private let limits: DecodingLimits
    /// The model of all records, whatever service they name.
    private let model: ModelID?

    /// Makes a decoder; a model given here is that of all records.
    public init(limits: DecodingLimits = DecodingLimits(), model: ModelID? = nil) {
        self.limits = limits
        self.model = model
    }

    /// This is what an export request holds.
    public struct Export: Equatable, Sendable {
        /// What was taken.
        public var records = DecodedRecords()
        /// Log records that are none of the monitor's, or break the contract.
        public var rejectedCount = 0
        /// Why the first of them was rejected; nil where none was.
        public var rejection: String?
        /// Values of other types than their features' in what was rejected.
        public var typeErrors: [TypeErrors] = []
    }

    /// Reads a request that came at `arrival`; records are rejected one by one.
    ///
    /// - Returns: The records, and how many were rejected.
    /// - Throws: `malformed` where the body is no export request, `batchTooLarge` over the rows of
    ///   the limits.
    public func decode(
        _ body: [UInt8], encoding: TelemetryEncoding, arrival: EventTime,
        schemaOf: (ModelID) -> ModelSchema?
    ) throws(RecordDecodingError) -> Export {
        let logs =
            switch encoding {
            case .protobuf: try LogRequestReader.read(protobuf: body, limits: limits)
            case .json: try LogRequestReader.read(json: body, limits: limits)
            }
        var export = Export()
        var schemas: [ModelID: ModelSchema?] = [:]
        var rowCounts: [ExactText: Int] = [:]
        let kinds = KindTable()
        var assembler = RecordAssembler(limits: limits, arrival: arrival) { kinds[$0, $1] }
        for (index, log) in logs.enumerated() {
            var issue: String?
            do {
                let model = try model(of: log)
                let schema = schemas[model] ?? schemaOf(model)
                if schemas.updateValue(schema, forKey: model) == nil {
                    kinds.add(schema, of: model)
                }
                var row = try row(of: log, model, schema)
                if log.isBento { number(&row, &rowCounts) }
                let invalid = try assembler.appendIfValid(row, line: index + 1)
                issue = invalid.map { "\($0.pointer): \($0.detail)" }
            } catch let error as LogRejection {
                issue = error.reason
            } catch let error as RecordDecodingError {
                throw error
            } catch {
                issue = "\(error)"
            }
            if let issue {
                export.rejectedCount += 1
                export.rejection = export.rejection ?? issue
            }
        }
        export.typeErrors = assembler.typeErrors
        export.records = try assembler.finish()
        return export
    }

    /// BentoML gives every row of a request the request's id, so the later ones get a number.
    private func number(_ row: inout WireRow, _ counts: inout [ExactText: Int]) {
        guard let id = row.id else { return }
        let count = counts[ExactText(id), default: 0]
        counts[ExactText(id)] = count + 1
        if count > 0 { row.id = "\(id)/\(count)" }
    }

    private func model(of log: LogRecord) throws(LogRejection) -> ModelID {
        if let model { return model }
        let service = log.resource.first { $0.key == "service.name" }?.value.string
        let name =
            log.body["model"]?.string
            ?? log.resource.first { $0.key == "leeway.model" }?.value.string
            // BentoML's service is `bento:monitor`, and a colon stands in no name.
            ?? service.map { String($0.map { $0 == ":" ? "." : $0 }) }
        guard let name, let model = ModelID(name) else {
            throw LogRejection("no name of a model")
        }
        return model
    }

    private func row(
        of log: LogRecord, _ model: ModelID, _ schema: ModelSchema?
    ) throws(LogRejection) -> WireRow {
        guard let members = log.body.object else {
            throw LogRejection("the body is no key-value list")
        }
        var keys: Set<ExactText> = []
        for member in members where !keys.insert(ExactText(member.key)).inserted {
            throw LogRejection("a repeated key")
        }
        var row = WireRow(model: model)
        row.time = log.nanoseconds.map { EventTime(milliseconds: Int64($0 / 1_000_000)) }
        let kind = OutputKind(schema)
        if log.body["features"] != nil || log.eventName.hasPrefix("leeway.") {
            try read(native: members, into: &row, kind)
        } else {
            try read(flat: log, into: &row, kind)
        }
        guard row.hasPrediction || row.hasTruth else { throw LogRejection("no prediction") }
        addServing(to: &row, of: log, schema)
        row.takeIdentity(schema)
        switch schema?.identity {
        case .attribute(let name), .header(let name):
            let attribute = (log.attributes + log.resource).first { $0.key == name }
            row.id = attribute?.value.name ?? row.id
        case .feature, .automatic, .body, .event, nil: break
        }
        return row
    }

    /// Slices, a latency and an error stand in the body, or are attributes of the record or its resource.
    private func addServing(to row: inout WireRow, of log: LogRecord, _ schema: ModelSchema?) {
        guard row.hasPrediction else { return }
        var context = ServingContext()
        context.add(all: log.body["segments"]?.object ?? [])
        context.add(declared: schema?.segments ?? [], of: log.attributes + log.resource)
        row.add(context.segments)
        row.fillSegments(schema)
        func attribute(_ name: String) -> WireValue? {
            log.attributes.first { $0.key == name }?.value
        }
        row.latency = row.latency ?? attribute("latency_ms")?.double
        let error = attribute("error.type") ?? attribute("exception.type")
        row.error = row.error ?? error?.name.map { String($0.prefix(200)) }
    }

    private func read(
        native members: [WireValue.Member], into row: inout WireRow, _ kind: OutputKind
    ) throws(LogRejection) {
        let mapping = ColumnMapping()
        for member in members {
            if member.key == "features" {
                guard let features = member.value.object else {
                    throw LogRejection("features: a key-value list is expected")
                }
                for feature in features {
                    guard let scalar = WireScalar(feature: feature.value) else {
                        throw LogRejection("features: a scalar or numbers are expected")
                    }
                    row.features.append(WireRow.Feature(feature.key, scalar))
                }
                continue
            }
            let native: ColumnMapping.Role? =
                member.key == "error" ? .error : member.key == "weight" ? .weight : nil
            let role = native ?? mapping.role(of: member.key)
            // Native records have no further columns; what else is logged is the sender's business.
            if role == .feature || member.key == "segments" { continue }
            guard row.take(member.value, as: role, column: member.key, kind: kind) else {
                throw LogRejection("\(member.key): not a \(role.rawValue)")
            }
        }
    }

    private func read(
        flat log: LogRecord, into row: inout WireRow, _ kind: OutputKind
    ) throws(LogRejection) {
        var mapping = ColumnMapping()
        for column in log.body["bento_meta"]?["schema"]?.object ?? [] {
            switch column.value["role"]?.string {
            case "prediction": mapping.roles[column.key] = .prediction
            case "target": mapping.roles[column.key] = .truth
            case "feature": mapping.roles[column.key] = .feature
            default: continue
            }
        }
        let members = log.body.object ?? []
        guard log.isBento || members.contains(where: { mapping.role(of: $0.key).isOutput }) else {
            throw LogRejection("no prediction")
        }
        row.version = log.isBento ? log.bentoVersion : nil
        for member in members where member.key != "bento_meta" {
            let role = mapping.role(of: member.key)
            guard row.take(member.value, as: role, column: member.key, kind: kind) else {
                throw LogRejection("\(member.key): not a \(role.rawValue)")
            }
        }
    }
}

extension ColumnMapping.Role {
    /// True for what a record must have to be the monitor's.
    fileprivate var isOutput: Bool {
        switch self {
        case .prediction, .score, .value, .truth: true
        case .id, .ts, .model, .version, .revision, .latency, .error, .weight, .segment, .feature,
            .ignore:
            false
        }
    }
}

/// This is why one log record was not taken.
private struct LogRejection: Error {
    let reason: String
    init(_ reason: String) { self.reason = reason }
}

extension LogRecord {
    fileprivate var isBento: Bool {
        scopeName == "bentoml_monitor_data" || body["bento_meta"] != nil
    }

    fileprivate var bentoVersion: String? {
        body["bento_meta"]?["bento_version"]?.name
            ?? resource.first { $0.key == "service.instance.id" }?.value.name
    }
}

/// This is the kinds of known features of the models that a request has named so far.
private final class KindTable {
    private var kinds: [ModelID: [ExactText: FeatureKind]] = [:]

    func add(_ schema: ModelSchema?, of model: ModelID) { kinds[model] = schema.kinds }
    subscript(model: ModelID, name: String) -> FeatureKind? {
        kinds[model]?[ExactText(name)]
    }
}
