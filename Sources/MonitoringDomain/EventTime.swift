/// This is an instant of event time, in whole milliseconds since 1970-01-01T00:00:00Z (UTC, no leap
/// seconds); it may be negative.
public struct EventTime: Hashable, Comparable, Sendable {
    /// This is the distance from the epoch; negative before it.
    public var milliseconds: Int64

    /// Makes the instant `milliseconds` after the epoch.
    public init(milliseconds: Int64) { self.milliseconds = milliseconds }

    /// This is true when `left` is earlier.
    public static func < (left: EventTime, right: EventTime) -> Bool {
        left.milliseconds < right.milliseconds
    }

    /// This is the instant `duration` milliseconds later, saturating at the ends of the range.
    public func advanced(byMilliseconds duration: Int64) -> EventTime {
        let (sum, overflow) = milliseconds.addingReportingOverflow(duration)
        if overflow { return EventTime(milliseconds: duration > 0 ? .max : .min) }
        return EventTime(milliseconds: sum)
    }

    /// This is the number of milliseconds from `earlier` to here, saturating; negative when it is later.
    public func milliseconds(since earlier: EventTime) -> Int64 {
        let (difference, overflow) = milliseconds.subtractingReportingOverflow(earlier.milliseconds)
        if overflow { return earlier.milliseconds > 0 ? .min : .max }
        return difference
    }
}

/// This is a half-open interval `[start, end)` of event time.
public struct TimeWindow: Hashable, Sendable {
    /// This is the first instant of the window.
    public let start: EventTime
    /// This is the first instant after the window.
    public let end: EventTime

    /// - Precondition: `start <= end`.
    public init(start: EventTime, end: EventTime) {
        precondition(start <= end, "window starts \(start) after its end \(end)")
        self.start = start
        self.end = end
    }

    /// This is true from `start` on and before `end`.
    public func contains(_ time: EventTime) -> Bool { start <= time && time < end }
}

/// This is a window's span: a fixed number of milliseconds, or a UTC calendar month.
public enum WindowSpan: Hashable, Sendable {
    case milliseconds(Int64)
    case month

    /// This is a minute in milliseconds.
    public static let minute: Int64 = 60_000
    /// This is an hour in milliseconds.
    public static let hour: Int64 = 3_600_000
    /// This is a UTC day in milliseconds.
    public static let day: Int64 = 86_400_000
    /// This is seven UTC days in milliseconds.
    public static let week: Int64 = 604_800_000

    /// Nil unless `text` is a positive whole number followed by `s`, `m`, `h`, `d`, `w`, or is `1mo`.
    public init?(_ text: String) {
        if text == "1mo" {
            self = .month
            return
        }
        guard let unit = text.utf8.last, let count = Int64(text.dropLast()), count > 0,
            text.utf8.first != UInt8(ascii: "+")
        else { return nil }
        let scale: Int64
        switch unit {
        case UInt8(ascii: "s"): scale = 1_000
        case UInt8(ascii: "m"): scale = Self.minute
        case UInt8(ascii: "h"): scale = Self.hour
        case UInt8(ascii: "d"): scale = Self.day
        case UInt8(ascii: "w"): scale = Self.week
        default: return nil
        }
        let (span, overflow) = count.multipliedReportingOverflow(by: scale)
        // Longer than ten years of 366 days is a slip of the unit, and keeps all arithmetic in range.
        guard !overflow, span <= 3_660 * Self.day else { return nil }
        self = .milliseconds(span)
    }

    /// This is the span in the largest unit that divides it: `90m`, `1d`, `1mo`.
    public var text: String {
        guard case .milliseconds(let span) = self else { return "1mo" }
        if span % Self.week == 0 { return "\(span / Self.week)w" }
        if span % Self.day == 0 { return "\(span / Self.day)d" }
        if span % Self.hour == 0 { return "\(span / Self.hour)h" }
        if span % Self.minute == 0 { return "\(span / Self.minute)m" }
        return "\(span / 1_000)s"
    }

    /// This is the aligned window that holds `time`: weeks start on Monday, months on the 1st, UTC.
    public func window(containing time: EventTime) -> TimeWindow {
        switch self {
        case .milliseconds(let span):
            // 1970-01-05 was the first Monday.
            let origin = span % Self.week == 0 ? 4 * Self.day : 0
            let shifted = time.milliseconds - origin
            let index = shifted >= 0 ? shifted / span : -((-shifted + span - 1) / span)
            let start = EventTime(milliseconds: index * span + origin)
            return TimeWindow(start: start, end: start.advanced(byMilliseconds: span))
        case .month:
            let date = CivilDate(dayNumber: time.dayNumber)
            let next =
                date.month == 12
                ? CivilDate(year: date.year + 1, month: 1, day: 1)
                : CivilDate(year: date.year, month: date.month + 1, day: 1)
            return TimeWindow(
                start: CivilDate(year: date.year, month: date.month, day: 1).startOfDay,
                end: next.startOfDay)
        }
    }
}

extension EventTime {
    /// This is the count of whole days since 1970-01-01, rounded down.
    public var dayNumber: Int64 {
        milliseconds >= 0
            ? milliseconds / WindowSpan.day
            : -((-milliseconds + WindowSpan.day - 1) / WindowSpan.day)
    }
}

/// This is a date of the proleptic Gregorian calendar.
///
/// Source: H. Hinnant, "chrono-Compatible Low-Level Date Algorithms", 2013.
public struct CivilDate: Hashable, Sendable {
    /// This is the astronomical year: 0 is 1 BC.
    public var year: Int64
    /// This is the month, 1...12.
    public var month: Int64
    /// This is the day of the month, 1...31.
    public var day: Int64

    /// Makes a date from its parts, which are not checked against the calendar.
    public init(year: Int64, month: Int64, day: Int64) {
        self.year = year
        self.month = month
        self.day = day
    }

    /// Makes the date that lies `dayNumber` days after 1970-01-01.
    public init(dayNumber: Int64) {
        let z = dayNumber + 719_468
        let era = (z >= 0 ? z : z - 146_096) / 146_097
        let dayOfEra = z - era * 146_097
        let yearOfEra =
            (dayOfEra - dayOfEra / 1_460 + dayOfEra / 36_524 - dayOfEra / 146_096) / 365
        let dayOfYear = dayOfEra - (365 * yearOfEra + yearOfEra / 4 - yearOfEra / 100)
        let shiftedMonth = (5 * dayOfYear + 2) / 153
        day = dayOfYear - (153 * shiftedMonth + 2) / 5 + 1
        month = shiftedMonth < 10 ? shiftedMonth + 3 : shiftedMonth - 9
        year = yearOfEra + era * 400 + (month <= 2 ? 1 : 0)
    }

    /// This is the count of days since 1970-01-01; negative before it.
    public var dayNumber: Int64 {
        let y = month <= 2 ? year - 1 : year
        let era = (y >= 0 ? y : y - 399) / 400
        let yearOfEra = y - era * 400
        let dayOfYear = (153 * (month > 2 ? month - 3 : month + 9) + 2) / 5 + day - 1
        let dayOfEra = yearOfEra * 365 + yearOfEra / 4 - yearOfEra / 100 + dayOfYear
        return era * 146_097 + dayOfEra - 719_468
    }

    /// This is midnight UTC at the day's start.
    public var startOfDay: EventTime { EventTime(milliseconds: dayNumber * WindowSpan.day) }

    /// This is the number of days of `month` in `year`.
    public static func dayCount(year: Int64, month: Int64) -> Int64 {
        switch month {
        case 2: (year % 4 == 0 && (year % 100 != 0 || year % 400 == 0)) ? 29 : 28
        case 4, 6, 9, 11: 30
        default: 31
        }
    }
}

extension EventTime: CustomStringConvertible {
    /// This is the RFC 3339 text in UTC: `2026-11-23T10:00:00Z`, with milliseconds only where needed.
    public var description: String {
        let date = CivilDate(dayNumber: dayNumber)
        let rest = milliseconds - dayNumber * WindowSpan.day
        func padded(_ value: Int64, _ width: Int) -> String {
            let digits = String(value)
            return String(repeating: "0", count: max(0, width - digits.count)) + digits
        }
        let fraction = rest % 1_000
        return padded(date.year, 4) + "-" + padded(date.month, 2) + "-" + padded(date.day, 2) + "T"
            + padded(rest / WindowSpan.hour, 2) + ":" + padded(rest / WindowSpan.minute % 60, 2)
            + ":"
            + padded(rest / 1_000 % 60, 2) + (fraction == 0 ? "" : "." + padded(fraction, 3)) + "Z"
    }

    /// Nil unless `bytes` is an RFC 3339 date-time of the years 0000 to 9999, with at most nine digits
    /// of fraction (rounded down to milliseconds) and an offset of at most ±23:59.
    ///
    /// A leap second is taken as the next second, and only where one can be: at 23:59:60 UTC of the last of
    /// June or December, as all have been.
    public init?(rfc3339 bytes: some Collection<UInt8>) {
        var cursor = bytes.startIndex
        func byte() -> UInt8? { cursor < bytes.endIndex ? bytes[cursor] : nil }
        func digits(_ count: Int) -> Int64? {
            var value: Int64 = 0
            for _ in 0..<count {
                guard let next = byte(), next >= 0x30, next <= 0x39 else { return nil }
                value = value * 10 + Int64(next - 0x30)
                cursor = bytes.index(after: cursor)
            }
            return value
        }
        func take(_ allowed: UInt8...) -> UInt8? {
            guard let next = byte(), allowed.contains(next) else { return nil }
            cursor = bytes.index(after: cursor)
            return next
        }
        guard let year = digits(4), take(0x2D) != nil, let month = digits(2), take(0x2D) != nil,
            let day = digits(2), take(0x54, 0x74) != nil, let hour = digits(2), take(0x3A) != nil,
            let minute = digits(2), take(0x3A) != nil, let second = digits(2),
            (1...12).contains(month), day >= 1, hour < 24, minute < 60, second <= 60,
            day <= CivilDate.dayCount(year: year, month: month)
        else { return nil }
        var millisecond: Int64 = 0
        if take(0x2E) != nil {
            var count = 0
            while let next = byte(), next >= 0x30, next <= 0x39 {
                count += 1
                guard count <= 9 else { return nil }
                if count <= 3 { millisecond = millisecond * 10 + Int64(next - 0x30) }
                cursor = bytes.index(after: cursor)
            }
            guard count > 0 else { return nil }
            for _ in stride(from: count, to: 3, by: 1) { millisecond *= 10 }
        }
        var offset: Int64 = 0
        guard let zone = take(0x5A, 0x7A, 0x2B, 0x2D) else { return nil }
        if zone == 0x2B || zone == 0x2D {
            guard let hours = digits(2), take(0x3A) != nil, let minutes = digits(2), hours < 24,
                minutes < 60
            else { return nil }
            offset = (hours * 60 + minutes) * WindowSpan.minute * (zone == 0x2B ? 1 : -1)
        }
        guard cursor == bytes.endIndex else { return nil }
        let days = CivilDate(year: year, month: month, day: day).dayNumber
        let seconds = hour * 3_600 + minute * 60 + second
        milliseconds = days * WindowSpan.day + seconds * 1_000 + millisecond - offset
        if second == 60 {
            let start = EventTime(milliseconds: milliseconds - millisecond)
            let date = CivilDate(dayNumber: start.dayNumber)
            guard date.startOfDay == start, date.day == 1, date.month == 1 || date.month == 7 else {
                return nil
            }
        }
    }
}
