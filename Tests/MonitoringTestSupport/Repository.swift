public import Foundation

/// This is where the tests' own files and the streams beside the repository lie.
public enum Repository {
    /// This is the folder of Package.swift.
    public static var root: URL {
        URL(fileURLWithPath: #filePath).resolvingSymlinksInPath()
            .deletingLastPathComponent().deletingLastPathComponent().deletingLastPathComponent()
    }

    /// This is the folder of the real streams and their oracles: too large for the repository.
    public static var streams: URL {
        root.deletingLastPathComponent().appendingPathComponent("shared/data").standardizedFileURL
    }

    /// True when the real streams are here.
    ///
    /// Says once more on standard output when they are not, so that a run without them cannot pass
    /// for a run with them.
    public static var hasStreams: Bool {
        let isThere = FileManager.default.fileExists(
            atPath: streams.appendingPathComponent("oracles").path)
        if !isThere { print("skipped: no real streams in \(streams.path)") }
        return isThere
    }

    /// This is every file below `folder` of the repository whose name ends in one of `suffixes`.
    public static func files(in folder: String, endingIn suffixes: String...) -> [URL] {
        let top = root.appendingPathComponent(folder)
        guard let entries = FileManager.default.enumerator(atPath: top.path) else { return [] }
        return entries.compactMap { $0 as? String }
            .filter { name in suffixes.contains { name.hasSuffix($0) } }
            .sorted().map { top.appendingPathComponent($0) }
    }

    /// This is a new, empty folder for one test.
    public static func temporaryFolder(_ name: String) throws -> URL {
        let folder = FileManager.default.temporaryDirectory
            .appendingPathComponent("leeway-\(name)-\(UUID().uuidString)")
        try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
        return folder
    }
}
