import MonitoringTestSupport
import StreamingStatistics
import Testing

@Suite struct BinCountsTests {
    @Test(arguments: UInt64(0)..<16)
    func `the merge laws hold, sparse or dense`(seed: UInt64) {
        var random = SeededGenerator(seed: seed)
        let binCount = [3, 40, 1_024].randomElement(using: &random) ?? 3
        let rows = (0..<[5, 60, 400][Int(seed % 3)]).map { _ in
            Int.random(in: 0..<binCount, using: &random)
        }
        checkMergeLaws(
            BinCounts(binCount: binCount), rows, cuts: randomCuts(rows.count, &random)
        ) { $0.add($1) }
    }

    @Test(arguments: UInt64(0)..<16)
    func `any sequence of changes leaves what an array would hold`(seed: UInt64) {
        var random = SeededGenerator(seed: seed)
        let binCount = Int.random(in: 1...300, using: &random)
        var counts = BinCounts(binCount: binCount)
        var model = [UInt64](repeating: 0, count: binCount)
        for _ in 0..<300 {
            let bin = Int.random(in: 0..<binCount, using: &random)
            switch Int.random(in: 0..<4, using: &random) {
            case 0:
                counts.add(bin, count: 3)
                model[bin] += 3
            case 1 where model[bin] > 0:
                counts.remove(bin)
                model[bin] -= 1
            case 2:
                let block = (0..<Int.random(in: 0..<12, using: &random)).map { _ in
                    Bool.random(using: &random)
                        ? UInt16.max : UInt16.random(in: 0..<UInt16(binCount), using: &random)
                }
                counts.add(bins: block.span)
                for bin in block where bin != .max { model[Int(bin)] += 1 }
            default:
                counts.add(bin)
                model[bin] += 1
            }
        }
        #expect(counts.dense() == model)
        #expect(counts.total == model.reduce(0, +))
        #expect(model.indices.allSatisfy { counts[$0] == model[$0] })
        var visited: [Int] = []
        counts.forEachNonZero { bin, count in
            visited.append(bin)
            #expect(count == model[bin])
        }
        #expect(visited == model.indices.filter { model[$0] > 0 })
    }

    @Test func `equal counts are equal, sparse or dense`() {
        let block = [UInt16](repeating: 2, count: 100)
        var dense = BinCounts(binCount: 1_024)
        dense.add(bins: block.span)
        var sparse = BinCounts(binCount: 1_024)
        sparse.add(2, count: 100)
        #expect(dense == sparse)
        sparse.add(3)
        #expect(dense != sparse)
        #expect(BinCounts(binCount: 3) != BinCounts(binCount: 4))
    }

    @Test func `adding nothing changes nothing`() {
        var counts = BinCounts(binCount: 4)
        counts.add(1, count: 0)
        counts.add(bins: [UInt16](repeating: .max, count: 70).span)
        #expect(counts == BinCounts(binCount: 4))
    }

    @Test func `counts go on beyond what 16 bits hold, however they come`() {
        let bins = (0..<100).map { UInt16($0) }
        var model = [UInt64](repeating: 0, count: 128)
        var counts = BinCounts(binCount: 128)
        // The total passes 65,535 at the 656th turn, long before any count does.
        for turn in 0..<700 {
            counts.add(bins: bins.span)
            for bin in 0..<100 { model[bin] += 1 }
            #expect(counts.total == UInt64(turn + 1) * 100)
        }
        #expect(counts.dense() == model)
        for (bin, more) in [(3, 65_535), (3, 1), (127, 1 << 40)] as [(Int, UInt64)] {
            counts.add(bin, count: more)
            model[bin] += more
            #expect(counts[bin] == model[bin])
        }
        #expect(counts.narrowCounts == nil)
        var half = BinCounts(binCount: 128)
        half.add(bins: bins.span)
        half.add(5, count: 65_000)
        #expect(half.narrowCounts?[5] == 65_001)
        counts.merge(half)
        half.merge(half)
        #expect(half[5] == 130_002)
        #expect(half.total == 130_200)
        #expect(counts == BinCounts(zip(model, 0...).map { $0 + (half.dense()[$1] / 2) }))
    }
}
