import Foundation

/// This is a plain socket that sends requests and reads answers, one after another, kept alive.
final class LoadConnection {
    private let descriptor: Int32
    private var buffer = [UInt8](repeating: 0, count: 1 << 16)

    init(port: UInt16) throws {
        descriptor = socket(AF_INET, Int32(SOCK_STREAM.rawValue), 0)
        guard connectToLoopback(descriptor, port: port) == 0 else {
            throw BenchmarkError("connect: errno \(errno)")
        }
    }

    deinit { close(descriptor) }

    static func head(_ path: String, size: Int) -> [UInt8] {
        Array(
            ("POST \(path) HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Type: application/x-ndjson\r\n"
                + "Content-Length: \(size)\r\n\r\n").utf8)
    }

    func send(_ bytes: [UInt8]) throws {
        try bytes.withUnsafeBytes { raw in
            var sent = 0
            while sent < raw.count, let base = raw.baseAddress {
                let count = Glibc.send(
                    descriptor, base + sent, raw.count - sent, Int32(MSG_NOSIGNAL))
                guard count > 0 else { throw BenchmarkError("send: errno \(errno)") }
                sent += count
            }
        }
    }

    /// This is the next answer's status and body.
    func receive() throws -> (status: Int, body: String) {
        var text = ""
        while true {
            let count = recv(descriptor, &buffer, buffer.count, 0)
            guard count > 0 else { throw BenchmarkError("the server closed: errno \(errno)") }
            text += String(decoding: buffer[..<count], as: UTF8.self)
            guard let end = text.range(of: "\r\n\r\n") else { continue }
            let head = text[..<end.lowerBound].lowercased()
            let words = head.split(separator: " ", maxSplits: 2)
            guard words.count > 1, let status = Int(words[1]),
                let field = head.range(of: "content-length: ")
            else { throw BenchmarkError("an answer without a length: \(head)") }
            let digits = head[field.upperBound...].prefix { $0.isNumber }
            let body = text[end.upperBound...]
            if body.utf8.count >= Int(digits) ?? 0 { return (status, String(body)) }
        }
    }
}

/// This is bodies of records whose ids and times are set anew each time, in place.
struct RecordBodies {
    private(set) var bytes: [UInt8]
    private let idStarts: [Int]
    private let timeStarts: [Int]
    let headSize: Int

    var recordCount: Int { idStarts.count }

    /// Makes a request of `count` records, each followed by so many spaces.
    init(count: Int, seed: UInt64, padding: Int = 0) {
        var body = SyntheticRecords.ndjson(count: count, seed: seed)
        if padding > 0 {
            let spaces = [UInt8](repeating: 0x20, count: padding)
            body = Array(
                body.split(separator: 0x0A).joined(separator: spaces + [0x0A]) + spaces + [0x0A])
        }
        let head = LoadConnection.head("/v1/predictions", size: body.count)
        let request = head + body
        func places(of text: String) -> [Int] {
            let pattern = Array(text.utf8)
            return request.indices.filter { request[$0...].starts(with: pattern) }.map {
                $0 + pattern.count
            }
        }
        idStarts = places(of: "\"id\":\"p-")
        timeStarts = places(of: "\"ts\":\"")
        bytes = request
        headSize = head.count
    }

    /// Gives the records the ids from `first` on, and the event time `second` of a long day.
    mutating func renew(first: Int, second: Int) {
        let base = 1_795_392_000 + second
        var time = time_t(base)
        var parts = tm()
        gmtime_r(&time, &parts)
        func put(_ value: Int, _ digits: Int, at place: Int) {
            var rest = value
            for offset in (0..<digits).reversed() {
                bytes[place + offset] = 0x30 + UInt8(rest % 10)
                rest /= 10
            }
        }
        for index in idStarts.indices {
            put(first + index, SyntheticRecords.idDigitCount, at: idStarts[index])
            let start = timeStarts[index]
            put(Int(parts.tm_mday), 2, at: start + 8)
            put(Int(parts.tm_hour), 2, at: start + 11)
            put(Int(parts.tm_min), 2, at: start + 14)
            put(Int(parts.tm_sec), 2, at: start + 17)
        }
    }

    /// This is the ground truth of the records from `first` on, as one request.
    static func groundTruth(first: Int, count: Int, second: Int) -> [UInt8] {
        var text = ""
        for number in first..<first + count {
            let digits = String(number)
            let id =
                String(repeating: "0", count: SyntheticRecords.idDigitCount - digits.count) + digits
            text += "{\"id\":\"p-\(id)\",\"ts\":\((1_795_392_000 + second) * 1_000),"
            text += "\"model\":\"credit\",\"label\":\(number % 2)}\n"
        }
        let body = Array(text.utf8)
        return LoadConnection.head("/v1/ground-truth", size: body.count) + body
    }
}

/// Connects a socket to a port of this machine, without Nagle's delay; what `connect` returned.
func connectToLoopback(_ descriptor: Int32, port: UInt16) -> Int32 {
    var isOn: Int32 = 1
    setsockopt(
        descriptor, Int32(IPPROTO_TCP), TCP_NODELAY, &isOn, socklen_t(MemoryLayout<Int32>.size))
    var address = sockaddr_in()
    address.sin_family = sa_family_t(AF_INET)
    address.sin_port = port.bigEndian
    address.sin_addr.s_addr = UInt32(0x7F00_0001).bigEndian
    return withUnsafePointer(to: &address) { pointer in
        pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) {
            connect(descriptor, $0, socklen_t(MemoryLayout<sockaddr_in>.size))
        }
    }
}
