import RecordCoding
import Testing

@Suite struct CompressionTests {
    private static let contents: [[UInt8]] = [
        [], [1], Array(sampleLines.utf8), [UInt8](repeating: 0, count: 1_000_000),
        {
            var random = SeededGenerator(seed: 1);
            return (0..<200_000).map { _ in UInt8.random(in: 0...255, using: &random) }
        }(),
    ]

    @Test(arguments: contents)
    func `what is compressed comes back, up to the limit exactly`(content: [UInt8]) throws {
        let gzip = Compression.gzip(content)
        let zstd = Compression.zstdCompress(content)
        #expect(try Compression.inflateGzip(gzip, limitBytes: content.count) == content)
        #expect(try Compression.zstdDecompress(zstd, limitBytes: content.count) == content)
        guard !content.isEmpty else { return }
        let error = CompressionError.overLimit(content.count - 1)
        #expect(throws: error) { try Compression.inflateGzip(gzip, limitBytes: content.count - 1) }
        #expect(throws: error) {
            try Compression.zstdDecompress(zstd, limitBytes: content.count - 1)
        }
    }

    @Test func `members and frames one after another are one content`() throws {
        let (first, second) = (Array("first".utf8), Array("second".utf8))
        let gzip = Compression.gzip(first) + Compression.gzip([]) + Compression.gzip(second)
        #expect(try Compression.inflateGzip(gzip, limitBytes: 100) == first + second)
        let zstd = Compression.zstdCompress(first) + Compression.zstdCompress(second, level: 99)
        #expect(try Compression.zstdDecompress(zstd, limitBytes: 100) == first + second)
    }

    @Test func `every prefix is refused, never returned as a whole`() {
        let content = Array(sampleLines.utf8)
        let gzip = Compression.gzip(content)
        let zstd = Compression.zstdCompress(content)
        for count in gzip.indices {
            #expect(throws: CompressionError.self) {
                try Compression.inflateGzip(Array(gzip.prefix(count)), limitBytes: 1 << 20)
            }
        }
        for count in zstd.indices {
            #expect(throws: CompressionError.self) {
                try Compression.zstdDecompress(Array(zstd.prefix(count)), limitBytes: 1 << 20)
            }
        }
    }

    @Test func `flipped bytes end in an error or in the same content`() throws {
        let content = Array(sampleLines.utf8)
        let gzip = Compression.gzip(content)
        for place in gzip.indices {
            var flipped = gzip
            flipped[place] ^= 0xFF
            // The header has bytes that mean nothing: the time and the system.
            let found = try? Compression.inflateGzip(flipped, limitBytes: 1 << 20)
            #expect(found == nil || found == content)
            var random = SeededGenerator(seed: UInt64(place))
            let noise = (0..<place).map { _ in UInt8.random(in: 0...255, using: &random) }
            _ = try? Compression.zstdDecompress(noise, limitBytes: 1 << 20)
            _ = try? Compression.inflateGzip(gzip.prefix(10) + noise, limitBytes: 1 << 20)
        }
    }

    @Test func `a bomb costs no more than the limit, and foreign formats are refused`() {
        let bomb = Compression.gzip([UInt8](repeating: 0, count: 50_000_000))
        #expect(throws: CompressionError.overLimit(1 << 20)) {
            try Compression.inflateGzip(bomb, limitBytes: 1 << 20)
        }
        let plain = Array(sampleLines.utf8)
        #expect(throws: CompressionError.self) {
            try Compression.inflateGzip(plain, limitBytes: 1 << 20)
        }
        #expect(throws: CompressionError.self) {
            try Compression.zstdDecompress(plain, limitBytes: 1 << 20)
        }
        let garbage = Compression.gzip(plain) + [1, 2, 3]
        #expect(throws: CompressionError.self) {
            try Compression.inflateGzip(garbage, limitBytes: 1 << 20)
        }
    }

    /// A frame of five bytes in a raw block, for whose window a decoder keeps 2^`windowLog` bytes.
    static func frame(windowLog: UInt8) -> [UInt8] {
        [0x28, 0xB5, 0x2F, 0xFD, 0, (windowLog - 10) << 3, 5 << 3 | 1, 0, 0] + Array("hello".utf8)
    }

    @Test func `a window over the limit, and over 8 MiB, has its own error`() throws {
        let sizes: [(limit: Int, windowLogs: ClosedRange<UInt8>)] = [
            (1, 10...23), (8 << 20, 10...23), ((8 << 20) + 1, 10...24), (32 << 20, 10...25),
            (.max, 10...27),
        ]
        for (limit, windowLogs) in sizes where limit > 5 {
            for windowLog in UInt8(10)...31 {
                let frame = Self.frame(windowLog: windowLog)
                if windowLogs.contains(windowLog) {
                    let content = try Compression.zstdDecompress(frame, limitBytes: limit)
                    #expect(content == Array("hello".utf8))
                } else {
                    #expect(throws: CompressionError.windowOverLimit(1 << windowLogs.upperBound)) {
                        try Compression.zstdDecompress(frame, limitBytes: limit)
                    }
                }
            }
        }
    }
}
