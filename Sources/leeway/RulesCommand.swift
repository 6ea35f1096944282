import ArgumentParser
import Foundation
import MonitorService
import MonitorStore
import RuleLanguage

struct RulesCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "rules", abstract: "Check rule files.", subcommands: [Check.self])

    struct Check: ParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Check a rule file, or every rule file of a folder.",
            discussion: """
                Example:
                  leeway rules check rules
                """)

        @Argument(help: "A rule file or a folder of them.")
        var path: String

        func run() throws {
            var isDirectory: ObjCBool = false
            guard FileManager.default.fileExists(atPath: path, isDirectory: &isDirectory) else {
                throw CommandFailure(code: .usage, message: "error: \(path) does not exist")
            }
            do {
                let files =
                    isDirectory.boolValue
                    ? try RuleFiles.read(path) : [try RuleFiles.readFile(path, name: path)]
                guard !files.isEmpty else {
                    throw CommandFailure(
                        code: .negative, message: "error: \(path) holds no rule files")
                }
                switch RuleSet.parse(files) {
                case .success(let set):
                    let count = set.groups.reduce(0) { $0 + $1.rules.count }
                    print("\(files.count) files, \(set.groups.count) groups, \(count) rules: ok")
                case .failure(let diagnostics):
                    throw CommandFailure(code: .negative, message: diagnostics.description)
                }
            } catch let error as RuleFilesError {
                throw CommandFailure(code: .usage, message: "error: \(error.description)")
            }
        }
    }
}

struct MigrateCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "migrate",
        abstract: "Create or bring up to date the retraining contract in PostgreSQL.",
        discussion: """
            Examples:
              leeway migrate --postgres postgres://leeway_owner@db/ml
              leeway migrate --print
            """)

    @Option(help: "The connection (LEEWAY_POSTGRES).")
    var postgres: String?
    @Flag(name: .customLong("print"), help: "Print the SQL instead.")
    var isPrinting = false

    func run() throws {
        if isPrinting {
            print(RetrainingQueue.contractSQL)
            return
        }
        guard let dsn = postgres ?? ProcessInfo.processInfo.environment["LEEWAY_POSTGRES"] else {
            throw CommandFailure(code: .usage, message: "error: --postgres DSN is missing")
        }
        do {
            let connection = try PostgresConnection(dsn: dsn)
            defer { connection.close() }
            try RetrainingQueue(connection).migrate()
            print("schema leeway is up to date")
        } catch {
            throw CommandFailure(code: .dependency, message: "error: \(error)")
        }
    }
}
