import Glibc
import MonitoringDomain

/// This is a seeded stream of binary predictions and their ground truth, as NDJSON lines.
public struct RecordStream {
    /// This is the model that the records name.
    public var model: String
    /// This is the version that the records name.
    public var version = "1"
    /// The share of predictions that ground truth will confirm.
    public var accuracy = 0.9
    /// What is added to the numeric feature, whose standard deviation is 1.
    public var shift = 0.0
    /// The event time of the next record, in milliseconds.
    public var time: Int64
    /// This is the event time between two records.
    public var stepMilliseconds: Int64 = 10_000
    /// The number in the next record's id.
    public var index = 0
    private var random: SeededGenerator

    /// Makes a stream; equal seeds give equal records.
    public init(model: String, startingAt time: Int64, seed: UInt64) {
        self.model = model
        self.time = time
        random = SeededGenerator(seed: seed)
    }

    /// This is one prediction and the ground truth of it.
    public struct Row: Sendable {
        /// This is the prediction's id.
        public let id: String
        /// This is the line for `/v1/predictions`.
        public let prediction: String
        /// This is the line for `/v1/ground-truth`.
        public let groundTruth: String
        /// The prediction with its ground truth inline, as a reference has it.
        public let reference: String
    }

    /// This is the next `count` rows; the stream moves on.
    public mutating func next(_ count: Int) -> [Row] { (0..<count).map { _ in nextRow() } }

    private mutating func nextRow() -> Row {
        let id = "\(model)-\(index)"
        let uniform = Double.random(in: 1e-12..<1, using: &random)
        let angle = Double.random(in: 0..<1, using: &random)
        let normal = (-2 * log(uniform)).squareRoot() * cos(2 * .pi * angle)
        let colour = ["red", "green", "blue"].randomElement(using: &random) ?? "red"
        let score = Double.random(in: 0...1, using: &random)
        let label = score >= 0.5 ? 1 : 0
        let isConfirmed = Double.random(in: 0..<1, using: &random) < accuracy
        let truth = isConfirmed ? label : 1 - label
        let head = #"{"id":"\#(id)","ts":"\#(EventTime(milliseconds: time))","model":"\#(model)""#
        let prediction =
            head + #","version":"\#(version)","features":{"amount":\#(normal + shift),"#
            + #""colour":"\#(colour)"},"prediction":{"label":\#(label),"score":\#(score)}"#
        let later = EventTime(milliseconds: time + 1_000)
        let groundTruth =
            #"{"id":"\#(id)","ts":"\#(later)","model":"\#(model)","label":\#(truth)}"#
        index += 1
        time += stepMilliseconds
        return Row(
            id: id, prediction: prediction + "}", groundTruth: groundTruth,
            reference: prediction + #","label":\#(truth)}"#)
    }
}

/// This is the lines as one NDJSON body.
public func ndjson(_ lines: some Sequence<String>) -> [UInt8] {
    lines.reduce(into: []) { body, line in
        body.append(contentsOf: line.utf8)
        body.append(UInt8(ascii: "\n"))
    }
}
