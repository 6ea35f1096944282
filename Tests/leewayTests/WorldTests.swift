import Foundation
import MonitoringDomain
import Testing

@testable import leeway

@Suite struct WorldTests {
    @Test func `the same seed makes the same world, another seed another`() {
        let world = GeneratedWorld.make(seed: 3)

        #expect(world.production.prefix(50).map(\.truth) == again(3).map(\.truth))
        #expect(world.production.prefix(50).map(\.truth) != again(4).map(\.truth))
    }

    private func again(_ seed: UInt64) -> ArraySlice<WorldEvent> {
        GeneratedWorld.make(seed: seed).production.prefix(50)
    }

    @Test func `the generated world is in order and its ground truth comes after its prediction`() {
        let world = GeneratedWorld.make(seed: 1)
        let times = world.production.map(\.time)

        #expect(times == times.sorted())
        #expect(world.groundTruth.map(\.time) == world.groundTruth.map(\.time).sorted())
        #expect(world.production.allSatisfy { ($0.truthTime ?? .max) > $0.time })
        #expect((world.history.last?.time ?? .max) < (world.reference.first?.time ?? .min))
        #expect((world.reference.last?.time ?? .max) < world.start)
    }

    @Test func `the pace follows the rate and the delay of the reference`() {
        let pace = WorldPace(of: GeneratedWorld.make(seed: 1))

        #expect(pace.window == WindowSpan.day)
        #expect(pace.step == WindowSpan.hour)
        // Nine hours late on average: fifteen of twenty-four, of the 98 % that come at all.
        #expect(abs(pace.expectedCoverage - 0.98 * 15 / 24) < 0.01)
    }

    @Test(arguments: [
        (#"{"name":"s","task":"binary","model":"m","features":[]}"#, "positive_label"),
        (#"{"name":"s","task":"multiclass","model":"m","features":[]}"#, "classes"),
    ])
    func `a stream that the demo cannot score is refused with the reason`(
        meta: String, reason: String
    ) throws {
        let folder = FileManager.default.temporaryDirectory
            .appending(path: "leeway-stream-\(UUID().uuidString)")
        try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
        defer { try? FileManager.default.removeItem(at: folder) }
        try Data(meta.utf8).write(to: folder.appending(path: "meta.json"))

        let error = #expect(throws: DemoError.self) { try RecordedWorld.read(folder) }

        #expect(error?.description.contains(reason) == true, "\(String(describing: error))")
    }

    @Test func `a folder that is not there is named`() {
        let error = #expect(throws: DemoError.self) {
            try RecordedWorld.read(URL(fileURLWithPath: "/nonexistent/stream"))
        }

        #expect(error?.description.contains("/nonexistent/stream/meta.json") == true)
    }
}
