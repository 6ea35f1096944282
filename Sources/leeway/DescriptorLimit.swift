import Foundation
import HTTPAPI

/// This is how many files and connections the process may have open.
///
/// Without a free descriptor the runtime's own thread monitor ends the process, so connections stay
/// well below the limit.
enum DescriptorLimit {
    /// Descriptors that are never given to connections: files, the database, receivers, the runtime.
    static let spareCount = 128
    /// With fewer there is nothing left to serve with.
    static let limitMin = 256

    /// Raises the soft limit to the hard one.
    ///
    /// - Returns: The limit that holds now.
    static func raise() -> Int {
        var limit = rlimit()
        guard getrlimit(__rlimit_resource_t(RLIMIT_NOFILE.rawValue), &limit) == 0 else {
            return limitMin
        }
        var raised = limit
        // More are of no use, and some systems name an infinite number here.
        raised.rlim_cur = max(limit.rlim_cur, min(limit.rlim_max, 65_536))
        if setrlimit(__rlimit_resource_t(RLIMIT_NOFILE.rawValue), &raised) == 0 { limit = raised }
        return Int(clamping: limit.rlim_cur)
    }

    /// These are the limits of connections under the limit of descriptors.
    ///
    /// - Throws: `CommandFailure` where the limit is too low to serve.
    static func connections(configured: Int?) throws -> ConnectionLimits {
        let limit = raise()
        guard limit >= limitMin else {
            throw CommandFailure(
                code: .usage,
                message: "the limit of open files is \(limit), and must be \(limitMin) or more: "
                    + "ulimit -n")
        }
        var limits = ConnectionLimits()
        // Whoever comes at one look is taken before anybody is refused or ended.
        limits.acceptCountMax = min(limits.acceptCountMax, limit / 8)
        let room = limit - spareCount - limits.reserveCountMax - limits.acceptCountMax
        // A ninth is an eighth of the others: for those that are about to end.
        limits.connectionCountMax = min(
            configured ?? limits.connectionCountMax, room - max(8, (room + 8) / 9))
        return limits
    }
}
