import CZlib
import CZstd

/// This is why compressed bytes could not be expanded.
public enum CompressionError: Error, Equatable, CustomStringConvertible {
    /// Truncated, changed, or not in the format at all.
    case corrupt(String)
    /// The expanded bytes are more than `limitBytes`; nothing of them is returned.
    case overLimit(Int)

    /// This is the reason as a sentence.
    public var description: String {
        switch self {
        case .corrupt(let reason): "corrupt compressed data: \(reason)"
        case .overLimit(let limit): "over \(limit) bytes when decompressed"
        }
    }
}

/// This is gzip (RFC 1952) and Zstandard (RFC 8878), all at once, with a bound on what comes out.
///
/// A prefix of the content is never returned: it is all or an error.
public enum Compression {
    private static let chunkSizeBytes = 1 << 16

    /// This is the content of `bytes`, one or more gzip members.
    ///
    /// - Throws: `overLimit` as soon as there are more than `limitBytes`, `corrupt` for all that
    ///   gzip would refuse: a bad checksum or size, a missing end, bytes behind the last member.
    public static func inflateGzip(
        _ bytes: [UInt8], limitBytes: Int
    ) throws(CompressionError) -> [UInt8] {
        var stream = z_stream()
        // 15 is the largest window, 16 more is gzip and nothing else.
        let size = Int32(MemoryLayout<z_stream>.size)
        guard inflateInit2_(&stream, 15 + 16, ZLIB_VERSION, size) == Z_OK else {
            throw .corrupt("zlib refused to start")
        }
        defer { inflateEnd(&stream) }
        let input = UnsafeMutablePointer<UInt8>.allocate(capacity: bytes.count + 1)
        defer { input.deallocate() }
        input.update(from: bytes, count: bytes.count)
        let chunk = UnsafeMutablePointer<UInt8>.allocate(capacity: chunkSizeBytes)
        defer { chunk.deallocate() }
        var output: [UInt8] = []
        var consumed = 0
        while true {
            // zlib counts in 32 bits.
            let step = min(bytes.count - consumed, 1 << 30)
            stream.next_in = input + consumed
            stream.avail_in = UInt32(step)
            stream.next_out = chunk
            stream.avail_out = UInt32(chunkSizeBytes)
            let status = inflate(&stream, Z_NO_FLUSH)
            let read = step - Int(stream.avail_in)
            let written = chunkSizeBytes - Int(stream.avail_out)
            consumed += read
            guard written <= limitBytes - output.count else { throw .overLimit(limitBytes) }
            output.append(contentsOf: UnsafeBufferPointer(start: chunk, count: written))
            switch status {
            case Z_STREAM_END:
                if consumed == bytes.count { return output }
                guard inflateReset(&stream) == Z_OK else { throw .corrupt("zlib did not reset") }
            case Z_OK, Z_BUF_ERROR:
                if read == 0, written == 0 { throw .corrupt("the gzip data is truncated") }
            case Z_DATA_ERROR:
                throw .corrupt(stream.msg.map { String(cString: $0) } ?? "the gzip data is invalid")
            default: throw .corrupt("zlib status \(status)")
            }
        }
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
    /// - Throws: `overLimit` as soon as there are more than `limitBytes`, else `corrupt`.
    public static func zstdDecompress(
        _ bytes: [UInt8], limitBytes: Int
    ) throws(CompressionError) -> [UInt8] {
        guard let context = ZSTD_createDCtx() else { throw .corrupt("zstd refused to start") }
        defer { ZSTD_freeDCtx(context) }
        let limitLog = Int.bitWidth - max(limitBytes, 1).leadingZeroBitCount
        let windowLog = Int32(min(max(limitLog, 23), 27))
        guard ZSTD_isError(ZSTD_DCtx_setParameter(context, ZSTD_d_windowLogMax, windowLog)) == 0
        else { throw .corrupt("zstd refused to start") }
        let memory = UnsafeMutableRawPointer.allocate(byteCount: bytes.count + 1, alignment: 8)
        defer { memory.deallocate() }
        bytes.withUnsafeBytes {
            if let base = $0.baseAddress { memory.copyMemory(from: base, byteCount: $0.count) }
        }
        let chunk = UnsafeMutablePointer<UInt8>.allocate(capacity: chunkSizeBytes)
        defer { chunk.deallocate() }
        var input = ZSTD_inBuffer(src: memory, size: bytes.count, pos: 0)
        var output: [UInt8] = []
        while true {
            var room = ZSTD_outBuffer(dst: chunk, size: chunkSizeBytes, pos: 0)
            let before = input.pos
            let status = ZSTD_decompressStream(context, &room, &input)
            if ZSTD_isError(status) != 0 {
                throw .corrupt(String(cString: ZSTD_getErrorName(status)))
            }
            guard room.pos <= limitBytes - output.count else { throw .overLimit(limitBytes) }
            output.append(contentsOf: UnsafeBufferPointer(start: chunk, count: room.pos))
            // Zero: a frame has ended, and all of it has been written.
            if status == 0, input.pos == input.size, input.size > 0 { return output }
            if input.pos == before, room.pos == 0 { throw .corrupt("the zstd data is truncated") }
        }
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
