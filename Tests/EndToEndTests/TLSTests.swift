import Foundation
import MonitoringTestSupport
import Testing

/// A data directory with keys and certificates, and a server that is asked with TLS only.
private final class TLSSite {
    let keyed: KeyedSite
    private let openssl: String
    private var server: Process?
    private(set) var port: UInt16 = 0

    /// Nil where the tools are not installed.
    init?(_ name: String) throws {
        guard let openssl = CommandRun.installed("openssl"), CommandRun.installed("curl") != nil
        else {
            print("skipped: no openssl or curl")
            return nil
        }
        self.openssl = openssl
        keyed = try KeyedSite(name)
    }

    deinit { stop() }

    var isRunning: Bool { server?.isRunning ?? false }

    func path(_ name: String) -> String { keyed.folder.appendingPathComponent(name).path }

    func make(_ arguments: String...) throws {
        let run = try CommandRun(openssl, arguments)
        #expect(run.status == 0, "\(run.errors)")
    }

    private static let key = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1"]

    /// A key, and a certificate that it has signed itself.
    func makePair(_ name: String, names: String = "DNS:localhost", key: [String] = key) throws {
        let run = try CommandRun(
            openssl,
            ["req", "-x509"] + key + [
                "-nodes", "-keyout", path("\(name).key"), "-out", path("\(name).pem"), "-days", "2",
                "-subj", "/CN=localhost", "-addext", "subjectAltName=\(names)",
            ])
        #expect(run.status == 0, "\(run.errors)")
    }

    /// A key, and a certificate of an authority that ends after so many days.
    func makeClient(_ name: String, of authority: String, days: Int) throws {
        try make(
            "req", "-new", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes",
            "-keyout", path("\(name).key"), "-out", path("\(name).csr"), "-subj", "/CN=\(name)")
        try make(
            "x509", "-req", "-in", path("\(name).csr"), "-CA", path("\(authority).pem"), "-CAkey",
            path("\(authority).key"), "-CAcreateserial", "-days", "\(days)", "-out",
            path("\(name).pem"))
    }

    func start(clients authority: String? = nil) throws {
        stop()
        port = try freePort()
        let server = Process()
        server.executableURL = URL(fileURLWithPath: CommandRun.leeway)
        server.arguments =
            [
                "serve", "--listen", "127.0.0.1:\(port)", "--data", keyed.data.path, "--rules",
                keyed.folder.path, "--tls-certificate", path("server.pem"), "--tls-key-file",
                path("server.key"),
            ] + (authority.map { ["--tls-client-ca", path("\($0).pem")] } ?? [])
        server.standardError = FileHandle.nullDevice
        try server.run()
        self.server = server
    }

    func stop() {
        server?.terminate()
        server?.waitUntilExit()
        server = nil
    }

    /// The status of a request of curl's; 000 where there is no connection.
    func status(_ target: String, as name: String?, _ more: String...) throws -> String {
        let identity = name.map { ["--cert", path("\($0).pem"), "--key", path("\($0).key")] }
        return try CommandRun(
            CommandRun.installed("curl") ?? "curl",
            ["-s", "-o", "/dev/null", "-w", "%{http_code}", "--cacert", path("server.pem")]
                + (identity ?? []) + more + ["https://localhost:\(port)\(target)"]
        ).text
    }

    func isReady(as name: String? = nil) throws -> Bool {
        try wait(upTo: 20) { try status("/readyz", as: name) == "200" }
    }

    /// True where openssl's client gets an answer.
    func isAnswered(_ options: String...) throws -> Bool {
        let command =
            "printf 'GET /readyz HTTP/1.1\\r\\nHost: localhost\\r\\nConnection: close\\r\\n\\r\\n' | "
            + "timeout 10 \(openssl) s_client -connect 127.0.0.1:\(port) -quiet -ign_eof "
            + options.joined(separator: " ")
        return try CommandRun("/bin/sh", ["-c", command]).text.contains("HTTP/1.1 200")
    }

    /// The suites of TLS 1.2 that openssl's client has, by name.
    func ciphers() throws -> [String] {
        let run = try CommandRun(
            openssl, ["ciphers", "-s", "-tls1_2", "ALL:COMPLEMENTOFALL:@SECLEVEL=0"])
        return run.text.split(whereSeparator: { $0 == ":" || $0 == "\n" }).map(String.init)
            .filter { !$0.hasPrefix("TLS_") }
    }
}

extension EndToEndTests {
    /// Encrypted connections: catalogue SE-10.
    struct TLSTests {
        @Test(.timeLimit(.minutes(3)))
        func `TLS takes clients of the authority only, and a certificate can be a key`() throws {
            guard let site = try TLSSite("tls") else { return }
            for name in ["server", "client", "stranger"] { try site.makePair(name) }
            let made = try site.keyed.key("read", "--certificate", site.path("client.pem"))
            #expect(!made.hasPrefix("lwy_"))
            try site.start(clients: "client")
            #expect(try site.isReady(as: "client"))

            #expect(try site.status("/v1/status", as: "client") == "200")
            #expect(try site.status("/readyz", as: nil) == "000")
            #expect(try site.status("/readyz", as: "stranger") == "000")
            #expect(try site.status("/readyz", as: "client", "--tls-max", "1.1") == "000")
            #expect(throws: HTTPFailure.self) { try HTTPClient(port: site.port).get("/readyz") }

            // New files are in force without a restart; curl trusts the new certificate only.
            try site.makePair("next")
            for kind in ["key", "pem"] {
                try FileManager.default.removeItem(atPath: site.path("server.\(kind)"))
                try FileManager.default.moveItem(
                    atPath: site.path("next.\(kind)"), toPath: site.path("server.\(kind)"))
            }
            #expect(try wait(upTo: 10) { try site.status("/readyz", as: "client") == "200" })
            #expect(site.isRunning)
        }

        @Test(.timeLimit(.minutes(3)))
        func `what is old or weak is refused, with either kind of key`() throws {
            guard let site = try TLSSite("tls-weak") else { return }
            for (kind, key) in [
                ("RSA", ["-newkey", "rsa:2048"]),
                ("ECDSA", ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1"]),
            ] {
                try site.makePair("server", key: key)
                try site.start()
                #expect(try site.isReady())
                let name = "-servername localhost"

                #expect(try site.isAnswered(name, "-tls1_3"))
                #expect(try site.isAnswered(name, "-tls1_2"))
                for version in ["-tls1", "-tls1_1"] {
                    let isAnswered = try site.isAnswered(
                        name, version, "-cipher ALL:COMPLEMENTOFALL:@SECLEVEL=0")
                    #expect(!isAnswered, "\(kind) \(version)")
                }
                let ciphers = try site.ciphers()
                #expect(ciphers.count > 50 && ciphers.contains("AES128-SHA"))
                for cipher in ciphers {
                    let isStrong =
                        cipher.hasPrefix("ECDHE-\(kind)-")
                        && (cipher.contains("AES128-GCM") || cipher.contains("AES256-GCM")
                            || cipher.contains("CHACHA20"))
                    let isAnswered = try site.isAnswered(
                        name, "-tls1_2", "-cipher \(cipher):@SECLEVEL=0")
                    #expect(isAnswered == isStrong, "\(kind) \(cipher)")
                }
                #expect(site.isRunning)
            }
        }

        @Test(.timeLimit(.minutes(3)))
        func `who names no server is refused, unless the certificate is for an address`() throws {
            guard let site = try TLSSite("tls-name") else { return }
            for (names, isTaken) in [
                ("DNS:localhost", false), ("DNS:localhost,IP:127.0.0.1", true),
            ] {
                try site.makePair("server", names: names)
                try site.start()
                #expect(try site.isReady())

                #expect(try site.isAnswered("-servername localhost"))
                #expect(try site.isAnswered("-noservername") == isTaken, "\(names)")
                #expect(try site.isAnswered("-noservername -tls1_2") == isTaken, "\(names)")
            }
        }

        @Test(.timeLimit(.minutes(3)))
        func `a certificate that has ended, or of another authority, is refused`() throws {
            guard let site = try TLSSite("tls-clients") else { return }
            for name in ["server", "authority", "stranger"] { try site.makePair(name) }
            try site.makeClient("good", of: "authority", days: 2)
            try site.makeClient("expired", of: "authority", days: -1)
            try site.makeClient("foreign", of: "stranger", days: 2)
            try site.start(clients: "authority")
            #expect(try site.isReady(as: "good"))

            for (name, status) in [
                ("good", "200"), ("expired", "000"), ("foreign", "000"), ("stranger", "000"),
            ] {
                #expect(try site.status("/readyz", as: name) == status, "\(name)")
                #expect(
                    try site.status("/readyz", as: name, "--tls-max", "1.2") == status, "\(name)")
            }
            #expect(try site.status("/readyz", as: nil) == "000")
            // Its key does not belong to the certificate.
            let mixed = try site.isAnswered(
                "-servername localhost -cert \(site.path("good.pem")) -key \(site.path("foreign.key"))"
            )
            #expect(!mixed)
        }
    }
}
