import ByteCoding
internal import CPrefetch
import MonitoringDomain

/// This writes one partition from records in the order of their identities, without holding them.
///
/// The format is drawn in `SealedPartition`.
struct PartitionWriter: ~Copyable {
    /// Records per bucket, about: a bucket is what a question reads and checks.
    static let bucketRecordCount = 16
    /// Bytes in hand before they are appended: they stay in the processor's cache.
    private static let chunkSizeBytes = 1 << 17
    /// Records that are copied before the filter takes them, from the first-level cache.
    private static let pieceCount = 256
    /// So many records ahead the memory of a record is asked for: it lies anywhere.
    private static let prefetchCount = 16

    private let append: (UnsafeRawBufferPointer) -> Void
    private let isWide: Bool
    private let recordSize: Int
    private let bucketBits: UInt64
    private var buffer: UnsafeMutableRawBufferPointer
    /// How much of the buffer is written.
    private var size = 0
    /// Where the current bucket begins in `buffer`.
    private var bucketStart = 0
    private var bucket = 0
    /// Records in the buckets before the current one.
    private var closedCount = 0
    private var index: [UInt64] = []
    private var filter: IdentityFilter
    private var firstTime = Int64.max
    private var lastTime = Int64.min

    /// Starts a partition of at most `countMax` records; wide values are dropped unless `isWide`.
    init(countMax: Int, isWide: Bool, append: @escaping (UnsafeRawBufferPointer) -> Void) {
        precondition(countMax < Int(UInt32.max), "\(countMax) records in one partition")
        self.append = append
        self.isWide = isWide
        recordSize = JoinRecord.coreSizeBytes + (isWide ? JoinRecord.wideSizeBytes : 0)
        let buckets = max(1, countMax / Self.bucketRecordCount)
        bucketBits = UInt64(Int.bitWidth - 1 - buckets.leadingZeroBitCount)
        filter = IdentityFilter(count: countMax)
        index.reserveCapacity((1 << Int(bucketBits)) + 1)
        buffer = .allocate(byteCount: 2 * Self.chunkSizeBytes, alignment: 16)
    }

    deinit { buffer.deallocate() }

    /// Appends the next records, in an order of theirs; `wides` is empty or as long as `cores`.
    mutating func write(
        _ keys: UnsafeBufferPointer<UInt64>, _ cores: UnsafeBufferPointer<JoinRecord.Core>,
        _ wides: UnsafeBufferPointer<JoinRecord.Wide>
    ) {
        var place = 0
        while place < keys.count {
            let piece = place..<min(keys.count, place + Self.pieceCount)
            reserve(piece.count * recordSize)
            let start = size
            if isWide { copy(keys[piece], cores, wides) } else { copy(keys, piece, cores) }
            filter.insert(
                UnsafeRawBufferPointer(rebasing: buffer[start..<size]), stride: recordSize)
            flush()
            place = piece.upperBound
        }
    }

    private mutating func copy(
        _ keys: UnsafeBufferPointer<UInt64>, _ piece: Range<Int>,
        _ cores: UnsafeBufferPointer<JoinRecord.Core>
    ) {
        guard let base = cores.baseAddress else { return }
        // A shift by all 64 bits gives zero: one bucket.
        let shift = 64 - bucketBits
        var (first, last) = (firstTime, lastTime)
        for place in piece {
            let ahead = keys[min(place &+ Self.prefetchCount, keys.count &- 1)]
            prefetch(base + IdentityOrder.place(ahead))
            let core = cores[IdentityOrder.place(keys[place])]
            let own = Int(truncatingIfNeeded: core.high >> shift)
            if bucket < own { closeBuckets(before: own) }
            first = min(first, core.time)
            last = max(last, core.time)
            buffer.storeBytes(of: core, toByteOffset: size, as: JoinRecord.Core.self)
            size &+= JoinRecord.coreSizeBytes
        }
        (firstTime, lastTime) = (first, last)
    }

    private mutating func copy(
        _ keys: Slice<UnsafeBufferPointer<UInt64>>, _ cores: UnsafeBufferPointer<JoinRecord.Core>,
        _ wides: UnsafeBufferPointer<JoinRecord.Wide>
    ) {
        for key in keys {
            let place = IdentityOrder.place(key)
            let record = JoinRecord(cores[place], wides.isEmpty ? JoinRecord.Wide() : wides[place])
            let own = Int(truncatingIfNeeded: record.core.high >> (64 - bucketBits))
            if bucket < own { closeBuckets(before: own) }
            firstTime = min(firstTime, record.keptTime)
            lastTime = max(lastTime, record.keptTime)
            buffer.storeBytes(of: record.core, toByteOffset: size, as: JoinRecord.Core.self)
            buffer.storeBytes(
                of: record.wide, toByteOffset: size + JoinRecord.coreSizeBytes,
                as: JoinRecord.Wide.self)
            size += recordSize
        }
    }

    private mutating func closeBuckets(before end: Int) {
        while bucket < end {
            let checksum = crc32c(UnsafeRawBufferPointer(rebasing: buffer[bucketStart..<size]))
            index.append(UInt64(closedCount) | UInt64(checksum) << 32)
            closedCount += (size - bucketStart) / recordSize
            bucket += 1
            bucketStart = size
        }
    }

    /// Appends the closed buckets when they are enough.
    private mutating func flush() {
        guard bucketStart >= Self.chunkSizeBytes else { return }
        append(UnsafeRawBufferPointer(rebasing: buffer[..<bucketStart]))
        let rest = UnsafeRawBufferPointer(rebasing: buffer[bucketStart..<size])
        buffer.copyMemory(from: rest)
        size = rest.count
        bucketStart = 0
    }

    /// Makes room, as a bucket of identities that are not spread evenly may need it.
    private mutating func reserve(_ count: Int) {
        guard size + count > buffer.count else { return }
        let larger = UnsafeMutableRawBufferPointer.allocate(
            byteCount: max(2 * buffer.count, size + count), alignment: 16)
        larger.copyMemory(from: UnsafeRawBufferPointer(rebasing: buffer[..<size]))
        buffer.deallocate()
        buffer = larger
    }

    /// Appends the index, the filter and the trailer.
    consuming func finish() {
        closeBuckets(before: 1 << Int(bucketBits))
        append(UnsafeRawBufferPointer(rebasing: buffer[..<size]))
        let count = closedCount
        index.append(UInt64(count))
        var body: UInt32 = 0
        for words in [index, filter.words] {
            words.withUnsafeBytes {
                body = crc32c($0, continuing: body)
                append($0)
            }
        }
        var trailer = ByteWriter()
        trailer.write(SealedPartition.magic)
        trailer.write(UInt32(recordSize))
        trailer.write(UInt32(bucketBits))
        trailer.write(UInt64(count))
        trailer.write(count == 0 ? 0 : firstTime)
        trailer.write(count == 0 ? 0 : lastTime)
        trailer.write(UInt64(filter.blockCount))
        trailer.write(body)
        trailer.write(UInt32(0))
        trailer.write(crc32c(trailer.bytes))
        trailer.write(UInt32(0))
        trailer.bytes.withUnsafeBytes { append($0) }
    }
}
