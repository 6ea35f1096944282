import ByteCoding
public import MonitoringDomain
import RecordCoding

/// This is the form of an input in the log: one byte for the compression, then the coded input.
///
///     0  form     0 = as is, 1 = zstd level 1
///     1  payload  InputCoding's bytes, with their own CRC-32C
public enum LogPayload {
    /// Smaller inputs, single records above all, gain less from compression than the compressor's own
    /// memory costs each time.
    private static let compressionSizeBytesMin = 2_048
    private static let sampleSizeBytes = 64 << 10
    private static let samplePartCount = 16
    /// The largest decoded entry: a body of 32 MiB as columns stays below it.
    private static let decodedSizeBytesMax = 1 << 30

    /// Packed columns of so many bytes a row are mostly identities, which do not compress: packing has
    /// done the compressor's work, at a tenth of its cost.
    private static let packedRowSizeBytesMax = 160

    /// This is the input as the log keeps it.
    public static func encode(_ input: Input) -> [UInt8] {
        let bytes = InputCoding.encode(input, after: [0])
        let isPacked =
            input.rowCount > 1 && bytes.count <= packedRowSizeBytesMax * input.rowCount
        if isPacked || bytes.count <= compressionSizeBytesMin { return bytes }
        return compress(Array(bytes.dropFirst()))
    }

    /// Reads what `encode` made.
    ///
    /// - Throws: `ByteReadingError`, or the decompression's error, for anything else.
    public static func decode(_ bytes: [UInt8]) throws -> Input {
        try InputCoding.decode(try decompress(bytes))
    }

    /// This is the bytes behind their form; compressed where that pays.
    public static func compress(_ bytes: [UInt8]) -> [UInt8] {
        guard bytes.count >= compressionSizeBytesMin, pays(bytes) else { return [0] + bytes }
        return [1] + Compression.zstdCompress(bytes, level: 1)
    }

    /// True unless a sample says that most of it would stay: packed counts and identities do.
    ///
    /// To write a megabyte costs a tenth of what compressing it does.
    private static func pays(_ bytes: [UInt8]) -> Bool {
        let part = sampleSizeBytes / samplePartCount
        guard bytes.count > samplePartCount * sampleSizeBytes else { return true }
        var sample: [UInt8] = []
        for index in 0..<samplePartCount {
            let start = bytes.count / samplePartCount * index
            sample += bytes[start..<start + part]
        }
        return 3 * Compression.zstdCompress(sample, level: 1).count < 2 * sample.count
    }

    /// Reads what `compress` made, up to a limit.
    ///
    /// - Throws: `ByteReadingError`, or the decompression's error, for anything else.
    public static func decompress(_ bytes: [UInt8]) throws -> [UInt8] {
        switch bytes.first {
        case 0: return Array(bytes.dropFirst())
        case 1:
            return try Compression.zstdDecompress(
                Array(bytes.dropFirst()), limitBytes: decodedSizeBytesMax)
        case let form:
            throw ByteReadingError.invalid(
                offset: 0, reason: "payload form \(form.map { String($0) } ?? "missing")")
        }
    }
}
