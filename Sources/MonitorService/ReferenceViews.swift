public import ByteCoding
public import MonitorCore
import MonitoringDomain
import WindowAggregation

extension ModelCollector {
    /// This is the active reference as the API shows it; null while it is being learned.
    public var referenceJSON: JSONValue {
        guard let reference = aggregator.reference else { return .null }
        return .object(members(of: reference))
    }

    private func members(of reference: ModelReference) -> [(String, JSONValue)] {
        [
            ("reference", .string(reference.id)), ("rows", .int(Int64(reference.rowCount))),
            ("state", .string("active")), ("origin", .string(reference.origin.rawValue)),
            ("moving", .optional(reference.moving?.rawValue)),
            ("pinned_at", .string("\(reference.pinnedAt)")),
            (
                "bins",
                .object(reference.binCounts.map { ($0.feature, .int(Int64($0.bins))) })
            ),
        ]
    }

    /// These are the references that the model had, has and is about to have, newest first.
    ///
    /// - Parameter progress: How far the work on the one that waits is.
    /// - Returns: An object with one array.
    public func referencesJSON(progress: ReferenceWorker.Progress?) -> JSONValue {
        .object([
            (
                "references",
                .array(references.entries.reversed().map { json($0, progress) })
            )
        ])
    }

    private func json(
        _ entry: ReferenceHistory.Entry, _ progress: ReferenceWorker.Progress?
    ) -> JSONValue {
        if entry.state == .active, let reference = aggregator.reference, reference.id == entry.id {
            return .object(members(of: reference) + [("source", .string(entry.source))])
        }
        var members: [(String, JSONValue)] = [
            ("reference", .string(entry.id)), ("rows", .optional(entry.rowCount)),
            ("state", .string(entry.state.rawValue)), ("source", .string(entry.source)),
            ("pinned_at", .string("\(entry.requestedAt)")),
        ]
        if let reason = entry.reason { members.append(("reason", .string(reason))) }
        switch entry.state {
        case .profiling:
            let fraction = progress?.id == entry.id ? progress?.fraction : 0
            members.append(("progress", .optional(fraction)))
        case .learning where isLearning:
            members.append(("learned", .int(Int64(learnedRowCount))))
            members.append(("learning_target", .int(Int64(learningTarget))))
        case .learning, .active, .superseded, .failed: break
        }
        return .object(members)
    }

    /// This is one reference, and of the active one every edge and count; nil when the id is not known.
    public func referenceJSON(
        id: String, progress: ReferenceWorker.Progress?
    ) -> JSONValue? {
        guard let entry = references.entries.last(where: { $0.id == id }) else { return nil }
        guard case .object(let members) = json(entry, progress), entry.state == .active,
            let reference = aggregator.reference, reference.id == id
        else { return json(entry, progress) }
        return .object(members + [("subjects", .object(reference.details.map(\.member)))])
    }
}

extension ReferenceDetail {
    /// The subject's name with its bins and counts.
    fileprivate var member: (String, JSONValue) {
        var members: [(String, JSONValue)] = []
        if categories.isEmpty {
            members.append(("edges", .array(edges.map { .double($0) })))
            members.append(("deciles", .array(deciles.map { .double($0) })))
        } else {
            members.append(("categories", .array(categories.map { .string($0) })))
        }
        members.append(("counts", .array(counts.map { .int(Int64(clamping: $0)) })))
        members.append(("missing", .int(Int64(clamping: missing))))
        return (subject, .object(members))
    }
}
