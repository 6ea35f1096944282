import Foundation
import MonitoringDomain

/// This is what the demo tells: one line per thing that happens, as it happens.
struct DemoStory {
    /// Who speaks: the world and the trainer are the demo's, the rest is what Leeway said.
    enum Speaker: String {
        case world = "world"
        case leeway = "Leeway"
        case trainer = "trainer"
    }

    /// Without news the story shows that it goes on, so often.
    private static let progressInterval = Duration.seconds(2)

    private let output: FileHandle
    private let isTerminal: Bool
    private let isColored: Bool
    private let start: Int64
    private let days: Int64
    private var hasProgressLine = false
    private var lastLine = ContinuousClock.now

    /// Tells to `output`: standard output, or standard error when that is for the JSON object.
    init(world: World, output: FileHandle, isColored: Bool) {
        self.output = output
        isTerminal = isatty(output.fileDescriptor) == 1
        self.isColored = isColored && isTerminal
        start = world.start
        days = (world.end - world.start) / WindowSpan.day + 1
    }

    /// Prints a line as it is.
    mutating func say(_ text: String = "") {
        write(text + "\n")
    }

    /// Prints what `speaker` did at `time`.
    mutating func tell(_ speaker: Speaker, _ text: String, at time: Int64) {
        let name = speaker.rawValue.padding(toLength: 7, withPad: " ", startingAt: 0)
        let color =
            switch speaker {
            case .world: "33"
            case .leeway: "36"
            case .trainer: "32"
            }
        let shown = isColored ? "\u{1B}[\(color)m\(name)\u{1B}[0m" : name
        let lines = text.split(separator: "\n", omittingEmptySubsequences: false)
        let moment = clock(time)
        let indent = String(repeating: " ", count: moment.count)
        for (index, line) in lines.enumerated() {
            write("\(index == 0 ? moment : indent)  \(index == 0 ? shown : "       ")  \(line)\n")
        }
    }

    /// Shows how far event time is: a line that is written over on a terminal, a line now and then in a
    /// pipe.
    mutating func progress(at time: Int64, _ text: String) {
        guard isTerminal || lastLine.duration(to: .now) >= Self.progressInterval else { return }
        if isTerminal {
            output.write(Data("\r\u{1B}[K\(clock(time))  of \(days) days  \(text)".utf8))
            hasProgressLine = true
        } else {
            write("\(clock(time))  …        \(text)\n")
        }
    }

    /// This is event time as a day of the story and an hour.
    func clock(_ time: Int64) -> String {
        let elapsed = time - start
        let day = EventTime(milliseconds: elapsed).dayNumber
        let minute = (elapsed - day * WindowSpan.day) / WindowSpan.minute
        func padded(_ value: Int64, _ width: Int, _ pad: String) -> String {
            let digits = String(value)
            return String(repeating: pad, count: max(0, width - digits.count)) + digits
        }
        return "day \(padded(day, 3, " ")) \(padded(minute / 60, 2, "0")):"
            + padded(minute % 60, 2, "0")
    }

    private mutating func write(_ text: String) {
        let clear = hasProgressLine ? "\r\u{1B}[K" : ""
        hasProgressLine = false
        lastLine = .now
        output.write(Data((clear + text).utf8))
    }
}

/// This is a span of event time as a person would say it.
func spoken(_ milliseconds: Int64) -> String {
    let hours = Double(milliseconds) / Double(WindowSpan.hour)
    return hours < 48 ? "\(decimal(hours, 0)) h" : "\(decimal(hours / 24, 1)) days"
}

/// This is `value` with `digits` digits after the point.
func decimal(_ value: Double, _ digits: Int) -> String {
    value.isNaN ? "–" : String(format: "%.\(digits)f", value)
}
