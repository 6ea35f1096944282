import NIOCore

/// This is what one connection, and all together, may cost before a request is answered.
///
/// Everything here holds before authentication, so a stranger cannot cost more than a customer.
public struct ConnectionLimits: Sendable {
    /// Connections that are served; a few more are accepted so that health checks and refusals pass.
    public var connectionCountMax: Int
    /// Further connections: only health is answered on them, and the rest is refused as overloaded.
    public var reserveCountMax: Int
    /// Further connections that have their last answer, and are open only so that it is not lost.
    public var endingCountMax: Int { max(8, connectionCountMax / 8) }
    /// All that may be open.
    public var countMax: Int { connectionCountMax + reserveCountMax + endingCountMax }

    /// New connections that are taken at a look; all of them may come when one less than the most are open.
    public var acceptCountMax: Int

    /// New connections that wait to be taken, as far as the system lets them.
    ///
    /// One that finds no place tries again after a second. At the 6,000 a second that one core takes, the last
    /// one waits for less.
    static let backlogCount = 4_096
    /// Reads of a large body before others have their turn.
    static let largeReadCount: UInt = 4
    /// Of a request line's target; a longer one is 414.
    static let targetSizeBytesMax = 8_192
    /// Of one header field; a larger one is 431.
    static let fieldSizeBytesMax = 16 << 10
    /// Of all header fields and of all trailer fields together.
    static let fieldListSizeBytesMax = 32 << 10
    /// More header fields are 431.
    static let fieldCountMax = 100
    /// Of a body on the wire; a larger one is 413 at its head.
    static let bodySizeBytesMax = RequestBody.wireSizeBytesMax
    /// Of all bodies that have arrived and are not answered yet; beyond, requests are 503.
    static let bodyBudgetBytes = 64 << 20

    /// From the first byte of a head, or from the connection's begin, to its last byte.
    static let headTime = TimeAmount.milliseconds(9_500)
    /// From an answer to the first byte of the next head.
    static let idleTime = TimeAmount.seconds(60)
    /// The same for connections of the reserve.
    static let reserveTime = TimeAmount.milliseconds(200)
    /// A connection that was idle for less makes no room for others: its request is on the way.
    static let graceTime = TimeAmount.milliseconds(100)
    /// A body that takes longer makes room, where there is no other.
    static let bodyGraceTime = TimeAmount.seconds(1)
    /// A body must bring `bodyWindowSizeBytesMin` in each of these: 16 KiB/s.
    static let bodyWindow = TimeAmount.seconds(10)
    static let bodyWindowSizeBytesMin = 160 << 10
    /// After a head, what is announced and has not arrived is no longer kept free.
    static let announcementTime = TimeAmount.seconds(2)
    /// From a head to the last byte of its body, whatever its rate.
    static let bodyTime = TimeAmount.seconds(120)
    /// From a write to the moment when the kernel has taken all of it.
    static let writeTime = TimeAmount.seconds(30)
    /// How long the rest of a refused request is read and dropped, so that the answer is not lost.
    static let lingerTime = TimeAmount.seconds(2)
    /// How often a connection looks at its deadlines.
    static let tick = TimeAmount.milliseconds(500)
    /// The same for connections of the reserve.
    static let reserveTick = TimeAmount.milliseconds(100)

    /// Makes limits for at most so many connections.
    public init(
        connectionCountMax: Int = 1_024, reserveCountMax: Int = 32, acceptCountMax: Int = 256
    ) {
        self.connectionCountMax = connectionCountMax
        self.reserveCountMax = reserveCountMax
        self.acceptCountMax = acceptCountMax
    }
}
