import Foundation
import Glibc

/// This is a command that has ended, or was ended at its deadline.
public struct CommandRun: Sendable {
    /// This is the exit code, or the number of the signal that ended it.
    public let status: Int32
    /// This is standard output.
    public let output: [UInt8]
    /// This is standard error.
    public let errors: String
    /// This is true when the deadline ended it.
    public let wasTerminated: Bool

    /// This is standard output as text.
    public var text: String { String(decoding: output, as: UTF8.self) }

    /// Runs `executable` and waits for its end, at most `deadline` seconds, then kills it.
    ///
    /// Output goes through files, because a full pipe that nobody reads would hold the command.
    public init(
        _ executable: String, _ arguments: [String], input: [UInt8]? = nil, deadline: Double = 60
    ) throws {
        let folder = try Repository.temporaryFolder("run")
        defer { try? FileManager.default.removeItem(at: folder) }
        func file(_ name: String, _ bytes: [UInt8] = []) throws -> URL {
            let file = folder.appendingPathComponent(name)
            try Data(bytes).write(to: file)
            return file
        }
        let outputFile = try file("output")
        let errorFile = try file("errors")
        let process = Process()
        process.executableURL = URL(fileURLWithPath: executable)
        process.arguments = arguments
        process.environment = CommandRun.environment
        process.standardInput = try FileHandle(forReadingFrom: try file("input", input ?? []))
        process.standardOutput = try FileHandle(forWritingTo: outputFile)
        process.standardError = try FileHandle(forWritingTo: errorFile)
        try process.runWithoutSignalMask()
        wasTerminated = !wait(upTo: deadline) { !process.isRunning }
        if wasTerminated { kill(process.processIdentifier, SIGKILL) }
        process.waitUntilExit()
        status = process.terminationStatus
        output = Array(try Data(contentsOf: outputFile))
        errors = String(decoding: try Data(contentsOf: errorFile), as: UTF8.self)
    }

    /// This is the environment without Leeway's own variables, so that a test sees defaults only.
    static var environment: [String: String] {
        ProcessInfo.processInfo.environment.filter { !$0.key.hasPrefix("LEEWAY_") }
    }

    /// This is the folder's first of `names` on the search path, nil where none is installed.
    public static func installed(_ names: String...) -> String? {
        let folders = ProcessInfo.processInfo.environment["PATH"] ?? "/usr/bin:/bin"
        for folder in folders.split(separator: ":") {
            for name in names
            where FileManager.default.isExecutableFile(atPath: "\(folder)/\(name)") {
                return "\(folder)/\(name)"
            }
        }
        return nil
    }

    /// This is the built `leeway`, which lies beside the test bundle.
    public static var leeway: String {
        if let path = ProcessInfo.processInfo.environment["LEEWAY_TEST_BINARY"] { return path }
        let candidates = [Bundle.main.bundlePath, CommandLine.arguments[0]].map {
            URL(fileURLWithPath: $0).resolvingSymlinksInPath()
        }.flatMap { [$0, $0.deletingLastPathComponent()] }
        let paths = candidates.map { $0.appendingPathComponent("leeway").path }
        return paths.first { FileManager.default.isExecutableFile(atPath: $0) } ?? paths[0]
    }
}

/// Asks `condition` every ten milliseconds.
///
/// - Returns: False when `seconds` have passed without it.
@discardableResult
public func wait(upTo seconds: Double, until condition: () throws -> Bool) rethrows -> Bool {
    let start = DispatchTime.now().uptimeNanoseconds
    while true {
        if try condition() { return true }
        if Double(DispatchTime.now().uptimeNanoseconds - start) > seconds * 1e9 { return false }
        usleep(10_000)
    }
}

extension Process {
    /// Runs the process with no signal blocked.
    ///
    /// The threads on which tests run block every signal, and a child inherits that: SIGTERM would
    /// never reach it.
    func runWithoutSignalMask() throws {
        var none = sigset_t()
        var previous = sigset_t()
        sigemptyset(&none)
        pthread_sigmask(SIG_SETMASK, &none, &previous)
        defer { pthread_sigmask(SIG_SETMASK, &previous, nil) }
        try run()
    }
}
