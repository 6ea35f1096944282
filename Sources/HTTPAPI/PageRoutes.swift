import Foundation
import HTTPTypes
import Hummingbird
import NIOCore

/// This is the web page: three files of ours and Chart.js from the system's package, read once.
struct PageRoutes {
    /// Where Debian's libjs-chart.js puts the library.
    private static let chartPaths = [
        "/usr/share/javascript/chart.js/chart.min.js", "/usr/share/javascript/chart.js/chart.js",
        "/usr/share/nodejs/chart.js/dist/chart.min.js", "/usr/share/nodejs/chart.js/dist/chart.js",
    ]
    private static let policy =
        "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; "
        + "connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'; "
        + "require-trusted-types-for 'script'"

    func add(to router: Router<BasicRequestContext>) {
        add("/", "index.html", "text/html; charset=utf-8", to: router)
        add("/assets/app.js", "app.js", "text/javascript; charset=utf-8", to: router)
        add("/assets/style.css", "style.css", "text/css; charset=utf-8", to: router)
        let description = resource("openapi.yaml")
        router.get("/v1/openapi.yaml") { _, _ in
            guard let description else { throw Problem.notFound("not part of this build") }
            return response(description, "application/yaml; charset=utf-8")
        }
        let chart = Self.chartPaths.lazy.compactMap { FileManager.default.contents(atPath: $0) }
            .first
        router.get("/assets/chart.js") { _, _ in
            guard let chart else {
                throw Problem.notFound("Chart.js is not installed: apt-get install libjs-chart.js")
            }
            return response(chart, "text/javascript; charset=utf-8")
        }
    }

    private func add(
        _ path: String, _ name: String, _ type: String, to router: Router<BasicRequestContext>
    ) {
        let data = resource("page/\(name)")
        router.get(RouterPath(path)) { _, _ in
            guard let data else { throw Problem.notFound("\(name) is not part of this build") }
            return response(data, type)
        }
    }

    private func resource(_ name: String) -> Data? {
        // Not `resourceURL`: a bundle that holds a folder "Resources" answers with that folder.
        FileManager.default.contents(
            atPath: Bundle.module.bundleURL.appending(path: "Resources/\(name)").path)
    }

    private func response(_ data: Data, _ type: String) -> Response {
        var headers: HTTPFields = [.contentType: type, .cacheControl: "no-cache"]
        if let name = HTTPField.Name("Content-Security-Policy") { headers[name] = Self.policy }
        if let name = HTTPField.Name("X-Content-Type-Options") { headers[name] = "nosniff" }
        if let name = HTTPField.Name("Referrer-Policy") { headers[name] = "no-referrer" }
        return Response(
            status: .ok, headers: headers, body: ResponseBody(byteBuffer: ByteBuffer(bytes: data)))
    }
}
