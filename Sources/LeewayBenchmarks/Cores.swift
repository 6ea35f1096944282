import Foundation

/// This is a set of processor cores that a thread, and what it starts, may run on.
struct Cores {
    private let numbers: [Int]

    /// These are the cores of the calling thread.
    static var current: Cores {
        let text =
            (try? String(contentsOfFile: "/proc/thread-self/status", encoding: .utf8)) ?? ""
        let line = text.split(separator: "\n").first { $0.hasPrefix("Cpus_allowed_list:") }
        let list = line?.split(whereSeparator: { $0 == ":" || $0 == "\t" }).last ?? ""
        return Cores(
            numbers: list.split(separator: ",").flatMap { range in
                let ends = range.split(separator: "-").compactMap { Int($0) }
                guard let first = ends.first, let last = ends.last else { return [Int]() }
                return Array(first...max(first, last))
            })
    }

    /// Two halves for two that must not take time from each other; nil of a single core.
    var halves: (Cores, Cores)? {
        guard numbers.count > 1 else { return nil }
        let middle = numbers.count / 2
        return (
            Cores(numbers: Array(numbers[..<middle])), Cores(numbers: Array(numbers[middle...]))
        )
    }

    /// Keeps the calling thread, and the processes and threads that it starts from now on, on these cores.
    ///
    /// - Throws: `BenchmarkError` where there is no `taskset`.
    func keepThread() throws {
        // The call itself is one of GNU's, which Swift does not see.
        let thread = URL(fileURLWithPath: "/proc/thread-self").resolvingSymlinksInPath()
        let process = Process()
        process.executableURL = URL(fileURLWithPath: "/usr/bin/taskset")
        process.arguments = [
            "-p", "-c", numbers.map(String.init).joined(separator: ","), thread.lastPathComponent,
        ]
        process.standardOutput = FileHandle.nullDevice
        do {
            try process.run()
        } catch {
            throw BenchmarkError("cores cannot be kept apart: /usr/bin/taskset: \(error)")
        }
        process.waitUntilExit()
        guard process.terminationStatus == 0 else {
            throw BenchmarkError("taskset ended with \(process.terminationStatus)")
        }
    }

    /// Starts a server on the first of two halves and runs `body` on the second; both anywhere where there is none.
    ///
    /// - Throws: `BenchmarkError` where the server cannot be started, and what `body` throws.
    static func withServer(
        named name: String, on halves: (Cores, Cores)?, _ body: (BenchmarkServer) throws -> Void
    ) throws {
        let folder = FileManager.default.temporaryDirectory
            .appending(path: "leeway-\(name)-\(getpid())")
        defer { try? FileManager.default.removeItem(at: folder) }
        try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
        try halves?.0.keepThread()
        let server = try BenchmarkServer(folder: folder)
        defer { server.stop() }
        try halves?.1.keepThread()
        try body(server)
    }
}
