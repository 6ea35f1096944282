/// This is a column under construction, in memory of its own, which is taken at the first element.
///
/// An array asks at each append whether it is shared: for twenty columns a record that is a tenth of
/// the decoding. So a copy of this shares what was appended: only one of the two may go on.
struct GrowingColumn<Element: BitwiseCopyable> {
    private typealias Memory = ManagedBuffer<Void, Element>

    private var memory: Memory?
    private var start: UnsafeMutablePointer<Element>?
    private var capacity = 0
    private var firstCapacity: Int
    private(set) var count = 0

    /// Capacities above this are only reached by growing, so that no body reserves much memory.
    static var capacityMax: Int { 4_096 }

    /// Starts empty; `capacity` is how many elements are expected.
    init(capacity: Int) { firstCapacity = min(max(capacity, 16), Self.capacityMax) }

    @inline(__always)
    mutating func append(_ element: Element) {
        if count == capacity { grow() }
        guard let start else { return }
        (start + count).initialize(to: element)
        count &+= 1
    }

    /// Appends all elements.
    mutating func append(_ elements: UnsafeBufferPointer<Element>) {
        while count + elements.count > capacity { grow() }
        guard let start, let source = elements.baseAddress else { return }
        (start + count).initialize(from: source, count: elements.count)
        count += elements.count
    }

    /// This is an element that was appended.
    @inline(__always)
    subscript(place: Int) -> Element {
        get {
            guard let start, place >= 0, place < count else {
                preconditionFailure("place \(place) of \(count)")
            }
            return start[place]
        }
        set {
            guard let start, place >= 0, place < count else {
                preconditionFailure("place \(place) of \(count)")
            }
            start[place] = newValue
        }
    }

    /// Appends until there are `count` elements.
    @inline(__always)
    mutating func fill(upTo count: Int, with element: Element) {
        while self.count < count { append(element) }
    }

    @inline(never)
    private mutating func grow() {
        capacity = max(firstCapacity, capacity * 2)
        let larger = Memory.create(minimumCapacity: capacity) { _ in () }
        let start = larger.withUnsafeMutablePointerToElements { $0 }
        if let old = self.start { start.update(from: old, count: count) }
        memory = larger
        self.start = start
    }

    var array: [Element] {
        withExtendedLifetime(memory) { Array(UnsafeBufferPointer(start: start, count: count)) }
    }
}
