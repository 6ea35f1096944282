import Yams

/// This is a file of settings: one YAML mapping of names to texts, numbers, booleans or lists.
///
///     listen: 0.0.0.0:8585
///     allowed_hosts: [monitor.example, monitor]
public enum SettingsFile {
    /// This is one setting as the file has it.
    public struct Entry: Equatable, Sendable {
        /// The setting's name.
        public let name: String
        /// The value's text; of a list the elements' texts with commas between.
        public let value: String
        /// From 1.
        public let line: Int
    }

    /// This is the first thing that is wrong with a file.
    public struct Fault: Error, Equatable, Sendable, CustomStringConvertible {
        /// From 1.
        public let line: Int
        /// A sentence.
        public let message: String
        /// This is the place and the sentence.
        public var description: String { "line \(line): \(message)" }
    }

    /// Reads the entries of a file, in its order; an empty file has none.
    ///
    /// - Parameter text: YAML.
    /// - Returns: The entries.
    /// - Throws: The first fault: not YAML, no flat mapping, a repeated name.
    public static func entries(of text: String) throws(Fault) -> [Entry] {
        if let fault = YAMLEventScan.firstFault(in: text) {
            throw Fault(line: fault.line, message: fault.message)
        }
        let root: Node?
        do {
            root = try Yams.compose(yaml: text)
        } catch {
            throw Fault(line: 1, message: "not YAML: \(error)")
        }
        guard let root, root.tag != Tag(.null) else { return [] }
        guard let mapping = root.mapping else {
            throw Fault(line: 1, message: "a mapping of settings is expected")
        }
        var entries: [Entry] = []
        for (key, node) in mapping {
            let line = key.mark?.line ?? 1
            guard let name = key.scalar?.string, let value = value(of: node) else {
                throw Fault(
                    line: line, message: "a text, a number, a boolean or a list is expected")
            }
            guard !entries.contains(where: { $0.name == name }) else {
                throw Fault(line: line, message: "\(name) stands twice")
            }
            entries.append(Entry(name: name, value: value, line: line))
        }
        return entries
    }

    private static func value(of node: Node) -> String? {
        if let sequence = node.sequence {
            let texts = sequence.compactMap { $0.scalar?.string }
            return texts.count == sequence.count ? texts.joined(separator: ",") : nil
        }
        guard let scalar = node.scalar, node.tag != Tag(.null) else { return nil }
        return scalar.string
    }
}
