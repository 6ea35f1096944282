import Foundation
import MonitoringTestSupport
import Testing

extension EndToEndTests {
    /// What guessing and crashing show: catalogue SE, the rest of it.
    struct SecretTests {
        /// The addresses of loopback are many.
        @Test(.timeLimit(.minutes(3)))
        func `wrong secrets of one id are counted wherever they come from`() throws {
            let site = try KeyedSite("guesses")
            let keys = try ["read", "read"].map { try site.key($0) }
            let client = try site.start()
            guard let curl = CommandRun.installed("curl") else {
                print("skipped: no curl")
                return
            }
            func status(_ key: String, from address: Int) throws -> String {
                try CommandRun(
                    curl,
                    [
                        "-s", "-o", "/dev/null", "-w", "%{http_code}", "--interface",
                        "127.0.0.\(address)", "-H", "Authorization: Bearer \(key)",
                        "http://127.0.0.1:\(client.port)/v1/status",
                    ]
                ).text
            }
            let wrong = keys.map { String($0.dropLast(4)) + "xxxx" }

            let statuses = try (2..<27).map { try status(wrong[0], from: $0) }

            #expect(statuses == (0..<25).map { $0 < 20 ? "401" : "429" }, "\(statuses)")
            #expect(try status(wrong[1], from: 60) == "401")
            #expect(try status(keys[0], from: 61) == "200")
        }

        /// SE-9: what the runtime writes when the process crashes.
        @Test(.timeLimit(.minutes(3)))
        func `a crash shows nothing of the environment, and no secret`() throws {
            let site = try KeyedSite("crash")
            let key = try site.key("read")
            let common = "enable=yes,color=no,interactive=no,symbolicate=off"
            for (settings, signal, isTraced) in [
                (common, SIGSEGV, true), ("\(common),registers=all,threads=all", SIGILL, true),
                ("enable=no", SIGABRT, false),
            ] {
                let server = try LeewayServer(
                    data: site.data,
                    launcher: [
                        "/usr/bin/env", "SWIFT_BACKTRACE=\(settings)",
                        "CANARY=c4nary-of-the-environment",
                        "LEEWAY_POSTGRES=postgresql://u:c4nary-of-a-password@127.0.0.1:1/d",
                    ])
                #expect(try server.client.get("/v1/status", headers: bearer(key)).status == 200)

                kill(server.processIdentifier, signal)

                // A signal from outside is over when it has been reported, and ends nothing.
                let isReported = wait(upTo: 60) {
                    !server.isRunning || server.logText.contains("Backtrace took")
                }
                #expect(isReported && server.logText.contains("Backtrace took") == isTraced)
                server.kill()
                let text = server.logText
                #expect(!text.contains("c4nary"), "\(settings): \(text.suffix(2_000))")
                #expect(!text.contains(key.suffix(43)) && !text.contains("PATH="))
            }
        }
    }
}
