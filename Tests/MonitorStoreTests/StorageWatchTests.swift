import Foundation
import MonitorStore
import MonitoringTestSupport
import Testing

/// D-5's marks, on readings that a test makes.
@Suite struct StorageWatchTests {
    private let total: Int64 = 100 << 30

    private func space(_ freeBytes: Int64) -> DiskSpace {
        DiskSpace(freeBytes: freeBytes, totalBytes: total)
    }

    @Test func `the mark is 256 MiB or 2 %, and an eighth of a small disk`() {
        #expect(StorageWatch.lowWaterBytes(of: 4 << 30) == 256 << 20)
        #expect(StorageWatch.lowWaterBytes(of: 100 << 30) == (100 << 30) / 50)
        #expect(StorageWatch.lowWaterBytes(of: 64 << 20) == 8 << 20)
        #expect(StorageWatch.reserveBytes(of: 100 << 30) == 64 << 20)
        #expect(StorageWatch.reserveBytes(of: 64 << 20) == 2 << 20)
        #expect(StorageWatch.lowWaterBytes(of: 0) == 0)
    }

    @Test func `records are refused below the mark, and the reserve is no room that came back`() {
        var watch = StorageWatch()
        let (mark, reserve) = (
            StorageWatch.lowWaterBytes(of: total), StorageWatch.reserveBytes(of: total)
        )
        #expect(watch.observe(space(mark + reserve), isReserved: false) == .refill)
        #expect(watch.observe(space(mark), isReserved: true) == .nothing)
        #expect(!watch.isFull)
        #expect(watch.observe(space(mark - 1), isReserved: true) == .release)
        #expect(watch.isFull)
        #expect(watch.observe(space(mark + reserve - 1), isReserved: false) == .nothing)
        #expect(watch.isFull)
        #expect(watch.observe(space(mark + reserve), isReserved: false) == .refill)
        #expect(!watch.isFull)
    }

    @Test func `a disk on which few files can be made has no room, whatever is free`() {
        func space(_ names: Int64?) -> DiskSpace {
            DiskSpace(freeBytes: total / 2, totalBytes: total, freeNameCount: names)
        }
        var watch = StorageWatch()
        #expect(watch.observe(space(17), isReserved: false) == .refill)
        #expect(watch.observe(space(9), isReserved: true) == .nothing)
        #expect(!watch.isFull)
        #expect(watch.observe(space(8), isReserved: true) == .release)
        // The reserve's own inode is no room that came back.
        #expect(watch.observe(space(9), isReserved: false) == .nothing)
        #expect(watch.isFull)
        #expect(watch.observe(space(17), isReserved: false) == .refill)
        #expect(!watch.isFull)
        #expect(space(nil).freeBytes == total / 2)
    }

    @Test func `the system's word counts until a reading has room for the reserve`() {
        var watch = StorageWatch()
        _ = watch.observe(space(total), isReserved: false)
        watch.noteFull()
        #expect(watch.isFull)
        #expect(watch.observe(space(total), isReserved: false) == .refill)
        #expect(!watch.isFull)
    }

    @Test func `the reserve holds its room, and gives it back`() throws {
        let folder = try Repository.temporaryFolder("reserve")
        defer { try? FileManager.default.removeItem(at: folder) }
        let reserve = ReserveFile(directory: folder.path)
        #expect(!reserve.isHeld)
        reserve.refill(sizeBytes: 1 << 20)
        #expect(reserve.isHeld)
        let path = folder.appendingPathComponent("leeway.reserve").path
        var status = stat()
        #expect(stat(path, &status) == 0 && status.st_size == 1 << 20)
        #expect(status.st_blocks * 512 >= 1 << 20)
        reserve.release()
        #expect(!reserve.isHeld)
        let reading = try #require(DiskSpace.reading(of: folder.path))
        #expect(reading.freeBytes > 0 && reading.freeBytes <= reading.totalBytes)
        #expect(DiskSpace.reading(of: "/no/such/folder") == nil)
    }
}
