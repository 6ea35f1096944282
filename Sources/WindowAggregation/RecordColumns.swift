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
        if areWide { return appendWide(raw) }
        let start = cores.count
        let count = raw.count / JoinRecord.coreSizeBytes
        cores.append(
            contentsOf: repeatElement(JoinRecord.Core(high: 0, low: 0, time: 0), count: count))
        cores.withUnsafeMutableBytes { bytes in
            let target = bytes[(start * JoinRecord.coreSizeBytes)...]
            UnsafeMutableRawBufferPointer(rebasing: target).copyMemory(from: raw)
        }
        if isWide { wides.append(contentsOf: repeatElement(JoinRecord.Wide(), count: count)) }
    }

    private mutating func appendWide(_ raw: UnsafeRawBufferPointer) {
        let size = JoinRecord.coreSizeBytes + JoinRecord.wideSizeBytes
        for offset in stride(from: 0, to: raw.count, by: size) {
            cores.append(raw.loadUnaligned(fromByteOffset: offset, as: JoinRecord.Core.self))
            wides.append(
                raw.loadUnaligned(
                    fromByteOffset: offset + JoinRecord.coreSizeBytes, as: JoinRecord.Wide.self))
        }
    }
}
