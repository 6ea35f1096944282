/// This is a partition's bytes, wherever they lie: in memory, or in a file.
public struct PartitionBytes: Sendable {
    /// How many bytes there are.
    public let count: Int
    private let visit: @Sendable (Range<Int>, (UnsafeRawBufferPointer) -> Void) -> Void

    /// Makes the bytes of whatever `visit` shows a range of.
    ///
    /// - Parameters:
    ///   - count: How many bytes there are.
    ///   - visit: Calls its argument once with the bytes of a range inside 0..<count, which never
    ///     change.
    public init(
        count: Int,
        visit: @escaping @Sendable (Range<Int>, (UnsafeRawBufferPointer) -> Void) -> Void
    ) {
        self.count = count
        self.visit = visit
    }

    /// Makes bytes in memory.
    public init(_ bytes: [UInt8]) {
        self.init(count: bytes.count) { range, body in
            bytes.withUnsafeBytes { body(UnsafeRawBufferPointer(rebasing: $0[range])) }
        }
    }

    /// This is what `body` makes of a range; nil where the range is not inside.
    func read<Result>(_ range: Range<Int>, _ body: (UnsafeRawBufferPointer) -> Result) -> Result? {
        guard range.lowerBound >= 0, range.upperBound <= count else { return nil }
        var result: Result?
        visit(range) { result = body($0) }
        return result
    }
}

/// This is where sealed partitions live.
///
/// The join decides what is in them, the shell where they lie.
///
/// They are a cache of the log: whoever loses one folds the log again.
public struct PartitionStorage: Sendable {
    /// Keeps what is appended under a new name; nil where it could not be kept.
    ///
    /// The bytes are there while `append` is called.
    public let make:
        @Sendable (
            _ name: String, _ write: (_ append: (UnsafeRawBufferPointer) -> Void) -> Void
        ) -> PartitionBytes?
    /// Opens what was kept under a name; nil where it is gone.
    public let open: @Sendable (_ name: String) -> PartitionBytes?

    /// Makes a storage of its two operations.
    public init(
        make:
            @escaping @Sendable (String, ((UnsafeRawBufferPointer) -> Void) -> Void) ->
            PartitionBytes?,
        open: @escaping @Sendable (String) -> PartitionBytes?
    ) {
        self.make = make
        self.open = open
    }

    /// This keeps partitions in memory, for as long as somebody uses them.
    public static let memory = PartitionStorage(
        make: { _, write in
            var bytes: [UInt8] = []
            write { bytes.append(contentsOf: $0) }
            return PartitionBytes(bytes)
        }, open: { _ in nil })
}
