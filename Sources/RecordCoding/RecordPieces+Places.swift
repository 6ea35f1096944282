public import MonitoringDomain

extension RecordPieces {
    /// These are the lines of decoded records.
    ///
    /// - Parameters:
    ///   - places: Records as their batches have them: the batch, and the row in it.
    ///   - models: The batches' models, in their order.
    ///   - defaultModel: The model of records that name none.
    ///   - kept: The lines that were decoded, increasing; nil for all.
    /// - Returns: A line for each place, nil where the body has no such record.
    /// - Complexity: O(records) where there is one batch, else O(size of the body).
    public func lines(
        of places: [(batch: Int, row: Int)], models: [ModelID], defaultModel: ModelID?,
        kept: [Int]? = nil
    ) -> [Int?] {
        let keptLines = kept.map { Set($0) }
        let pieces = pieces.filter { keptLines?.contains($0.line) ?? true }
        var linesOfBatch: [[Int]] = models.map { _ in [] }
        if models.count == 1 {
            linesOfBatch[0] = pieces.map(\.line)
        } else {
            for piece in pieces {
                let model = model(of: piece) ?? defaultModel
                guard let batch = models.firstIndex(where: { $0 == model }) else { continue }
                linesOfBatch[batch].append(piece.line)
            }
        }
        return places.map { place in
            guard linesOfBatch.indices.contains(place.batch),
                linesOfBatch[place.batch].indices.contains(place.row)
            else { return nil }
            return linesOfBatch[place.batch][place.row]
        }
    }

    /// The model that a record names, which has been decoded before.
    private func model(of piece: Piece) -> ModelID? {
        let bytes = Array(body[piece.range])
        var scanner = JSONScanner(
            bytes, limits: limits, seed: UInt64.random(in: .min ... .max))
        defer { scanner.deallocate() }
        do throws(RecordDecodingError) {
            scanner.skipSpace()
            var object = try scanner.openObject(depth: 0)
            while let key = try scanner.nextKey(of: &object) {
                if key.buffer.elementsEqual("model".utf8), scanner.cursor.pointee == 0x22 {
                    return ModelID(try scanner.readText().string)
                }
                try scanner.skipValue(depth: 1)
            }
        } catch {
            return nil
        }
        return nil
    }
}
