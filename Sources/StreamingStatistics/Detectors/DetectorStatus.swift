/// This is what a classic detector says after a value.
public enum DetectorStatus: Equatable, Sendable {
    /// Nothing to see.
    case stable
    /// A change may be coming.
    case warning
    /// A change has happened; the detector starts afresh with the next value.
    case drift
}
