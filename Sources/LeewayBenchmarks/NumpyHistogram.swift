import Foundation

/// This is `numpy.histogram` on the same values and edges, in a python3 of its own.
struct NumpyHistogram {
    /// By type: nanoseconds per value for each row of edges; empty where python3 has no numpy.
    private var times: [String: [Double]] = [:]

    private static let script = """
        numpy, sys, time = map(__import__, ("numpy", "sys", "time"))
        folder, count = sys.argv[1], int(sys.argv[2])
        values = numpy.fromfile(folder + "/values")
        for kind in ("float32", "float64"):
            data = values.astype(kind)
            for place in range(count):
                edges = numpy.fromfile(folder + "/edges-%d" % place).astype(kind)
                total = 0.0
                for first in range(0, len(data), 65536):
                    part = data[first:first + 65536]
                    best = 1e9
                    for _ in range(3):
                        start = time.perf_counter()
                        numpy.histogram(part, edges)
                        best = min(best, time.perf_counter() - start)
                    total += best
                print(kind, total / len(data) * 1e9)
        """

    init(values: [Double], edges: [[Double]]) {
        let folder = FileManager.default.temporaryDirectory
            .appendingPathComponent("leeway-bench-\(UUID().uuidString)")
        defer { try? FileManager.default.removeItem(at: folder) }
        guard let output = try? Self.run(values, edges, in: folder) else { return }
        for line in output.split(separator: "\n") {
            let words = line.split(separator: " ")
            guard words.count == 2, let time = Double(words[1]) else { continue }
            times[String(words[0]), default: []].append(time)
        }
        times = times.filter { $0.value.count == edges.count }
    }

    /// Nil where python3 with numpy is not there.
    func nanoseconds(of type: String) -> [Double]? { times[type] }

    private static func run(
        _ values: [Double], _ edges: [[Double]], in folder: URL
    ) throws -> String {
        try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
        func write(_ numbers: [Double], _ name: String) throws {
            let bytes = numbers.withUnsafeBytes { Data($0) }
            try bytes.write(to: folder.appendingPathComponent(name))
        }
        try write(values, "values")
        for (place, row) in edges.enumerated() { try write(row, "edges-\(place)") }
        let process = Process()
        process.executableURL = URL(fileURLWithPath: "/usr/bin/env")
        process.arguments = ["python3", "-c", script, folder.path, "\(edges.count)"]
        let output = Pipe()
        process.standardOutput = output
        process.standardError = FileHandle.nullDevice
        try process.run()
        let bytes = output.fileHandleForReading.readDataToEndOfFile()
        process.waitUntilExit()
        return String(bytes: bytes, encoding: .utf8) ?? ""
    }
}
