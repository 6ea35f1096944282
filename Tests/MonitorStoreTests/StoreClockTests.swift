import Foundation
import MonitoringTestSupport
import Synchronization
import Testing

@testable import MonitorStore

@Suite struct StoreClockTests {
    @Test func `the clock is as many calls away after a thousand readings as at the first`() throws
    {
        let folder = try Repository.temporaryFolder("store-clock")
        defer { try? FileManager.default.removeItem(at: folder) }
        let store = try SQLiteStore(directory: folder.path)
        defer { store.close() }
        let depths = Mutex<[UInt]>([])
        store.readTime {
            var place: UInt8 = 0
            let depth = withUnsafeMutablePointer(to: &place) { UInt(bitPattern: $0) }
            depths.withLock { $0.append(depth) }
            return 7
        }

        for _ in 0..<1_000 { #expect(store.now == 7) }

        // A function that is wrapped once more at each reading needs some words of the stack for each.
        let found = depths.withLock { $0 }
        #expect(found.count == 1_000)
        #expect((found.max() ?? 0) - (found.min() ?? 0) < 4_096)
    }
}
