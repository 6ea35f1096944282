// swift-tools-version: 6.2
import PackageDescription

let settings: [SwiftSetting] = [
    .enableUpcomingFeature("ExistentialAny"),
    .enableUpcomingFeature("InternalImportsByDefault"),
    .enableUpcomingFeature("MemberImportVisibility"),
    .treatAllWarnings(as: .error),
]

/// A library of this package: its name, the modules below it, and the products of other packages.
func module(
    _ name: String, _ modules: [String] = [], products: [Target.Dependency] = [],
    resources: [Resource]? = nil
) -> Target {
    .target(
        name: name, dependencies: modules.map { .byName(name: $0) } + products,
        resources: resources, swiftSettings: settings)
}

func tests(_ name: String, _ modules: [String], resources: [Resource]? = nil) -> Target {
    .testTarget(
        name: name, dependencies: modules.map { .byName(name: $0) },
        resources: resources, swiftSettings: settings)
}

let package = Package(
    name: "leeway",
    platforms: [.macOS(.v26)],
    products: [.executable(name: "leeway", targets: ["leeway"])],
    dependencies: [
        .package(url: "https://github.com/hummingbird-project/hummingbird", exact: "2.28.1"),
        .package(url: "https://github.com/swift-server/async-http-client", exact: "1.37.0"),
        .package(url: "https://github.com/apple/swift-argument-parser", exact: "1.8.2"),
        .package(url: "https://github.com/apple/swift-log", exact: "1.16.2"),
        // Hummingbird brings these; what is imported is named, so that their versions are ours to choose.
        .package(url: "https://github.com/apple/swift-nio", exact: "2.101.2"),
        .package(url: "https://github.com/apple/swift-nio-extras", exact: "1.35.2"),
        .package(url: "https://github.com/apple/swift-nio-ssl", exact: "2.37.6"),
        .package(url: "https://github.com/apple/swift-http-types", exact: "1.8.0"),
        .package(url: "https://github.com/swift-server/swift-service-lifecycle", exact: "2.13.0"),
        .package(url: "https://github.com/groue/GRDB.swift", exact: "7.10.0"),
        .package(url: "https://github.com/jpsim/Yams", exact: "6.2.2"),
    ],
    targets: [
        // C
        .systemLibrary(name: "CLibPQ", pkgConfig: "libpq", providers: [.apt(["libpq-dev"])]),
        .systemLibrary(name: "CZstd", pkgConfig: "libzstd", providers: [.apt(["libzstd-dev"])]),
        .systemLibrary(name: "CZlib", pkgConfig: "zlib", providers: [.apt(["zlib1g-dev"])]),
        .systemLibrary(name: "CChecksum"),
        .systemLibrary(name: "CPrefetch"),
        .systemLibrary(name: "CMalloc"),
        .systemLibrary(name: "CProcess"),
        // Layer 0
        module("MonitoringDomain"),
        module("ByteCoding", ["CChecksum"]),
        // Layer 1
        module("StreamingStatistics", ["CPrefetch"]),
        module("RecordCoding", ["MonitoringDomain", "ByteCoding", "CZstd", "CZlib"]),
        module(
            "RuleLanguage", ["MonitoringDomain"],
            products: [.product(name: "Yams", package: "Yams")]),
        // Layer 2
        module(
            "WindowAggregation",
            ["MonitoringDomain", "ByteCoding", "StreamingStatistics", "CPrefetch"]),
        module("RuleEvaluation", ["MonitoringDomain", "ByteCoding", "RuleLanguage"]),
        // Layer 3
        module(
            "MonitorCore",
            [
                "MonitoringDomain", "ByteCoding", "StreamingStatistics",
                "RecordCoding", "RuleLanguage", "WindowAggregation", "RuleEvaluation",
            ]),
        module(
            "MonitorStore", ["MonitoringDomain", "ByteCoding", "CLibPQ"],
            products: [.product(name: "GRDB", package: "GRDB.swift")]),
        // Layer 4
        module(
            "MonitorService",
            [
                "MonitoringDomain", "ByteCoding", "RecordCoding", "RuleLanguage",
                "WindowAggregation", "RuleEvaluation", "MonitorCore", "MonitorStore",
            ],
            products: [.product(name: "Logging", package: "swift-log")]),
        // Layer 5
        module(
            "HTTPAPI",
            [
                "MonitoringDomain", "ByteCoding", "RecordCoding", "RuleLanguage",
                "WindowAggregation", "MonitorCore", "MonitorService",
            ],
            products: [
                .product(name: "Hummingbird", package: "hummingbird"),
                .product(name: "HummingbirdCore", package: "hummingbird"),
                .product(name: "HTTPTypes", package: "swift-http-types"),
                .product(name: "Logging", package: "swift-log"),
                .product(name: "NIOCore", package: "swift-nio"),
                .product(name: "NIOHTTP1", package: "swift-nio"),
                .product(name: "NIOPosix", package: "swift-nio"),
                .product(name: "NIOHTTPTypes", package: "swift-nio-extras"),
                .product(name: "NIOHTTPTypesHTTP1", package: "swift-nio-extras"),
                .product(name: "NIOSSL", package: "swift-nio-ssl"),
                .product(name: "ServiceLifecycle", package: "swift-service-lifecycle"),
            ],
            resources: [.copy("Resources")]),
        // Layer 6
        .target(
            name: "LeewayBenchmarks",
            dependencies: [
                "MonitoringDomain", "RecordCoding", "StreamingStatistics",
                "WindowAggregation", "MonitorCore", "MonitorStore", "MonitorService",
            ], swiftSettings: settings),
        .executableTarget(
            name: "leeway",
            dependencies: [
                "MonitoringDomain", "ByteCoding", "RecordCoding", "RuleLanguage", "MonitorCore",
                "MonitorStore", "MonitorService", "HTTPAPI", "LeewayBenchmarks", "CMalloc",
                "CProcess",
                .product(name: "ArgumentParser", package: "swift-argument-parser"),
                .product(name: "AsyncHTTPClient", package: "async-http-client"),
                .product(name: "Logging", package: "swift-log"),
                .product(name: "NIOCore", package: "swift-nio"),
                .product(name: "NIOHTTP1", package: "swift-nio"),
            ],
            swiftSettings: settings),
        // Tests
        .target(
            name: "MonitoringTestSupport", dependencies: ["MonitoringDomain"],
            path: "Tests/MonitoringTestSupport", swiftSettings: settings),
        tests("MonitoringDomainTests", ["MonitoringDomain", "MonitoringTestSupport"]),
        tests("ByteCodingTests", ["ByteCoding", "MonitoringTestSupport"]),
        tests("TidyTests", ["MonitoringDomain", "MonitoringTestSupport"]),
        tests("RecordCodingTests", ["MonitoringDomain", "ByteCoding", "RecordCoding"]),
        tests("StreamingStatisticsTests", ["StreamingStatistics", "MonitoringTestSupport"]),
        tests("LeewayBenchmarksTests", ["LeewayBenchmarks", "StreamingStatistics"]),
        tests(
            "WindowAggregationTests",
            [
                "MonitoringDomain", "ByteCoding", "StreamingStatistics", "WindowAggregation",
                "MonitoringTestSupport",
            ]),
        tests(
            "RuleLanguageTests", ["MonitoringDomain", "RuleLanguage", "MonitoringTestSupport"],
            resources: [.copy("Fixtures")]),
        tests(
            "RuleEvaluationTests",
            [
                "MonitoringDomain", "ByteCoding", "RuleLanguage", "RuleEvaluation",
                "MonitoringTestSupport",
            ]),
        tests(
            "MonitorCoreTests",
            [
                "MonitoringDomain", "ByteCoding", "RecordCoding", "RuleLanguage",
                "WindowAggregation", "RuleEvaluation", "MonitorCore", "MonitoringTestSupport",
            ]),
        tests("MonitorStoreTests", ["MonitorStore", "MonitoringTestSupport"]),
        tests(
            "MonitorServiceTests",
            [
                "MonitoringDomain", "ByteCoding", "MonitorStore", "MonitorService", "MonitorCore",
                "RuleEvaluation",
                "MonitoringTestSupport",
            ]),
        tests("leewayTests", ["MonitoringDomain", "leeway"]),
        // The executable is a dependency so that it is built before its tests run it.
        tests(
            "EndToEndTests",
            ["MonitoringDomain", "MonitorStore", "MonitoringTestSupport", "leeway"]),
    ]
)
