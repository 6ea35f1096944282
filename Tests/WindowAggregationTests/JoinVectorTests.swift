import Foundation
import MonitoringDomain
import MonitoringTestSupport
import Testing

@testable import WindowAggregation

/// The hand-sized stream of `vectors/join.json`, one record at a time.
@Suite(.enabled(if: Repository.hasStreams, "the vectors are not beside the repository"))
struct JoinVectorTests {
    private struct Vector: Decodable {
        struct Event: Decodable {
            struct Prediction: Decodable {
                let label: Int
                let score: Double
            }

            let kind: String
            let id: String
            let ts: String
            let prediction: Prediction?
            let label: Int?
        }

        struct Expected: Decodable {
            let predictions: Int
            let joined: Int
            let duplicate_labels: Int
            let orphan_labels: UInt64
            let unlabelled_ids: [String]
            let errors_by_id: [String: Int]
        }

        let name: String
        let events: [Event]
        let expected_at_end: Expected
    }

    @Test func `labels before predictions, repeats and orphans are counted as the vector says`()
        throws
    {
        let file = Repository.streams.appendingPathComponent("vectors/join.json")
        let vectors = try JSONDecoder().decode([Vector].self, from: Data(contentsOf: file))
        for vector in vectors {
            var join = OutcomeJoin()
            var (predicted, duplicates, errors) = (Set<String>(), 0, [String: Int]())
            for event in vector.events {
                let time = try #require(EventTime(rfc3339: event.ts.utf8)).milliseconds
                let identity = RecordIdentity(
                    high: 1, low: UInt64(event.id.utf8.reduce(0) { $0 * 256 + Int($1) }))
                func count(_ outcome: Outcome) {
                    errors[event.id] = outcome.predictedLabel == outcome.truthLabel ? 0 : 1
                    // It belongs to the window of its prediction.
                    let own = vector.events.first { $0.id == event.id && $0.prediction != nil }
                    #expect(own.flatMap { EventTime(rfc3339: $0.ts.utf8) } == outcome.time)
                }
                if let prediction = event.prediction {
                    var batch = try Samples.batch([
                        Sample(time: time, label: "\(prediction.label)", score: prediction.score)
                    ])
                    batch.identities = [identity]
                    let admission = join.admit(batch)
                    if !admission.rows.isEmpty { predicted.insert(event.id) }
                    admission.outcomes.forEach(count)
                } else {
                    var batch = GroundTruthBatch(model: try Samples.schema().model)
                    batch.identities = [identity]
                    batch.times = [time]
                    batch.labels = Samples.column([try "\(#require(event.label))"])
                    batch.values = [.nan]
                    batch.revisions = [0]
                    join.observe(batch) { change in
                        if change.isDuplicate { duplicates += 1 }
                        if let added = change.added { count(added) }
                    }
                }
            }
            let expected = vector.expected_at_end
            #expect(predicted.count == expected.predictions)
            #expect(errors.count == expected.joined)
            #expect(errors == expected.errors_by_id)
            #expect(duplicates == expected.duplicate_labels)
            #expect(join.tally.unmatchedTruths == expected.orphan_labels)
            #expect(predicted.subtracting(errors.keys).sorted() == expected.unlabelled_ids)
        }
    }
}
