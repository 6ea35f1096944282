import RecordCoding
import Testing

@Suite struct ExpanderTests {
    private static func expand(
        _ bytes: [UInt8], _ format: Expander.Format, pieces: [Int]
    ) throws -> [UInt8] {
        let expander = try Expander(format)
        var output: [UInt8] = []
        var place = 0
        var turn = 0
        while place < bytes.count {
            let end = min(bytes.count, place + pieces[turn % pieces.count])
            expander.feed(bytes[place..<end])
            place = end
            turn += 1
            while try expander.expand(into: &output) {}
        }
        try expander.finish()
        return output
    }

    @Test(arguments: [[1], [7, 1, 100], [65_536], [1 << 20]])
    func `whatever the pieces, the content is the same`(pieces: [Int]) throws {
        var random = SeededGenerator(seed: 5)
        let noise = (0..<30_000).map { _ in UInt8.random(in: 0...255, using: &random) }
        for content in [
            [], [1], Array(sampleLines.utf8), [UInt8](repeating: 0, count: 65_536), noise,
        ] {
            let gzip = Compression.gzip(content) + Compression.gzip(content)
            let zstd = Compression.zstdCompress(content) + Compression.zstdCompress(content)
            #expect(try Self.expand(gzip, .gzip, pieces: pieces) == content + content)
            #expect(try Self.expand(zstd, .zstd, pieces: pieces) == content + content)
        }
    }

    @Test func `one step gives at most 64 KiB, however much is behind it`() throws {
        let bomb = Compression.gzip([UInt8](repeating: 0, count: 10_000_000))
        let expander = try Expander(.gzip)
        expander.feed(bomb)
        var total = 0
        var output: [UInt8] = []
        while try expander.expand(into: &output) {
            #expect(output.count <= 1 << 16)
            total += output.count
            output.removeAll()
        }
        try expander.finish()
        #expect(total == 10_000_000)
    }

    @Test func `a missing end is told, what was there before is given`() throws {
        let content = Array(sampleLines.utf8)
        for (bytes, format) in [
            (Compression.gzip(content), Expander.Format.gzip),
            (Compression.zstdCompress(content), .zstd),
        ] {
            for count in bytes.indices {
                #expect(throws: CompressionError.self) {
                    try Self.expand(Array(bytes.prefix(count)), format, pieces: [64])
                }
            }
        }
    }

    @Test func `the first bytes tell the format`() {
        #expect(Expander.Format(content: Compression.gzip([1])) == .gzip)
        #expect(Expander.Format(content: Compression.zstdCompress([1])) == .zstd)
        #expect(Expander.Format(content: [0x5E, 0x2A, 0x4D, 0x18, 0, 0, 0, 0]) == .zstd)
        #expect(Expander.Format(content: Array("{\"id\":1}".utf8)) == nil)
        #expect(Expander.Format(content: [0x1F]) == nil)
    }
}
