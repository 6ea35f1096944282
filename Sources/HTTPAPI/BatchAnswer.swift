import ByteCoding
import MonitorService
import MonitoringDomain
import RecordCoding

/// This is how the answer to a stored batch reads: what was left out of it, and which of its records repeat
/// an id with other content.
///
/// A conflict shows only when the batch is durable and is applied, in the log's order: nothing can be
/// refused then, so the record is kept in the log, counts nowhere, and is named, also where a batch is
/// stored as a whole. Lines are looked for only where there is a conflict.
struct BatchAnswer: Sendable {
    let body: RecordBody
    let isPartial: Bool
    /// The model of records that name none.
    let defaultModel: ModelID?
    /// The models of the batch's inputs, in their order.
    let models: [ModelID]
    let refused: BodyDecoding.Refusal?

    /// This is the answer's status, and what it holds beside the receipt.
    func answer(to receipt: Receipt) -> (status: Int, rest: [(String, JSONValue)]) {
        let missingCount = ItemError.countMax - (refused?.errors.count ?? 0)
        let conflicts = conflicts(of: receipt).prefix(max(0, missingCount))
        let errors = ((refused?.errors ?? []) + conflicts).sorted { $0.line < $1.line }
        let list = ("errors", JSONValue.array(errors.map { Problem.json(of: $0) }))
        if isPartial, refused != nil || receipt.conflicts > 0 {
            return (207, [("rejected", .int(Int64(refused?.count ?? 0))), list])
        }
        return (202, receipt.conflicts > 0 ? [list] : [])
    }

    private func conflicts(of receipt: Receipt) -> [ItemError] {
        guard receipt.conflicts > 0 else { return [] }
        var limits = DecodingLimits()
        // An array that names records which are not one by one is a sequence by its first byte.
        limits.isSequence = body.isSequence
        guard let pieces = try? RecordPieces(body.bytes, limits: limits) else { return [] }
        let lines = pieces.lines(
            of: receipt.conflictPlaces.map { ($0.input, $0.row) }, models: models,
            defaultModel: defaultModel, kept: refused?.keptLines)
        return lines.compactMap { line in
            line.map {
                ItemError(
                    line: $0, pointer: "/id", code: ItemError.predictionConflict,
                    detail: "the id is known with other content; the first record counts")
            }
        }
    }
}
