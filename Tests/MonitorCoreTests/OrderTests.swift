import MonitorCore
import MonitoringDomain
import MonitoringTestSupport
import Testing
import WindowAggregation

/// I-4: the same records give the same counts, bit for bit, in whatever order, batches, repeats and restarts
/// they come.
@Suite struct OrderTests {
    /// Six records of three minutes, so few that every order can be tried.
    private static func rows() -> [Row] {
        var traffic = Traffic(seed: 41)
        traffic.time += 50_000
        return traffic.next(6).enumerated().map { index, row in
            var row = row
            row.time += Int64(index / 2) * WindowSpan.minute
            row.version = index == 3 ? "2" : "1"
            return row
        }
    }

    private static func pin() throws -> Input {
        var traffic = Traffic(seed: 42)
        return .pinReference(
            try Batches.predictions(traffic.next(60), withTruth: true),
            pinnedAt: EventTime(milliseconds: 0))
    }

    /// Counts of every kind: rows, outcomes, missing values, and what bins and categories give.
    private static let countings: [Statistic] = [
        .volume, .missingRate, .unseenRate, .min, .max, .psi, .ks, .coverage, .accuracy, .rocAUC,
    ]

    private func counts(_ replay: Replay) throws -> [String: UInt64] {
        var counts: [String: UInt64] = [:]
        for statistic in Self.countings {
            for feature in [nil, "amount", "colour", "prediction"] {
                for version in [nil, "1", "2"] {
                    counts["\(statistic) \(feature ?? "-") \(version ?? "-")"] =
                        try replay.value(statistic, feature, version: version)?.bitPattern
                }
            }
        }
        return counts
    }

    /// All orders of 0..<count (Heap 1963).
    private static func permutations(_ count: Int) -> [[Int]] {
        var found: [[Int]] = []
        var items = Array(0..<count)
        func visit(_ size: Int) {
            guard size > 1 else { return found.append(items) }
            for index in 0..<size {
                visit(size - 1)
                items.swapAt(size % 2 == 0 ? index : 0, size - 1)
            }
        }
        visit(count)
        return found
    }

    private func expected() throws -> [String: UInt64] {
        let rows = Self.rows()
        var replay = Replay()
        replay.apply([
            try Self.pin(), .predictions(try Batches.predictions(rows)),
            .groundTruth(try Batches.groundTruth(rows)),
        ])
        return try counts(replay)
    }

    @Test func `every order of six records gives the same counts`() throws {
        let (rows, expected) = (Self.rows(), try expected())
        let pin = try Self.pin()
        let orders = Self.permutations(rows.count)
        #expect(Set(orders).count == 720 && expected.count > 10)
        for (index, order) in orders.enumerated() {
            let shuffled = order.map { rows[$0] }
            // Every other time ground truth comes first, and always in the opposite order.
            let inputs: [Input] = [
                .predictions(try Batches.predictions(shuffled)),
                .groundTruth(try Batches.groundTruth(shuffled.reversed())),
            ]
            var replay = Replay()
            replay.apply([pin] + (index % 2 == 0 ? inputs : inputs.reversed()))
            #expect(try counts(replay) == expected, "\(order)")
        }
    }

    @Test func `every cut of a stream into batches, with repeats, gives the same counts`() throws {
        let (rows, expected) = (Self.rows(), try expected())
        let pin = try Self.pin()
        // Bit i of the mask: a batch ends behind record i.
        for mask in 0..<1 << (rows.count - 1) {
            var batches: [[Row]] = [[]]
            for (index, row) in rows.enumerated() {
                batches[batches.count - 1].append(row)
                if mask >> index & 1 == 1 { batches.append([]) }
            }
            for repeated in batches.indices {
                var replay = Replay()
                replay.apply(pin)
                for (index, batch) in batches.enumerated() {
                    let inputs: [Input] = [
                        .groundTruth(try Batches.groundTruth(batch)),
                        .predictions(try Batches.predictions(batch)),
                    ]
                    replay.apply(inputs + (index == repeated ? inputs : []))
                }
                #expect(try counts(replay) == expected, "\(mask), \(repeated) twice")
            }
        }
    }

    @Test func `restarts at any set of places give the same counts`() throws {
        let (rows, expected) = (Self.rows(), try expected())
        let pin = try Self.pin()
        for mask in 0..<1 << rows.count {
            var replay = Replay()
            replay.apply(pin)
            for (index, row) in rows.enumerated() {
                replay.apply(.predictions(try Batches.predictions([row])))
                if mask >> index & 1 == 1 { try replay.restart() }
                replay.apply(.groundTruth(try Batches.groundTruth([row])))
            }
            #expect(try counts(replay) == expected, "\(mask)")
        }
    }
}
