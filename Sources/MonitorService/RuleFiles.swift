import Foundation
public import MonitoringDomain
import RuleLanguage

/// This is why the rules folder could not be read.
public struct RuleFilesError: Error, CustomStringConvertible, Equatable {
    /// This is which folder or file could not be read, and why.
    public let description: String
}

/// This is the reading of a folder of rule files.
public enum RuleFiles {
    /// A larger file is refused unread.
    static let fileSizeBytesMax = 8 << 20

    /// This is every `*.yaml` and `*.yml` directly in `directory`, by name.
    ///
    /// A folder that does not exist holds no files.
    public static func read(_ directory: String) throws(RuleFilesError) -> [RuleFile] {
        let manager = FileManager.default
        guard manager.fileExists(atPath: directory) else { return [] }
        do {
            let names = try manager.contentsOfDirectory(atPath: directory)
                .filter { $0.hasSuffix(".yaml") || $0.hasSuffix(".yml") }.sorted()
            return try names.map { name in try readFile("\(directory)/\(name)", name: name) }
        } catch let error as RuleFilesError {
            throw error
        } catch {
            throw RuleFilesError(description: "\(directory): \(error.localizedDescription)")
        }
    }

    /// This is one rule file.
    public static func readFile(_ path: String, name: String) throws(RuleFilesError) -> RuleFile {
        // The type is asked first: reading a FIFO would wait for a writer.
        let attributes = try? FileManager.default.attributesOfItem(
            atPath: URL(fileURLWithPath: path).resolvingSymlinksInPath().path)
        guard attributes?[.type] as? FileAttributeType == .typeRegular else {
            throw RuleFilesError(description: "\(path): not a regular file")
        }
        guard let size = attributes?[.size] as? Int, size <= fileSizeBytesMax else {
            throw RuleFilesError(description: "\(path): over \(fileSizeBytesMax) bytes")
        }
        guard let data = FileManager.default.contents(atPath: path) else {
            throw RuleFilesError(description: "\(path): cannot be read")
        }
        guard let text = String(validating: data, as: UTF8.self) else {
            throw RuleFilesError(description: "\(path): not UTF-8")
        }
        return RuleFile(name: name, text: text)
    }
}
