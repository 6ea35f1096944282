import CZlib
import CZstd

/// This is why compressed bytes could not be expanded.
public enum CompressionError: Error, Equatable, CustomStringConvertible {
    /// Truncated, changed, or not in the format at all.
    case corrupt(String)
    /// The expanded bytes are more than `limitBytes`; nothing of them is returned.
    case overLimit(Int)
    /// Expanding would take more than so many bytes of memory, whatever comes out.
    case windowOverLimit(Int)

    /// This is the reason as a sentence.
    public var description: String {
        switch self {
        case .corrupt(let reason): "corrupt compressed data: \(reason)"
        case .overLimit(let limit): "over \(limit) bytes when decompressed"
        case .windowOverLimit(let limit):
            "compressed with a window over \(limit) bytes; compress at level 19 or lower, without --long"
        }
    }
}

/// This is gzip (RFC 1952) and Zstandard (RFC 8878), all at once, with a bound on what comes out.
///
/// A prefix of the content is never returned: it is all or an error.
public enum Compression {
    /// This is the content of `bytes`, one or more gzip members.
    ///
    /// - Throws: `overLimit` as soon as there are more than `limitBytes`, `corrupt` for all that
    ///   gzip would refuse: a bad checksum or size, a missing end, bytes behind the last member.
    public static func inflateGzip(
        _ bytes: [UInt8], limitBytes: Int
    ) throws(CompressionError) -> [UInt8] {
        try expanded(bytes, .gzip, limitBytes: limitBytes)
    }

    /// This is `bytes` as one gzip member without name and time, so that equal bytes give equal
    /// members.
    public static func gzip(_ bytes: [UInt8], level: Int = 6) -> [UInt8] {
        var stream = z_stream()
        let size = Int32(MemoryLayout<z_stream>.size)
        let started = deflateInit2_(
            &stream, Int32(min(max(level, 0), 9)), Z_DEFLATED, 15 + 16, 8, Z_DEFAULT_STRATEGY,
            ZLIB_VERSION, size)
        precondition(started == Z_OK, "zlib status \(started): out of memory")
        defer { deflateEnd(&stream) }
        precondition(bytes.count <= 1 << 30, "\(bytes.count) bytes are too many for one call")
        let input = UnsafeMutablePointer<UInt8>.allocate(capacity: bytes.count + 1)
        defer { input.deallocate() }
        input.update(from: bytes, count: bytes.count)
        let bound = Int(deflateBound(&stream, UInt(bytes.count)))
        return [UInt8](unsafeUninitializedCapacity: bound) { buffer, count in
            stream.next_in = input
            stream.avail_in = UInt32(bytes.count)
            stream.next_out = buffer.baseAddress
            stream.avail_out = UInt32(bound)
            let status = deflate(&stream, Z_FINISH)
            precondition(status == Z_STREAM_END, "zlib status \(status) with room for everything")
            count = bound - Int(stream.avail_out)
        }
    }

    /// This is the content of `bytes`, one or more Zstandard frames.
    ///
    /// Frames that need a window larger than the limit (and than 8 MiB, which RFC 8878 asks every
    /// decoder to support) are refused, so that a small body cannot reserve much memory.
    ///
    /// - Throws: `overLimit` as soon as there are more than `limitBytes`, `windowOverLimit` for a larger
    ///   window, else `corrupt`.
    public static func zstdDecompress(
        _ bytes: [UInt8], limitBytes: Int
    ) throws(CompressionError) -> [UInt8] {
        try expanded(bytes, .zstd, limitBytes: limitBytes)
    }

    private static func expanded(
        _ bytes: [UInt8], _ format: Expander.Format, limitBytes: Int
    ) throws(CompressionError) -> [UInt8] {
        let expander = try Expander(format, contentSizeBytesMax: limitBytes)
        expander.feed(bytes)
        var output: [UInt8] = []
        while try expander.expand(into: &output) {
            guard output.count <= limitBytes else { throw .overLimit(limitBytes) }
        }
        try expander.finish()
        return output
    }

    /// This is `bytes` as one Zstandard frame.
    ///
    /// Levels go from 1 (fast) to 22 (small); what is outside becomes the nearest.
    public static func zstdCompress(_ bytes: [UInt8], level: Int = 1) -> [UInt8] {
        let bound = ZSTD_compressBound(bytes.count)
        return [UInt8](unsafeUninitializedCapacity: bound) { buffer, count in
            let size = bytes.withUnsafeBytes { source in
                ZSTD_compress(
                    buffer.baseAddress, bound, source.baseAddress, source.count,
                    Int32(min(max(level, 1), 22)))
            }
            // The destination has the bound's size, so only memory can be short.
            precondition(ZSTD_isError(size) == 0, String(cString: ZSTD_getErrorName(size)))
            count = size
        }
    }
}
