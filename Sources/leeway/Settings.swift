import Foundation
import RuleLanguage

/// This is the list of what `leeway serve` can be told, and by which names.
enum Setting: String, CaseIterable {
    case listen, data, rules, postgres, clock, insecure, connections
    case postgresFile = "postgres_file"
    case allowedHosts = "allowed_hosts"
    case tlsCertificate = "tls_certificate"
    case tlsKeyFile = "tls_key_file"
    case tlsClientCA = "tls_client_ca"
    case rateLimit = "rate_limit"
    case drainSeconds = "drain_seconds"
    case forwardEvents = "forward_events"
    case recoveryLogMebibytes = "recovery_log_mib"
    case logRetention = "log_retention"
    case logSizeMebibytes = "log_size_mib"

    /// This is the name of the environment variable.
    var variable: String { "LEEWAY_" + rawValue.uppercased() }
    /// This is the name of the flag, without its dashes.
    var flag: String { rawValue.replacingOccurrences(of: "_", with: "-") }

    /// The environment variables that Leeway reads; another LEEWAY_ name is a typing error.
    static let variables = Set(allCases.map(\.variable)).union([configVariable])
    static let configVariable = "LEEWAY_CONFIG"

    static func check(_ environment: [String: String]) throws {
        for name in environment.keys.sorted()
        where name.hasPrefix("LEEWAY_") && !variables.contains(name) {
            throw CommandFailure(
                code: .usage,
                message:
                    "\(name) is not a setting; \(variables.sorted().joined(separator: ", ")) are")
        }
    }
}

/// This is what was told: flag over environment over file over default.
struct Settings {
    /// A file of settings is written by people.
    private static let fileSizeBytesMax = 1 << 20

    private let flags: [Setting: String]
    private let environment: [String: String]
    private var file: [Setting: String] = [:]

    /// Reads the file that the flag or the environment names.
    ///
    /// - Throws: `CommandFailure` for a file that cannot be read or holds another name.
    init(flags: [Setting: String], config: String?, environment: [String: String]) throws {
        self.flags = flags
        self.environment = environment
        guard let path = config ?? environment[Setting.configVariable] else { return }
        do {
            for entry in try SettingsFile.entries(of: Self.text(of: path)) {
                guard let setting = Setting(rawValue: entry.name) else {
                    throw SettingsFailure(
                        "line \(entry.line): \(entry.name) is not a setting; "
                            + Setting.allCases.map(\.rawValue).sorted().joined(separator: ", ")
                            + " are")
                }
                file[setting] = entry.value
            }
        } catch {
            throw CommandFailure(code: .usage, message: "\(path): \(error)")
        }
    }

    /// This is a setting's text, nil where nobody has set it.
    subscript(_ setting: Setting) -> String? {
        flags[setting] ?? environment[setting.variable] ?? file[setting]
    }

    /// This is a whole number in `range`.
    func number(_ setting: Setting, _ range: ClosedRange<Int>) throws -> Int? {
        guard let text = self[setting] else { return nil }
        guard let number = Int(text), range.contains(number) else {
            throw CommandFailure(
                code: .usage,
                message: "\(setting.rawValue): found \"\(text)\", expected \(range.lowerBound) to "
                    + "\(range.upperBound)")
        }
        return number
    }

    func isTrue(_ setting: Setting) throws -> Bool {
        switch self[setting] {
        case nil, "false": return false
        case "true": return true
        case let text?:
            throw CommandFailure(
                code: .usage,
                message: "\(setting.rawValue): found \"\(text)\", expected true or false")
        }
    }

    /// This is a secret: the first line of the file that the setting names.
    func secret(_ setting: Setting) throws -> String? {
        guard let path = self[setting] else { return nil }
        do {
            let line = try Self.text(of: path).split(whereSeparator: \.isNewline).first
            guard let line else { throw SettingsFailure("the file is empty") }
            return String(line)
        } catch {
            throw CommandFailure(code: .usage, message: "\(setting.rawValue): \(path): \(error)")
        }
    }

    private static func text(of path: String) throws -> String {
        // Not a pipe or a device, which may never end.
        guard
            let attributes = try? FileManager.default.attributesOfItem(
                atPath: URL(fileURLWithPath: path).resolvingSymlinksInPath().path)
        else { throw SettingsFailure("there is no such file") }
        guard attributes[.type] as? FileAttributeType == .typeRegular else {
            throw SettingsFailure("this is no regular file")
        }
        guard let data = FileManager.default.contents(atPath: path) else {
            throw SettingsFailure("it cannot be read")
        }
        guard data.count <= fileSizeBytesMax else {
            throw SettingsFailure("over \(fileSizeBytesMax) bytes")
        }
        guard let text = String(validating: data, as: UTF8.self) else {
            throw SettingsFailure("this is not UTF-8")
        }
        return text
    }
}

/// This is what is wrong with a file of settings, as a sentence.
struct SettingsFailure: Error, CustomStringConvertible {
    let description: String
    init(_ description: String) { self.description = description }
}
