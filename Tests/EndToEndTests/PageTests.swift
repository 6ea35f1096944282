import Foundation
import MonitoringTestSupport
import Testing

/// This is the web page after its scripts have run in a real browser.
enum Page {
    /// Nil where no browser is installed; on CI that fails, because nobody would notice the gap.
    static func dumped(_ port: UInt16, of model: String) throws -> String? {
        guard let browser = CommandRun.installed("chromium", "chromium-browser", "google-chrome")
        else {
            let isCI = ProcessInfo.processInfo.environment["CI"] == "true"
            #expect(!isCI, "no browser is installed")
            print("skipped: no browser is installed")
            return nil
        }
        let profile = try Repository.temporaryFolder("browser")
        defer { try? FileManager.default.removeItem(at: profile) }
        let run = try CommandRun(
            browser,
            [
                "--headless", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage",
                "--user-data-dir=\(profile.path)", "--dump-dom", "--virtual-time-budget=8000",
                "http://127.0.0.1:\(port)/?model=\(model)",
            ], deadline: 90)
        guard !run.wasTerminated, !run.text.isEmpty else {
            throw HTTPFailure(reason: "the browser gave no document: \(run.errors.suffix(500))")
        }
        return run.text
    }

    /// This is the value of `attribute` in the start tag of the element with `id`.
    static func attribute(_ attribute: String, ofElement id: String, in page: String) -> String? {
        for tag in page.components(separatedBy: "<").dropFirst() {
            let start = tag.prefix { $0 != ">" }
            guard start.contains(#"id="\#(id)""#) else { continue }
            let parts = start.components(separatedBy: #" \#(attribute)=""#)
            if parts.count == 2 { return String(parts[1].prefix { $0 != "\"" }) }
        }
        return nil
    }
}

extension EndToEndTests {
    struct PageTests {
        @Test(.timeLimit(.minutes(3)))
        func `a browser draws the drift of a model that has some`() throws {
            let site = try Site("page")
            var stream = RecordStream(model: "page", startingAt: monday, seed: 6)
            stream.stepMilliseconds = 60_000
            try site.client.pinReference(of: "page", stream.next(1_000).map(\.reference))
            stream.shift = 1
            let rows = stream.next(4_000)
            try site.client.ingest(rows.map(\.prediction))
            try site.client.ingest(rows.map(\.groundTruth), as: "ground-truth")

            guard let page = try Page.dumped(site.client.port, of: "page") else { return }

            let count = Page.attribute("data-points", ofElement: "drift-chart", in: page)
            #expect(count.flatMap { Int($0) } ?? 0 > 0, "data-points: \(count ?? "none")")
            #expect(page.contains("<canvas"))
            #expect(page.contains("page"))
        }

        @Test func `the page allows no script but its own`() throws {
            let site = try Site("headers")

            let answer = try site.client.get("/", headers: ["Accept": "text/html"])

            #expect(answer.status == 200)
            #expect(answer.headers["content-type"]?.hasPrefix("text/html") == true)
            let policy = answer.headers["content-security-policy"] ?? ""
            #expect(policy.contains("default-src") && !policy.contains("unsafe-inline"))
            #expect(!answer.text.contains("https://"), "the page must work without the internet")
        }

        @Test(
            arguments: [
                (#"<canvas id="drift-chart" data-points="7"></canvas>"#, "7"),
                (#"<div><canvas data-points="0" id="drift-chart">"#, "0"),
                (#"<canvas id="other" data-points="7">"#, nil), ("", nil),
            ] as [(String, String?)])
        func `an attribute is read from its own element`(html: String, expected: String?) {
            #expect(Page.attribute("data-points", ofElement: "drift-chart", in: html) == expected)
        }
    }
}
