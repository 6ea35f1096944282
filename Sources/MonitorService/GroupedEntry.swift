import MonitorCore
import MonitoringDomain

/// This is one entry of the log, and whose records it holds.
///
/// Single records that wait together become one entry: columns of many rows cost a fraction of as many
/// columns of one row, on the disk, in the state machine and in every later reading of the log.
struct GroupedEntry: Sendable {
    /// A submission's share of the entry.
    struct Member: Sendable {
        /// The submission's place in its group.
        var submission: Int
        /// Its first row in the entry.
        var firstRow: Int
        var rowCount: Int
        /// Its rows in the entry.
        var rows: Range<Int> { firstRow..<(firstRow + rowCount) }
    }

    var input: Input
    var payload: [UInt8]
    var members: [Member]

    /// Batches of at most so many rows wait to be put together.
    static let smallRowCountMax = 16
    /// Rows of one entry that was put together.
    private static let rowCountMax = 4_096
    /// Entries that are open at a time: senders with other columns each have one, up to this.
    private static let openCountMax = 8

    /// True where the input is encoded together with others, when it is written.
    static func isSmall(_ inputs: [Input]) -> Bool {
        guard inputs.count == 1, case .predictions(let batch) = inputs[0] else { return false }
        return batch.rowCount <= smallRowCountMax
    }

    /// These are the entries of a group of submissions, in their order.
    static func entries(of submissions: [MonitorRunner.Submission]) -> [GroupedEntry] {
        var entries: [GroupedEntry] = []
        var open: [(place: Int, batches: [PredictionBatch], rowCount: Int)] = []
        func close(_ merge: (place: Int, batches: [PredictionBatch], rowCount: Int)) {
            let input = Input.predictions(.concatenation(of: merge.batches))
            entries[merge.place].input = input
            entries[merge.place].payload = LogPayload.encode(input)
        }
        for (index, submission) in submissions.enumerated() {
            for entry in submission.entries {
                var member = Member(
                    submission: index, firstRow: 0, rowCount: entry.input.rowCount)
                if let payload = entry.payload {
                    entries.append(
                        GroupedEntry(input: entry.input, payload: payload, members: [member]))
                    continue
                }
                guard case .predictions(let batch) = entry.input else {
                    preconditionFailure("an input that nobody has encoded")
                }
                if let place = open.lastIndex(where: { $0.batches[0].hasColumns(of: batch) }) {
                    member.firstRow = open[place].rowCount
                    entries[open[place].place].members.append(member)
                    open[place].batches.append(batch)
                    open[place].rowCount += batch.rowCount
                    if open[place].rowCount >= rowCountMax { close(open.remove(at: place)) }
                } else {
                    if open.count == openCountMax { close(open.removeFirst()) }
                    open.append((entries.count, [batch], batch.rowCount))
                    entries.append(
                        GroupedEntry(input: entry.input, payload: [], members: [member]))
                }
            }
        }
        for merge in open { close(merge) }
        return entries
    }
}

extension Receipt {
    /// Adds what became of a member's rows.
    mutating func add(_ absorption: Absorption, of member: GroupedEntry.Member, isAlone: Bool) {
        add(absorption, rowCount: member.rowCount, rows: isAlone ? nil : member.rows)
    }

    /// Adds what became of rows.
    ///
    /// - Parameters:
    ///   - absorption: What became of an entry's rows.
    ///   - rowCount: How many of them are meant.
    ///   - rows: Which, where the entry has others too.
    mutating func add(_ absorption: Absorption, rowCount: Int, rows: Range<Int>?) {
        var (duplicates, conflicts, tooOld) = (
            absorption.duplicateCount, absorption.conflictCount, absorption.tooOldCount
        )
        let conflictRows = absorption.conflictRows.filter { rows?.contains($0) ?? true }
        if let rows {
            func count(_ places: [Int]) -> Int { places.count { rows.contains($0) } }
            duplicates = count(absorption.duplicateRows)
            conflicts = conflictRows.count
            tooOld = count(absorption.tooOldRows)
        }
        let missingCount = Self.conflictPlaceCountMax - conflictPlaces.count
        conflictPlaces += conflictRows.prefix(missingCount).map {
            RowPlace(input: inputCount, row: $0 - (rows?.lowerBound ?? 0))
        }
        inputCount += 1
        accepted += rowCount - duplicates - tooOld
        self.duplicates += duplicates
        self.conflicts += conflicts
        self.tooOld += tooOld
        if rows == nil { olderTruths += absorption.olderTruthCount }
    }
}
