import ByteCoding

/// This is a bounded walk over one protobuf message, field by field.
///
/// It reads the wire format and knows no messages. Groups, which no message of ours has, are refused;
/// unknown fields are dropped by their wire type, as the encoding asks.
/// Source: Protocol Buffers documentation, "Encoding".
struct ProtobufReader {
    private var reader: ByteReader

    init(_ bytes: [UInt8]) { reader = ByteReader(bytes) }

    /// This is a field's value by its wire type.
    enum Value {
        case varint(UInt64)
        case fixed64(UInt64)
        case fixed32(UInt32)
        case bytes([UInt8])
    }

    /// Reads the next field; nil at the end.
    mutating func next() throws(ByteReadingError) -> (number: UInt64, value: Value)? {
        if reader.isAtEnd { return nil }
        let start = reader.offset
        let tag = try reader.readVarint()
        let number = tag >> 3
        guard number > 0, number < 1 << 29 else {
            throw .invalid(offset: start, reason: "field number \(number)")
        }
        switch tag & 7 {
        case 0: return (number, .varint(try reader.readVarint()))
        case 1: return (number, .fixed64(try reader.read()))
        case 2: return (number, .bytes(try reader.readSlice(count: try reader.readCount())))
        case 5: return (number, .fixed32(try reader.read()))
        case let type: throw .invalid(offset: start, reason: "wire type \(type)")
        }
    }
}

extension ProtobufReader.Value {
    /// These are the bytes of a string or a message; nil for another wire type.
    var bytes: [UInt8]? {
        if case .bytes(let bytes) = self { return bytes }
        return nil
    }

    /// - Throws: `invalid` where this is no string in UTF-8.
    func text() throws(ByteReadingError) -> String {
        guard let bytes, let text = String(validating: bytes, as: UTF8.self) else {
            throw .invalid(offset: 0, reason: "a string in UTF-8 is expected")
        }
        return text
    }
}
