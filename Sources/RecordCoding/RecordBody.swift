/// This is a body of records with zeros behind it, so that the decoder reads it where it lies.
public final class RecordBody: @unchecked Sendable {
    /// No text has a zero: so loops end here without a check of bounds, and whole words can be read up to
    /// the last byte.
    static let paddingSizeBytes = 32

    /// The bytes, which never change.
    let start: UnsafePointer<UInt8>
    /// How many bytes there are.
    public let count: Int
    private let memory: UnsafeMutablePointer<UInt8>

    /// Makes a body of what `fill` writes.
    ///
    /// - Parameters:
    ///   - capacity: The most bytes that it may have.
    ///   - fill: Writes from the start on, and returns how many bytes are the body.
    /// - Throws: What `fill` throws.
    public init(capacity: Int, _ fill: (UnsafeMutableRawBufferPointer) throws -> Int) rethrows {
        memory = .allocate(capacity: capacity + Self.paddingSizeBytes)
        do {
            count = try fill(UnsafeMutableRawBufferPointer(start: memory, count: capacity))
        } catch {
            memory.deallocate()
            throw error
        }
        precondition(count >= 0 && count <= capacity, "\(count) of \(capacity) bytes")
        (memory + count).initialize(repeating: 0, count: Self.paddingSizeBytes)
        start = UnsafePointer(memory)
    }

    /// Makes a body of a copy.
    public convenience init(_ bytes: [UInt8]) {
        self.init(capacity: bytes.count) { memory in
            memory.copyBytes(from: bytes)
            return bytes.count
        }
    }

    deinit { memory.deallocate() }

    /// Shows the bytes where they lie.
    public func withUnsafeBytes<Result>(
        _ body: (UnsafeRawBufferPointer) throws -> Result
    ) rethrows -> Result {
        try body(UnsafeRawBufferPointer(start: start, count: count))
    }

    /// This is a copy of the bytes.
    public var bytes: [UInt8] { Array(UnsafeBufferPointer(start: start, count: count)) }
}
