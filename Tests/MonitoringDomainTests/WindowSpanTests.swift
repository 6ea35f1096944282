import MonitoringDomain
import MonitoringTestSupport
import Testing

@Suite struct WindowSpanTests {
    @Test(arguments: [
        ("5m", "2026-11-23T10:07:59Z", "2026-11-23T10:05:00Z", "2026-11-23T10:10:00Z"),
        ("1h", "2026-11-23T10:00:00Z", "2026-11-23T10:00:00Z", "2026-11-23T11:00:00Z"),
        ("1d", "2026-11-23T23:59:59.999Z", "2026-11-23T00:00:00Z", "2026-11-24T00:00:00Z"),
        ("1d", "1969-12-31T23:59:59.999Z", "1969-12-31T00:00:00Z", "1970-01-01T00:00:00Z"),
        ("1d", "1969-12-31T00:00:00Z", "1969-12-31T00:00:00Z", "1970-01-01T00:00:00Z"),
        // 2026-11-23 is a Monday.
        ("1w", "2026-11-23T00:00:00Z", "2026-11-23T00:00:00Z", "2026-11-30T00:00:00Z"),
        ("1w", "2026-11-22T23:59:59Z", "2026-11-16T00:00:00Z", "2026-11-23T00:00:00Z"),
        ("7d", "2026-11-29T12:00:00Z", "2026-11-23T00:00:00Z", "2026-11-30T00:00:00Z"),
        ("1w", "1970-01-01T00:00:00Z", "1969-12-29T00:00:00Z", "1970-01-05T00:00:00Z"),
        ("1w", "1969-12-28T23:59:59Z", "1969-12-22T00:00:00Z", "1969-12-29T00:00:00Z"),
        ("1mo", "2024-02-29T12:00:00Z", "2024-02-01T00:00:00Z", "2024-03-01T00:00:00Z"),
        ("1mo", "2026-12-31T23:59:59Z", "2026-12-01T00:00:00Z", "2027-01-01T00:00:00Z"),
        ("1mo", "1969-12-31T23:59:59Z", "1969-12-01T00:00:00Z", "1970-01-01T00:00:00Z"),
        ("1mo", "1900-02-28T00:00:00Z", "1900-02-01T00:00:00Z", "1900-03-01T00:00:00Z"),
    ])
    func `a window is aligned`(span: String, time: String, start: String, end: String) throws {
        let span = try #require(WindowSpan(span))
        let time = try #require(EventTime(rfc3339: Array(time.utf8)))

        let window = span.window(containing: time)

        #expect(window.start.description == start)
        #expect(window.end.description == end)
        #expect(window.contains(time))
        #expect(!window.contains(window.end))
    }

    @Test(arguments: ["1s", "5m", "90m", "1h", "1d", "1w", "3w", "1mo"])
    func `windows tile time without gap or overlap`(text: String) throws {
        let span = try #require(WindowSpan(text))
        var random = SeededGenerator(seed: 7)

        for _ in 0..<200 {
            let time = EventTime(
                milliseconds: .random(in: -4_000_000_000_000...4_000_000_000_000, using: &random))
            let window = span.window(containing: time)

            #expect(window.contains(time))
            #expect(span.window(containing: window.end).start == window.end)
            #expect(span.window(containing: window.end.advanced(byMilliseconds: -1)) == window)
        }
    }

    @Test(arguments: [
        ("60s", "1m"), ("90m", "90m"), ("60m", "1h"), ("24h", "1d"), ("7d", "1w"), ("1w", "1w"),
        ("1mo", "1mo"), ("3660d", "3660d"),
    ])
    func `a span's text is in the largest unit`(text: String, expected: String) {
        #expect(WindowSpan(text)?.text == expected)
    }

    @Test(arguments: [
        "", "h", "0h", "-1h", "+1h", "1", "1.5h", "1y", "2mo", "1 h", " 1h", "1h ", "1e3s", "3661d",
        "9223372036854775807w", "99999999999999999999s", "１h",
    ])
    func `what is not a span is refused`(text: String) {
        #expect(WindowSpan(text) == nil)
    }

    @Test(arguments: UInt64(0)..<4)
    func `a date of the calendar reads back as itself`(seed: UInt64) {
        var random = SeededGenerator(seed: seed)

        for _ in 0..<500 {
            let number = Int64.random(in: -1_000_000...3_000_000, using: &random)
            let date = CivilDate(dayNumber: number)

            #expect(date.dayNumber == number)
            #expect((1...12).contains(date.month))
            #expect((1...CivilDate.dayCount(year: date.year, month: date.month)).contains(date.day))
        }
    }
}
