/// This is records with their wide parts beside them.
struct RecordColumns: Sendable {
    var cores: [JoinRecord.Core] = []
    /// Empty where none is wide, else as long as `cores`.
    var wides: [JoinRecord.Wide] = []

    /// Shows the records; the second is empty, or as long as the first.
    func withColumns<Result>(
        _ body: (UnsafeBufferPointer<JoinRecord.Core>, UnsafeBufferPointer<JoinRecord.Wide>) ->
            Result
    ) -> Result {
        cores.withUnsafeBufferPointer { cores in
            wides.withUnsafeBufferPointer { body(cores, $0) }
        }
    }

    /// Forgets the records and keeps the memory.
    mutating func removeAll() {
        cores.removeAll(keepingCapacity: true)
        wides.removeAll(keepingCapacity: true)
    }

    /// Appends a partition's records; with wide parts where `isWide`, which those of others lack.
    mutating func append(_ raw: UnsafeRawBufferPointer, areWide: Bool, isWide: Bool) {
        let size = JoinRecord.coreSizeBytes + (areWide ? JoinRecord.wideSizeBytes : 0)
        cores.reserveCapacity(cores.count + raw.count / size)
        for offset in stride(from: 0, to: raw.count, by: size) {
            cores.append(raw.loadUnaligned(fromByteOffset: offset, as: JoinRecord.Core.self))
            guard isWide else { continue }
            wides.append(
                areWide
                    ? raw.loadUnaligned(
                        fromByteOffset: offset + JoinRecord.coreSizeBytes,
                        as: JoinRecord.Wide.self) : JoinRecord.Wide())
        }
    }
}
