/// This is a text that equals another one only where their bytes are the same.
///
/// `String` takes texts for equal that Unicode calls canonically equivalent: é is one scalar or two. To whoever
/// writes records they are two names, ids or categories, and so they are here; what is found in a table by a
/// text of a record is found by this.
public struct ExactText: Hashable, Comparable, Sendable, ExpressibleByStringLiteral {
    /// This is the text.
    public let string: String

    /// Wraps a text.
    public init(_ string: String) { self.string = string }
    /// Wraps a text of the program's own.
    public init(stringLiteral string: String) { self.string = string }

    /// Compares bytes.
    public static func == (left: Self, right: Self) -> Bool { left.string.isExactly(right.string) }

    /// Orders by bytes, which is the order of the Unicode scalars.
    public static func < (left: Self, right: Self) -> Bool {
        left.string.utf8.lexicographicallyPrecedes(right.string.utf8)
    }

    /// Hashes the bytes.
    public func hash(into hasher: inout Hasher) {
        let isHashed: Void? = string.utf8.withContiguousStorageIfAvailable {
            hasher.combine(bytes: UnsafeRawBufferPointer($0))
        }
        if isHashed == nil { for byte in string.utf8 { hasher.combine(byte) } }
        // No text holds this byte, so that texts one behind the other are told apart.
        hasher.combine(0xFF as UInt8)
    }
}

extension String {
    /// This is true where both texts have the same bytes.
    public func isExactly(_ other: String) -> Bool {
        guard utf8.count == other.utf8.count else { return false }
        let isSame = utf8.withContiguousStorageIfAvailable { left in
            other.utf8.withContiguousStorageIfAvailable { left.elementsEqual($0) }
        }
        return (isSame ?? nil) ?? utf8.elementsEqual(other.utf8)
    }
}

extension [String] {
    /// These are the texts, each once, as keys.
    public var exactSet: Set<ExactText> { Set(map { ExactText($0) }) }
    /// This is true where one of the texts has the same bytes.
    public func containsExactly(_ text: String) -> Bool { contains { $0.isExactly(text) } }
}
