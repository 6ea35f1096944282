/// This is the answer to a batch: api section 2.
public struct IngestAnswer: Decodable, Sendable {
    public let accepted: Int
    public let duplicates: Int
    public let position: UInt64
}

/// This is an error's body: RFC 9457.
public struct Problem: Decodable, Sendable {
    /// This is one bad record of a batch.
    public struct Item: Decodable, Sendable {
        public let line: Int?
        public let pointer: String?
        public let code: String
    }

    public let type: String
    public let title: String
    public let status: Int
    public let errors: [Item]?
}

/// This is the answer to `GET …/measurements` and to `leeway measure --format json`.
public struct MeasurementsAnswer: Decodable, Sendable {
    /// This is one value, as the wire has it.
    public struct Entry: Decodable, Sendable, Equatable {
        public let statistic: String
        public let feature: String?
        public let window: Window
        public let value: Double?
        public let lower: Double?
        public let upper: Double?
        public let count: Int
        public let status: String
        public let reason: String?
    }

    /// This is a half-open interval in RFC 3339.
    public struct Window: Decodable, Sendable, Equatable {
        public let from: String
        public let to: String
    }

    public let model: String
    public let measurements: [Entry]
}
