import ArgumentParser
import Dispatch
import Foundation
import Logging
import MonitorService

/// This is where the process starts, while it has one thread.
@main
enum Program {
    static func main() {
        if CommandLine.arguments.dropFirst().first == ReplayCommand.configuration.commandName {
            ReplayHeap.prepare()
        }
        Task {
            await Leeway.main()
            Foundation.exit(0)
        }
        dispatchMain()
    }
}

struct Leeway: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "leeway",
        abstract: "Continuous monitoring and feedback loops for machine-learning models.",
        version: LeewayVersion.text,
        subcommands: [
            ServeCommand.self, DemoCommand.self, ReplayCommand.self, ReferenceCommand.self,
            MeasureCommand.self,
            VerifyCommand.self, BackupCommand.self,
            RulesCommand.self, KeysCommand.self, MigrateCommand.self, BenchCommand.self,
        ])

    static func main() async {
        signal(SIGPIPE, SIG_IGN)
        do {
            try Setting.check(ProcessInfo.processInfo.environment)
            var command = try parseAsRoot()
            if var asynchronous = command as? any AsyncParsableCommand {
                try await asynchronous.run()
            } else {
                try command.run()
            }
        } catch let failure as CommandFailure {
            Terminal.error(failure.message)
            Foundation.exit(failure.code.rawValue)
        } catch {
            let code = exitCode(for: error)
            // Usage errors of the parser are the contract's exit code 2.
            let text = fullMessage(for: error)
            if code.isSuccess {
                print(text)
                Foundation.exit(0)
            }
            if !text.isEmpty { Terminal.error(text) }
            Foundation.exit(error is ExitCode ? code.rawValue : 2)
        }
    }
}

/// This is how a command ends when it does not end well.
struct CommandFailure: Error {
    enum Code: Int32 {
        /// The check failed, or a difference was found.
        case negative = 1
        /// Usage or configuration.
        case usage = 2
        /// A dependency or the disk failed.
        case dependency = 3
    }

    let code: Code
    let message: String
}

/// This is where people read: results go to standard output, everything else to standard error.
enum Terminal {
    static func error(_ message: String) {
        FileHandle.standardError.write(Data((message + "\n").utf8))
    }

    static func logger() -> Logger {
        var logger = Logger(label: "leeway") { StreamLogHandler.standardError(label: $0) }
        logger.logLevel = .info
        return logger
    }
}
