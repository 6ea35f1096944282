/// This is a change detector made of any confidence sequence: no reference is needed, only that the quantity
/// stays what it is.
///
/// At every window a new sequence starts, and all that run take the window in. While nothing changes they all
/// hold the same value, so what is common to their intervals is empty only when one of them misses. The oldest
/// ones know the time before a change, the newest the time after it.
///
/// Promise: at least 1/α windows on average until a false alarm, for sequences of the form {θ : E(θ) < 1/α}
/// with E(θ) a test supermartingale under θ, as `BetaBinomialSequence` is. For let M be the sum of E(θ) over all
/// starts, a Shiryaev–Roberts e-detector: at an alarm some E(θ) has been 1/α or more, and E[M_N] ≤ E[N].
/// Leaving out starts by a rule that does not look at the data makes M smaller, so the promise stays.
/// An alarm starts everything again, the promise too.
/// Source: S. Shekhar, A. Ramdas, "Reducing sequential change detection to sequential estimation", ICML 2024,
/// arXiv 2309.09111.
public struct SequenceDetector<Sequence: Equatable & Sendable>: Equatable, Sendable {
    /// Starts that are kept; beyond, every second one of the older half is left out, so that a step's time is
    /// bounded and both far and near are still compared.
    public let startCountMax: Int
    /// The running sequences, the oldest first.
    public private(set) var runs: [Run] = []

    /// This is one running sequence, with what is common to its intervals so far.
    public struct Run: Equatable, Sendable {
        /// The sequence since its start.
        public internal(set) var sequence: Sequence
        /// The largest lower end so far.
        public internal(set) var lower: Double
        /// The smallest upper end so far.
        public internal(set) var upper: Double
    }

    /// This is what a window leads to.
    public enum Verdict: Equatable, Sendable {
        /// What all intervals have in common.
        case quiet(lower: Double, upper: Double)
        /// Nothing is common: the quantity has changed. All sequences have ended.
        case alarm
    }

    /// Starts without windows.
    ///
    /// - Precondition: `startCountMax` is at least 4.
    public init(startCountMax: Int = 64) {
        precondition(startCountMax >= 4, "startCountMax \(startCountMax)")
        self.startCountMax = startCountMax
    }

    /// Adds a window.
    ///
    /// - Parameters:
    ///   - fresh: A sequence without rows.
    ///   - absorb: Adds the window's rows to a sequence, and gives its interval at the detector's α.
    /// - Returns: The verdict.
    /// - Complexity: O(startCountMax) intervals.
    public mutating func absorb(
        fresh: Sequence, _ absorb: (inout Sequence) -> (lower: Double, upper: Double)
    ) -> Verdict {
        runs.append(Run(sequence: fresh, lower: -.infinity, upper: .infinity))
        var (lower, upper) = (-Double.infinity, Double.infinity)
        for index in runs.indices {
            let interval = absorb(&runs[index].sequence)
            runs[index].lower = max(runs[index].lower, interval.lower)
            runs[index].upper = min(runs[index].upper, interval.upper)
            lower = max(lower, runs[index].lower)
            upper = min(upper, runs[index].upper)
        }
        guard lower <= upper else {
            runs = []
            return .alarm
        }
        thin()
        return .quiet(lower: lower, upper: upper)
    }

    /// The oldest one stays: it has seen most of the time before a change.
    private mutating func thin() {
        guard runs.count > startCountMax else { return }
        let half = runs.count / 2
        runs = runs.enumerated().filter { $0.offset >= half || $0.offset % 2 == 0 }.map(\.element)
    }
}
