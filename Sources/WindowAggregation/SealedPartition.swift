import ByteCoding
import MonitoringDomain

/// This is ids that are out of memory: sorted records that never change, with a filter in memory.
///
/// The bytes, little-endian. Identities are spread evenly, so their top bits are the index.
///
///     records    [count] of 40 or 72 bytes, sorted by (high, low)
///         high u64 · low u64 · time i64 · number f64 · version u16 · label u16 · truth label u16 ·
///         flags u16; in 72 bytes also: second number f64 · truth f64 · revision i64 · keep i64
///     index      [2^bits + 1] of (first record u32, CRC-32C of the bucket's records u32);
///                a bucket is the records whose high has the same top bits
///     filter     [blocks × 4] u64
///     trailer    magic u64 · record size u32 · bits u32 · count u64 · first time i64 ·
///                last time i64 · blocks u64 · CRC-32C of index and filter u32 · 0 u32 ·
///                CRC-32C of the trailer up to here u32 · 0 u32
///
/// So the trailer's checksum covers everything: it is the partition's name in snapshots. A bucket is
/// checked each time it is read, so a changed byte is found where it would be used.
public struct SealedPartition: Sendable {
    static let magic: UInt64 = 0x3130_5452_4150_574C
    static let trailerSizeBytes = 64

    /// The name in the storage.
    public let name: String
    /// Records in it.
    public let count: Int
    /// The earliest and the latest event time in it.
    public let times: ClosedRange<Int64>
    /// The trailer's checksum.
    let checksum: UInt32
    let filter: IdentityFilter
    /// [2^bits + 1]: half a byte a record, so that a question is one reading.
    private let index: [UInt64]
    private let bytes: PartitionBytes
    let recordSize: Int
    private let bucketBits: UInt64

    var isWide: Bool { recordSize > JoinRecord.coreSizeBytes }

    /// Reads the trailer and the filter, and checks them and the index.
    ///
    /// - Throws: For anything that `PartitionWriter` did not write.
    init(name: String, bytes: PartitionBytes) throws(ByteReadingError) {
        let start = bytes.count - Self.trailerSizeBytes
        guard start >= 0, let raw = bytes.read(start..<bytes.count, { [UInt8]($0) }) else {
            throw .truncated(offset: bytes.count, needed: Self.trailerSizeBytes)
        }
        var trailer = ByteReader(raw)
        guard try trailer.read() == Self.magic else {
            throw .invalid(offset: start, reason: "not a partition")
        }
        let recordSize: UInt32 = try trailer.read()
        let bits: UInt32 = try trailer.read()
        let count: UInt64 = try trailer.read()
        let first: Int64 = try trailer.read()
        let last: Int64 = try trailer.read()
        let blocks: UInt64 = try trailer.read()
        let bodyChecksum: UInt32 = try trailer.read()
        let _: UInt32 = try trailer.read()
        let expected: UInt32 = try trailer.read()
        checksum = crc32c(Array(raw[..<56]))
        guard checksum == expected else {
            throw .checksumMismatch(found: checksum, expected: expected)
        }
        let sizes = [JoinRecord.coreSizeBytes, JoinRecord.coreSizeBytes + JoinRecord.wideSizeBytes]
        guard sizes.contains(Int(recordSize)), bits < 32, count < UInt64(UInt32.max), blocks > 0,
            blocks < UInt64(UInt32.max), first <= last
        else { throw .invalid(offset: start, reason: "a trailer that contradicts itself") }
        let indexStart = Int(count) * Int(recordSize)
        let indexSize = ((1 << Int(bits)) + 1) * 8
        let filterSize = Int(blocks) * IdentityFilter.blockSizeBytes
        guard indexStart + indexSize + filterSize == start else {
            throw .invalid(offset: start, reason: "a size that contradicts the trailer")
        }
        let body = bytes.read(indexStart..<start) { raw in
            (
                checksum: crc32c(raw), index: Self.words(raw, 0..<indexSize),
                filter: Self.words(raw, indexSize..<raw.count)
            )
        }
        guard let body, body.checksum == bodyChecksum else {
            throw .checksumMismatch(found: body?.checksum ?? 0, expected: bodyChecksum)
        }
        self.name = name
        self.count = Int(count)
        times = first...last
        filter = IdentityFilter(words: body.filter)
        index = body.index
        self.bytes = bytes
        self.recordSize = Int(recordSize)
        bucketBits = UInt64(bits)
    }

    private static func words(_ raw: UnsafeRawBufferPointer, _ range: Range<Int>) -> [UInt64] {
        [UInt64](unsafeUninitializedCapacity: range.count / 8) { words, count in
            UnsafeMutableRawBufferPointer(words).copyMemory(
                from: UnsafeRawBufferPointer(rebasing: raw[range]))
            count = range.count / 8
        }
    }

    enum Finding: Equatable {
        case absent
        case found(JoinRecord)
        /// The bytes are not what was written.
        case damaged
    }

    /// Looks an identity up, by the filter first.
    func find(_ identity: RecordIdentity) -> Finding {
        guard filter.mayContain(identity) else { return .absent }
        return withBucket(Int(identity.high >> (64 - bucketBits))) { raw in
            var low = 0
            var high = raw.count / recordSize
            while low < high {
                let middle = (low + high) / 2
                let record = Self.record(raw, middle * recordSize, isWide)
                if record.identity == identity { return .found(record) }
                let wanted = JoinRecord.Core(high: identity.high, low: identity.low, time: 0)
                if JoinRecord.Core.precedes(record.core, wanted) {
                    low = middle + 1
                } else {
                    high = middle
                }
            }
            return .absent
        } ?? .damaged
    }

    /// Visits a bucket's records; nil where they are damaged.
    private func withBucket<Result>(
        _ bucket: Int, _ body: (UnsafeRawBufferPointer) -> Result
    ) -> Result? {
        let first = index[bucket]
        let start = Int(first & 0xFFFF_FFFF)
        let range = start..<max(start, Int(index[bucket + 1] & 0xFFFF_FFFF))
        guard range.upperBound <= count else { return nil }
        return bytes.read(range.lowerBound * recordSize..<range.upperBound * recordSize) { raw in
            crc32c(raw) == UInt32(first >> 32) ? body(raw) : nil
        } ?? nil
    }

    private static func record(
        _ raw: UnsafeRawBufferPointer, _ offset: Int, _ isWide: Bool
    ) -> JoinRecord {
        let core = raw.loadUnaligned(fromByteOffset: offset, as: JoinRecord.Core.self)
        guard isWide else { return JoinRecord(core) }
        return JoinRecord(
            core,
            raw.loadUnaligned(
                fromByteOffset: offset + JoinRecord.coreSizeBytes, as: JoinRecord.Wide.self))
    }

    /// This is the bucket of identities with this upper half.
    func bucket(of high: UInt64) -> Int { Int(high >> (64 - bucketBits)) }

    /// This is the greatest upper half of an identity that a bucket can hold.
    func lastHigh(ofBucket bucket: Int) -> UInt64 {
        UInt64(bucket) << (64 - bucketBits) | UInt64.max >> bucketBits
    }

    /// Appends the records of neighbouring buckets, in order; false where they are damaged.
    ///
    /// - Precondition: wide ones are asked for where the records are wide.
    func append(_ buckets: Range<Int>, to records: inout RecordColumns, isWide: Bool) -> Bool {
        precondition(isWide || !self.isWide, "\(name) has wide records")
        if buckets.isEmpty { return true }
        let start = Int(index[buckets.lowerBound] & 0xFFFF_FFFF)
        let end = Int(index[buckets.upperBound] & 0xFFFF_FFFF)
        guard start <= end, end <= count else { return false }
        return bytes.read(start * recordSize..<end * recordSize) { raw in
            guard raw.count == (end - start) * recordSize, isSound(buckets, raw) else {
                return false
            }
            records.append(raw, areWide: self.isWide, isWide: isWide)
            return true
        } ?? false
    }

    /// - Precondition: `raw` is what the index says to be these buckets' records.
    private func isSound(_ buckets: Range<Int>, _ raw: UnsafeRawBufferPointer) -> Bool {
        let first = Int(index[buckets.lowerBound] & 0xFFFF_FFFF)
        for bucket in buckets {
            let start = (Int(index[bucket] & 0xFFFF_FFFF) - first) * recordSize
            let end = (Int(index[bucket + 1] & 0xFFFF_FFFF) - first) * recordSize
            guard start <= end, end <= raw.count,
                crc32c(UnsafeRawBufferPointer(rebasing: raw[start..<end])) == index[bucket] >> 32
            else { return false }
        }
        return true
    }
}
