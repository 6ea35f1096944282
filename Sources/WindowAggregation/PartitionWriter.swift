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
    private var buffer: [UInt8]
    /// How much of the buffer is written.
    private var size = 0
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
        buffer = [UInt8](repeating: 0, count: Self.chunkSizeBytes + 4_096)
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
        if size + recordSize > buffer.count {
            buffer.append(contentsOf: repeatElement(0, count: buffer.count))
        }
        buffer.withUnsafeMutableBytes { raw in
            raw.storeBytes(of: record.core, toByteOffset: size, as: JoinRecord.Core.self)
            guard isWide else { return }
            raw.storeBytes(
                of: record.wide, toByteOffset: size + JoinRecord.coreSizeBytes,
                as: JoinRecord.Wide.self)
        }
        size += recordSize
    }

    private mutating func closeBucket() {
        let checksum = buffer.withUnsafeBytes {
            crc32c(UnsafeRawBufferPointer(rebasing: $0[bucketStart..<size]))
        }
        let first = UInt64(count - (size - bucketStart) / recordSize)
        index.append(first | UInt64(checksum) << 32)
        bucket += 1
        bucketStart = size
        if size >= Self.chunkSizeBytes {
            append(Array(buffer[..<size]))
            size = 0
            bucketStart = 0
        }
    }

    /// Appends the index, the filter and the trailer.
    consuming func finish() {
        while bucket < 1 << Int(bucketBits) { closeBucket() }
        index.append(UInt64(count))
        buffer.removeLast(buffer.count - size)
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
