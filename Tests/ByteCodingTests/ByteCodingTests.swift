import MonitoringTestSupport
import Testing

@testable import ByteCoding

/// One value of every kind that the writer knows, written and read in the same order.
private struct Sample: Equatable {
    var bool = true
    var byte: UInt8 = 0xA5
    var integer: Int64 = -2
    var short: UInt16 = 0xBEEF
    var varint: UInt64 = .max
    var double = -0.0
    var text = "Ströme 🌊 \u{0}"
    var doubles = [1.5, .infinity, -.leastNonzeroMagnitude]
    var codes: [UInt32] = [0, 7, .max]
    var texts = ["", "a", "日本"]
    var absent: Double?
    var present: String? = "here"

    init() {}

    var bytes: [UInt8] {
        var writer = ByteWriter()
        writer.write(bool)
        writer.write(byte)
        writer.write(integer)
        writer.write(short)
        writer.writeVarint(varint)
        writer.write(double)
        writer.write(text)
        writer.write(doubles)
        writer.write(codes)
        writer.write(texts)
        writer.write(absent)
        writer.write(present)
        return writer.bytes
    }

    init(_ reader: inout ByteReader) throws(ByteReadingError) {
        bool = try reader.readBool()
        byte = try reader.readByte()
        integer = try reader.read()
        short = try reader.read()
        varint = try reader.readVarint()
        double = try reader.readDouble()
        text = try reader.readText()
        doubles = try reader.readDoubles()
        codes = try reader.readArray()
        texts = try reader.readTexts()
        absent = try reader.readOptionalDouble()
        present = try reader.readOptionalText()
    }
}

@Suite struct ByteCodingTests {
    @Test func `what was written is read back`() throws {
        var reader = ByteReader(Sample().bytes)

        let found = try Sample(&reader)

        #expect(found == Sample())
        #expect(found.double.sign == .minus)
        #expect(reader.isAtEnd)
    }

    @Test func `a NaN keeps its payload`() throws {
        let payload = Double(bitPattern: 0x7FF8_0000_0000_BEEF)
        var writer = ByteWriter()
        writer.write(payload)
        var reader = ByteReader(writer.bytes)

        #expect(try reader.readDouble().bitPattern == payload.bitPattern)
    }

    @Test func `every prefix is a typed error`() {
        let bytes = Sample().bytes

        for count in 0..<bytes.count {
            var reader = ByteReader(Array(bytes[..<count]))
            #expect(throws: ByteReadingError.self, "\(count) bytes") { try Sample(&reader) }
        }
    }

    @Test func `every flipped bit is a value or a typed error`() {
        let bytes = Sample().bytes

        for index in bytes.indices {
            for bit in 0..<8 {
                var damaged = bytes
                damaged[index] ^= 1 << UInt8(bit)
                var reader = ByteReader(damaged)
                do throws(ByteReadingError) {
                    _ = try Sample(&reader)
                } catch {
                    #expect(!error.description.isEmpty)
                }
            }
        }
    }

    @Test(arguments: UInt64(0)..<64)
    func `random bytes are a value or a typed error`(seed: UInt64) {
        var random = SeededGenerator(seed: seed)
        let bytes = (0..<200).map { _ in UInt8.random(in: 0...255, using: &random) }
        var reader = ByteReader(bytes)

        do throws(ByteReadingError) {
            _ = try Sample(&reader)
        } catch {
            #expect(reader.offset <= bytes.count)
        }
    }

    @Test(
        arguments: [
            ([0x00], 0), ([0x7F], 127), ([0x80, 0x01], 128), ([0xFF, 0xFF, 0x03], 65_535),
            ([0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0x01], .max),
        ] as [([UInt8], UInt64)])
    func `a varint has seven bits to a byte`(bytes: [UInt8], value: UInt64) throws {
        var writer = ByteWriter()
        writer.writeVarint(value)
        var reader = ByteReader(bytes)

        #expect(writer.bytes == bytes)
        #expect(try reader.readVarint() == value)
    }

    @Test(
        arguments: [
            [0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x02],
            [0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0x00],
        ] as [[UInt8]])
    func `a varint over 64 bits is refused`(bytes: [UInt8]) {
        var reader = ByteReader(bytes)

        #expect(throws: ByteReadingError.self) { try reader.readVarint() }
    }

    @Test func `a count over what follows is refused before memory is reserved`() {
        var writer = ByteWriter()
        writer.writeVarint(1 << 62)
        writer.append(contentsOf: [1, 2, 3])
        let bytes = writer.bytes

        var forText = ByteReader(bytes)
        #expect(throws: ByteReadingError.self) { try forText.readText() }
        var forDoubles = ByteReader(bytes)
        #expect(throws: ByteReadingError.self) { try forDoubles.readDoubles() }
        var forTexts = ByteReader(bytes)
        #expect(throws: ByteReadingError.self) { try forTexts.readTexts() }
        var forSlice = ByteReader(bytes)
        #expect(throws: ByteReadingError.self) { try forSlice.readSlice(count: -1) }
    }

    @Test func `a text that is not UTF-8 is refused`() {
        var reader = ByteReader([2, 0xC3, 0x28])

        #expect(throws: ByteReadingError.invalid(offset: 1, reason: "invalid UTF-8")) {
            try reader.readText()
        }
    }
}

@Suite struct ChecksumTests {
    /// The check value, and the examples of RFC 3720, appendix B.4.
    @Test(
        arguments: [
            (Array("123456789".utf8), 0xE306_9283),
            ([], 0),
            ([UInt8](repeating: 0, count: 32), 0x8A91_36AA),
            ([UInt8](repeating: 0xFF, count: 32), 0x62A8_AB43),
            (Array(0..<32), 0x46DD_794E),
            (Array((0..<32).reversed()), 0x113F_DB5C),
        ] as [([UInt8], UInt32)])
    func `CRC-32C is the standard's`(bytes: [UInt8], expected: UInt32) {
        #expect(crc32c(bytes) == expected)
    }

    @Test func `every flipped bit changes the checksum`() {
        let bytes = Array("leeway".utf8)

        for index in bytes.indices {
            for bit in 0..<8 {
                var damaged = bytes
                damaged[index] ^= 1 << UInt8(bit)
                #expect(crc32c(damaged) != crc32c(bytes))
            }
        }
    }

    @Test(arguments: [1, 2, 3] as [UInt64])
    func `the processor's instruction, the tables and single bits agree at every size and place`(
        seed: UInt64
    ) {
        var random = SeededGenerator(seed: seed)
        let bytes = (0..<1_400).map { _ in UInt8.random(in: 0...255, using: &random) }
        let start = Int(seed)
        // Byte by byte, with nothing but the definition.
        var register: UInt32 = 0xFFFF_FFFF
        for (count, byte) in bytes[start...].enumerated() {
            let (found, byTables) = bytes.withUnsafeBytes { raw in
                let raw = UnsafeRawBufferPointer(rebasing: raw[start..<start + count])
                return (crc32c(raw), crc32cByTables(raw))
            }
            #expect(found == ~register, "\(count) bytes")
            #expect(byTables == ~register, "\(count) bytes")
            register ^= UInt32(byte)
            for _ in 0..<8 {
                register = register & 1 == 1 ? register >> 1 ^ 0x82F6_3B78 : register >> 1
            }
        }
    }

    @Test func `a checksum goes on where another ended`() {
        let bytes = (0..<2_000).map { UInt8(truncatingIfNeeded: $0 &* $0) }

        for cut in stride(from: 0, through: bytes.count, by: 61) {
            let parts = bytes.withUnsafeBytes { raw in
                crc32c(
                    UnsafeRawBufferPointer(rebasing: raw[cut...]),
                    continuing: crc32c(UnsafeRawBufferPointer(rebasing: raw[..<cut])))
            }
            #expect(parts == crc32c(bytes), "\(cut) bytes first")
        }
    }
}
