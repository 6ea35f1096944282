import Foundation

/// This is the check of a request line's target, before anything of it is decoded.
enum RequestTarget {
    /// Parameters of one query; nobody means more.
    static let parameterCountMax = 64

    /// This is `target` without empty segments of its path, which the router passes over: rights are decided
    /// on the path that is served, and on no other spelling of it.
    static func normalized(_ target: String) -> String {
        let path = target.utf8.prefix { $0 != UInt8(ascii: "?") }
        let slash = UInt8(ascii: "/")
        var previous = UInt8(ascii: "a")
        var isNormal = true
        for byte in path {
            if byte == slash, previous == slash { isNormal = false }
            previous = byte
        }
        if isNormal, previous != slash || path.count == 1 { return target }
        guard path.first == slash else { return target }
        let segments = target[..<path.endIndex].split(separator: "/")
        return "/" + segments.joined(separator: "/") + target[path.endIndex...]
    }

    /// This is what is wrong with `target`, nil where it is in origin form and decodes to UTF-8.
    static func fault(of target: String) -> String? {
        guard target.utf8.first == UInt8(ascii: "/") else {
            return "the target is not a path on this server"
        }
        var decoded: [UInt8] = []
        decoded.reserveCapacity(target.utf8.count)
        var bytes = target.utf8.makeIterator()
        while let byte = bytes.next() {
            switch byte {
            case UInt8(ascii: "%"):
                guard let high = bytes.next().flatMap(hexValue),
                    let low = bytes.next().flatMap(hexValue)
                else { return "a percent sign without two hexadecimal digits" }
                decoded.append(high << 4 | low)
            case UInt8(ascii: "#"): return "a fragment"
            case 0x21...0x7E: decoded.append(byte)
            default: return "a byte outside of printable ASCII"
            }
        }
        // Control characters have no meaning in any of our paths and parameters, and confuse logs.
        if decoded.contains(where: { $0 < 0x20 || $0 == 0x7F }) { return "a control character" }
        guard String(validating: decoded, as: UTF8.self) != nil else { return "invalid UTF-8" }
        return queryFault(of: target)
    }

    private static func queryFault(of target: String) -> String? {
        guard let mark = target.utf8.firstIndex(of: UInt8(ascii: "?")) else { return nil }
        let query = target[target.index(after: mark)...]
        var names: Set<String> = []
        for parameter in query.split(separator: "&") {
            guard names.count < parameterCountMax else {
                return "over \(parameterCountMax) parameters"
            }
            let name = parameter.prefix { $0 != "=" }
            // Which of two would count depends on the reader, so none does.
            guard names.insert(name.removingPercentEncoding ?? String(name)).inserted else {
                return "the parameter \"\(name.prefix(64))\" stands twice"
            }
        }
        return nil
    }

    private static func hexValue(_ byte: UInt8) -> UInt8? {
        switch byte {
        case UInt8(ascii: "0")...UInt8(ascii: "9"): byte - 0x30
        case UInt8(ascii: "a")...UInt8(ascii: "f"): byte - 0x57
        case UInt8(ascii: "A")...UInt8(ascii: "F"): byte - 0x37
        default: nil
        }
    }
}
