import Foundation
import MonitoringTestSupport

/// This is a Swift file's text, seen as lines.
struct SourceFile: CustomStringConvertible {
    let path: String
    let module: String
    let lines: [String]

    init?(_ url: URL) {
        guard let text = try? String(contentsOf: url, encoding: .utf8) else { return nil }
        path = String(url.path.dropFirst(Repository.root.path.count + 1))
        module = path.split(separator: "/").dropFirst().first.map(String.init) ?? ""
        lines = text.split(separator: "\n", omittingEmptySubsequences: false).map(String.init)
    }

    var description: String { path }

    /// This is every Swift file of the product.
    static let sources = Repository.files(in: "Sources", endingIn: ".swift").compactMap {
        SourceFile($0)
    }
    static let tests = Repository.files(in: "Tests", endingIn: ".swift").compactMap {
        SourceFile($0)
    }

    /// This is how many lines the text has; a last line break begins no new one.
    var lineCount: Int { lines.last == "" ? lines.count - 1 : lines.count }

    /// This is the modules that the file imports, in whatever form of import.
    var imports: [String] {
        let kinds: Set<String> = [
            "struct", "class", "enum", "protocol", "typealias", "func", "var", "let",
        ]
        return lines.compactMap { line in
            var words = line.split(whereSeparator: { $0 == " " || $0 == "\t" })[...]
            while let word = words.first, word.hasPrefix("@") || access.contains(String(word)) {
                words = words.dropFirst()
            }
            guard words.first == "import" else { return nil }
            words = words.dropFirst()
            if let kind = words.first, kinds.contains(String(kind)) { words = words.dropFirst() }
            return words.first?.split(separator: ".").first.map(String.init)
        }
    }

    /// This is the numbers of the lines on which code, not a comment, calls or names `word`.
    func lineNumbers(of word: String) -> [Int] {
        lines.indices.filter { index in
            let code = lines[index].trimmingCharacters(in: .whitespaces)
            guard !code.hasPrefix("//"), let range = code.range(of: word) else { return false }
            guard range.lowerBound > code.startIndex else { return true }
            // `blueprint(` is another word, and so is a method that somebody named so.
            let before = code[code.index(before: range.lowerBound)]
            return !(before.isLetter || before.isNumber || before == "_" || before == ".")
        }.map { $0 + 1 }
    }
}

private let access: Set<String> = ["public", "package", "internal", "fileprivate", "private"]
