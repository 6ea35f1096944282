/// This is a column under construction, in memory of its own.
///
/// An array asks at each append whether it is shared: for twenty columns a record that is a tenth of
/// the decoding. So a copy of this shares what was appended: only one of the two may go on.
struct GrowingColumn<Element: BitwiseCopyable> {
    private final class Memory {
        let start: UnsafeMutablePointer<Element>
        init(capacity: Int) { start = .allocate(capacity: capacity) }
        deinit { start.deallocate() }
    }

    private var memory: Memory
    private var start: UnsafeMutablePointer<Element>
    private var capacity: Int
    private(set) var count = 0

    /// Capacities above this are only reached by growing, so that no body reserves much memory.
    static var capacityMax: Int { 4_096 }

    init(capacity: Int) {
        self.capacity = min(max(capacity, 16), Self.capacityMax)
        memory = Memory(capacity: self.capacity)
        start = memory.start
    }

    @inline(__always)
    mutating func append(_ element: Element) {
        if count == capacity { grow() }
        (start + count).initialize(to: element)
        count &+= 1
    }

    /// Appends all elements.
    mutating func append(_ elements: UnsafeBufferPointer<Element>) {
        while count + elements.count > capacity { grow() }
        guard let source = elements.baseAddress else { return }
        (start + count).initialize(from: source, count: elements.count)
        count += elements.count
    }

    /// This is an element that was appended.
    @inline(__always)
    subscript(place: Int) -> Element {
        get {
            precondition(place >= 0 && place < count, "place \(place) of \(count)")
            return start[place]
        }
        set {
            precondition(place >= 0 && place < count, "place \(place) of \(count)")
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
        let larger = Memory(capacity: capacity * 2)
        larger.start.update(from: start, count: count)
        memory = larger
        start = larger.start
        capacity *= 2
    }

    var array: [Element] {
        withExtendedLifetime(memory) { Array(UnsafeBufferPointer(start: start, count: count)) }
    }
}
