import ByteCoding
import MonitoringDomain

/// This writes one partition from records in the order of their identities, without holding them.
///
/// The format is drawn in `SealedPartition`.
struct PartitionWriter {
    /// Records per bucket, about: a bucket is what a question reads and checks.
    static let bucketRecordCount = 16
    private static let chunkSizeBytes = 1 << 20

    private let append: ([UInt8]) -> Void
    private let isWide: Bool
    private let recordSize: Int
    private let bucketBits: UInt64
    private var buffer: [UInt8] = []
    /// Where the current bucket begins in `buffer`.
    private var bucketStart = 0
    private var bucket = 0
    private var index: [UInt64] = []
    private var filter: IdentityFilter
    private var count = 0
    private var firstTime = Int64.max
    private var lastTime = Int64.min

    /// Starts a partition of at most `countMax` records; wide values are dropped unless `isWide`.
    init(countMax: Int, isWide: Bool, append: @escaping ([UInt8]) -> Void) {
        precondition(countMax < Int(UInt32.max), "\(countMax) records in one partition")
        self.append = append
        self.isWide = isWide
        recordSize = JoinRecord.coreSizeBytes + (isWide ? JoinRecord.wideSizeBytes : 0)
        let buckets = max(1, countMax / Self.bucketRecordCount)
        bucketBits = UInt64(Int.bitWidth - 1 - buckets.leadingZeroBitCount)
        filter = IdentityFilter(count: countMax)
        index.reserveCapacity((1 << Int(bucketBits)) + 1)
        buffer.reserveCapacity(Self.chunkSizeBytes + 4_096)
    }

    /// Appends the next record.
    mutating func write(_ record: JoinRecord) {
        // A shift by all 64 bits gives zero: one bucket.
        let own = Int(record.core.high >> (64 - bucketBits))
        while bucket < own { closeBucket() }
        filter.insert(record.identity)
        firstTime = min(firstTime, record.keptTime)
        lastTime = max(lastTime, record.keptTime)
        count += 1
        let core = record.core
        withUnsafeBytes(of: core) { buffer.append(contentsOf: $0) }
        if isWide {
            let wide = record.wide
            withUnsafeBytes(of: wide) { buffer.append(contentsOf: $0) }
        }
    }

    private mutating func closeBucket() {
        let checksum = buffer.withUnsafeBytes {
            crc32c(UnsafeRawBufferPointer(rebasing: $0[bucketStart...]))
        }
        let size = buffer.count - bucketStart
        let first = UInt64(count - size / recordSize)
        index.append(first | UInt64(checksum) << 32)
        bucket += 1
        bucketStart = buffer.count
        if buffer.count >= Self.chunkSizeBytes {
            append(buffer)
            buffer.removeAll(keepingCapacity: true)
            bucketStart = 0
        }
    }

    /// Appends the index, the filter and the trailer.
    consuming func finish() {
        while bucket < 1 << Int(bucketBits) { closeBucket() }
        index.append(UInt64(count))
        let bodyStart = buffer.count
        buffer.append(littleEndian: index)
        buffer.append(littleEndian: filter.words)
        let body = buffer.withUnsafeBytes {
            crc32c(UnsafeRawBufferPointer(rebasing: $0[bodyStart...]))
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
        buffer.append(contentsOf: trailer.bytes)
        append(buffer)
    }
}

extension [UInt8] {
    fileprivate mutating func append(littleEndian words: [UInt64]) {
        words.withUnsafeBytes { append(contentsOf: $0) }
    }
}
