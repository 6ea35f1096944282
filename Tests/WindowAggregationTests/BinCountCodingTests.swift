import ByteCoding
import MonitoringTestSupport
import StreamingStatistics
import Testing

@testable import WindowAggregation

@Suite struct BinCountCodingTests {
    private func bytes(_ counts: BinCounts) -> [UInt8] {
        var writer = ByteWriter()
        counts.encode(to: &writer)
        return writer.bytes
    }

    private func decoded(_ bytes: [UInt8], _ binCount: Int) throws -> BinCounts {
        var reader = ByteReader(bytes)
        let counts = try BinCounts(decoding: &reader, binCount: binCount)
        #expect(reader.isAtEnd)
        return counts
    }

    @Test(arguments: UInt64(0)..<40)
    func `counts come back from every form`(seed: UInt64) throws {
        var random = SeededGenerator(seed: seed)
        let binCount = [1, 3, 16, 33, 250, 1_024, 2_050].randomElement(using: &random) ?? 1
        var counts = BinCounts(binCount: binCount)
        // Few rows, as many as bins, and many more: steps, quarters and counts.
        let rowCount = binCount * [1, 4, 8, 80][Int(seed % 4)] / 8
        for _ in 0..<rowCount { counts.add(Int.random(in: 0..<binCount, using: &random)) }
        if seed % 3 == 0 { counts.add(binCount / 2, count: 1 << 33) }
        let bytes = bytes(counts)
        #expect(try decoded(bytes, binCount) == counts)
        for size in 0..<bytes.count {
            #expect(throws: ByteReadingError.self) {
                try decoded(Array(bytes[..<size]), binCount)
            }
        }
    }

    @Test func `a thousand rows over two thousand bins need two bits each`() throws {
        var random = SeededGenerator(seed: 7)
        var counts = BinCounts(binCount: 2_048)
        for _ in 0..<1_200 { counts.add(Int.random(in: 0..<2_048, using: &random)) }
        let bytes = bytes(counts)
        #expect(bytes[0] == 2)
        #expect(bytes.count < 2_048 / 4 + 80)
        #expect(try decoded(bytes, 2_048) == counts)
    }

    @Test func `equal counts have equal bytes, however they came to be`() {
        var narrow = BinCounts(binCount: 200)
        for bin in 0..<200 { narrow.add(bin, count: UInt64(bin % 5)) }
        var wide = narrow
        // A total above 65,535 for a while.
        wide.add(7, count: 70_000)
        for _ in 0..<70_000 { wide.remove(7) }
        var sparse = BinCounts(binCount: 200)
        var dense = BinCounts(binCount: 200)
        dense.add(bins: [UInt16](repeating: 4, count: 60).span)
        sparse.add(4, count: 60)
        #expect(wide == narrow)
        #expect(bytes(wide) == bytes(narrow))
        #expect(bytes(sparse) == bytes(dense))
    }

    @Test func `bytes of no form are refused`() {
        #expect(throws: ByteReadingError.invalid(offset: 0, reason: "3 is no form of counts")) {
            try decoded([3, 0, 0], 8)
        }
    }
}
