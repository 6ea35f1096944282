import Foundation
import MonitoringTestSupport
import Testing

/// What one sender knows: every batch, and which were acknowledged.
struct Ledger {
    var batches: [[RecordStream.Row]] = []
    var acknowledged: Set<Int> = []
    /// The first answer that was not an acknowledgement.
    var refusal: HTTPAnswer?

    /// Sends batches until one is not acknowledged, or `countMax` are, or `isOver`.
    mutating func send(
        _ stream: inout RecordStream, to client: HTTPClient, countMax: Int,
        isOver: () -> Bool = { false }
    ) {
        for _ in 0..<countMax where !isOver() {
            let rows = stream.next(20)
            batches.append(rows)
            guard let answer = try? client.post("/v1/predictions", ndjson(rows.map(\.prediction)))
            else { return }
            guard answer.status == 202 else {
                refusal = answer
                return
            }
            acknowledged.insert(batches.count - 1)
        }
    }

    /// How many acknowledged batches are not there, after all were sent again; a batch that is there
    /// in part is a failure.
    func lostCount(_ client: HTTPClient) throws -> Int {
        var lost = 0
        for (index, rows) in batches.enumerated() {
            let answer = try client.ingest(rows.map(\.prediction))
            #expect(answer.duplicates == 0 || answer.duplicates == rows.count, "batch \(index)")
            if acknowledged.contains(index), answer.duplicates == 0 { lost += 1 }
        }
        return lost
    }
}

/// How long the faults go on: 2 in every run, more in `make torture`, which sets LEEWAY_TORTURE.
let roundCount =
    ProcessInfo.processInfo.environment["LEEWAY_TORTURE"].flatMap { Int($0) } ?? 2

/// True in `make torture`.
let isTorture = roundCount > 2

/// How many rounds of a fault there are: so many in every run, in `make torture` more, in proportion.
func rounds(_ count: Int, atMost limit: Int = .max) -> Int {
    isTorture ? max(count, min(limit, count * roundCount / 2)) : count
}

/// What the fault tests share: the library of faults, the disks, the check at the end.
enum FaultRig {
    /// Root, with loop devices; elsewhere the tests of real disks say that they are skipped.
    static let canMount: Bool = {
        let isRoot =
            geteuid() == 0 && FileManager.default.fileExists(atPath: "/dev/loop-control")
        if !isRoot { print("skipped: tests of real disks need root and loop devices") }
        return isRoot
    }()

    /// The file systems on which the power is cut; XFS where its tools are, and the kernel has it.
    static let diskSystems: [String] = {
        let known = (try? String(contentsOfFile: "/proc/filesystems", encoding: .utf8)) ?? ""
        guard known.contains("xfs"), CommandRun.installed("mkfs.xfs") != nil else {
            print("skipped: power cuts on XFS need xfsprogs and a kernel with XFS")
            return ["ext4"]
        }
        return ["ext4", "xfs"]
    }()

    /// Makes a file system in a new file.
    static func make(_ system: String, in image: String, options: [String] = []) throws {
        // XFS does not come smaller than 300 MiB; what is not written takes no room.
        let size = system == "xfs" ? "512M" : "256M"
        try run(["truncate", "-s", size, image])
        try run(["mkfs.\(system)", "-q", system == "xfs" ? "-f" : "-F"] + options + [image])
    }

    /// How long a test may take: in `make torture` as long as it likes.
    static let minuteLimit = isTorture ? 240 : 8

    /// Compiles a library of `Tests/Faults` that is loaded before the others.
    static func library(_ name: String = "faults", in folder: URL) throws -> String {
        let source = Repository.root.appendingPathComponent("Tests/Faults/\(name).c").path
        let library = folder.appendingPathComponent("\(name).so").path
        let compiler = try #require(CommandRun.installed("clang", "cc", "gcc"))
        let run = try CommandRun(compiler, ["-O1", "-shared", "-fPIC", "-o", library, source])
        try #require(run.status == 0, "\(run.errors)")
        return library
    }

    static func launcher(_ library: String, _ fault: String) -> [String] {
        ["/usr/bin/env", "LD_PRELOAD=\(library)", "FAULT=\(fault)"]
    }

    /// I-5: what is stored equals what the log gives.
    static func verify(_ data: URL) throws {
        let run = try CommandRun(CommandRun.leeway, ["verify", "--data", data.path])
        #expect(run.status == 0, "\(run.errors)")
    }

    static func run(_ arguments: [String]) throws {
        let run = try CommandRun("/usr/bin/env", arguments)
        try #require(run.status == 0, "\(arguments): \(run.errors)")
    }
}
