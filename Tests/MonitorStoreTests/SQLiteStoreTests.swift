import Foundation
import MonitorStore
import MonitoringTestSupport
import Testing

@Suite final class SQLiteStoreTests {
    /// A new folder, which goes with the test.
    private let folder: URL

    init() throws { folder = try Repository.temporaryFolder("store") }

    deinit { try? FileManager.default.removeItem(at: folder) }

    private func entries(
        _ store: SQLiteStore, after position: Int64 = 0, through last: Int64? = nil
    ) throws -> [LogEntry] {
        var entries: [LogEntry] = []
        try store.forEachEntry(after: position, through: last) { entries.append($0) }
        return entries
    }

    private func payload(_ number: Int) -> [UInt8] {
        (0..<200 + number).map { UInt8(truncatingIfNeeded: $0 &* 31 &+ number) }
    }

    // MARK: - Log

    @Test func `a failure of the disk says so once, however often it is told on`() {
        let first = StoreError.io("errno 5")
        let second = StoreError.io(StoreError.reason(of: first))

        #expect("\(second)" == "\(first)")
        #expect(StoreError.reason(of: StoreError.full) == "the disk is full")
    }

    @Test func `the settings that durability rests on are read back`() throws {
        do {
            let store = try SQLiteStore(directory: folder.path)
            defer { store.close() }
            let settings = Dictionary(uniqueKeysWithValues: store.settings.map { $0 })
            #expect(settings["synchronous"] == "2")
            #expect(settings["journal_mode"] == "wal")
            #expect(settings["page_size"] == "16384")
            #expect(settings["mmap_size"] == "0")
            #expect(settings["wal_autocheckpoint"] == "0")
        }
    }

    @Test func `positions count from 1 without gaps, also after a restart`() throws {
        do {
            let store = try SQLiteStore(directory: folder.path)
            defer { store.close() }
            #expect(store.lastPosition == 0)
            #expect(try store.append([payload(1)]) == 1...1)
            #expect(try store.append([payload(2), payload(3), []]) == 2...4)
        }
        do {
            let store = try SQLiteStore(directory: folder.path)
            defer { store.close() }
            #expect(store.lastPosition == 4)
            #expect(try store.append([payload(5)]) == 5...5)
            let all = try entries(store)
            #expect(all.map(\.position) == [1, 2, 3, 4, 5])
            #expect(
                all.map(\.payload) == [payload(1), payload(2), payload(3), [], payload(5)])
            #expect(try entries(store, after: 2, through: 4).map(\.position) == [3, 4])
            #expect(try entries(store, after: 5).isEmpty)
        }
    }

    @Test func `nothing to append is a programmer's fault`() async {
        await #expect(processExitsWith: .failure) {
            let path = "/tmp/leeway-empty-append-\(ProcessInfo.processInfo.processIdentifier)"
            defer { try? FileManager.default.removeItem(atPath: path) }
            _ = try SQLiteStore(directory: path).append([])
        }
    }

    // MARK: - Effects and snapshots

    private func effect(_ key: String, _ position: Int64, payload: String = "{}") -> StoredEffect {
        StoredEffect(key: key, kind: "file-request", payload: payload, position: position)
    }

    @Test func `an effect is taken once by its key, and delivered once`() throws {
        do {
            let store = try SQLiteStore(directory: folder.path)
            defer { store.close() }
            let effects = [effect("b", 2), effect("a", 1)]
            try store.commit(snapshot: nil, effects: effects, position: 2)
            // A replay makes the same keys; what is known stays as it is.
            try store.commit(
                snapshot: nil, effects: [effect("a", 7, payload: "other"), effect("c", 3)],
                position: 7)
            let pending = try store.pendingDeliveries(kind: "file-request", limit: 10)
            #expect(pending == [effect("a", 1), effect("b", 2), effect("c", 3)])
            #expect(try store.pendingDeliveries(kind: "file-request", limit: 2).count == 2)
            #expect(try store.pendingDeliveries(kind: "alert", limit: 10).isEmpty)

            try store.confirmDelivery(key: "a")
            try store.confirmDelivery(key: "a")
            try store.confirmDelivery(key: "nobody")
        }
        do {
            let store = try SQLiteStore(directory: folder.path)
            defer { store.close() }
            try store.commit(snapshot: nil, effects: [effect("a", 1)], position: 8)
            let pending = try store.pendingDeliveries(kind: "file-request", limit: 10)
            #expect(pending.map(\.key) == ["b", "c"])
        }
    }

    @Test func `what is set aside is no longer pending and keeps its reason`() throws {
        let store = try SQLiteStore(directory: folder.path)
        let effects = ["a", "b"].enumerated().map {
            StoredEffect(
                key: $1, kind: "file-request", payload: "{}", position: Int64($0 + 1))
        }
        try store.commit(snapshot: nil, effects: effects, position: 2)

        try store.setAside(key: "a", because: "too large")
        try store.confirmDelivery(key: "b")
        try store.setAside(key: "b", because: "it was delivered")

        #expect(try store.pendingDeliveries(kind: "file-request", limit: 10).isEmpty)
        #expect(try store.pendingDeliveryCount(kinds: ["file-request"]) == 0)
        let setAside = try store.setAsideDeliveries(limit: 10)
        #expect(setAside.count == 1)
        #expect(setAside.newest.map(\.key) == ["a"])
        #expect(setAside.newest.map(\.reason) == ["too large"])
    }

    @Test func `the newest snapshot is read`() throws {
        do {
            let store = try SQLiteStore(directory: folder.path)
            defer { store.close() }
            #expect(try store.snapshots().isEmpty)
            for position in 1...4 as ClosedRange<Int64> {
                try store.commit(
                    snapshot: StoredSnapshot(bytes: payload(Int(position))), effects: [],
                    position: position)
            }
            try store.commit(snapshot: nil, effects: [], position: 9)
        }
        do {
            let store = try SQLiteStore(directory: folder.path)
            defer { store.close() }
            let newest = try #require(try store.snapshots().first)
            #expect(newest.position == 4)
            #expect(try store.snapshots().map(\.position) == [4, 3])
            #expect(newest.bytes == payload(4))
        }
    }

    @Test func `a corrupt snapshot is passed over for the older one`() throws {
        let (old, new) = (
            [UInt8](repeating: 0xAB, count: 99), [UInt8](repeating: 0xCD, count: 99)
        )
        do {
            let store = try SQLiteStore(directory: folder.path)
            defer { store.close() }
            try store.commit(snapshot: StoredSnapshot(bytes: old), effects: [], position: 1)
            try store.commit(snapshot: StoredSnapshot(bytes: new), effects: [], position: 2)
        }
        let file = folder.appendingPathComponent("leeway.sqlite")
        func flip(_ pattern: [UInt8]) throws {
            var data = try Data(contentsOf: file)
            let place = try #require(data.firstRange(of: pattern))
            data[place.lowerBound + 50] ^= 1
            try data.write(to: file)
        }
        try flip(new)
        do {
            let store = try SQLiteStore(directory: folder.path)
            defer { store.close() }
            #expect(try store.snapshots().first?.position == 1)
            #expect(try store.snapshots().first?.bytes == old)
        }
        try flip(old)
        do {
            let store = try SQLiteStore(directory: folder.path)
            defer { store.close() }
            #expect(try store.snapshots().isEmpty)
        }
    }

    // MARK: - Owners

    @Test func `a second owner is refused until the first has gone`() throws {
        do {
            let store = try SQLiteStore(directory: folder.path)
            defer { store.close() }
            #expect(throws: StoreError.locked(directory: folder.path)) {
                try SQLiteStore(directory: folder.path)
            }
            // The first one works on.
            #expect(try store.append([[1]]) == 1...1)
        }
        do {
            let store = try SQLiteStore(directory: folder.path)
            defer { store.close() }
            #expect(store.lastPosition == 1)
        }
    }

    @Test func `a reader looks while the owner writes, and cannot write`() throws {
        do {
            let owner = try SQLiteStore(directory: folder.path)
            defer { owner.close() }
            _ = try owner.append([[1], [2]])
            do {
                let reader = try SQLiteStore(directory: folder.path, readOnly: true)
                defer { reader.close() }
                #expect(reader.lastPosition == 2)
                #expect(throws: StoreError.self) { try reader.append([[3]]) }
                _ = try owner.append([[3]])
                #expect(try entries(reader).map(\.payload) == [[1], [2], [3]])
            }
        }
    }

    @Test func `a reader of an empty or missing folder gets the typed error`() throws {
        do {
            #expect(throws: StoreError.self) {
                try SQLiteStore(directory: folder.path, readOnly: true)
            }
            #expect(throws: StoreError.self) {
                try SQLiteStore(directory: folder.path + "/none", readOnly: true)
            }
        }
        #expect(throws: StoreError.self) { try SQLiteStore(directory: "/dev/null/x") }
    }

    // MARK: - Damage

    /// A closed store with some entries; the file's bytes.
    private func sample(_ folder: URL) throws -> (file: URL, bytes: Data) {
        do {
            let store = try SQLiteStore(directory: folder.path)
            defer { store.close() }
            for number in 0..<20 {
                _ = try store.append([[UInt8](repeating: UInt8(number), count: 3_000)])
            }
            try store.commit(
                snapshot: StoredSnapshot(bytes: [1, 2, 3]), effects: [effect("a", 1)], position: 20)
        }
        let file = folder.appendingPathComponent("leeway.sqlite")
        return (file, try Data(contentsOf: file))
    }

    /// Opens and reads everything: every fault must be an error that names itself.
    private func readAll(_ folder: URL) throws -> [LogEntry]? {
        do {
            let store = try SQLiteStore(directory: folder.path)
            defer { store.close() }
            _ = try store.snapshots()
            _ = try store.pendingDeliveries(kind: "file-request", limit: 10)
            _ = store.lastPosition
            return try entries(store)
        } catch {
            #expect(!"\(error)".isEmpty)
            return nil
        }
    }

    @Test func `what is no database is the typed error`() throws {
        let bytes = Data("not a database, really not".utf8) + Data(count: 4_096)
        try bytes.write(to: folder.appendingPathComponent("leeway.sqlite"))

        #expect(throws: StoreError.self) { try SQLiteStore(directory: folder.path) }
    }

    @Test func `a file cut anywhere ends in an error or in entries that were written`() throws {
        let (file, bytes) = try sample(folder)
        for length in stride(from: 100, to: bytes.count, by: bytes.count / 12) {
            try bytes.prefix(length).write(to: file)
            for entry in try readAll(folder) ?? [] {
                #expect(Set(entry.payload) == [UInt8(entry.position - 1)])
            }
        }
    }

    @Test(arguments: UInt64(0)..<12)
    func `a file with damaged pages ends in an error or in entries`(seed: UInt64) throws {
        let (file, bytes) = try sample(folder)
        var random = SeededGenerator(seed: seed)
        var damaged = bytes
        for _ in 0..<Int.random(in: 1...40, using: &random) {
            let place = Int.random(in: 0..<bytes.count, using: &random)
            damaged[place] = UInt8.random(in: 0...255, using: &random)
        }
        try damaged.write(to: file)
        _ = try readAll(folder)
    }

    @Test func `a file of a newer program is refused and left alone`() throws {
        let (file, bytes) = try sample(folder)
        var newer = bytes
        // SQLite's user_version: four bytes, big-endian, at 60.
        newer.replaceSubrange(60..<64, with: [0, 0, 0, 99])
        try newer.write(to: file)

        #expect(throws: StoreError.newerVersion(found: 99, known: 3)) {
            try SQLiteStore(directory: folder.path)
        }
        #expect(try Data(contentsOf: file)[60..<64] == Data([0, 0, 0, 99]))
    }

    @Test func `a torn write-ahead log loses its tail and nothing before`() throws {
        let live = folder.appendingPathComponent("live")
        do {
            let store = try SQLiteStore(directory: live.path)
            defer { store.close() }
            for number in 0..<8 { _ = try store.append([payload(number)]) }
            let log = try Data(contentsOf: live.appendingPathComponent("leeway.sqlite-wal"))
            let base = try Data(contentsOf: live.appendingPathComponent("leeway.sqlite"))
            var counts: [Int] = []
            for step in 0...16 {
                let copy = folder.appendingPathComponent("copy-\(step)")
                try FileManager.default.createDirectory(
                    at: copy, withIntermediateDirectories: true)
                try base.write(to: copy.appendingPathComponent("leeway.sqlite"))
                try log.prefix(log.count * step / 16)
                    .write(to: copy.appendingPathComponent("leeway.sqlite-wal"))
                let found = try #require(try readAll(copy))
                #expect(found.map(\.payload) == (0..<found.count).map { payload($0) })
                counts.append(found.count)
            }
            #expect(counts == counts.sorted())
            #expect(counts.last == 8)
        }
    }
}
