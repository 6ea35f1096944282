public import ByteCoding
public import MonitoringDomain

/// This pairs requests with responses, each once, in bounded memory and time.
///
/// It guarantees: of halves with the same key the first request and the first response make one batch,
/// in whichever order they come; a further half with that key is a repeat, while one waits and for as
/// long after; the same halves in the same order give the same batches, whatever machine does it. So
/// it lives in the state machine, behind the log that holds the halves: a half that was acknowledged
/// is in the log, and after a crash the log gives back what waited, or the batch.
///
/// Its limits: a half waits ten minutes of arrival time, and at most `cellCountMax` values wait. What
/// is older, or the oldest of too many, is counted and given out alone: a logger may be told to log
/// requests only, and what went in, or came out, is worth measuring by itself.
public struct InferencePairing: Sendable, Equatable {
    /// How long a half waits for the other, by the arrival times of later halves.
    ///
    /// A model server answers within seconds; a broker that retries may take minutes.
    public static let waitMilliseconds: Int64 = 10 * WindowSpan.minute
    /// Values in the halves that wait, and keys that are remembered; beyond, the oldest are dropped.
    public static let cellCountMax = 4 << 20
    /// Keys of halves that wait or were paired; beyond, the oldest are forgotten.
    public static let keyCountMax = 200_000

    /// This is what has become of halves so far.
    public struct Counts: Sendable, Equatable {
        /// Pairs that became a batch.
        public var paired: UInt64 = 0
        /// Halves whose key had one of their side already.
        public var repeated: UInt64 = 0
        /// Requests that waited in vain: the call failed, or the response was lost or not logged.
        public var requestOnly: UInt64 = 0
        /// Responses that waited in vain: the request was lost or not logged.
        public var responseOnly: UInt64 = 0
        /// Halves given out before their time, because too much waited.
        public var evicted: UInt64 = 0
        /// Pairs whose halves do not have the same number of rows: the request counts alone.
        public var mismatched: UInt64 = 0

        /// Makes counts of nothing.
        public init() {}
    }

    private enum Place: Equatable, Sendable {
        case waiting(InferenceHalf)
        case settled
    }

    /// This is what has become of halves so far.
    public private(set) var counts = Counts()
    private var places: [RecordIdentity: Place] = [:]
    /// Keys in order of arrival, from `head`; a key stands here once.
    private var order: [(key: RecordIdentity, arrival: Int64)] = []
    private var head = 0
    private var cellCount = 0
    /// The latest arrival: time does not go back, although clocks do.
    private var now = Int64.min
    /// What was given up waiting, until somebody takes it.
    private var unpaired: [PredictionBatch] = []

    /// Makes a pairing that has seen nothing.
    public init() {}

    /// True when both have the same future.
    public static func == (left: Self, right: Self) -> Bool {
        left.counts == right.counts && left.places == right.places && left.now == right.now
            && left.order[left.head...].elementsEqual(right.order[right.head...]) { $0 == $1 }
    }

    /// True when nothing waits and nothing is remembered.
    public var isEmpty: Bool { places.isEmpty }

    /// Halves that wait for the other one.
    public var waitingCount: Int {
        places.values.reduce(0) {
            if case .waiting = $1 { $0 + 1 } else { $0 }
        }
    }

    /// This is the outcome of one half.
    public enum Outcome: Equatable, Sendable {
        case paired(PredictionBatch)
        case waits
        case repeated
        case mismatched
    }

    /// Takes a half; gives the batch where it completes a pair.
    public mutating func observe(_ half: InferenceHalf) -> Outcome {
        now = max(now, half.arrival.milliseconds)
        expire()
        switch places[half.key] {
        case .settled:
            counts.repeated &+= 1
            return .repeated
        case .waiting(let other) where other.side == half.side:
            counts.repeated &+= 1
            return .repeated
        case .waiting(let other):
            cellCount -= other.cellCount
            places[half.key] = .settled
            let (request, response) = half.side == .request ? (half, other) : (other, half)
            guard let batch = PredictionBatch(request: request, response: response) else {
                counts.mismatched &+= 1
                unpaired.append(request.batch)
                return .mismatched
            }
            counts.paired &+= 1
            return .paired(batch)
        case nil:
            places[half.key] = .waiting(half)
            order.append((half.key, now))
            cellCount += half.cellCount
            dropOldest()
            return .waits
        }
    }

    /// Gives up what has waited too long at `time`.
    public mutating func expire(at time: EventTime) {
        now = max(now, time.milliseconds)
        expire()
    }

    /// These are the batches that were given up waiting since the last call; whoever calls `observe` or
    /// `expire` takes them at once.
    public mutating func takeUnpaired() -> [PredictionBatch] {
        defer { unpaired = [] }
        return unpaired
    }

    private mutating func expire() {
        while head < order.count {
            let (age, overflow) = now.subtractingReportingOverflow(order[head].arrival)
            guard overflow || age > Self.waitMilliseconds else { break }
            if case .waiting(let half) = removeFirst() {
                switch half.side {
                case .request: counts.requestOnly &+= 1
                case .response: counts.responseOnly &+= 1
                }
                unpaired.append(half.batch)
            }
        }
    }

    private mutating func dropOldest() {
        while head < order.count,
            cellCount > Self.cellCountMax || order.count - head > Self.keyCountMax
        {
            if case .waiting(let half) = removeFirst() {
                counts.evicted &+= 1
                unpaired.append(half.batch)
            }
        }
    }

    private mutating func removeFirst() -> Place? {
        let place = places.removeValue(forKey: order[head].key)
        if case .waiting(let half)? = place { cellCount -= half.cellCount }
        head += 1
        // The front is cut off only when it is half of all, so that this costs O(1) each.
        if head > 1_024, head * 2 > order.count {
            order.removeFirst(head)
            head = 0
        }
        return place
    }
}

extension InferenceHalf {
    /// The values of its batch, as a measure of its memory.
    fileprivate var cellCount: Int { batch.rowCount * (batch.features.count + 6) + 8 }
}

extension PredictionBatch {
    /// Joins the columns of both halves; nil where their rows do not correspond.
    init?(request: InferenceHalf, response: InferenceHalf) {
        let answer: PredictionBatch
        if request.batch.rowCount == response.batch.rowCount {
            answer = response.batch
        } else if response.batch.isError {
            answer = response.batch.repeated(request.batch.rowCount)
        } else {
            return nil
        }
        guard request.batch.model == answer.model else { return nil }
        self = request.batch
        labels = answer.labels
        scores = answer.scores
        values = answer.values
        errors = answer.errors
        if !answer.latencies.isEmpty { latencies = answer.latencies }
        if weights.isEmpty { weights = answer.weights }
        if latencies.isEmpty, let latency = Self.latency(request, response) {
            latencies = Array(repeating: latency, count: rowCount)
        }
        let known = segments.map(\.key).exactSet
        segments += answer.segments.filter { !known.contains(ExactText($0.key)) }
        if response.identityRank < request.identityRank, !response.batch.isError {
            identities = answer.identities
        }
        // A model server names its version in the answer, if at all.
        if answer.versions.dictionary != ["default"] { versions = answer.versions }
    }

    /// True for the one row of a call that failed.
    private var isError: Bool {
        rowCount == 1 && errors.codes.first.map { $0 != TextColumn.missing } == true
    }

    /// This is the batch's one row `count` times.
    private func repeated(_ count: Int) -> PredictionBatch {
        func column(_ text: TextColumn) -> TextColumn {
            TextColumn(
                codes: text.codes.flatMap { Array(repeating: $0, count: count) },
                dictionary: text.dictionary)
        }
        func column<Value>(_ values: [Value]) -> [Value] {
            values.flatMap { Array(repeating: $0, count: count) }
        }
        var batch = PredictionBatch(model: model)
        batch.rowCount = count
        batch.versions = column(versions)
        batch.labels = column(labels)
        batch.errors = column(errors)
        batch.scores = column(scores)
        batch.values = column(values)
        batch.latencies = column(latencies)
        batch.weights = column(weights)
        batch.segments = segments.map { ($0.key, column($0.column)) }
        return batch
    }

    /// This is how long the call took, in milliseconds, by the sender's clock; nil where it does not tell.
    private static func latency(_ request: InferenceHalf, _ response: InferenceHalf) -> Double? {
        guard let begin = request.occurredNanoseconds, let end = response.occurredNanoseconds else {
            return nil
        }
        let (nanoseconds, overflow) = end.subtractingReportingOverflow(begin)
        guard !overflow, nanoseconds >= 0, nanoseconds <= WindowSpan.day * 1_000_000 else {
            return nil
        }
        return Double(nanoseconds) / 1e6
    }
}

extension InferencePairing {
    /// Appends the state: counts, the time, then the keys in order, each with its half or without.
    public func encode(to writer: inout ByteWriter) {
        for count in [
            counts.paired, counts.repeated, counts.requestOnly, counts.responseOnly,
            counts.evicted, counts.mismatched,
        ] { writer.write(count) }
        writer.write(now)
        writer.writeCount(order.count - head)
        for (key, arrival) in order[head...] {
            writer.write(key.high)
            writer.write(key.low)
            writer.write(arrival)
            guard case .waiting(let half)? = places[key] else {
                writer.writeCount(0)
                continue
            }
            let bytes = InputCoding.encode(.inference(half))
            writer.writeCount(bytes.count)
            writer.append(contentsOf: bytes)
        }
    }

    /// Reads what `encode` wrote.
    ///
    /// - Throws: `ByteReadingError` for anything else.
    public init(decoding reader: inout ByteReader) throws(ByteReadingError) {
        counts.paired = try reader.read()
        counts.repeated = try reader.read()
        counts.requestOnly = try reader.read()
        counts.responseOnly = try reader.read()
        counts.evicted = try reader.read()
        counts.mismatched = try reader.read()
        now = try reader.read()
        let count = try reader.readCount(elementSize: 25)
        for _ in 0..<count {
            let start = reader.offset
            let high: UInt64 = try reader.read()
            let key = RecordIdentity(high: high, low: try reader.read())
            let arrival: Int64 = try reader.read()
            let size = try reader.readCount()
            guard places[key] == nil else {
                throw .invalid(offset: start, reason: "a key that is there twice")
            }
            order.append((key, arrival))
            guard size > 0 else {
                places[key] = .settled
                continue
            }
            guard
                case .inference(let half) = try InputCoding.decode(
                    try reader.readSlice(count: size)), half.key == key
            else { throw .invalid(offset: start, reason: "a half was expected") }
            places[key] = .waiting(half)
            cellCount += half.cellCount
        }
    }
}
