import CZlib
import CZstd

/// This expands gzip (RFC 1952) or Zstandard (RFC 8878) while it comes, in bounded memory.
///
/// Members and frames one after another are one content. What has been given out is what was
/// compressed; that nothing is missing behind it is known only when `finish` has returned.
public final class Expander {
    /// This is a compressed format.
    public enum Format: Sendable {
        case gzip, zstd

        /// The format that the first bytes say; nil for what is not compressed.
        public init?(content: some Collection<UInt8>) {
            let head = Array(content.prefix(4))
            if head.starts(with: [0x1F, 0x8B]) {
                self = .gzip
            } else if head == [0x28, 0xB5, 0x2F, 0xFD]
                || head.count == 4 && head[0] & 0xF0 == 0x50 && head[1...] == [0x2A, 0x4D, 0x18]
            {
                // The second form is a frame to be skipped, which some writers put first.
                self = .zstd
            } else {
                return nil
            }
        }
    }

    private static let chunkSizeBytes = 1 << 16
    /// The window that every decoder should support, by RFC 8878, and the largest one taken.
    private static let windowLogs: ClosedRange<Int32> = 23...27

    private enum Engine {
        case gzip(UnsafeMutablePointer<z_stream>)
        case zstd(OpaquePointer)
    }

    private let engine: Engine
    /// The largest window of a frame, of zstd.
    private var windowSizeBytesMax = 0
    private let chunk: UnsafeMutablePointer<UInt8>
    private var input = UnsafeMutablePointer<UInt8>.allocate(capacity: 1)
    private var inputCount = 0
    private var consumed = 0
    /// True between members, or frames: all that has come is whole.
    private var isWhole = false
    /// True when the last step filled the chunk: more may be waiting inside the engine.
    private var isFull = false

    /// Makes an expander.
    ///
    /// A frame of Zstandard that needs a window larger than `contentSizeBytesMax` (and than 8 MiB) is
    /// refused, so that a small body cannot reserve much memory; over 128 MiB it always is.
    public init(
        _ format: Format, contentSizeBytesMax: Int = .max
    ) throws(CompressionError) {
        switch format {
        case .gzip:
            let stream = UnsafeMutablePointer<z_stream>.allocate(capacity: 1)
            stream.initialize(to: z_stream())
            // 15 is the largest window, 16 more is gzip and nothing else.
            let size = Int32(MemoryLayout<z_stream>.size)
            guard inflateInit2_(stream, 15 + 16, ZLIB_VERSION, size) == Z_OK else {
                stream.deallocate()
                throw .corrupt("zlib refused to start")
            }
            engine = .gzip(stream)
        case .zstd:
            guard let context = ZSTD_createDCtx() else { throw .corrupt("zstd refused to start") }
            let limitLog = Int.bitWidth - (max(contentSizeBytesMax, 1) - 1).leadingZeroBitCount
            let windowLog = min(
                max(Int32(limitLog), Self.windowLogs.lowerBound), Self.windowLogs.upperBound)
            guard
                ZSTD_isError(ZSTD_DCtx_setParameter(context, ZSTD_d_windowLogMax, windowLog)) == 0
            else {
                ZSTD_freeDCtx(context)
                throw .corrupt("zstd refused to start")
            }
            engine = .zstd(context)
            windowSizeBytesMax = 1 << Int(windowLog)
        }
        chunk = .allocate(capacity: Self.chunkSizeBytes)
    }

    deinit {
        switch engine {
        case .gzip(let stream):
            inflateEnd(stream)
            stream.deallocate()
        case .zstd(let context): ZSTD_freeDCtx(context)
        }
        chunk.deallocate()
        input.deallocate()
    }

    /// Takes the next compressed bytes, once `expand` has returned false.
    public func feed(_ bytes: some Collection<UInt8>) {
        let rest = inputCount - consumed
        let next = UnsafeMutablePointer<UInt8>.allocate(capacity: rest + bytes.count + 1)
        next.update(from: input + consumed, count: rest)
        let end = UnsafeMutableBufferPointer(start: next + rest, count: bytes.count)
            .initialize(fromContentsOf: bytes)
        input.deallocate()
        input = next
        inputCount = rest + end
        consumed = 0
    }

    /// Appends at most 64 KiB of content to `output`; false where more compressed bytes are needed.
    ///
    /// - Throws: `corrupt` for what the format does not allow, `windowOverLimit`; `overLimit` never.
    public func expand(into output: inout [UInt8]) throws(CompressionError) -> Bool {
        guard consumed < inputCount || isFull && !isWhole else { return false }
        let before = consumed
        let count: Int
        switch engine {
        case .gzip(let stream): count = try inflateStep(stream)
        case .zstd(let context): count = try zstdStep(context)
        }
        output.append(contentsOf: UnsafeBufferPointer(start: chunk, count: count))
        isFull = count == Self.chunkSizeBytes
        return consumed > before || count > 0
    }

    /// - Throws: `corrupt` where the last member, or frame, has not ended, or none has come.
    public func finish() throws(CompressionError) {
        guard isWhole, consumed == inputCount else {
            throw .corrupt("the compressed data is truncated")
        }
    }

    private func inflateStep(
        _ stream: UnsafeMutablePointer<z_stream>
    ) throws(CompressionError) -> Int {
        if isWhole {
            guard inflateReset(stream) == Z_OK else { throw .corrupt("zlib did not reset") }
            isWhole = false
        }
        // zlib counts in 32 bits.
        let step = min(inputCount - consumed, 1 << 30)
        stream.pointee.next_in = input + consumed
        stream.pointee.avail_in = UInt32(step)
        stream.pointee.next_out = chunk
        stream.pointee.avail_out = UInt32(Self.chunkSizeBytes)
        let status = inflate(stream, Z_NO_FLUSH)
        consumed += step - Int(stream.pointee.avail_in)
        switch status {
        case Z_STREAM_END: isWhole = true
        case Z_OK, Z_BUF_ERROR: break
        case Z_DATA_ERROR:
            throw .corrupt(
                stream.pointee.msg.map { String(cString: $0) } ?? "the gzip data is invalid")
        default: throw .corrupt("zlib status \(status)")
        }
        return Self.chunkSizeBytes - Int(stream.pointee.avail_out)
    }

    private func zstdStep(_ context: OpaquePointer) throws(CompressionError) -> Int {
        var source = ZSTD_inBuffer(src: input, size: inputCount, pos: consumed)
        var room = ZSTD_outBuffer(dst: chunk, size: Self.chunkSizeBytes, pos: 0)
        let status = ZSTD_decompressStream(context, &room, &source)
        if ZSTD_isError(status) != 0 {
            if ZSTD_getErrorCode(status) == ZSTD_error_frameParameter_windowTooLarge {
                throw .windowOverLimit(windowSizeBytesMax)
            }
            throw .corrupt(String(cString: ZSTD_getErrorName(status)))
        }
        consumed = source.pos
        // Zero: a frame has ended, and all of it has been written.
        isWhole = status == 0
        return room.pos
    }
}
