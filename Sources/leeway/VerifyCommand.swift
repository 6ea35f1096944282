import ArgumentParser
import Foundation
import MonitorService
import MonitorStore

struct VerifyCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "verify",
        abstract: "Compute every stored aggregate again from the log, and compare.",
        discussion: """
            Ends with 1 where something differs, and says what. The service may go on meanwhile.

            Example:
              leeway verify --data ./leeway-data
            """)

    @Option(help: "The data directory.")
    var data = "./leeway-data"

    func run() throws {
        let report: LogVerification.Report
        do {
            let store = try SQLiteStore(directory: data, readOnly: true)
            defer { store.close() }
            let recovery = try MonitorRunner.recover(
                store, clock: nil, logger: Terminal.logger(), keepsEffects: false)
            report = try LogVerification.run(
                recovery.monitor, store, quarantined: recovery.quarantined)
        } catch {
            throw CommandFailure(code: .dependency, message: "error: \(error)")
        }
        guard report.differences.isEmpty else {
            throw CommandFailure(
                code: .negative,
                message: report.differences.prefix(LogVerification.differenceCountMax)
                    .joined(separator: "\n"))
        }
        print(
            "verified: \(report.entryCount) entries, \(report.rowCount) records, "
                + "\(report.modelCount) models; no difference")
        if report.start > 0 {
            print("the log begins after position \(report.start): what was before is not in it")
        }
        for model in report.incomparable.sorted() {
            print("not compared: \(model), whose reference was made of rows before that")
        }
    }
}

struct BackupCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "backup",
        abstract: "Copy a data directory to one file, while it is served.",
        discussion: """
            To restore: put the file into an empty directory as leeway.sqlite, and serve that.

            Example:
              leeway backup --data ./leeway-data --to leeway-2026-11-23.sqlite
            """)

    @Option(help: "The data directory.")
    var data = "./leeway-data"
    @Option(help: "The file to write; it must not be there.")
    var to: String

    func run() throws {
        do {
            let store = try SQLiteStore(directory: data, readOnly: true)
            defer { store.close() }
            try store.backUp(to: to)
        } catch {
            throw CommandFailure(code: .dependency, message: "error: \(error)")
        }
        print("\(data) is in \(to)")
    }
}
