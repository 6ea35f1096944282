/// This is a logged request or response of a model server, which together are one batch of predictions.
///
/// Both are columns: of a request the features, of a response what was predicted. The log holds the
/// halves, so that their pairing is a decision of the state machine: a replay makes it again, alike.
public struct InferenceHalf: Hashable, Sendable {
    /// This is which half it is.
    public enum Side: UInt8, Sendable, CaseIterable {
        case request = 0
        case response = 1
    }

    /// Which half it is.
    public var side: Side
    /// What both halves share: a hash of namespace, service, component and the pairing id.
    public var key: RecordIdentity
    /// When it came, by the receiver's clock: how long it waits is counted from here.
    public var arrival: EventTime
    /// From how good a source the batch's identities are: the half with the lower number gives them.
    public var identityRank: UInt8
    /// Its columns; those of the other half hold nothing.
    public var batch: PredictionBatch
    /// When the call began, or was answered, in nanoseconds since 1970 by the sender's clock; nil where
    /// the sender does not say.
    public var occurredNanoseconds: Int64?

    /// Makes a half from its parts.
    public init(
        side: Side, key: RecordIdentity, arrival: EventTime, identityRank: UInt8,
        batch: PredictionBatch, occurredNanoseconds: Int64? = nil
    ) {
        self.side = side
        self.key = key
        self.arrival = arrival
        self.identityRank = identityRank
        self.batch = batch
        self.occurredNanoseconds = occurredNanoseconds
    }
}
