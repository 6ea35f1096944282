import Foundation
import MonitorService
import MonitoringTestSupport
import Testing

@Suite struct KeyStoreTests {
    @Test func `keys that cannot be read let nobody in`() throws {
        let folder = try Repository.temporaryFolder("keys")
        defer { try? FileManager.default.removeItem(at: folder) }
        #expect(!KeyStore(directory: folder.path).isUsed)

        try Data("{\"keys\": [{".utf8).write(to: folder.appendingPathComponent("keys.json"))

        let store = KeyStore(directory: folder.path)
        #expect(store.isUsed)
        #expect(store.key(for: "lwy_000000000000_x", at: WallClock.now()) == nil)
    }
}
