/// This is what a classic detector says after a value.
public enum DetectorStatus: Equatable, Sendable {
    /// Nothing to see.
    case stable
    /// A change may be coming.
    case warning
    /// A change has happened; the detector starts afresh with the next value.
    case drift

    /// This is the status as a number among a detector's stored numbers.
    var number: Double {
        switch self {
        case .stable: 0
        case .warning: 1
        case .drift: 2
        }
    }

    /// Nil unless the number is one of a status.
    init?(number: Double) {
        switch number {
        case 0: self = .stable
        case 1: self = .warning
        case 2: self = .drift
        default: return nil
        }
    }
}

/// Nil unless a stored number is a count.
func storedCount(_ number: Double) -> Int? {
    guard number >= 0, number <= 9_007_199_254_740_992 else { return nil }
    return Int(exactly: number)
}
