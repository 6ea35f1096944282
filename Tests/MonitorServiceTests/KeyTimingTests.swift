import Foundation
import MonitorService
import MonitoringTestSupport
import Testing

/// SE-5: the time of a refusal says nothing of the keys.
@Suite struct KeyTimingTests {
    private static let sampleCount = 10_000
    /// A difference that is real is there in each round; one that a busy machine makes is not.
    private static let roundCount = 6
    private static let scoreMax = 4.5

    /// The largest score of Welch's t of any two of the questions, each asked `sampleCount` times, in random
    /// order.
    ///
    /// Times above the 90th percentile of all are left out, as interruptions.
    private func largestScore(
        _ questions: [() -> Void], _ random: inout SeededGenerator
    ) -> Double {
        let order = questions.indices.flatMap {
            [Int](repeating: $0, count: Self.sampleCount)
        }.shuffled(using: &random)
        var times: [[UInt64]] = questions.map { _ in [] }
        for question in order {
            let start = clock_gettime_nsec()
            questions[question]()
            times[question].append(clock_gettime_nsec() - start)
        }
        let all = times.flatMap { $0 }.sorted()
        let limit = all[all.count * 9 / 10]
        let moments = times.map { moment(of: $0.filter { $0 <= limit }.map { Double($0) }) }
        var largest = 0.0
        for (place, left) in moments.enumerated() {
            for right in moments[(place + 1)...] {
                let deviation =
                    (left.variance / left.count + right.variance / right.count).squareRoot()
                largest = max(largest, abs(left.mean - right.mean) / max(deviation, 1e-9))
            }
        }
        return largest
    }

    private func moment(of values: [Double]) -> (count: Double, mean: Double, variance: Double) {
        let count = Double(values.count)
        let mean = values.reduce(0, +) / count
        let squares = values.reduce(0) { $0 + ($1 - mean) * ($1 - mean) }
        return (count, mean, squares / max(1, count - 1))
    }

    private func clock_gettime_nsec() -> UInt64 {
        var time = timespec()
        clock_gettime(CLOCK_MONOTONIC, &time)
        return UInt64(time.tv_sec) * 1_000_000_000 + UInt64(time.tv_nsec)
    }

    /// `text` with another character of the alphabet at `place`.
    private func changed(_ text: String, at place: Int) -> String {
        var bytes = Array(text.utf8)
        bytes[place] = bytes[place] == UInt8(ascii: "x") ? UInt8(ascii: "y") : UInt8(ascii: "x")
        return String(decoding: bytes, as: UTF8.self)
    }

    @Test(.timeLimit(.minutes(5)))
    func `an unknown id and a wrong secret take the same time, wherever it is wrong`() throws {
        let folder = try Repository.temporaryFolder("key-timing")
        defer { try? FileManager.default.removeItem(at: folder) }
        let store = KeyStore(directory: folder.path)
        let now = WallClock.now()
        for _ in 0..<3 { _ = try store.create(scope: .read, name: "other", at: now) }
        let token = try #require(try store.create(scope: .read, name: "one", at: now).token)
        let idStart = 4
        let secretStart = idStart + 12 + 1
        let wrong = [
            changed(token, at: idStart), changed(token, at: idStart + 11),
            changed(token, at: secretStart), changed(token, at: token.utf8.count - 1),
        ]
        #expect(store.key(for: token, at: now) != nil)
        for text in wrong { #expect(store.key(for: text, at: now) == nil) }
        var foundCount = 0
        func asking(_ text: String) -> () -> Void {
            { if store.key(for: text, at: now) != nil { foundCount += 1 } }
        }
        var random = SeededGenerator(seed: 5)

        var scores: [Double] = []
        while scores.count < Self.roundCount, scores.last.map({ $0 >= Self.scoreMax }) ?? true {
            scores.append(largestScore(wrong.map(asking), &random))
        }

        #expect(scores.last.map { $0 < Self.scoreMax } ?? false, "Welch's t: \(scores)")
        #expect(foundCount == 0)
        // The measurement sees what is there: a token whose form is wrong is not hashed.
        let control = largestScore([asking(wrong[0]), asking(token + "x")], &random)
        #expect(control > Self.scoreMax, "Welch's t: \(control)")
    }
}
