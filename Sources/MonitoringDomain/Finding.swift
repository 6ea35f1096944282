/// This is what a detector knows beside the number that a measurement shows.
public indirect enum Finding: Equatable, Sendable {
    case drift(DriftFinding)
    case detector(DetectorFinding)
}

/// This is what a budgeted detector says of one window: under which null, at which level, because of what.
public struct DriftFinding: Equatable, Sendable {
    /// This is one feature (or the prediction), of the whole traffic or a segment, with its evidence.
    public struct Stream: Equatable, Sendable {
        /// The feature's name, or `prediction`.
        public var feature: String
        /// The slice; nil for the whole traffic.
        public var segment: Segment?
        /// The e-detector's value before any reset, 0...1e300: alone it raises an alarm at `alarmAt`.
        public var evidence: Double
        /// How far the window's shares are from the reference's, 0...1; nil without rows.
        public var distance: Double?
        /// A lower bound of the true distance, by this window alone, at 95 %; nil without rows.
        public var distanceLowerBound: Double?
        /// True when the window's alarm names it.
        public var isNamed: Bool

        /// Makes a stream's finding from its parts.
        public init(
            feature: String, segment: Segment? = nil, evidence: Double, distance: Double?,
            distanceLowerBound: Double?, isNamed: Bool
        ) {
            self.feature = feature
            self.segment = segment
            self.evidence = evidence
            self.distance = distance
            self.distanceLowerBound = distanceLowerBound
            self.isNamed = isNamed
        }
    }

    /// Streams that are kept in a finding: the strongest ones.
    public static let streamCountMax = 10

    /// What is taken to hold while nothing has drifted.
    public var null: DriftNull
    /// α: the expected number of false alarms per window, over all streams.
    public var level: Double
    /// The largest distance that is no drift, 0..<1.
    public var tolerance: Double
    /// The number of streams that share the level.
    public var streamCount: Int
    /// By evidence, the strongest first; at most `streamCountMax`.
    public var streams: [Stream]
    /// The quiet windows (where the reference moves: pairs) of the season that the next one is placed among; nil
    /// under a null of rows.
    public var calibrationCount: Int?

    /// Makes a finding from its parts.
    public init(
        null: DriftNull, level: Double, tolerance: Double, streamCount: Int, streams: [Stream],
        calibrationCount: Int? = nil
    ) {
        self.calibrationCount = calibrationCount
        self.null = null
        self.level = level
        self.tolerance = tolerance
        self.streamCount = streamCount
        self.streams = streams
    }

    /// This is the evidence at which one stream alone raises an alarm.
    ///
    /// Formula: K / α.
    public var alarmAt: Double { Double(streamCount) / level }

    /// True when one of the streams is named by the window's alarm.
    public var isAlarm: Bool { streams.contains { $0.isNamed } }
}

/// This is what a classic detector says of a version's outcomes so far.
public struct DetectorFinding: Equatable, Sendable {
    /// How the newest outcome leaves the detector.
    public enum State: String, Sendable, CaseIterable { case stable, warning, drift }

    /// How the newest outcome leaves it.
    public var state: State
    /// The event time of the prediction at whose outcome the last change was reported; nil before one.
    public var lastChange: EventTime?
    /// How many outcomes it has seen.
    public var outcomeCount: UInt64
    /// How many outcomes of the version have had their ground truth replaced since; the detector has seen the
    /// first one of each and not the second.
    public var correctedCount: UInt64

    /// Makes a finding from its parts.
    public init(
        state: State, lastChange: EventTime?, outcomeCount: UInt64, correctedCount: UInt64 = 0
    ) {
        self.state = state
        self.lastChange = lastChange
        self.outcomeCount = outcomeCount
        self.correctedCount = correctedCount
    }
}
