import MonitoringDomain

/// This is what a logged call says beside its rows: the slices it belongs to, and how long it took.
///
/// There is no standard for it, so it is looked for where users can put it: `parameters` of the body
/// (MLflow's `params`, Seldon's `meta.tags`), the logger's annotations, attributes of the event, and
/// logged headers. Of the first two everything is a segment, because whoever writes them means it; of the
/// others only what the owner has declared as a segment key.
struct ServingContext {
    /// Parameters with a meaning of their own, which are no slices of the traffic.
    private static let reserved: Set<String> = [
        "binary_data_output", "binary_data", "content_type", "headers", "sequence_id",
        "sequence_start", "sequence_end", "priority", "timeout", "classification", "latency_ms",
        "triton_enable_empty_final_response", "id",
    ]

    private(set) var segments: [Segment] = []
    /// In milliseconds.
    private(set) var latency: Double?

    init() {}

    /// Adds what a body says beside its tensors or rows.
    mutating func add(body: WireValue) {
        for parameters in [body["parameters"], body["params"], body["meta"]?["tags"]] {
            add(all: parameters?.object ?? [])
            latency = latency ?? parameters?["latency_ms"]?.double
        }
    }

    /// Adds every member that names something.
    mutating func add(all members: [WireValue.Member]) {
        for member in members where !Self.reserved.contains(member.key) {
            add(member.key, member.value.name)
        }
    }

    /// Adds the declared segments among members, whose keys are compared in any case of letters.
    mutating func add(declared keys: [String], of members: [WireValue.Member]) {
        for key in keys {
            let member = members.first { $0.key.lowercased() == key.lowercased() }
            // A logged header has a list of values.
            add(key, member.map { $0.value.array?.first ?? $0.value }?.name)
        }
    }

    private mutating func add(_ key: String, _ value: String?) {
        guard let value, !key.isEmpty, segments.count < ServingColumns.segmentKeyCountMax,
            value.utf8.count <= Segment.valueSizeBytesMax, key.utf8.count <= 256,
            !segments.contains(where: { $0.key.isExactly(key) })
        else { return }
        segments.append(Segment(key: key, value: value))
    }
}

extension ServingContext {
    /// What an event says of its call.
    init(_ event: CloudEvent, body: WireValue?, _ schema: ModelSchema?, limits: DecodingLimits) {
        self.init()
        if let body { add(body: body) }
        func object(_ name: String) -> [WireValue.Member] {
            guard let text = event.attributes[name] else { return [] }
            return (try? WireValue.parse(Array(text.utf8), limits: limits))?.object ?? []
        }
        add(all: object("annotations"))
        let keys = schema?.segments ?? []
        if !keys.isEmpty {
            let attributes = event.attributes.map { WireValue.Member($0.key, .string($0.value)) }
            add(declared: keys, of: attributes)
            add(declared: keys, of: object("metadata"))
        }
        latency = latency ?? event.attributes["latencyms"].flatMap { wireNumber($0.utf8) }
    }
}

extension CloudEvent {
    /// How many calls the event stands for, by the extension `sampledrate`; nil where none is told.
    ///
    /// Source: CloudEvents, sampling extension.
    var weight: Double? {
        attributes["sampledrate"].flatMap { Int32($0) }.flatMap { $0 >= 1 ? Double($0) : nil }
    }

    /// When the call happened, in nanoseconds since 1970, where the sender tells occurrence and recording
    /// apart; nil where `time` may be the moment of sending.
    var occurrenceNanoseconds: Int64? {
        guard attributes["recordedtime"] != nil, let time, let text = attributes["time"] else {
            return nil
        }
        let fraction = text.utf8.drop { $0 != UInt8(ascii: ".") }.dropFirst().prefix {
            (0x30...0x39).contains($0)
        }
        // What is behind the milliseconds.
        var rest: Int64 = 0
        for place in 3..<9 {
            let digit = fraction.dropFirst(place).first.map { Int64($0 - 0x30) } ?? 0
            rest = rest * 10 + digit
        }
        let (nanoseconds, overflow) = time.milliseconds.multipliedReportingOverflow(by: 1_000_000)
        return overflow ? nil : nanoseconds &+ rest
    }
}
