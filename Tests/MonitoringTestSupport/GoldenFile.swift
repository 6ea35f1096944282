public import Foundation

/// This is a text that is kept beside a test, to be read in reviews.
public enum GoldenFile {
    /// This is the text that the file holds; where `UPDATE_GOLDEN` is 1 it is rewritten first.
    public static func text(at file: URL, updatedTo found: String) throws -> String {
        if ProcessInfo.processInfo.environment["UPDATE_GOLDEN"] == "1" {
            try found.write(to: file, atomically: true, encoding: .utf8)
        }
        return try String(contentsOf: file, encoding: .utf8)
    }
}
