public import Foundation
import Glibc

/// This is a running `leeway serve` on a free port; it is killed when the value goes.
public final class LeewayServer {
    /// This is the port on 127.0.0.1.
    public let port: UInt16
    /// This sends requests to the server.
    public let client: HTTPClient
    private let process: Process
    private let log: URL

    /// Starts the binary and waits until `/readyz` is 200.
    public init(
        data: URL, rules: URL? = nil, clock: String = "event", arguments: [String] = [],
        descriptorLimit: Int? = nil, launcher prefix: [String] = [], deadline: Double = 30
    ) throws {
        port = try freePort()
        client = HTTPClient(port: port)
        let rulesFolder = rules ?? data.appendingPathComponent("rules")
        try FileManager.default.createDirectory(at: rulesFolder, withIntermediateDirectories: true)
        log = data.deletingLastPathComponent()
            .appendingPathComponent(data.lastPathComponent + "-\(port).log")
        try Data().write(to: log)
        let output = try FileHandle(forWritingTo: log)
        process = Process()
        // A limit of open files is the shell's to set, which then becomes the server.
        let launcher =
            descriptorLimit.map {
                ["/bin/sh", "-c", "ulimit -n \($0) && exec \"$0\" \"$@\"", CommandRun.leeway]
            } ?? prefix + [CommandRun.leeway]
        process.executableURL = URL(fileURLWithPath: launcher[0])
        process.arguments =
            launcher.dropFirst() + [
                "serve", "--listen", "127.0.0.1:\(port)", "--data", data.path,
                "--rules", rulesFolder.path, "--clock", clock,
            ] + (arguments.contains("--drain-seconds") ? [] : ["--drain-seconds", "0"]) + arguments
        process.environment = CommandRun.environment
        process.standardInput = FileHandle.nullDevice
        process.standardOutput = output
        process.standardError = output
        try process.runWithoutSignalMask()
        let isReady = wait(upTo: deadline) {
            !process.isRunning || (try? client.get("/readyz").status) == 200
        }
        guard isReady, process.isRunning else {
            kill()
            throw HTTPFailure(reason: "leeway serve is not ready: \(logTail)")
        }
    }

    deinit {
        kill()
        try? FileManager.default.removeItem(at: log)
    }

    /// This is false once the process has ended.
    public var isRunning: Bool { process.isRunning }
    /// This is the process's number, for signals.
    public var processIdentifier: Int32 { process.processIdentifier }

    /// This is the end of what the process logged, for a failure's message.
    public var logTail: String {
        let text = (try? String(contentsOf: log, encoding: .utf8)) ?? ""
        return String(text.suffix(2_000))
    }

    /// This is all that the process logged.
    public var logText: String { (try? String(contentsOf: log, encoding: .utf8)) ?? "" }

    /// Sends SIGTERM, and does not wait.
    public func terminate() { Glibc.kill(process.processIdentifier, SIGTERM) }

    /// Waits for the process to end by itself.
    ///
    /// - Parameter seconds: How long to wait.
    /// - Returns: The exit code, nil where the process still runs.
    public func ended(within seconds: Double) -> Int32? {
        wait(upTo: seconds) { !process.isRunning } ? process.terminationStatus : nil
    }

    /// Asks for an orderly stop, and kills after ten seconds.
    ///
    /// - Returns: The exit code, nil where the process had to be killed.
    @discardableResult
    public func stop() -> Int32? {
        guard process.isRunning else { return process.terminationStatus }
        Glibc.kill(process.processIdentifier, SIGTERM)
        guard wait(upTo: 10, until: { !process.isRunning }) else {
            kill()
            return nil
        }
        return process.terminationStatus
    }

    /// Sends SIGKILL and waits until the process is gone.
    public func kill() {
        if process.isRunning { Glibc.kill(process.processIdentifier, SIGKILL) }
        process.waitUntilExit()
    }
}
