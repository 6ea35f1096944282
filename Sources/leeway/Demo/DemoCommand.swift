import ArgumentParser
import AsyncHTTPClient
import ByteCoding
import Foundation
import MonitorStore
import MonitoringDomain

struct DemoCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "demo",
        abstract: "Play the world around Leeway and watch the loop close, in under two minutes.",
        discussion: """
            Starts Leeway and, where it is installed, PostgreSQL in temporary folders. A model that \
            was really trained scores a stream whose world changes; Leeway sees it decay and files a \
            retraining request; a trainer claims it, retrains and deploys; Leeway verifies that it \
            helped. The last table compares with the same events without the loop.

            Times are event time. Detection: from the first abrupt change to the request. Recovery: \
            from the request to the first version that is again within the rule's tolerance.

            Examples:
              leeway demo
              leeway demo --keep
              leeway demo --stream streams/elec2 --json
            """)

    @Option(help: "A recorded stream: a folder with meta.json; the default world is generated.")
    var stream: String?
    @Option(help: "Seconds of wall time within which the story should end.")
    var seconds = 90
    @Option(help: "The seed of the generated world.")
    var seed: UInt64 = 1
    @Flag(help: "End with one JSON object on standard output; the story goes to standard error.")
    var json = false
    @Flag(help: "Leave the page up after the story, until Ctrl-C.")
    var keep = false
    @Flag(inversion: .prefixedNo, help: "Colour on a terminal.")
    var color = true

    func validate() throws {
        guard (10...86_400).contains(seconds) else {
            throw ValidationError("--seconds: found \(seconds), expected 10 to 86400")
        }
    }

    func run() async throws {
        do {
            // A signal cancels the play; the folders and the processes are cleared away all the same.
            try await withThrowingTaskGroup(of: Bool.self) { group in
                group.addTask {
                    try await play()
                    return true
                }
                group.addTask {
                    await StopSignal().wait()
                    return false
                }
                let hasEnded = try await group.next() ?? true
                group.cancelAll()
                // After a signal, whatever the play was waiting for fails: that is no news.
                while let result = await group.nextResult() {
                    if hasEnded { _ = try result.get() }
                }
            }
        } catch is CancellationError {
            return
        } catch let failure as CommandFailure {
            throw failure
        } catch {
            throw CommandFailure(code: .dependency, message: "error: \(error)")
        }
    }

    /// The world that was asked for; a stream that cannot be read is the caller's mistake.
    private func world() throws -> World {
        guard let stream else { return GeneratedWorld.make(seed: seed) }
        do {
            return try RecordedWorld.read(URL(fileURLWithPath: stream))
        } catch let error as DemoError {
            throw CommandFailure(code: .usage, message: "error: \(error)")
        }
    }

    private func play() async throws {
        let began = ContinuousClock.now
        let world = try world()
        let pace = WorldPace(of: world)
        var story = DemoStory(
            world: world, output: json ? .standardError : .standardOutput,
            isColored: color && ProcessInfo.processInfo.environment["NO_COLOR"] == nil)
        let folder = FileManager.default.temporaryDirectory
            .appending(path: "leeway-demo-\(UUID().uuidString)")
        try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
        defer { try? FileManager.default.removeItem(at: folder) }

        let (postgres, missing) = startPostgres()
        defer { postgres?.stop() }
        let channel =
            try postgres.map { try TrainerChannel.connect(asAdministrator: $0.dsn) } ?? .api
        defer { channel.close() }
        let server = try ServerProcess(
            folder: folder, rules: DemoRules(world: world, pace: pace).text, postgres: postgres?.dsn
        )
        defer { server.stop() }
        let client = LeewayClient(base: "http://\(server.address)", http: .shared)
        try await server.waitUntilReady(client)
        introduce(world, pace, server.address, postgres?.dsn, missing, &story)

        var loop = DemoLoop(
            world: world, pace: pace, client: client, channel: channel,
            budget: .seconds(seconds) - began.duration(to: .now), story: story)
        let ledger = try await loop.run()
        story = loop.story
        let result = DemoResult(world: world, pace: pace, ledger: ledger)
        story.say("\n" + result.table + "\n")
        let elapsed = began.duration(to: .now)
        story.say("\(elapsed.components.seconds) s of wall time.")
        if json { FileHandle.standardOutput.write(Data((result.json.text + "\n").utf8)) }
        if keep {
            story.say("The page stays at http://\(server.address)/ until Ctrl-C.")
            while true { try await Task.sleep(for: .seconds(3_600)) }
        }
    }

    /// PostgreSQL of the demo's own, or the reason why there is none.
    private func startPostgres() -> (server: TemporaryPostgres?, missing: String?) {
        do {
            return (try TemporaryPostgres(), nil)
        } catch {
            return (nil, error.description)
        }
    }

    private func introduce(
        _ world: World, _ pace: WorldPace, _ address: String, _ dsn: String?, _ missing: String?,
        _ story: inout DemoStory
    ) {
        let days = (world.end - world.start) / WindowSpan.day + 1
        story.say("Leeway demo: a model decays, and is retrained because Leeway asks for it.\n")
        story.say("  world       \(world.title)")
        story.say(
            "              \(world.production.count) predictions over \(days) days; "
                + "\(world.groundTruth.count) get ground truth, late")
        story.say(
            "  rules       window \(spoken(pace.window)), must last \(spoken(pace.hold)), "
                + "cooldown \(spoken(pace.cooldown)), relative to the reference")
        if let dsn {
            story.say("  PostgreSQL  a temporary one: psql '\(dsn)'")
        } else {
            story.say("  PostgreSQL  none: \(missing ?? "not found"); requests go through the API")
        }
        story.say("  page        http://\(address)/\n")
    }
}
