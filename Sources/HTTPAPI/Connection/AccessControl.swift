import HTTPTypes
import MonitorService
import MonitoringDomain
import NIOCore
import NIOHTTP1
import NIOSSL
import Synchronization

/// This decides at a request's head who asks, and whether that is allowed now.
///
/// Without keys everything is allowed: the configuration sees to it that only this machine can ask
/// then, or that somebody has said so in so many words. With keys, only health and the page's own
/// files, which hold no data, are open.
final class AccessControl: Sendable {
    /// The field that tells the routes whose request it is; from outside it is dropped.
    static let projectField = "Leeway-Project"
    /// Wrong keys of one address, and wrong secrets of one id, in a minute that are answered as such; more are
    /// answered with 429.
    static let failureCountMax = 20

    private let keys: KeyStore
    private let requestsPerSecond: Int?
    /// Why no records are taken now.
    private let refusal: @Sendable () -> Problem?
    private let rates = Mutex(RateTable())
    private let failures = Mutex(FailureTable())
    private let failuresOfIDs = Mutex(FailureTable())

    init(
        keys: KeyStore, requestsPerSecond: Int?, refusal: @escaping @Sendable () -> Problem?
    ) {
        self.keys = keys
        self.requestsPerSecond = requestsPerSecond
        self.refusal = refusal
    }

    /// Why the request is refused; nil where it is admitted, and then `head` says whose it is.
    func problem(of head: inout HTTPRequestHead, from channel: any Channel) -> Problem? {
        if head.headers.contains(name: Self.projectField) {
            head.headers.remove(name: Self.projectField)
        }
        let pathToken = Self.takePathToken(&head)
        let need = Self.need(of: head)
        guard keys.isUsed, let need else { return loadProblem(need, head) }
        let now = WallClock.now()
        let token = Self.token(of: head, pathToken)
        guard let key = key(token, channel, at: now) else {
            return unauthenticated(token, channel)
        }
        guard key.scope.allows(need) else {
            return Problem(
                .forbidden, "forbidden", "Forbidden",
                detail: "the key \(key.id) is for \(key.scope.rawValue), this is \(need.rawValue)")
        }
        if let rate = key.requestsPerSecond ?? requestsPerSecond,
            let wait = rates.withLock({ $0.wait(of: key.id, rate: rate, at: .now) })
        {
            return Problem(
                .tooManyRequests, "rate-limited", "Too many requests",
                detail: "the key \(key.id) has \(rate) requests a second", outcome: "not_stored",
                headers: [.retryAfter: "\(wait + Int.random(in: 0...1))"])
        }
        if let problem = loadProblem(need, head) { return problem }
        head.headers.add(name: Self.projectField, value: key.project)
        return nil
    }

    private func loadProblem(_ need: KeyScope?, _ head: HTTPRequestHead) -> Problem? {
        guard need == .ingest, var problem = refusal() else { return nil }
        // An earlier try with this key may be stored: here nobody has looked.
        if head.headers.contains(name: "Idempotency-Key") { problem.outcome = "unknown" }
        return problem
    }

    /// `/in/<key>/…` is `/…` with that key: for senders that cannot set a header.
    private static func takePathToken(_ head: inout HTTPRequestHead) -> String? {
        guard head.uri.hasPrefix("/in/") else { return nil }
        let rest = head.uri.dropFirst(4)
        let token = rest.prefix { $0 != "/" && $0 != "?" }
        let target = rest.dropFirst(token.count)
        head.uri = target.hasPrefix("/") ? String(target) : "/" + target
        return String(token)
    }

    /// What a request shows of who asks.
    private enum Token {
        case none
        case text(String)
        /// What is no credential, or are several.
        case malformed
    }

    private static func token(of head: HTTPRequestHead, _ pathToken: String?) -> Token {
        let values = head.headers["Authorization"]
        guard let value = values.first else { return pathToken.map { .text($0) } ?? .none }
        let parts = value.split(separator: " ", maxSplits: 1, omittingEmptySubsequences: false)
        guard values.count == 1, parts.count == 2, parts[0].lowercased() == "bearer" else {
            return .malformed
        }
        return .text(String(parts[1]))
    }

    private func key(_ token: Token, _ channel: any Channel, at now: EventTime) -> APIKey? {
        switch token {
        case .malformed: return nil
        case .text(let text): return keys.key(for: text, at: now)
        case .none:
            guard
                let certificate = try? channel.pipeline.syncOperations.nioSSL_peerCertificate(),
                let der = try? certificate.toDERBytes()
            else { return nil }
            return keys.key(forCertificate: der, at: now)
        }
    }

    private func unauthenticated(_ token: Token, _ channel: any Channel) -> Problem {
        let address = channel.remoteAddress?.ipAddress ?? "unknown"
        var count = failures.withLock { $0.count(address, at: .now) }
        if case .text(let text) = token, let id = KeyStore.id(of: text) {
            count = max(count, failuresOfIDs.withLock { $0.count(id, at: .now) })
        }
        if count > Self.failureCountMax {
            return Problem(
                .tooManyRequests, "rate-limited", "Too many failed attempts",
                detail:
                    "over \(Self.failureCountMax) a minute from one address, or with one key's id",
                headers: [.retryAfter: "60"])
        }
        return Problem(
            .unauthorized, "unauthenticated", "Unauthenticated",
            detail: "Authorization: Bearer with a valid key expected",
            headers: [.wwwAuthenticate: #"Bearer realm="leeway", error="invalid_token""#])
    }

    /// What a request needs; nil where it is open to everybody.
    static func need(of head: HTTPRequestHead) -> KeyScope? {
        let path = head.uri.prefix { $0 != "?" }
        let isReading = head.method == .GET || head.method == .HEAD
        if isReading {
            if ["/livez", "/readyz", "/healthz", "/"].contains(path) || path.hasPrefix("/assets/") {
                return nil
            }
            // It shows what people sent.
            return path == "/v1/rejects" ? .admin : .read
        }
        if head.method == .OPTIONS { return .ingest }
        guard head.method == .POST else { return .admin }
        let isAdmin = adminPaths.contains {
            path.hasPrefix($0)
                && (path.utf8.count == $0.utf8.count || path.dropFirst($0.count).first == "/")
        }
        return isAdmin ? .admin : .ingest
    }

    private static let adminPaths = [
        "/data", "/v1/models", "/v1/rules", "/v1/silences", "/v1/incidents",
        "/v1/retraining-requests",
    ]
}

/// This is who may ask how often: a bucket of one second's requests per key, which refills evenly.
struct RateTable {
    private struct Bucket {
        var tokens: Double
        var time: ContinuousClock.Instant
    }

    private var buckets: [String: Bucket] = [:]

    /// Takes a token.
    ///
    /// - Returns: Nil where there was one, else the seconds until there is one.
    mutating func wait(of key: String, rate: Int, at now: ContinuousClock.Instant) -> Int? {
        let size = Double(max(rate, 1))
        var bucket = buckets[key] ?? Bucket(tokens: size, time: now)
        bucket.tokens = min(size, bucket.tokens + (now - bucket.time) / .seconds(1) * size)
        bucket.time = now
        defer { buckets[key] = bucket }
        guard bucket.tokens >= 1 else { return 1 }
        bucket.tokens -= 1
        return nil
    }
}

/// This is how many wrong keys an address has shown in the running minute, or how many wrong secrets an id.
struct FailureTable {
    /// Beyond, all further ones count as one: the table must not grow with the attack.
    private static let addressCountMax = 4_096

    private var counts: [String: Int] = [:]
    private var start = ContinuousClock.now

    mutating func count(_ address: String, at now: ContinuousClock.Instant) -> Int {
        if now - start > .seconds(60) {
            counts = [:]
            start = now
        }
        let isKnown = counts[address] != nil || counts.count < Self.addressCountMax
        let place = isKnown ? address : "others"
        counts[place, default: 0] += 1
        return counts[place] ?? 0
    }
}
