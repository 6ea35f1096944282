import Foundation
import MonitoringTestSupport
import Testing

extension EndToEndTests {
    /// CB-1: a feature that never repeats itself.
    struct CategoryBombTests {
        private static let batchSize = 10_000

        @Test(.timeLimit(.minutes(6)))
        func `a million categories of one feature take no more room than a few`() throws {
            let site = try BadInputSite("bomb")
            let client = site.site.client
            for model in ["few", "many"] {
                try client.pinReference(
                    of: model,
                    (0..<50).map {
                        #"{"ts":\#(monday - 86_400_000),"model":"\#(model)","features":{"c":"v\#($0)"},"#
                            + #""prediction":{"label":1,"score":0.5},"label":1}"#
                    })
            }
            /// Sends batches, and returns by how much the process has grown.
            func growth(
                _ model: String, _ batchCount: Int, _ category: (Int) -> String
            ) throws -> Int {
                let before = site.residentSizeBytes
                for batch in 0..<batchCount {
                    let first = batch * Self.batchSize
                    let lines = (first..<first + Self.batchSize).map {
                        #"{"ts":\#(monday),"model":"\#(model)","features":{"c":"\#(category($0))"}}"#
                    }
                    let answer = try client.post("/v1/predictions", ndjson(lines))
                    #expect(answer.status == 202, "CB-1: \(answer.text.prefix(200))")
                }
                return site.residentSizeBytes - before
            }
            // What reading and storing need by themselves.
            let few = try growth("few", 20) { "v\($0 % 50)" }
            let many = try growth("many", 100) { "w\($0)" }

            #expect(many < few + (16 << 20), "CB-1: \(many) bytes, \(few) for few categories")
            let distinct = try client.measurements(
                of: "many", "window=1d&statistic=distinct&feature=c"
            ).first
            let (lower, upper) = (distinct?.lower ?? 0, distinct?.upper ?? 0)
            #expect(
                lower <= 1_000_000 && 1_000_000 <= upper && lower < upper, "CB-1: \(lower)…\(upper)"
            )
            // The error of the sketch is shown, and is small.
            #expect(upper - lower < 200_000, "CB-1")
            let unseen = try client.measurements(
                of: "many", "window=1d&statistic=unseen_rate,volume&feature=c")
            #expect(Set(unseen.map(\.value)) == [1, 1_000_000], "CB-1")
        }
    }
}
