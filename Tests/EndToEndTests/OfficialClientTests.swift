import Foundation
import MonitoringTestSupport
import Testing

/// The Python with the official clients, which `make setup-tests` installs; nil where it could not.
private let pythonWithClients: String? = {
    let path = Repository.root.appendingPathComponent(".build/python-clients/bin/python").path
    guard FileManager.default.isExecutableFile(atPath: path),
        let run = try? CommandRun(
            path, ["-c", "import cloudevents, opentelemetry.sdk, tritonclient.http"]),
        run.status == 0
    else { return nil }
    return path
}()

/// In CI the clients are there, or the test fails.
private let isCI = ProcessInfo.processInfo.environment["CI"] == "true"

extension EndToEndTests {
    /// The clients that others publish for the formats that we receive.
    struct OfficialClientTests {
        @Test(
            .timeLimit(.minutes(2)),
            .enabled(
                if: pythonWithClients != nil || isCI,
                "the official Python clients are not installed: make setup-tests"))
        func `what the official clients send is understood`() throws {
            let python = try #require(pythonWithClients, "make setup-tests installs the clients")
            let site = try Site("official")
            let script = Repository.root.appendingPathComponent(
                "Tests/Clients/official_clients.py")

            let run = try CommandRun(
                python, [script.path, "http://127.0.0.1:\(site.server.port)"], deadline: 60)

            #expect(run.status == 0 && run.text == "sent\n", "\(run.errors)")
            let model = try site.client.model("official")
            #expect(model.records == 1 && model.inference?.paired == 1)
            // The header's value was percent-encoded; the id that it holds is not.
            let truth = try site.client.ingest(
                [#"{"model":"official","id":"a b","label":"1"}"#], as: "ground-truth")
            #expect(truth.accepted == 1)
            let tensors = try site.client.model("tensors")
            #expect(tensors.records == 2 && tensors.inference?.paired == 1)
            #expect(tensors.features.map(\.name).sorted() == ["age", "owner", "plan"])
            #expect(try site.client.model("official.packed").records == 1)
            let monitored = try site.client.model("official.monitor")
            #expect(monitored.records == 2)
            #expect(monitored.features.map(\.name).sorted() == ["sepal length"])
        }
    }
}
