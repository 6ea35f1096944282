import Foundation
import MonitorStore
import Synchronization
import Testing

/// This runs one private PostgreSQL for a suite, and stops it afterwards.
///
/// Without PostgreSQL's programs the suite fails: the contract is not tested by anything else.
struct PostgresServer: SuiteTrait, TestScoping {
    @TaskLocal static var current: TemporaryPostgres?
    private static let databaseCount = Mutex(0)

    func provideScope(
        for test: Test, testCase: Test.Case?,
        performing function: @concurrent @Sendable () async throws -> Void
    ) async throws {
        let server = try TemporaryPostgres()
        defer { server.stop() }
        try await Self.$current.withValue(server) { try await function() }
    }

    /// This is the keyword string of a new, empty database.
    static func newDatabase() throws -> String {
        let server = try #require(current)
        let number = databaseCount.withLock { count in
            count += 1
            return count
        }
        let connection = try PostgresConnection(dsn: server.dsn)
        defer { connection.close() }
        _ = try connection.query("CREATE DATABASE test_\(number)")
        return server.dsn.replacing("dbname=postgres", with: "dbname=test_\(number)")
    }
}
