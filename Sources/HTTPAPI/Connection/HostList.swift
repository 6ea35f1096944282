/// This is the list of names under which the server may be asked for, against DNS rebinding: a page
/// of another site whose name was pointed at our address.
public struct HostList: Sendable {
    /// True where the list holds for every request; else for the page and for browsers.
    public var isStrict: Bool
    private let names: Set<String>
    private let allowsAll: Bool

    /// Makes a list of our own names, the address that is listened on, and `others`; `*` is any name.
    public init(listening host: String, isLoopback: Bool, others: [String]) {
        isStrict = !isLoopback
        names = Set((others + [host, "localhost"]).map { Self.bare($0.lowercased()) })
        allowsAll = others.contains("*")
    }

    /// True where the field's value, a name or an address with or without a port, is ours.
    ///
    /// An address in numbers is always ours: rebinding needs a name.
    func contains(_ field: String) -> Bool {
        if allowsAll { return true }
        let host = Self.bare(field.lowercased())
        if names.contains(host) { return true }
        if host.hasPrefix("[") { return true }
        let parts = host.split(separator: ".", omittingEmptySubsequences: false)
        return parts.count == 4 && parts.allSatisfy { UInt8($0) != nil }
    }

    /// This is the value without its port.
    private static func bare(_ field: String) -> String {
        if field.hasPrefix("["), let end = field.firstIndex(of: "]") {
            return String(field[...end])
        }
        guard let colon = field.lastIndex(of: ":") else { return field }
        return String(field[..<colon])
    }

    /// True where the value can be a host at all (RFC 9110 section 7.2).
    static func isHost(_ field: String) -> Bool {
        guard !field.isEmpty, field.utf8.count <= 255 else { return false }
        let host = bare(field)
        let rest = field.dropFirst(host.count)
        guard rest.isEmpty || rest.first == ":" else { return false }
        // A colon with nothing behind it is allowed.
        let port = rest.dropFirst()
        guard
            port.isEmpty
                || port.utf8.allSatisfy({ $0 >= 0x30 && $0 <= 0x39 }) && UInt16(port) != nil
        else { return false }
        if host.hasPrefix("[") {
            return host.hasSuffix("]") && host.utf8.count > 3
                && host.utf8.dropFirst().dropLast().allSatisfy {
                    isHex($0) || $0 == 0x3A || $0 == 0x2E
                }
        }
        return host.utf8.contains { isLetterOrDigit($0) }
            && host.utf8.allSatisfy {
                isLetterOrDigit($0) || $0 == UInt8(ascii: "-") || $0 == UInt8(ascii: ".")
                    || $0 == UInt8(ascii: "_")
            }
    }

    private static func isHex(_ byte: UInt8) -> Bool {
        switch byte {
        case UInt8(ascii: "0")...UInt8(ascii: "9"), UInt8(ascii: "a")...UInt8(ascii: "f"),
            UInt8(ascii: "A")...UInt8(ascii: "F"):
            true
        default: false
        }
    }

    private static func isLetterOrDigit(_ byte: UInt8) -> Bool {
        switch byte {
        case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "A")...UInt8(ascii: "Z"),
            UInt8(ascii: "0")...UInt8(ascii: "9"):
            true
        default: false
        }
    }
}
