import Foundation
import MonitorStore
import MonitoringTestSupport
import Testing

/// D-7: what was durable and is not there any more is said, and what can be read goes on.
@Suite final class StartFindingsTests {
    private let folder: URL

    init() throws { folder = try Repository.temporaryFolder("findings") }

    deinit { try? FileManager.default.removeItem(at: folder) }

    private func payload(_ number: Int) -> [UInt8] {
        (0..<3_000).map { UInt8(truncatingIfNeeded: $0 &* 31 &+ number) }
    }

    /// What a process leaves that is killed after `count` entries.
    private func killed(after count: Int, _ name: String = "killed") throws -> URL {
        let live = folder.appendingPathComponent("live-\(name)")
        let copy = folder.appendingPathComponent(name)
        let store = try SQLiteStore(directory: live.path)
        defer { store.close() }
        for number in 1...count { _ = try store.append([payload(number)]) }
        try FileManager.default.copyItem(at: live, to: copy)
        return copy
    }

    private func flip(_ file: URL, at place: (Int) -> Int) throws {
        var bytes = try Data(contentsOf: file)
        bytes[place(bytes.count)] ^= 4
        try bytes.write(to: file)
    }

    private func positions(_ store: SQLiteStore) throws -> [Int64] {
        var positions: [Int64] = []
        try store.forEachEntry(after: 0, through: nil) { positions.append($0.position) }
        return positions
    }

    @Test func `a process that was killed leaves nothing to say`() throws {
        let copy = try killed(after: 20)
        let store = try SQLiteStore(directory: copy.path)
        defer { store.close() }
        #expect(!store.findings.wasClosed)
        #expect(store.findings.isCheckComplete)
        #expect(store.findings.sentences.isEmpty)
        #expect(try positions(store) == Array(1...20))
    }

    @Test func `an orderly stop is known as one`() throws {
        do {
            let store = try SQLiteStore(directory: folder.path)
            _ = try store.append([payload(1)])
            store.close()
        }
        let store = try SQLiteStore(directory: folder.path)
        defer { store.close() }
        #expect(store.findings.wasClosed)
    }

    @Test(arguments: [3, 8, 13])
    func `a flipped bit in the write-ahead log is a loss that is said, for ever`(share: Int) throws
    {
        let copy = try killed(after: 20)
        try flip(copy.appendingPathComponent("leeway.sqlite-wal")) { $0 * share / 16 }
        var lost: ClosedRange<Int64> = 0...0
        do {
            let store = try SQLiteStore(directory: copy.path)
            lost = try #require(store.findings.newlyLost)
            #expect(lost.upperBound == 20)
            #expect(try positions(store) == Array(1..<lost.lowerBound))
            #expect(
                store.findings.sentences.first?.contains("ACKNOWLEDGED RECORDS ARE LOST") == true)
            // No place is given away twice: a reader that has seen 20 never sees another 20.
            #expect(try store.append([payload(21)]) == 21...21)
            store.close()
        }
        let store = try SQLiteStore(directory: copy.path)
        defer { store.close() }
        #expect(store.findings.newlyLost == nil)
        #expect(store.findings.lost == [lost])
        #expect(try positions(store) == Array(1..<lost.lowerBound) + [21])
    }

    @Test func `a reader tells of a lost end too, and writes nothing`() throws {
        let copy = try killed(after: 20)
        try flip(copy.appendingPathComponent("leeway.sqlite-wal")) { $0 / 2 }
        let store = try SQLiteStore(directory: copy.path, readOnly: true)
        defer { store.close() }
        #expect(store.findings.newlyLost?.upperBound == 20)
        #expect(store.findings.lost.count == 1)
    }

    @Test func `the mark is in two places, and one of them is enough`() throws {
        for slot in [0, 512] {
            let copy = try killed(after: 20, "slot-\(slot)")
            try flip(copy.appendingPathComponent("leeway.mark")) { _ in slot + 17 }
            let store = try SQLiteStore(directory: copy.path)
            defer { store.close() }
            #expect(store.findings.sentences.isEmpty)
        }
        let copy = try killed(after: 20, "slots")
        for slot in [0, 512] {
            try flip(copy.appendingPathComponent("leeway.mark")) { _ in slot + 17 }
        }
        let store = try SQLiteStore(directory: copy.path)
        defer { store.close() }
        #expect(store.findings.isMarkDamaged)
        #expect(try positions(store) == Array(1...20))
    }

    @Test func `another log in this directory's place is noticed`() throws {
        let copy = try killed(after: 20)
        let other = folder.appendingPathComponent("other")
        do {
            let store = try SQLiteStore(directory: other.path)
            for number in 1...30 { _ = try store.append([payload(number + 1)]) }
            store.close()
        }
        for suffix in ["-wal", "-shm"] {
            try? FileManager.default.removeItem(
                at: copy.appendingPathComponent("leeway.sqlite" + suffix))
        }
        let file = copy.appendingPathComponent("leeway.sqlite")
        try FileManager.default.removeItem(at: file)
        try FileManager.default.copyItem(
            at: other.appendingPathComponent("leeway.sqlite"), to: file)
        let store = try SQLiteStore(directory: copy.path)
        defer { store.close() }
        #expect(store.findings.isForked)
    }

    @Test func `an entry that is replaced or taken out breaks the chain`() throws {
        do {
            let store = try SQLiteStore(directory: folder.path)
            for number in 1...9 { _ = try store.append([payload(number)]) }
            store.close()
        }
        let file = folder.appendingPathComponent("leeway.sqlite").path
        let script = """
            import sqlite3
            c = sqlite3.connect('\(file)')
            c.execute('DELETE FROM entry WHERE position = 4')
            c.execute('UPDATE entry SET payload = ? WHERE position = 7', (b'another',))
            c.commit()
            """
        let run = try CommandRun("/usr/bin/env", ["python3", "-c", script])
        try #require(run.status == 0, "\(run.errors)")
        let store = try SQLiteStore(directory: folder.path)
        defer { store.close() }
        var unlinked: [Int64] = []
        try store.forEachEntry(after: 0, through: nil) {
            if !$0.isLinked { unlinked.append($0.position) }
        }
        #expect(unlinked == [5, 7])
        try store.forEachEntry(after: 4, through: 5) { #expect(!$0.isLinked) }
    }

    @Test func `a damaged page is left behind, and the rest goes on in a new file`() throws {
        do {
            let store = try SQLiteStore(directory: folder.path)
            for number in 1...60 { _ = try store.append([payload(number)]) }
            try store.commit(
                snapshot: StoredSnapshot(bytes: payload(99)),
                effects: [
                    StoredEffect(key: "a", kind: "file-request", payload: "{}", position: 1)
                ], position: 60)
            store.close()
        }
        let file = folder.appendingPathComponent("leeway.sqlite")
        var bytes = try Data(contentsOf: file)
        // A page in the middle of the entries, header and all.
        let place = try #require(bytes.firstRange(of: payload(30))).lowerBound / 16_384 * 16_384
        bytes.replaceSubrange(place..<place + 16_384, with: Data(repeating: 0xEE, count: 16_384))
        try bytes.write(to: file)

        let store = try SQLiteStore(directory: folder.path, isDamaged: true)
        defer { store.close() }
        let salvage = try #require(store.findings.salvage)
        let lost = salvage.positions.flatMap { Array($0) }
        #expect(lost.contains(30) && lost.count <= 5, "\(lost)")
        #expect(try positions(store) == (1...60).filter { !lost.contains($0) })
        #expect(store.findings.lost.flatMap { Array($0) } == lost)
        #expect(try store.snapshots().map(\.bytes) == [payload(99)])
        #expect(try store.pendingDeliveries(kind: "file-request", limit: 9).map(\.key) == ["a"])
        #expect(try store.append([payload(61)]) == 61...61)
        let kept = try FileManager.default.contentsOfDirectory(atPath: folder.path)
        #expect(kept.contains { $0.hasPrefix("leeway.sqlite.damaged-") })
    }

    @Test func `the check after a kill finds a damaged page by itself`() throws {
        let copy = try killed(after: 60)
        do {
            // Folded back, so that the page is the file's own; then as a kill leaves it.
            let store = try SQLiteStore(directory: copy.path)
            store.abandon()
        }
        let file = copy.appendingPathComponent("leeway.sqlite")
        var bytes = try Data(contentsOf: file)
        let place = try #require(bytes.firstRange(of: payload(30))).lowerBound / 16_384 * 16_384
        bytes.replaceSubrange(place..<place + 16_384, with: Data(repeating: 0xEE, count: 16_384))
        try bytes.write(to: file)
        let store = try SQLiteStore(directory: copy.path)
        defer { store.close() }
        #expect(!store.findings.damage.isEmpty)
        #expect(store.findings.salvage?.positions.isEmpty == false)
    }

    @Test func `an effect whose text was changed is set aside, and told to nobody`() throws {
        do {
            let store = try SQLiteStore(directory: folder.path)
            let effects = ["a", "b"].map {
                StoredEffect(key: $0, kind: "file-request", payload: #"{"n":1}"#, position: 1)
            }
            try store.commit(snapshot: nil, effects: effects, position: 1)
            store.close()
        }
        let file = folder.appendingPathComponent("leeway.sqlite")
        try flip(file) { _ in
            let bytes = (try? Data(contentsOf: file)) ?? Data()
            return bytes.firstRange(of: Array(#"{"n":1}"#.utf8))?.lowerBound.advanced(by: 5) ?? 0
        }
        let store = try SQLiteStore(directory: folder.path)
        defer { store.close() }
        #expect(try store.pendingDeliveries(kind: "file-request", limit: 9).count == 1)
        let setAside = try store.setAsideDeliveries(limit: 9)
        #expect(setAside.newest.map(\.reason) == [SQLiteStore.damagedPayload])
    }
}
