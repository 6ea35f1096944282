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

        /// Names of query parameters by operation; lists stand at four or six spaces, and aliases are resolved.
        private static func parameters(in document: String) -> [Operation: Set<String>] {
            var names: [String: String] = [:]
            var lists: [String: Set<String>] = [:]
            var found: [Operation: Set<String>] = [:]
            var operation: Operation?
            var (path, anchor, list, name) = ("", "", "", "")
            for line in document.split(separator: "\n") {
                let words = line.split(separator: " ").map { String($0) }
                if line.hasPrefix("  /"), line.hasSuffix(":") {
                    path = String(line.dropFirst(2).dropLast())
                    operation = nil
                } else if line.hasPrefix("    "), line.dropFirst(4).first != " ",
                    ["get:", "post:", "put:", "delete:", "options:"].contains(words[0])
                {
                    operation = Operation(method: words[0].dropLast().uppercased(), path: path)
                    operation.map { found[$0] = [] }
                } else if words[0] == "parameters:" {
                    list = words.count > 1 ? String(words[1].dropFirst()) : ""
                    if words.last?.hasPrefix("*") == true, let operation {
                        found[operation] = lists[list]
                    }
                } else if words[0] == "-", words.count == 2, words[1].hasPrefix("*"),
                    let operation, let known = names[String(words[1].dropFirst())]
                {
                    found[operation]?.insert(known)
                } else if words[0] == "-", words.count == 2, words[1].hasPrefix("&") {
                    anchor = String(words[1].dropFirst())
                } else if words.contains("name:") {
                    if words[0] == "-" { anchor = "" }
                    name = words.last ?? ""
                } else if words == ["in:", "query"], let operation {
                    found[operation]?.insert(name)
                    names[anchor] = name
                    lists[list, default: []].insert(name)
                }
            }
            return found
        }

        /// What is said to be known, in the words of the answer.
        private static func known(_ names: Set<String>) -> String {
            names.isEmpty
                ? "there are none here" : "known: \(names.sorted().joined(separator: ", "))"
        }

        @Test(.timeLimit(.minutes(1)))
        func `a parameter that is not described is refused on every route, with those that are`()
            throws
        {
            let site = try Site("parameters")
            let document = try site.client.get("/v1/openapi.yaml").text
            let described = Self.parameters(in: document)
            #expect(described.count == Self.operations(in: document).count)
            #expect(described.values.reduce(0) { $0 + $1.count } > 20)

            for (operation, names) in described {
                let path = operation.path.replacing(/\{[a-z]+\}/, with: "x") + "?mod=partial"
                let type =
                    operation.path == "/v1/predictions"
                    ? "application/x-ndjson" : "application/json"
                let answer = try site.client.send(
                    operation.method, path, headers: ["Content-Type": type],
                    body: operation.method == "GET" ? [] : Array("{}".utf8))
                #expect(answer.status == 400, "\(operation): \(answer.status)")
                let sentence = "mod: an unknown parameter; \(Self.known(names))"
                #expect(answer.text.contains(sentence), "\(operation): \(answer.text)")
            }
            // Where there is no route, that is what is said.
            #expect(try site.client.get("/nothing?a=1").status == 404)
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
