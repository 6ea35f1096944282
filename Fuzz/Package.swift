// swift-tools-version: 6.2
import PackageDescription

// The decoder alone, built for libFuzzer: the sources are links to those of the product, which is
// built without its flags.
let settings: [SwiftSetting] = [
    .enableUpcomingFeature("ExistentialAny"),
    .enableUpcomingFeature("InternalImportsByDefault"),
    .enableUpcomingFeature("MemberImportVisibility"),
]
let fuzzed: [SwiftSetting] =
    settings + [.unsafeFlags(["-sanitize=fuzzer,address", "-parse-as-library"])]

let package = Package(
    name: "fuzz",
    targets: [
        .target(name: "MonitoringDomain", swiftSettings: settings),
        .target(name: "ByteCoding", swiftSettings: settings),
        .systemLibrary(name: "CZstd", pkgConfig: "libzstd"),
        .systemLibrary(name: "CZlib", pkgConfig: "zlib"),
        .target(
            name: "RecordCoding",
            dependencies: ["MonitoringDomain", "ByteCoding", "CZstd", "CZlib"],
            swiftSettings: fuzzed),
        .executableTarget(
            name: "DecoderFuzzer", dependencies: ["MonitoringDomain", "RecordCoding"],
            swiftSettings: fuzzed,
            linkerSettings: [.unsafeFlags(["-sanitize=fuzzer,address", "-use-ld=lld"])]),
    ]
)
