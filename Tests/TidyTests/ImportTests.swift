import Foundation
import MonitoringTestSupport
import Testing

/// One row of the module table of ARCHITECTURE.md.
private struct Module {
    let name: String
    let layer: Int
    /// Modules of this package.
    let allowed: Set<String>
    /// Foundation, and modules of other packages.
    let others: Set<String>

    init(_ layer: Int, _ name: String, _ allowed: Set<String> = [], others: Set<String> = []) {
        self.name = name
        self.layer = layer
        self.allowed = allowed
        self.others = others
    }
}

private let foundation: Set<String> = ["Foundation", "FoundationEssentials", "Dispatch"]
private let network: Set<String> = [
    "NIO", "NIOCore", "NIOPosix", "NIOHTTP1", "NIOHTTPTypes", "NIOHTTPTypesHTTP1", "NIOSSL",
    "NIOFoundationCompat",
    "NIOConcurrencyHelpers", "HTTPTypes", "Hummingbird", "HummingbirdCore", "AsyncHTTPClient",
    "ServiceLifecycle", "UnixSignals",
]
private let table: [Module] = [
    Module(0, "MonitoringDomain"),
    Module(0, "ByteCoding", ["CChecksum"]),
    Module(-1, "CLibPQ"),
    Module(-1, "CZstd"),
    Module(-1, "CZlib"),
    Module(-1, "CPrefetch"),
    Module(-1, "CChecksum"),
    Module(-1, "CMalloc"),
    Module(-1, "CProcess"),
    Module(1, "StreamingStatistics", ["CPrefetch"]),
    Module(1, "RecordCoding", ["MonitoringDomain", "ByteCoding", "CZstd", "CZlib"]),
    Module(1, "RuleLanguage", ["MonitoringDomain"], others: ["Yams", "CYaml"]),
    Module(
        2, "WindowAggregation",
        ["MonitoringDomain", "ByteCoding", "StreamingStatistics", "CPrefetch"]),
    Module(2, "RuleEvaluation", ["MonitoringDomain", "ByteCoding", "RuleLanguage"]),
    Module(
        3, "MonitorCore",
        [
            "MonitoringDomain", "ByteCoding", "StreamingStatistics", "RecordCoding", "RuleLanguage",
            "WindowAggregation", "RuleEvaluation",
        ]),
    Module(
        3, "MonitorStore", ["MonitoringDomain", "ByteCoding", "CLibPQ"],
        others: foundation.union(["GRDB"])),
    Module(
        4, "MonitorService",
        [
            "MonitoringDomain", "ByteCoding", "StreamingStatistics", "RecordCoding", "RuleLanguage",
            "WindowAggregation", "RuleEvaluation", "MonitorCore", "MonitorStore",
        ], others: foundation.union(["Logging"])),
    Module(
        5, "HTTPAPI",
        [
            "MonitoringDomain", "ByteCoding", "RecordCoding", "RuleLanguage", "WindowAggregation",
            "MonitorCore", "MonitorService",
        ], others: foundation.union(network).union(["Logging"])),
    Module(
        6, "LeewayBenchmarks",
        [
            "MonitoringDomain", "ByteCoding", "StreamingStatistics", "RecordCoding", "RuleLanguage",
            "WindowAggregation", "RuleEvaluation", "MonitorCore", "MonitorStore", "MonitorService",
        ], others: foundation),
    Module(
        6, "leeway",
        [
            "MonitoringDomain", "ByteCoding", "StreamingStatistics", "RecordCoding", "RuleLanguage",
            "WindowAggregation", "RuleEvaluation", "MonitorCore", "MonitorStore", "MonitorService",
            "HTTPAPI", "LeewayBenchmarks", "CMalloc", "CProcess",
        ], others: foundation.union(network).union(["ArgumentParser", "Logging"])),
]

/// The C library and the language's own modules, which need no permission.
private let standard: Set<String> = [
    "Swift", "Glibc", "Musl", "Darwin", "Synchronization", "_Concurrency",
]

@Suite struct ImportTests {
    private let modules = Dictionary(table.map { ($0.name, $0) }, uniquingKeysWith: { $1 })

    @Test func `the table itself goes downwards`() {
        for module in table {
            for name in module.allowed {
                let below = modules[name]?.layer ?? .max
                // The command line is the one place that knows the benchmarks beside it.
                let isBeside = module.name == "leeway" && name == "LeewayBenchmarks"

                #expect(below < module.layer || isBeside, "\(module.name) may import \(name)")
            }
        }
    }

    @Test func `every module of the sources is in the table`() {
        let found = Set(SourceFile.sources.map(\.module))

        #expect(found.subtracting(modules.keys) == [])
        #expect(!found.isEmpty)
    }

    @Test func `a file imports what its row allows`() throws {
        for file in SourceFile.sources {
            let module = try #require(modules[file.module], "\(file) belongs to no module")
            for name in file.imports {
                let isAllowed =
                    standard.contains(name) || module.allowed.contains(name)
                    || module.others.contains(name)

                #expect(isAllowed, "\(file): \(file.module) may not import \(name)")
            }
        }
    }

    @Test func `Foundation is kept out of the layers below the service`() {
        for module in table where module.layer <= 3 && module.name != "MonitorStore" {
            #expect(module.others.isDisjoint(with: foundation))
        }
    }

    @Test(arguments: [
        ("import GRDB", ["GRDB"]), ("public import MonitoringDomain", ["MonitoringDomain"]),
        ("@preconcurrency import struct Foundation.Data", ["Foundation"]), ("// import Yams", []),
        ("@testable internal import Glibc.math", ["Glibc"]), ("let import_ = 1", []),
    ])
    func `an import is recognised in every form`(line: String, expected: [String]) throws {
        let folder = try Repository.temporaryFolder("imports")
        defer { try? FileManager.default.removeItem(at: folder) }
        let url = folder.appendingPathComponent("File.swift")
        try Data(line.utf8).write(to: url)

        #expect(SourceFile(url)?.imports == expected)
    }
}
