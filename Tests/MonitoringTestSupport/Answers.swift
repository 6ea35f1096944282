/// This is the answer to a batch: api section 2.
public struct IngestAnswer: Decodable, Sendable {
    /// This is how many records are stored.
    public let accepted: Int
    /// This is how many of them repeat what was known.
    public let duplicates: Int
    /// This is the batch's place in the log.
    public let position: UInt64
}

/// This is an error's body: RFC 9457.
public struct Problem: Decodable, Sendable {
    /// This is one bad record of a batch.
    public struct Item: Decodable, Sendable {
        /// This is the record's line, from 1.
        public let line: Int?
        /// This is the JSON Pointer to the fault.
        public let pointer: String?
        /// This is the fault's name.
        public let code: String
    }

    /// This is the problem's name, a URI reference.
    public let type: String
    /// This is the problem in words.
    public let title: String
    /// This is the status code.
    public let status: Int
    /// These are the bad records, where there are some.
    public let errors: [Item]?
}

/// This is the answer to `GET …/measurements` and to `leeway measure --format json`.
public struct MeasurementsAnswer: Decodable, Sendable {
    /// This is one value, as the wire has it.
    public struct Entry: Decodable, Sendable, Equatable {
        /// This is the statistic's name.
        public let statistic: String
        /// This is the feature's name; nil for the model as a whole.
        public let feature: String?
        /// This is the measured interval.
        public let window: Window
        /// This is the value; nil where the status is not "ok".
        public let value: Double?
        /// This is the lower end of the interval.
        public let lower: Double?
        /// This is the upper end of the interval.
        public let upper: Double?
        /// This is how many rows the value rests on.
        public let count: Int
        /// This is "ok", or the name of the reason for no value.
        public let status: String
        /// This is that reason in words.
        public let reason: String?
    }

    /// This is a half-open interval in RFC 3339.
    public struct Window: Decodable, Sendable, Equatable {
        /// This is the first instant.
        public let from: String
        /// This is the first instant after it.
        public let to: String
    }

    /// This is the model's name.
    public let model: String
    /// These are the values, by window.
    public let measurements: [Entry]
}
