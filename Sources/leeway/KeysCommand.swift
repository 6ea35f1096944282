import ArgumentParser
import Foundation
import MonitorService
import MonitoringDomain

struct KeysCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "keys", abstract: "Make, list and revoke the keys of the API.",
        discussion: """
            Keys are kept in the data directory, without their secrets. From the first key on, every \
            request needs one. A running server sees changes at once.

            Example:
              leeway keys create --scope ingest --name churn-service --data ./leeway-data
            """,
        subcommands: [Create.self, List.self, Revoke.self])

    struct DataOption: ParsableArguments {
        @Option(help: "The data directory (LEEWAY_DATA; default ./leeway-data).")
        var data: String?

        var store: KeyStore {
            KeyStore(
                directory: data ?? ProcessInfo.processInfo.environment[Setting.data.variable]
                    ?? "./leeway-data")
        }
    }

    struct Create: ParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Make a key; it is printed once.",
            discussion: """
                Example:
                  leeway keys create --scope read --name dashboard --expires 2027-12-31T00:00:00Z
                """)

        @OptionGroup var place: DataOption
        @Option(help: "What it allows: ingest, read or admin.")
        var scope: String
        @Option(help: "What its owner calls it.")
        var name = ""
        @Option(help: "Keys of one project share their idempotency keys.")
        var project = "default"
        @Option(help: "Requests a second; default is the server's rate_limit.")
        var rateLimit: Int?
        @Option(help: "When it ends, RFC 3339; default never.")
        var expires: String?
        @Option(help: "A client certificate (PEM) that stands for the key, for mutual TLS.")
        var certificate: String?

        func run() throws {
            guard let scope = KeyScope(rawValue: scope) else {
                throw CommandFailure(
                    code: .usage,
                    message: "scope: found \"\(self.scope)\", expected ingest, read or admin")
            }
            if let rateLimit, !(1...1_000_000).contains(rateLimit) {
                throw CommandFailure(
                    code: .usage, message: "rate-limit: \(rateLimit) found, 1 to 1000000 expected")
            }
            let end = expires.flatMap { EventTime(rfc3339: $0.utf8) }
            if let expires, end == nil {
                throw CommandFailure(
                    code: .usage, message: "expires: found \"\(expires)\", expected RFC 3339")
            }
            if let expires, let end, end <= WallClock.now() {
                throw CommandFailure(
                    code: .usage, message: "expires: \(expires) is over: the key would open nothing"
                )
            }
            let der = try certificate.map { try Self.certificateBytes(of: $0) }
            let made = try attempt {
                try place.store.create(
                    scope: scope, name: name, project: project, certificate: der,
                    requestsPerSecond: rateLimit, expiresAt: end, at: WallClock.now())
            }
            Terminal.error("key \(made.key.id) for \(scope.rawValue)")
            print(made.token ?? made.key.id)
        }

        private static func certificateBytes(of path: String) throws -> [UInt8] {
            let text = (try? String(contentsOfFile: path, encoding: .utf8)) ?? ""
            let lines = text.split(whereSeparator: \.isNewline)
                .drop { $0 != "-----BEGIN CERTIFICATE-----" }.dropFirst()
                .prefix { $0 != "-----END CERTIFICATE-----" }
            guard let data = Data(base64Encoded: lines.joined()), !data.isEmpty else {
                throw CommandFailure(
                    code: .usage, message: "certificate: \(path) holds no certificate in PEM")
            }
            return [UInt8](data)
        }
    }

    struct List: ParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "List all keys, without their secrets.",
            discussion: """
                Example:
                  leeway keys list --data ./leeway-data
                """)

        @OptionGroup var place: DataOption

        func run() throws {
            let keys = try attempt { try place.store.list() }
            let now = WallClock.now()
            print("ID            SCOPE   PROJECT   STATE    CREATED                   NAME")
            for key in keys {
                let state =
                    key.revokedAt != nil ? "revoked" : key.isValid(at: now) ? "valid" : "expired"
                let columns = [
                    (key.id, 12), (key.scope.rawValue, 6), (key.project, 8), (state, 7),
                    (key.createdAt, 24),
                ].map { $0.padding(toLength: max($0.count, $1), withPad: " ", startingAt: 0) }
                print((columns + [key.name]).joined(separator: "  "))
            }
        }
    }

    struct Revoke: ParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Revoke a key, from the next request on.",
            discussion: """
                Example:
                  leeway keys revoke 4fQ0aZr81kLm --data ./leeway-data
                """)

        @OptionGroup var place: DataOption
        @Argument(help: "The key's id.")
        var id: String

        func run() throws {
            try attempt { try place.store.revoke(id, at: WallClock.now()) }
            Terminal.error("key \(id) is revoked")
        }
    }
}

private func attempt<Result>(_ body: () throws -> Result) throws -> Result {
    do {
        return try body()
    } catch let error as KeyStoreError {
        throw CommandFailure(code: .usage, message: error.description)
    } catch {
        throw CommandFailure(code: .dependency, message: "\(error)")
    }
}
