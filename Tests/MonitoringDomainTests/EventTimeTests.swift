import Foundation
import MonitoringDomain
import MonitoringTestSupport
import Testing

@Suite struct EventTimeTests {
    @Test(
        arguments: [
            ("1970-01-01T00:00:00Z", 0),
            ("1969-12-31T23:59:59.999Z", -1),
            ("1996-05-07T00:00:00Z", 831_427_200_000),
            ("2000-02-29T12:34:56.789Z", 951_827_696_789),
            ("1949-01-01T12:00:00Z", -662_644_800_000),
            ("0000-01-01T00:00:00Z", -62_167_219_200_000),
            ("9999-12-31T23:59:59Z", 253_402_300_799_000),
            // Lower case is RFC 3339, section 5.6.
            ("2026-11-23t10:00:00z", 1_795_428_000_000),
            ("2026-11-23T10:00:00-00:00", 1_795_428_000_000),
            ("2026-11-23T10:00:00+00:00", 1_795_428_000_000),
            ("2026-11-23T12:30:00+02:30", 1_795_428_000_000),
            ("2026-11-23T00:00:00-10:00", 1_795_428_000_000),
            ("2026-11-24T09:59:00+23:59", 1_795_428_000_000),
            // Nanoseconds are rounded down, before 1970 too.
            ("2026-11-23T10:00:00.1Z", 1_795_428_000_100),
            ("2026-11-23T10:00:00.123999999Z", 1_795_428_000_123),
            ("1969-12-31T23:59:59.9999Z", -1),
            // A real leap second is the next second, in any offset.
            ("2016-12-31T23:59:60Z", 1_483_228_800_000),
            ("2017-01-01T01:59:60+02:00", 1_483_228_800_000),
            ("2015-06-30T23:59:60.999Z", 1_435_708_800_999),
            ("2024-02-29T00:00:00Z", 1_709_164_800_000),
        ] as [(String, Int64)])
    func `an RFC 3339 text is the instant it names`(text: String, milliseconds: Int64) {
        #expect(EventTime(rfc3339: Array(text.utf8))?.milliseconds == milliseconds)
    }

    @Test(arguments: [
        "", "2026", "2026-11-23", "2026-11-23T10:00:00", "2026-11-23T10:00Z",
        "10000-01-01T00:00:00Z", "-0001-01-01T00:00:00Z", "+12026-01-01T00:00:00Z",
        "2026-13-01T00:00:00Z", "2026-00-01T00:00:00Z", "2026-01-00T00:00:00Z",
        "2026-02-30T00:00:00Z", "2026-04-31T00:00:00Z", "2023-02-29T00:00:00Z",
        "1900-02-29T00:00:00Z", "2026-01-01T00:60:00Z", "2026-01-01T24:00:00Z",
        "2026-01-01T25:00:00Z", "2026-01-01T12:30:60Z",
        "2026-01-01T23:59:60Z", "2016-12-30T23:59:60Z", "2016-12-31T23:59:60+01:00",
        "2026-01-01T23:59:61Z",
        "2026-01-01T00:00:00+99:99", "2026-01-01T00:00:00+24:00", "2026-01-01T00:00:00+02",
        "2026-01-01T00:00:00+0200", "2026-01-01T00:00:00.Z", "2026-01-01T00:00:00.1234567890Z",
        "2026-01-01T00:00:00.123456789012345678901234567890Z", "2026-01-01 00:00:00Z",
        " 2026-01-01T00:00:00Z", "2026-01-01T00:00:00Z ", "２０２６-01-01T00:00:00Z",
        "2026-01-01T00:00:00ZZ", "2026-1-1T0:0:0Z", "1795428000", "2026-01-01T00:00:00,5Z",
    ])
    func `what is not RFC 3339 is refused`(text: String) {
        #expect(EventTime(rfc3339: Array(text.utf8)) == nil)
    }

    @Test func `every prefix of a valid text is refused`() {
        let bytes = Array("2016-12-31T23:59:60.125+00:00".utf8)

        for count in 0..<bytes.count {
            #expect(EventTime(rfc3339: bytes[..<count]) == nil, "\(count) bytes")
        }
    }

    @Test(arguments: UInt64(0)..<16)
    func `a written instant reads back as itself`(seed: UInt64) {
        var random = SeededGenerator(seed: seed)
        let range = Int64(-62_167_219_200_000)...253_402_300_799_999

        for _ in 0..<200 {
            let time = EventTime(milliseconds: .random(in: range, using: &random))

            #expect(EventTime(rfc3339: Array(time.description.utf8)) == time)
        }
    }

    @Test(
        arguments: [
            (5, 3, 2), (3, 5, -2), (.max, .min, .max), (.min, .max, .min), (.max, -1, .max),
            (.min, 1, .min), (0, .min, .max), (-1, .min, .max), (0, .max, -.max),
        ] as [(Int64, Int64, Int64)])
    func `a distance saturates at the ends of the range`(to: Int64, from: Int64, expected: Int64) {
        let distance = EventTime(milliseconds: to).milliseconds(
            since: EventTime(milliseconds: from))

        #expect(distance == expected)
    }

    @Test func `moving saturates at the ends of the range`() {
        let last = EventTime(milliseconds: .max)
        let first = EventTime(milliseconds: .min)

        #expect(last.advanced(byMilliseconds: 1) == last)
        #expect(first.advanced(byMilliseconds: -1) == first)
        #expect(EventTime(milliseconds: -1).dayNumber == -1)
        #expect(EventTime(milliseconds: 86_400_000).dayNumber == 1)
    }
}

/// Times and windows that Python's `datetime` gave.
@Suite(.enabled(if: Repository.hasStreams, "the real streams are not beside the repository"))
struct TimeVectorTests {
    struct Vectors: Decodable {
        struct Instant: Decodable {
            let ts: String
            let ms: Int64
            let back: String
        }
        struct Windows: Decodable {
            let ts: [String]
            let expected: [String: [Expected]]
        }
        struct Expected: Decodable {
            let start: String
            let end: String
            let n: Int
        }
        let timestamps: [Instant]
        let windows: [Windows]
    }

    let vectors: Vectors

    init() throws {
        let file = Repository.streams.appendingPathComponent("vectors/time.json")
        vectors = try JSONDecoder().decode(Vectors.self, from: Data(contentsOf: file))
    }

    @Test func `timestamps are the vectors'`() {
        for instant in vectors.timestamps {
            let time = EventTime(rfc3339: Array(instant.ts.utf8))

            #expect(time?.milliseconds == instant.ms)
            #expect(time?.description == instant.back)
        }
    }

    @Test(arguments: [("day", "1d"), ("week", "1w"), ("month", "1mo")])
    func `windows are the vectors'`(name: String, span: String) throws {
        let span = try #require(WindowSpan(span))

        for windows in vectors.windows {
            let times = windows.ts.compactMap { EventTime(rfc3339: Array($0.utf8)) }
            for expected in windows.expected[name] ?? [] {
                let start = try #require(EventTime(rfc3339: Array(expected.start.utf8)))
                let window = span.window(containing: start)

                #expect(window.start.description == expected.start)
                #expect(window.end.description == expected.end)
                #expect(times.count { window.contains($0) } == expected.n)
            }
        }
    }
}
