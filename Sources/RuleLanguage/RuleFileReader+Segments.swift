import MonitoringDomain
import Yams

// Rules that judge each value of a segment key apart.

extension RuleFileReader {
    /// This is the key in `by:`; nil without one, or with one that means nothing for the expression.
    mutating func segmentKey(_ mapping: Node.Mapping, of expression: Expression) -> String? {
        guard let (key, node) = text(mapping, "by") else { return nil }
        guard !key.isEmpty, !key.contains(":"), key.utf8.count <= Segment.valueSizeBytesMax else {
            fault(node, "by: \"\(key)\" found, a segment key like channel or version expected")
            return nil
        }
        if let name = expression.wholeTrafficNames.first {
            fault(node, "by: \(name) is of the whole traffic and has no segments")
            return nil
        }
        if key == "version", !expression.driftCalls.isEmpty {
            fault(
                node, "by: drift watches the newest version alone; a declared segment key expected")
            return nil
        }
        return key
    }
}
