import MonitoringTestSupport
import Testing

/// The helpers themselves: a wrong helper would make a wrong product pass.
@Suite struct SupportTests {
    @Test func `the generator is SplitMix64`() {
        var random = SeededGenerator(seed: 1_234_567)

        #expect(random.next() == 6_457_827_717_110_365_317)
        #expect(random.next() == 3_203_168_211_198_807_973)
    }

    @Test func `a stream of the same seed is the same stream`() {
        var left = RecordStream(model: "m", startingAt: 0, seed: 1)
        var right = RecordStream(model: "m", startingAt: 0, seed: 1)

        #expect(left.next(20).map(\.reference) == right.next(20).map(\.reference))
        #expect(Set(left.next(100).map(\.id)).count == 100)
    }

    @Test func `a command's output, status and deadline are seen`() throws {
        let echo = try CommandRun(
            "/bin/sh", ["-c", "cat; echo no >&2; exit 3"], input: Array("yes".utf8))
        let slow = try CommandRun("/bin/sh", ["-c", "exec sleep 30"], deadline: 0.1)

        #expect(echo.text == "yes" && echo.errors == "no\n" && echo.status == 3)
        #expect(slow.wasTerminated && !echo.wasTerminated)
    }

    @Test func `a port without a listener is an error`() throws {
        let client = HTTPClient(port: try freePort())

        #expect(throws: HTTPFailure.self) { try client.get("/") }
    }
}
