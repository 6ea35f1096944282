internal import CPrefetch
import MonitoringDomain

/// This is the ids in memory: records in order of arrival, and a table of their places.
///
/// 40 bytes a record and 8 to 16 of the table; records are dense, so that sealing is a sort and
/// growing copies no empty slots.
struct RecentRecords: Sendable {
    private(set) var cores: [JoinRecord.Core] = []
    /// Empty while nothing is wide, else as long as `cores`.
    private(set) var wides: [JoinRecord.Wide] = []
    /// The low 24 bits are a place plus one, the others a part of the hash; 0 is empty.
    ///
    /// A power of two long, at most half full.
    private var slots: [UInt32] = []

    /// A place has 24 bits in the table.
    static let countMax = 1 << 24 - 2

    var count: Int { cores.count }

    init() {}

    /// Makes the table of records with different identities.
    init(cores: [JoinRecord.Core], wides: [JoinRecord.Wide]) {
        self.cores = cores
        self.wides = wides
        rebuild(size: Self.size(for: cores.count))
    }

    subscript(place: Int) -> JoinRecord {
        get { JoinRecord(cores[place], wides.isEmpty ? JoinRecord.Wide() : wides[place]) }
        set {
            cores[place] = newValue.core
            if wides.isEmpty {
                if newValue.isNarrow { return }
                wides = [JoinRecord.Wide](repeating: JoinRecord.Wide(), count: cores.count)
            }
            wides[place] = newValue.wide
        }
    }

    private static func size(for count: Int) -> Int {
        var size = 1_024
        while size < 2 * count { size *= 2 }
        return size
    }

    @inline(__always)
    private static func hash(_ high: UInt64, _ low: UInt64) -> UInt64 {
        (low ^ high) &* 0x9E37_79B9_7F4A_7C15
    }

    /// Makes room for so many more records.
    mutating func reserve(_ more: Int) {
        precondition(count + more < Self.countMax, "\(count) ids in memory")
        if 2 * (count + more) > slots.count {
            rebuild(size: Self.size(for: max(2 * count, count + more)))
        }
    }

    /// Asks for the memory where an identity would be, so that nobody waits for it later.
    @inline(__always)
    func prefetchSlot(of identity: RecordIdentity) {
        slots.withUnsafeBufferPointer { slots in
            guard let base = slots.baseAddress else { return }
            prefetch(base + Self.slot(Self.hash(identity.high, identity.low), slots.count))
        }
    }

    /// This is the slot where a search begins, of a table of `size`.
    @inline(__always)
    private static func slot(_ hash: UInt64, _ size: Int) -> Int {
        Int(truncatingIfNeeded: hash >> 24) & (size &- 1)
    }

    /// This is where an identity is, or the slot that it would have.
    @inline(__always)
    func find(_ identity: RecordIdentity) -> Finding {
        let hash = Self.hash(identity.high, identity.low)
        let mask = slots.count &- 1
        let tag = UInt32(truncatingIfNeeded: hash >> 24) & 0xFF00_0000
        var slot = Self.slot(hash, slots.count)
        while true {
            let word = slots[slot]
            if word == 0 { return .vacant(slot) }
            if word & 0xFF00_0000 == tag {
                let place = Int(word & 0xFF_FFFF) &- 1
                if cores[place].low == identity.low, cores[place].high == identity.high {
                    return .place(place)
                }
            }
            slot = (slot &+ 1) & mask
        }
    }

    enum Finding {
        case place(Int)
        /// The identity is not in memory.
        case vacant(Int)
    }

    /// Appends a record whose identity has a vacant slot.
    @inline(__always)
    mutating func append(_ record: JoinRecord, inSlot slot: Int) {
        cores.append(record.core)
        if !wides.isEmpty || !record.isNarrow { appendWide(record.wide) }
        let hash = Self.hash(record.core.high, record.core.low)
        let tag = UInt32(truncatingIfNeeded: hash >> 24) & 0xFF00_0000
        slots[slot] = tag | UInt32(truncatingIfNeeded: cores.count)
    }

    private mutating func appendWide(_ wide: JoinRecord.Wide) {
        let missing = cores.count - 1 - wides.count
        wides.append(contentsOf: repeatElement(JoinRecord.Wide(), count: missing))
        wides.append(wide)
    }

    private mutating func rebuild(size: Int) {
        slots = [UInt32](repeating: 0, count: size)
        placeAll()
    }

    /// - Precondition: the table is empty.
    private mutating func placeAll() {
        let mask = slots.count &- 1
        slots.withUnsafeMutableBufferPointer { slots in
            cores.withUnsafeBufferPointer { cores in
                guard let base = slots.baseAddress else { return }
                for place in cores.indices {
                    let ahead = cores[min(place &+ 24, cores.count &- 1)]
                    prefetch(base + Self.slot(Self.hash(ahead.high, ahead.low), slots.count))
                    let hash = Self.hash(cores[place].high, cores[place].low)
                    let tag = UInt32(truncatingIfNeeded: hash >> 24) & 0xFF00_0000
                    var slot = Self.slot(hash, slots.count)
                    while slots[slot] != 0 { slot = (slot &+ 1) & mask }
                    slots[slot] = tag | UInt32(truncatingIfNeeded: place &+ 1)
                }
            }
        }
    }

    // MARK: - Sealing

    /// Shows the records; the second is empty, or as long as the first.
    func withColumns<Result>(
        _ body: (UnsafeBufferPointer<JoinRecord.Core>, UnsafeBufferPointer<JoinRecord.Wide>) ->
            Result
    ) -> Result {
        cores.withUnsafeBufferPointer { cores in
            wides.withUnsafeBufferPointer { body(cores, $0) }
        }
    }

    /// How many records have an earlier time.
    func count(before end: Int64) -> Int { cores.count { $0.time < end } }

    /// Takes out the records of before a time, or all.
    ///
    /// The memory is kept for those to come.
    mutating func removeAll(before end: Int64?) {
        var keptCount = 0
        if let end {
            cores.withUnsafeMutableBufferPointer { cores in
                wides.withUnsafeMutableBufferPointer { wides in
                    for place in cores.indices where cores[place].time >= end {
                        cores[keptCount] = cores[place]
                        if !wides.isEmpty { wides[keptCount] = wides[place] }
                        keptCount += 1
                    }
                }
            }
        }
        cores.removeLast(cores.count - keptCount)
        if !wides.isEmpty {
            wides.removeLast(wides.count - keptCount)
            if wides.allSatisfy({ $0 == JoinRecord.Wide() }) { wides = [] }
        }
        slots.withUnsafeMutableBufferPointer { $0.update(repeating: 0) }
        placeAll()
    }
}
