import Foundation
import Synchronization

/// This is why a private server could not be started.
public struct TemporaryPostgresError: Error, CustomStringConvertible {
    /// This is which step failed, and how.
    public let description: String
}

// Unchecked: every stored property is constant after init, and `stop` may be called twice.

/// This is a private PostgreSQL server in a temporary directory, on a Unix socket only.
///
/// It is for the demo and for tests. Nothing in it survives.
public final class TemporaryPostgres: @unchecked Sendable {
    /// A keyword string for libpq; the user is a superuser.
    public let dsn: String
    /// The socket's directory.
    public let directory: String
    private let binaries: String
    /// Our end of a pipe that nobody writes to: the watcher reads its end when we are gone, however we went.
    private let lifeline: Mutex<Int32>

    /// This is true when `initdb` and `pg_ctl` are found.
    public static func isInstalled() -> Bool { binaryDirectory() != nil }

    private static func binaryDirectory() -> String? {
        let base = "/usr/lib/postgresql"
        let versions = (try? FileManager.default.contentsOfDirectory(atPath: base)) ?? []
        let candidates =
            versions.sorted { (Int($0) ?? 0) > (Int($1) ?? 0) }.map { "\(base)/\($0)/bin" }
            + ["/usr/local/pgsql/bin", "/usr/bin"]
        return candidates.first {
            FileManager.default.isExecutableFile(atPath: "\($0)/initdb")
                && FileManager.default.isExecutableFile(atPath: "\($0)/pg_ctl")
        }
    }

    /// Makes a directory, initializes a cluster in it, and starts the server.
    ///
    /// As root it runs as the user `postgres`, because servers refuse to run as root.
    public init() throws(TemporaryPostgresError) {
        guard let binaries = Self.binaryDirectory() else {
            throw TemporaryPostgresError(description: "PostgreSQL is not installed")
        }
        self.binaries = binaries
        lifeline = Mutex(-1)
        let path = "/tmp/leeway-pg-\(getpid())-\(UInt32.random(in: 0...UInt32.max))"
        directory = path
        dsn = "host=\(path) user=postgres dbname=postgres"
        do {
            try FileManager.default.createDirectory(
                atPath: path, withIntermediateDirectories: false,
                attributes: [.posixPermissions: 0o700])
        } catch {
            throw TemporaryPostgresError(description: error.localizedDescription)
        }
        // Servers refuse to run as root.
        if getuid() == 0 { try Self.run("/bin/chown", ["postgres", path]) }
        do {
            try runAsServer(
                "initdb",
                ["-D", "\(path)/data", "-A", "trust", "-U", "postgres", "-E", "UTF8", "--no-sync"])
            try runAsServer(
                "pg_ctl",
                [
                    "-D", "\(path)/data", "-w", "-t", "30", "-l", "\(path)/log", "-o",
                    "-c listen_addresses= -c unix_socket_directories=\(path) -c fsync=off", "start",
                ])
            try watch()
        } catch {
            try? FileManager.default.removeItem(atPath: path)
            throw error
        }
    }

    /// Starts a process that ends the server when this one has gone, and leaves nothing of it.
    ///
    /// It waits for the end of a pipe, which the kernel closes for a process that is killed too.
    private func watch() throws(TemporaryPostgresError) {
        var ends: [Int32] = [0, 0]
        guard pipe(&ends) == 0 else {
            throw TemporaryPostgresError(description: "pipe: errno \(errno)")
        }
        // Else whatever this process starts would hold our end open.
        for end in ends { _ = fcntl(end, F_SETFD, FD_CLOEXEC) }
        lifeline.withLock { $0 = ends[1] }
        defer { close(ends[0]) }
        // In the background, so that it is nobody's child: one that is never waited for would stay, and
        // whoever waits for any child would be woken by it for ever.
        let script = """
            { read nothing <&3; kill -QUIT "$(head -n 1 "$1/data/postmaster.pid")"; \
            sleep 1; rm -rf "$1"; } 2>/dev/null &
            """
        var actions = posix_spawn_file_actions_t()
        posix_spawn_file_actions_init(&actions)
        defer { posix_spawn_file_actions_destroy(&actions) }
        posix_spawn_file_actions_adddup2(&actions, ends[0], 3)
        for (descriptor, mode) in [(Int32(0), O_RDONLY), (1, O_WRONLY), (2, O_WRONLY)] {
            posix_spawn_file_actions_addopen(&actions, descriptor, "/dev/null", mode, 0)
        }
        for descriptor in Int32(4)..<256 {
            posix_spawn_file_actions_addclose(&actions, descriptor)
        }
        var attributes = posix_spawnattr_t()
        posix_spawnattr_init(&attributes)
        defer { posix_spawnattr_destroy(&attributes) }
        // A group of its own: what ends the group of a test must not end what cleans up behind it.
        posix_spawnattr_setpgroup(&attributes, 0)
        posix_spawnattr_setflags(&attributes, Int16(POSIX_SPAWN_SETPGROUP))
        let words = ["/bin/sh", "-c", script, "watch", directory]
        var texts: [UnsafeMutablePointer<CChar>?] = words.map { strdup($0) }
        texts.append(nil)
        defer { for text in texts { free(text) } }
        var child = pid_t()
        let failure = posix_spawn(&child, "/bin/sh", &actions, &attributes, texts, environ)
        guard failure == 0 else {
            throw TemporaryPostgresError(
                description: "/bin/sh: \(String(cString: strerror(failure)))")
        }
        var status: Int32 = 0
        while waitpid(child, &status, 0) < 0, errno == EINTR {}
    }

    private func runAsServer(_ name: String, _ arguments: [String]) throws(TemporaryPostgresError) {
        let program = "\(binaries)/\(name)"
        if getuid() == 0 {
            try Self.run("/usr/sbin/runuser", ["-u", "postgres", "--", program] + arguments)
        } else {
            try Self.run(program, arguments)
        }
    }

    /// Runs a program to its end, with nothing of ours open in it: Foundation's `Process` would wait for
    /// the server, which inherits the socket by which it watches its child.
    private static func run(
        _ program: String, _ arguments: [String]
    ) throws(TemporaryPostgresError) {
        var actions = posix_spawn_file_actions_t()
        posix_spawn_file_actions_init(&actions)
        defer { posix_spawn_file_actions_destroy(&actions) }
        for (descriptor, mode) in [(Int32(0), O_RDONLY), (1, O_WRONLY), (2, O_WRONLY)] {
            posix_spawn_file_actions_addopen(&actions, descriptor, "/dev/null", mode, 0)
        }
        // Numbers that are not open are passed over.
        for descriptor in Int32(3)..<256 {
            posix_spawn_file_actions_addclose(&actions, descriptor)
        }
        var attributes = posix_spawnattr_t()
        posix_spawnattr_init(&attributes)
        defer { posix_spawnattr_destroy(&attributes) }
        // Threads of ours may block signals; the server must get its own.
        var none = sigset_t()
        sigemptyset(&none)
        posix_spawnattr_setsigmask(&attributes, &none)
        posix_spawnattr_setflags(&attributes, Int16(POSIX_SPAWN_SETSIGMASK))
        // From a folder that the server's user may enter.
        let words = ["/usr/bin/env", "-C", "/tmp", program] + arguments
        var texts: [UnsafeMutablePointer<CChar>?] = words.map { strdup($0) }
        texts.append(nil)
        defer { for text in texts { free(text) } }
        var child = pid_t()
        let failure = posix_spawn(&child, words[0], &actions, &attributes, texts, environ)
        guard failure == 0 else {
            throw TemporaryPostgresError(
                description: "\(program): \(String(cString: strerror(failure)))")
        }
        var status: Int32 = 0
        while waitpid(child, &status, 0) < 0, errno == EINTR {}
        guard status == 0 else {
            throw TemporaryPostgresError(description: "\(program) ended with status \(status)")
        }
    }

    /// Stops the server and removes its directory.
    public func stop() {
        try? runAsServer("pg_ctl", ["-D", "\(directory)/data", "-m", "immediate", "-w", "stop"])
        try? FileManager.default.removeItem(atPath: directory)
        lifeline.withLock { end in
            if end >= 0 { close(end) }
            end = -1
        }
    }

    deinit { stop() }
}
