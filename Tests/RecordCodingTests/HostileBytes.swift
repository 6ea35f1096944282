import MonitoringDomain
import RecordCoding
import Testing

/// Tries every prefix of `body` and every change of one of its bytes: each must end in a value or in
/// the decoder's own error, which the signature holds, and never in a trap.
func checkHostileBytes<Failure: Error>(
    of body: [UInt8], _ decode: ([UInt8]) throws(Failure) -> Void
) {
    for size in 0..<body.count { try? decode(Array(body[..<size])) }
    for index in body.indices {
        for mask: UInt8 in [0x01, 0x10, 0x80] {
            var changed = body
            changed[index] ^= mask
            try? decode(changed)
        }
    }
    var random = SeededGenerator(seed: UInt64(body.count))
    for _ in 0..<200 where body.count > 2 {
        let first = Int.random(in: 0..<body.count, using: &random)
        let second = Int.random(in: 0..<body.count, using: &random)
        try? decode(Array(body[..<first]) + Array(body[second...]))
    }
}

/// The bytes of pairs of hexadecimal digits, with white space between.
func bytes(ofHex text: String) -> [UInt8] {
    var digits = text.utf8.compactMap { byte -> UInt8? in
        switch byte {
        case UInt8(ascii: "0")...UInt8(ascii: "9"): byte - UInt8(ascii: "0")
        case UInt8(ascii: "a")...UInt8(ascii: "f"): byte - UInt8(ascii: "a") + 10
        default: nil
        }
    }[...]
    var bytes: [UInt8] = []
    while let high = digits.popFirst(), let low = digits.popFirst() {
        bytes.append(high << 4 | low)
    }
    return bytes
}

extension PredictionBatch {
    /// The numbers of a feature, empty where it is none.
    func numbers(_ name: String) -> [Double] {
        for feature in features where feature.name == name {
            if case .numeric(let values) = feature.column { return values }
        }
        return []
    }

    /// The texts of a feature, empty where it is none.
    func texts(_ name: String) -> [String?] {
        for feature in features where feature.name == name {
            if case .categorical(let column) = feature.column {
                return (0..<rowCount).map { column.text(at: $0) }
            }
        }
        return []
    }

    var labelTexts: [String?] { (0..<rowCount).map { labels.text(at: $0) } }

    func ids(_ ids: String...) -> Bool {
        identities == ids.map { identity(model: model, id: $0.utf8) }
    }
}
