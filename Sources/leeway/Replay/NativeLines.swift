import Foundation
import RecordCoding

/// This is what native lines are, which may be mixed in one file: predictions and ground truth.
enum NativeLines {
    /// This is a run of lines of one kind.
    struct Run {
        let isPredictions: Bool
        /// Lines before it in the piece.
        let lineCount: Int
        /// Bytes before it in the piece.
        let offset: Int
        let body: RecordBody
    }

    /// True unless the first record is ground truth: one with a label or a value of its own, and without
    /// features and prediction.
    static func isPredictions(_ piece: RecordBody) -> Bool {
        piece.withUnsafeBytes { bytes in
            let record = bytes.drop { $0 <= 0x20 }
            // A look at one record costs no copy of a whole piece, unless the record has several lines.
            let line = Array(record.prefix { $0 != 0x0A })
            return kind(of: line) ?? kind(of: Array(record)) ?? true
        }
    }

    /// Cuts lines into runs; nil where all are of one kind, or where this is an array.
    static func runs(of piece: RecordBody) -> [Run]? {
        let bytes = piece.bytes
        guard bytes.first(where: { $0 > 0x20 }) != UInt8(ascii: "[") else { return nil }
        var runs: [Run] = []
        var start = 0
        var kind: Bool?
        var line = 0
        var firstLine = 0
        var offset = 0
        func close(at end: Int, _ isPredictions: Bool) {
            runs.append(
                Run(
                    isPredictions: isPredictions, lineCount: firstLine, offset: start,
                    body: RecordBody(Array(bytes[start..<end]))))
        }
        while offset < bytes.count {
            let end = bytes[offset...].firstIndex(of: 0x0A).map { $0 + 1 } ?? bytes.count
            let text = bytes[offset..<end]
            if text.contains(where: { $0 > 0x20 }) {
                let found = isPrediction(Array(text))
                if let known = kind, known != found {
                    close(at: offset, known)
                    (start, firstLine) = (offset, line)
                }
                kind = found
            }
            offset = end
            line += 1
        }
        guard let kind, !runs.isEmpty else { return nil }
        close(at: bytes.count, kind)
        return runs
    }

    /// What cannot be read is taken for a prediction, whose decoder says why.
    private static func isPrediction(_ bytes: [UInt8]) -> Bool { kind(of: bytes) ?? true }

    /// True for a prediction, false for ground truth, nil where the first record cannot be read.
    private static func kind(of bytes: [UInt8]) -> Bool? {
        guard let value = try? WireValue.firstRecord(in: bytes), let members = value.object else {
            return nil
        }
        let names = Set(members.map(\.key))
        return !names.isDisjoint(with: ["features", "prediction"])
            || names.isDisjoint(with: ["label", "value", "revision"])
    }
}

/// This is the files that paths name: a folder is all files in it, by their paths in order.
enum RecordPaths {
    /// - Throws: Where a folder cannot be read, or holds no file.
    static func files(_ paths: [String]) throws -> [String] {
        try paths.flatMap { path in
            var isFolder: ObjCBool = false
            guard FileManager.default.fileExists(atPath: path, isDirectory: &isFolder),
                isFolder.boolValue
            else { return [path] }
            return try files(inFolder: path)
        }
    }

    private static func files(inFolder folder: String) throws -> [String] {
        guard let names = FileManager.default.enumerator(atPath: folder) else {
            throw CommandFailure(code: .dependency, message: "error: \(folder) cannot be read")
        }
        var found: [String] = []
        for case let name as String in names {
            // Markers of jobs and of file systems are no records.
            let parts = name.split(separator: "/")
            guard !parts.contains(where: { $0.hasPrefix(".") || $0.hasPrefix("_") }) else {
                continue
            }
            var isFolder: ObjCBool = false
            let path = "\(folder)/\(name)"
            guard FileManager.default.fileExists(atPath: path, isDirectory: &isFolder),
                !isFolder.boolValue
            else { continue }
            found.append(path)
        }
        guard !found.isEmpty else {
            throw CommandFailure(code: .dependency, message: "error: \(folder) holds no file")
        }
        return found.sorted()
    }
}
