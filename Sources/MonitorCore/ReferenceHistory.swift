import ByteCoding
public import MonitoringDomain

/// This is the references that a model had, has and is about to have, newest last.
public struct ReferenceHistory: Sendable, Equatable {
    /// Entries that are kept; the oldest is forgotten.
    static let countMax = 100

    /// This is one reference, by name.
    public struct Entry: Sendable, Equatable {
        /// `r-` and the number of the model's reference.
        public let id: String
        /// What it was made of, in words.
        public let source: String
        /// When it was asked for.
        public let requestedAt: EventTime
        /// Where it stands.
        public internal(set) var state: State
        /// Rows, with missing values and without; nil until they are known.
        public internal(set) var rowCount: Int?
        /// Why it failed.
        public internal(set) var reason: String?
    }

    /// Where a reference stands.
    public enum State: String, Sendable, CaseIterable {
        /// Its rows have not all come.
        case learning
        /// The log is folded again in its bins.
        case profiling
        case active
        case superseded
        case failed
    }

    /// Oldest first.
    public private(set) var entries: [Entry] = []
    private var sequence = 0

    /// This is the next id; each is given once.
    mutating func nextID() -> String {
        sequence += 1
        return "r-\(sequence)"
    }

    /// Adds an entry, and ends those that wait for their turn: the newest request wins.
    mutating func add(_ entry: Entry) {
        for index in entries.indices
        where entries[index].state == .learning || entries[index].state == .profiling {
            entries[index].state = .superseded
        }
        entries.append(entry)
        if entries.count > Self.countMax { entries.removeFirst() }
    }

    mutating func remove(_ id: String) { entries.removeAll { $0.id == id } }

    mutating func activate(_ id: String, rowCount: Int) {
        for index in entries.indices where entries[index].state == .active {
            entries[index].state = .superseded
        }
        change(id) {
            $0.state = .active
            $0.rowCount = rowCount
        }
    }

    mutating func fail(_ id: String, reason: String) {
        change(id) {
            $0.state = .failed
            $0.reason = reason
        }
    }

    mutating func change(_ id: String, _ body: (inout Entry) -> Void) {
        guard let index = entries.lastIndex(where: { $0.id == id }) else { return }
        body(&entries[index])
    }

    // MARK: - Snapshot

    init() {}

    func encode(to writer: inout ByteWriter) {
        writer.writeCount(sequence)
        writer.writeCount(entries.count)
        for entry in entries {
            writer.write(entry.id)
            writer.write(entry.source)
            writer.write(entry.requestedAt.milliseconds)
            writer.write(entry.state.rawValue)
            writer.writeCount(entry.rowCount.map { $0 + 1 } ?? 0)
            writer.write(entry.reason)
        }
    }

    init(decoding reader: inout ByteReader) throws(ByteReadingError) {
        let sequence = try reader.readVarint()
        guard sequence < 1 << 48 else {
            throw .invalid(offset: reader.offset, reason: "\(sequence) references")
        }
        self.sequence = Int(sequence)
        let count = try reader.readCount(elementSize: 5)
        for _ in 0..<count {
            let id = try reader.readText()
            let source = try reader.readText()
            let time = EventTime(milliseconds: try reader.read())
            let start = reader.offset
            guard let state = State(rawValue: try reader.readText()) else {
                throw .invalid(offset: start, reason: "not a reference's state")
            }
            let rows = Int(clamping: try reader.readVarint())
            entries.append(
                Entry(
                    id: id, source: source, requestedAt: time, state: state,
                    rowCount: rows > 0 ? rows - 1 : nil, reason: try reader.readOptionalText()))
        }
    }
}

/// This is a reference that was asked for and is not in force yet.
struct PendingReference: Sendable, Equatable {
    var id: String
    var source: Source
    var requestedAt: EventTime
    /// The schema when it was asked for: later features are not in it.
    var schema: ModelSchema
    /// The position through which rows are selected from the log; nil while rows are still to come.
    var position: Int64?
    /// True when it is the reference in force again, by other segment keys.
    var isResegmented = false

    enum Source: Sendable, Equatable {
        /// The rows that lie at a position of the log.
        case uploaded(at: Int64)
        case log(ReferenceSource)
        /// The reference in force, where its rows cannot be found again.
        case current
    }
}

/// This is where the log holds the rows of the reference in force.
struct ReferenceRows: Sendable, Equatable {
    var source: PendingReference.Source
    /// The position through which they were selected.
    var position: Int64
}

extension ReferenceSource {
    /// This is the source in words, as a list of references shows it.
    var text: String {
        switch self {
        case .span(let window): "production from \(window.start) to \(window.end)"
        case .first(let count, let version):
            "the first \(count) rows" + (version.map { " of version \($0)" } ?? "")
        case .moving(let kind): "moving: \(kind.rawValue)"
        }
    }
}
