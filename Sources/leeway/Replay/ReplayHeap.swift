import CMalloc
import Foundation

/// This is the allocator's memory as a replay uses it: pieces decoded into large blocks, again and again.
enum ReplayHeap {
    /// Larger memory is given back to the system when it is free, and cleared when it is taken again.
    ///
    /// What pieces are decoded into is larger than the allocator's own limit, and taken again at once.
    private static let keptSizeBytesMax: Int32 = 32 << 20
    /// What is taken from the system at once; only what is written to is used.
    private static let reservedSizeBytes: Int32 = 512 << 20

    private static let largePage = 2 << 20

    /// Sets the allocator up; to be called on the main thread, before there is another one.
    ///
    /// A new page costs a fault, a third of what counting a record does. Large pages make 512 times fewer
    /// of them; where the system has none, nothing is lost.
    static func prepare() {
        mallopt(M_MMAP_THRESHOLD, keptSizeBytesMax)
        mallopt(M_TRIM_THRESHOLD, reservedSizeBytes)
        mallopt(M_ARENA_MAX, 1)
        mallopt(M_TOP_PAD, reservedSizeBytes)
        // The first block that does not fit grows the heap by all of the reserve.
        var block: UnsafeMutableRawPointer?
        posix_memalign(&block, largePage, Int(keptSizeBytesMax) / 2)
        free(block)
        mallopt(M_TOP_PAD, keptSizeBytesMax)
        guard let end = sbrk(0) else { return }
        let stop = UInt(bitPattern: end) / UInt(largePage) * UInt(largePage)
        let size = Int(reservedSizeBytes) - largePage
        guard let start = UnsafeMutableRawPointer(bitPattern: stop &- UInt(size)) else { return }
        madvise(start, size, MADV_HUGEPAGE)
    }
}
