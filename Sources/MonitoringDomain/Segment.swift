/// This is a slice of a model's traffic: the rows whose segment `key` has `value`.
public struct Segment: Hashable, Comparable, Sendable, CustomStringConvertible {
    /// This is a declared key, or `version`, which is always one.
    public var key: String
    /// This is the value as text; `other` for values beyond the limit and rows without one.
    public var value: String

    /// The value that stands for all values beyond the limit, and for rows that name none.
    public static let other = "other"
    /// Keys a model may declare; a further one is refused.
    public static let keyCountMax = 8
    /// Distinct values of one key that are profiled apart, in order of first appearance; further ones
    /// count in `other`.
    public static let valueCountMax = 50
    /// Bytes of a value; a longer one counts in `other`.
    public static let valueSizeBytesMax = 128

    /// Makes a segment from its parts.
    public init(key: String, value: String) {
        self.key = key
        self.value = value
    }

    /// Reads `channel:web`: the key ends at the first colon.
    ///
    /// Nil where the key or the value is empty.
    public init?(_ text: String) {
        guard let colon = text.utf8.firstIndex(of: UInt8(ascii: ":")) else { return nil }
        key = String(text[..<colon])
        value = String(text[text.index(after: colon)...])
        guard !key.isEmpty, !value.isEmpty else { return nil }
    }

    /// Compares the bytes of key and value.
    public static func == (left: Self, right: Self) -> Bool {
        left.value.isExactly(right.value) && left.key.isExactly(right.key)
    }

    /// Hashes the bytes of both.
    public func hash(into hasher: inout Hasher) {
        hasher.combine(ExactText(key))
        hasher.combine(ExactText(value))
    }

    /// Orders by key, then by value.
    public static func < (left: Self, right: Self) -> Bool {
        (ExactText(left.key), ExactText(left.value)) < (
            ExactText(right.key), ExactText(right.value)
        )
    }

    /// This is the wire form, `channel:web`.
    public var description: String { "\(key):\(value)" }
}
