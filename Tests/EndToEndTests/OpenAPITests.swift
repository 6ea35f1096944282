import Foundation
import MonitoringTestSupport
import Testing

extension EndToEndTests {
    /// The description of the API against the sources and the running server.
    struct OpenAPITests {
        private struct Operation: Hashable, CustomStringConvertible {
            let method: String
            let path: String
            var description: String { "\(method) \(path)" }
        }

        /// Paths stand at two spaces, methods at four.
        private static func operations(in document: String) -> Set<Operation> {
            var path: String?
            var found: Set<Operation> = []
            for line in document.split(separator: "\n") {
                if line.hasPrefix("  /"), line.hasSuffix(":") {
                    path = String(line.dropFirst(2).dropLast())
                } else if !line.hasPrefix(" ") {
                    path = nil
                } else if let path, line.hasPrefix("    "), line.dropFirst(4).first != " ",
                    let method = line.dropFirst(4).split(separator: ":").first,
                    ["get", "post", "put", "delete", "options"].contains(method)
                {
                    found.insert(Operation(method: method.uppercased(), path: path))
                }
            }
            return found
        }

        private static func routes() throws -> Set<Operation> {
            let folder = Repository.root.appendingPathComponent("Sources/HTTPAPI")
            var found: Set<Operation> = []
            let route = /router\.(get|post|put|delete)\("([^"]+)"\)/
            for file in try FileManager.default.contentsOfDirectory(atPath: folder.path)
            where file.hasSuffix(".swift") {
                let text = try String(
                    contentsOf: folder.appendingPathComponent(file), encoding: .utf8)
                for match in text.matches(of: route) {
                    let parts = match.output.2.split(separator: "/").map {
                        $0.hasPrefix(":") ? "{\($0.dropFirst())}" : String($0)
                    }
                    found.insert(
                        Operation(
                            method: match.output.1.uppercased(),
                            path: "/" + parts.joined(separator: "/")))
                }
            }
            return found
        }

        @Test(.timeLimit(.minutes(1)))
        func `every route is described, and everything described is a route`() throws {
            let site = try Site("openapi")
            let answer = try site.client.get("/v1/openapi.yaml")
            #expect(answer.status == 200)
            let described = Self.operations(in: answer.text)
            #expect(described.count > 20)

            for route in try Self.routes() where !route.path.hasPrefix("/assets") {
                #expect(described.contains(route), "\(route) is not described")
            }
            for operation in described {
                let path = operation.path.replacing("{model}", with: "m")
                    .replacing("{id}", with: "r").replacing("{reference}", with: "r-1")
                    .replacing(/\{[a-z]+\}/, with: "x")
                let found = try site.client.send(
                    operation.method, path, headers: ["Content-Type": "application/json"],
                    body: operation.method == "GET" ? [] : Array("[".utf8))
                #expect(found.status != 405 && found.status < 500, "\(operation): \(found.status)")
                #expect(!found.text.contains("no route"), "\(operation)")
            }
            #expect(try site.client.get("/readyz").status == 200)
        }
    }
}
