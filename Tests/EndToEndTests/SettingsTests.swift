import Foundation
import MonitoringTestSupport
import Testing

extension EndToEndTests {
    /// Flags, environment and files of settings; exit codes.
    struct SettingsTests {
        /// A start that must end by itself: what is wrong, the arguments, what the message names.
        static let refusals: [(String, [String], String)] = [
            ("an unknown flag", ["--lissten", "x"], "lissten"),
            ("another address without keys", ["--listen", "0.0.0.0:0"], "insecure"),
            ("a listen without a port", ["--listen", "127.0.0.1"], "HOST:PORT"),
            ("a port over the range", ["--listen", "127.0.0.1:70000"], "HOST:PORT"),
            ("an unknown clock", ["--clock", "sun"], "wall or event"),
            ("connections that are no number", ["--connections", "many"], "connections"),
            ("a certificate without a key", ["--tls-certificate", "a.pem"], "tls_key_file"),
            (
                "a certificate that is not there",
                ["--tls-certificate", "a.pem", "--tls-key-file", "a.key"], "tls"
            ),
            ("a file that is not there", ["--config", "nowhere.yaml"], "nowhere.yaml"),
            ("a secret that is not there", ["--postgres-file", "nowhere"], "postgres_file"),
            ("a device as file", ["--config", "/dev/zero"], "/dev/zero"),
        ]

        @Test(.timeLimit(.minutes(3)))
        func `a wrong setting ends with code 2 and its name`() throws {
            let folder = try Repository.temporaryFolder("settings")
            defer { try? FileManager.default.removeItem(at: folder) }
            for (what, arguments, name) in Self.refusals {
                let run = try CommandRun(
                    CommandRun.leeway,
                    ["serve", "--data", folder.appendingPathComponent("data").path] + arguments,
                    deadline: 10)
                #expect(
                    run.status == 2 && !run.wasTerminated, "\(what): \(run.status) \(run.errors)")
                #expect(run.errors.contains(name), "\(what): \(run.errors)")
            }
        }

        static let files: [(String, String, String)] = [
            ("an unknown key", "lissten: 127.0.0.1:0", "lissten"),
            ("no mapping", "- listen", "mapping"), ("no YAML", "a: [", "line"),
            ("a nested value", "listen: {a: b}", "line 1"), ("no value", "listen:", "line 1"),
            ("a repeated key", "clock: wall\nclock: event", "clock"),
            ("an alias bomb", "a: &a [x,x]\nb: &b [*a,*a]\nlisten: *b", "line"),
        ]

        @Test(.timeLimit(.minutes(3)))
        func `a wrong file ends with code 2, and names its line`() throws {
            let folder = try Repository.temporaryFolder("files")
            defer { try? FileManager.default.removeItem(at: folder) }
            let file = folder.appendingPathComponent("leeway.yaml")
            for (what, text, name) in Self.files {
                try Data(text.utf8).write(to: file)
                let run = try CommandRun(
                    CommandRun.leeway, ["serve", "--config", file.path], deadline: 10)
                #expect(run.status == 2 && run.errors.contains(name), "\(what): \(run.errors)")
            }
        }

        @Test(.timeLimit(.minutes(3)))
        func `flags win over the environment, and that over the file`() throws {
            let folder = try Repository.temporaryFolder("order")
            defer { try? FileManager.default.removeItem(at: folder) }
            let file = folder.appendingPathComponent("leeway.yaml")
            try Data("# all of it\nlisten: 127.0.0.1:99999\nclock: sun\nrate_limit: 5\n".utf8)
                .write(to: file)
            func errors(_ environment: [String], _ arguments: [String]) throws -> String {
                try CommandRun(
                    "/usr/bin/env",
                    environment + [CommandRun.leeway, "serve", "--config", file.path] + arguments,
                    deadline: 10
                ).errors
            }

            #expect(try errors([], []).contains("sun"))
            #expect(try errors(["LEEWAY_CLOCK=moon"], []).contains("moon"))
            #expect(try errors(["LEEWAY_CLOCK=moon"], ["--clock", "star"]).contains("star"))
            #expect(try errors(["LEEWAY_CLOCK=wall"], []).contains("99999"))
            #expect(try errors(["LEEWAY_CLOK=wall"], []).contains("LEEWAY_CLOK"))
        }

        @Test(.timeLimit(.minutes(3)))
        func `a second process on a data directory is refused, and a killed one leaves no lock`()
            throws
        {
            let site = try Site("lock")
            let run = try CommandRun(
                CommandRun.leeway,
                ["serve", "--listen", "127.0.0.1:0", "--data", site.data.path], deadline: 20)

            #expect(run.status == 3 && run.errors.contains("in use"), "\(run.errors)")
            site.server.kill()
            try site.restart()
            #expect(try site.client.get("/readyz").status == 200)
        }
    }
}
