/// This is the keys of one kind of object, and the order in which they came in the last such
/// object.
///
/// A producer writes the same keys in the same order, so the next key is guessed and compared as
/// bytes, quotes and colon included. A wrong guess costs a lookup, never a wrong answer.
struct KeyTable {
    private struct Key {
        /// Where the guess begins in `words`, and its size; 0 where the key cannot be guessed.
        let wordStart: Int
        let size: Int
        var successor: Int32
    }

    private var index: ByteIndex
    private var keys: [Key] = []
    /// `"name":` of every key, padded with zeros to whole words.
    private var words: [UInt64] = []
    private var first: Int32 = -1

    init(seed: UInt64, names: [String] = []) {
        index = ByteIndex(seed: seed)
        for name in names {
            let padded = Array(name.utf8) + [UInt8](repeating: 0, count: 8)
            padded.withUnsafeBufferPointer { bytes in
                guard let start = bytes.baseAddress else { return }
                _ = insert(ByteText(start: start, count: name.utf8.count), isPlain: true)
            }
        }
    }

    var count: Int { keys.count }

    /// This is the key that followed `previous` last time (-1: the object's start), if its bytes
    /// are at `cursor`; and how many bytes it takes with the colon.
    @inline(__always)
    func guess(after previous: Int, at cursor: UnsafePointer<UInt8>) -> (number: Int, size: Int)? {
        let number = previous < 0 ? Int(first) : Int(keys[previous].successor)
        if number < 0 { return nil }
        let key = keys[number]
        var offset = 0
        var word = key.wordStart
        while offset + 8 <= key.size {
            if loadWord(cursor + offset) != words[word] { return nil }
            offset += 8
            word += 1
        }
        let rest = key.size - offset
        if rest > 0, loadWord(cursor + offset) & lowBytesMask(rest) != words[word] { return nil }
        return key.size == 0 ? nil : (number, key.size)
    }

    func find(_ name: ByteText) -> Int? { index.find(name) }

    /// This is the number of the key `name`, added where it is new.
    ///
    /// A name is plain when it stands in the body without escapes.
    mutating func insert(_ name: ByteText, isPlain: Bool) -> Int {
        let (number, isNew) = index.insert(name)
        guard isNew else { return number }
        let text = isPlain ? [UInt8(ascii: "\"")] + name.buffer + Array("\":".utf8) : []
        keys.append(Key(wordStart: words.count, size: text.count, successor: -1))
        for start in stride(from: 0, to: text.count, by: 8) {
            var word: UInt64 = 0
            for offset in start..<min(start + 8, text.count) {
                word |= UInt64(text[offset]) << UInt64((offset - start) * 8)
            }
            words.append(word)
        }
        return number
    }

    mutating func learn(_ number: Int, after previous: Int) {
        if previous < 0 { first = Int32(number) } else { keys[previous].successor = Int32(number) }
    }
}
