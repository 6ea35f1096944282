import CYaml

/// This passes over a file's YAML events, before anything is built from them.
///
/// Building recurses once a level and follows aliases, so both are bounded here, where neither
/// happens: a small file could otherwise take the whole stack or the whole memory.
struct YAMLEventScan {
    /// Levels of nesting, of which a rule file has six; deeper files are refused.
    static let depthMax = 32
    /// Nodes of one file; more are refused, and the most rules with every field have fewer.
    static let nodeCountMax = 500_000

    /// This is the first fault: a place from 1, and a sentence.
    struct Fault: Equatable {
        var line: Int
        var column: Int
        var message: String
    }

    private var depth = 0
    private var nodeCount = 0
    private var documentCount = 0

    private init() {}

    /// Nil when the text may be composed.
    static func firstFault(in text: String) -> Fault? {
        var parser = yaml_parser_t()
        guard yaml_parser_initialize(&parser) == 1 else {
            return Fault(line: 1, column: 1, message: "there is no memory to read the file")
        }
        defer { yaml_parser_delete(&parser) }
        return Array(text.utf8).withUnsafeBufferPointer { bytes in
            yaml_parser_set_input_string(&parser, bytes.baseAddress, bytes.count)
            yaml_parser_set_encoding(&parser, YAML_UTF8_ENCODING)
            var scan = YAMLEventScan()
            while true {
                var event = yaml_event_t()
                guard yaml_parser_parse(&parser, &event) == 1 else {
                    let problem = parser.problem.map { String(cString: $0) } ?? "not YAML"
                    return fault(at: parser.problem_mark, problem)
                }
                defer { yaml_event_delete(&event) }
                if event.type == YAML_STREAM_END_EVENT { return nil }
                if let message = scan.fault(of: event) {
                    return fault(at: event.start_mark, message)
                }
            }
        }
    }

    private static func fault(at mark: yaml_mark_t, _ message: String) -> Fault {
        Fault(
            line: Int(clamping: mark.line) + 1, column: Int(clamping: mark.column) + 1,
            message: message)
    }

    private mutating func fault(of event: yaml_event_t) -> String? {
        switch event.type {
        case YAML_ALIAS_EVENT: return "anchors and aliases are not allowed"
        case YAML_SCALAR_EVENT:
            return node(anchor: event.data.scalar.anchor, tag: event.data.scalar.tag)
        case YAML_SEQUENCE_START_EVENT:
            depth += 1
            return node(
                anchor: event.data.sequence_start.anchor, tag: event.data.sequence_start.tag)
        case YAML_MAPPING_START_EVENT:
            depth += 1
            return node(anchor: event.data.mapping_start.anchor, tag: event.data.mapping_start.tag)
        case YAML_SEQUENCE_END_EVENT, YAML_MAPPING_END_EVENT:
            depth -= 1
            return nil
        case YAML_DOCUMENT_START_EVENT:
            documentCount += 1
            return documentCount > 1 ? "a second document in one file; put it into another" : nil
        default: return nil
        }
    }

    private mutating func node(
        anchor: UnsafeMutablePointer<UInt8>?, tag: UnsafeMutablePointer<UInt8>?
    ) -> String? {
        nodeCount += 1
        if anchor != nil { return "anchors and aliases are not allowed" }
        if let tag { return "the tag \(String(cString: tag)) is not allowed" }
        if depth > Self.depthMax { return "nested deeper than \(Self.depthMax)" }
        return nodeCount > Self.nodeCountMax ? "more than \(Self.nodeCountMax) values" : nil
    }
}
