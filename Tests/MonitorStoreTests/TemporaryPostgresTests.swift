import Foundation
import MonitorStore
import MonitoringTestSupport
import Testing

/// A private server is nobody's burden when its owner has gone.
@Suite struct TemporaryPostgresTests {
    @Test(.timeLimit(.minutes(2)))
    func `a server ends with a process that is killed, and leaves nothing`() async throws {
        let note = "/tmp/leeway-orphan-\(ProcessInfo.processInfo.processIdentifier)"
        defer { try? FileManager.default.removeItem(atPath: note) }
        await #expect(processExitsWith: .failure) {
            let server = try TemporaryPostgres()
            let process = try String(
                contentsOfFile: "\(server.directory)/data/postmaster.pid", encoding: .utf8
            ).split(separator: "\n")[0]
            try "\(process) \(server.directory)".write(
                toFile: "/tmp/leeway-orphan-\(getppid())", atomically: true, encoding: .utf8)
            kill(getpid(), SIGKILL)
        }
        let words = try String(contentsOfFile: note, encoding: .utf8).split(separator: " ")
        let process = try #require(Int32(words[0]))
        let isGone = wait(upTo: 20) {
            kill(process, 0) != 0 && !FileManager.default.fileExists(atPath: String(words[1]))
        }
        #expect(isGone)
    }
}
