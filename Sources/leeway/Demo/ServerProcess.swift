import Foundation
import Glibc

/// This is a `leeway serve` of the demo's own: this executable, on a free port, in a folder of its own.
final class ServerProcess {
    /// A server that is not ready by then is not going to be.
    private static let startTimeout = Duration.seconds(30)
    /// How long a server may take to end by itself before it is killed.
    private static let stopTimeout = Duration.seconds(5)

    let address: String
    private let process = Process()
    private let log: URL

    init(folder: URL, rules: String, postgres: String?) throws {
        let rulesFolder = folder.appending(path: "rules")
        try FileManager.default.createDirectory(
            at: rulesFolder, withIntermediateDirectories: true)
        try Data(rules.utf8).write(to: rulesFolder.appending(path: "demo.yaml"))
        log = folder.appending(path: "serve.log")
        guard FileManager.default.createFile(atPath: log.path, contents: nil) else {
            throw DemoError("\(log.path): cannot be written")
        }
        address = "127.0.0.1:\(try Self.freePort())"
        process.executableURL = URL(fileURLWithPath: "/proc/self/exe").resolvingSymlinksInPath()
        process.arguments =
            [
                "serve", "--listen", address, "--data", folder.appending(path: "data").path,
                "--rules", rulesFolder.path, "--clock", "event",
            ] + (postgres.map { ["--postgres", $0] } ?? [])
        // The user's own settings are for the user's own service: the demo must not touch its database.
        process.environment = ProcessInfo.processInfo.environment
            .filter { !$0.key.hasPrefix("LEEWAY_") }
        let output = try FileHandle(forWritingTo: log)
        process.standardOutput = output
        process.standardError = output
        process.standardInput = FileHandle.nullDevice
        try runWithoutSignalMask()
    }

    /// Tasks run on threads that block every signal, and a child inherits that: SIGTERM would never
    /// reach it.
    private func runWithoutSignalMask() throws {
        var none = sigset_t()
        var previous = sigset_t()
        sigemptyset(&none)
        pthread_sigmask(SIG_SETMASK, &none, &previous)
        defer { pthread_sigmask(SIG_SETMASK, &previous, nil) }
        try process.run()
    }

    /// Waits until the server answers that it is ready.
    func waitUntilReady(_ client: LeewayClient) async throws {
        let deadline = ContinuousClock.now + Self.startTimeout
        while !(await client.isReady()) {
            guard process.isRunning else {
                throw DemoError("leeway serve ended at once; its log says:\n\(logText)")
            }
            guard ContinuousClock.now < deadline else {
                throw DemoError("leeway serve did not become ready; its log says:\n\(logText)")
            }
            try await Task.sleep(for: .milliseconds(50))
        }
    }

    /// Ends the server, politely first.
    func stop() {
        guard process.isRunning else { return }
        process.terminate()
        let deadline = ContinuousClock.now + Self.stopTimeout
        while process.isRunning, ContinuousClock.now < deadline { usleep(20_000) }
        if process.isRunning { kill(process.processIdentifier, SIGKILL) }
    }

    /// This is the end of the server's log.
    var logText: String {
        let text = (try? String(contentsOf: log, encoding: .utf8)) ?? ""
        return text.split(separator: "\n").suffix(20).joined(separator: "\n")
    }

    /// This is a port that nobody used a moment ago.
    private static func freePort() throws -> UInt16 {
        let descriptor = socket(AF_INET, Int32(SOCK_STREAM.rawValue), 0)
        guard descriptor >= 0 else { throw portError() }
        defer { close(descriptor) }
        var address = sockaddr_in()
        address.sin_family = sa_family_t(AF_INET)
        address.sin_addr.s_addr = UInt32(0x7F00_0001).bigEndian
        var size = socklen_t(MemoryLayout<sockaddr_in>.size)
        let status = withUnsafeMutablePointer(to: &address) { pointer in
            pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) { generic in
                bind(descriptor, generic, size) == 0 ? getsockname(descriptor, generic, &size) : -1
            }
        }
        guard status == 0 else { throw portError() }
        return UInt16(bigEndian: address.sin_port)
    }

    private static func portError() -> DemoError {
        DemoError("no free port: \(String(cString: strerror(errno)))")
    }
}
