import ByteCoding
import Foundation
import MonitorService
import MonitoringDomain
import MonitoringTestSupport
import Testing

/// What was refused is kept for a look, in bounded memory and on a bounded part of the disk.
@Suite struct RejectLogTests {
    private func copy(_ number: Int, body: [UInt8]) -> RejectLog.Copy {
        RejectLog.Copy(
            time: EventTime(milliseconds: 1_000 * Int64(number)), route: "/v1/events",
            code: "malformed-json", detail: "line \(number)", body: body)
    }

    @Test func `the newest copies come back, bodies byte by byte`() throws {
        let folder = try Repository.temporaryFolder("rejects")
        defer { try? FileManager.default.removeItem(at: folder) }
        let log = RejectLog(directory: folder.path)
        let bodies: [[UInt8]] = [Array("{\"a\n".utf8), [0xFF, 0, 1], [], Array("é".utf8)]
        for number in 0..<150 { log.keep(copy(number, body: bodies[number % bodies.count])) }
        log.flush()

        let copies = log.copies
        #expect(copies.count == RejectLog.copyCountMax)
        #expect(copies.first == copy(149, body: bodies[1]) && copies.last?.detail == "line 50")
        #expect(RejectLog(directory: folder.path).copies == copies)
        let mode = try FileManager.default.attributesOfItem(
            atPath: folder.appendingPathComponent("rejects.ndjson").path)[.posixPermissions]
        #expect((mode as? NSNumber)?.intValue == 0o600)
    }

    @Test func `one body is kept to its bound, and the files stay small`() throws {
        let folder = try Repository.temporaryFolder("rejects-bound")
        defer { try? FileManager.default.removeItem(at: folder) }
        let log = RejectLog(directory: folder.path)
        let large = [UInt8](repeating: 0x20, count: 1 << 20)
        for number in 0..<600 {
            log.keep(copy(number, body: large))
            if number % 100 == 99 { log.flush() }
        }
        #expect(log.copies.first?.body.count == RejectLog.bodySizeBytesMax)
        #expect(log.copies.first?.sizeBytes == 1 << 20)
        var size = 0
        for name in try FileManager.default.contentsOfDirectory(atPath: folder.path) {
            let path = folder.appendingPathComponent(name).path
            let attributes = try FileManager.default.attributesOfItem(atPath: path)
            size += (attributes[.size] as? NSNumber)?.intValue ?? 0
        }
        #expect(size > 4 << 20 && size < 9 << 20)
    }

    @Test func `counts are by way and reason, and a folder that is not there costs only copies`() {
        let log = RejectLog(directory: "/nonexistent/leeway")
        log.count(3, route: "/v1/logs", code: "log-record-rejected")
        log.count(route: "/", code: "malformed-json")
        log.ignore(route: "/", reason: "component")
        log.ignore(2, route: "/", reason: "component")
        log.keep(copy(1, body: [1]))
        log.flush()
        #expect(
            log.json(since: EventTime(milliseconds: 0)).text
                == #"{"since":"1970-01-01T00:00:00Z","rejected":[{"route":"/","code":"malformed-json","count":1},"#
                + #"{"route":"/v1/logs","code":"log-record-rejected","count":3}],"#
                + #""ignored":[{"route":"/","reason":"component","count":3}],"#
                + #""copies":1,"copies_not_written":1}"#)
        for number in 0..<2_000 { log.count(route: "/", code: "code-\(number)") }
        #expect(log.json(since: EventTime(milliseconds: 0)).text.utf8.count < 60_000)
    }
}
