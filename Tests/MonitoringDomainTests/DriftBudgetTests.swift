import MonitoringDomain
import Testing

@Suite struct DriftBudgetTests {
    @Test func `a day has 24 classes of hours, a week 168, and windows of a season's length one`() {
        #expect(DriftSeason.day.classCount(span: WindowSpan.hour) == 24)
        #expect(DriftSeason.week.classCount(span: WindowSpan.hour) == 168)
        #expect(DriftSeason.week.classCount(span: WindowSpan.day) == 7)
        #expect(DriftSeason.week.classCount(span: WindowSpan.week) == 1)
        #expect(DriftSeason.week.classCount(span: WindowSpan.minute) == 168)
        #expect(DriftSeason.none.classCount(span: WindowSpan.hour) == 1)
    }

    @Test func `weeks start on Monday, also before 1970`() throws {
        // A Monday, and the one before 1970-01-05.
        for text in ["2026-11-23T00:00:00Z", "1969-12-29T00:00:00Z"] {
            let monday = try #require(EventTime(rfc3339: Array(text.utf8)))
            for day in 0..<Int64(14) {
                let start = monday.advanced(byMilliseconds: day * WindowSpan.day)
                #expect(DriftSeason.week.classIndex(of: start, span: WindowSpan.day) == day % 7)
                #expect(DriftSeason.day.classIndex(of: start, span: WindowSpan.hour) == 0)
            }
        }
    }

    @Test func `one stream alone raises an alarm at the number of streams over the level`() {
        let finding = DriftFinding(
            null: .rows, level: 0.01, tolerance: 0, streamCount: 20, streams: [])

        #expect(finding.alarmAt == 2_000)
        #expect(!finding.isAlarm)
    }
}
