import Foundation
import MonitorCore
import MonitoringDomain
import RecordCoding

/// This measures the way of a record from NDJSON bytes to profiles, and beside it, in the same run, its
/// two limits: merely decoding, and merely reading the bytes.
public enum PathBenchmark {
    /// Records per run; about 110 MB of NDJSON.
    static let recordCount = 200_000
    static let repetitionCount = 5

    /// Runs every case in turn, each several times.
    public static func run() throws -> [BenchmarkResult] {
        let bytes = SyntheticRecords.ndjson(count: recordCount, seed: 1)
        let chunks = Self.chunks(of: bytes)
        let megabytes = Double(bytes.count) / 1e6
        let clock = ContinuousClock()
        func best(_ body: () throws -> Void) rethrows -> Double {
            var times: [Double] = []
            for _ in 0..<repetitionCount {
                let duration = try clock.measure(body)
                times.append(
                    Double(duration.components.seconds)
                        + Double(duration.components.attoseconds) / 1e18)
            }
            times.sort()
            return times[times.count / 2]
        }
        let sweep = best { blackHole(Self.sum(bytes)) }
        let decode = try best {
            var decoder = RecordDecoder(limits: DecodingLimits(rowCountMax: .max))
            for chunk in chunks {
                blackHole(try Self.decode(chunk, &decoder).count)
            }
        }
        let path = try best {
            var decoder = RecordDecoder(limits: DecodingLimits(rowCountMax: .max))
            var monitor = Monitor(clock: .event)
            var position: Int64 = 0
            for chunk in chunks {
                for batch in try Self.decode(chunk, &decoder) {
                    position += 1
                    _ = monitor.apply(.predictions(batch), at: position)
                }
            }
            blackHole(Int(monitor.position))
        }
        func result(_ name: String, _ seconds: Double) -> [BenchmarkResult] {
            [
                BenchmarkResult(
                    "path", name, Double(recordCount) / seconds, "records/s",
                    [("decode", decode / seconds), ("memory sweep", sweep / seconds)]),
                BenchmarkResult("path", name, megabytes / seconds, "MB/s"),
            ]
        }
        return result("replay: bytes to profiles", path) + result("decode only", decode)
            + result("memory sweep", sweep)
    }

    private static func decode(
        _ chunk: [UInt8], _ decoder: inout RecordDecoder
    ) throws -> [PredictionBatch] {
        try decoder.decodePredictions(
            chunk, kind: .predictions, defaultModel: nil, arrival: EventTime(milliseconds: 0),
            kindOf: { _, _ in nil })
    }

    private static func chunks(of bytes: [UInt8]) -> [[UInt8]] {
        var chunks: [[UInt8]] = []
        var start = 0
        while start < bytes.count {
            var end = min(start + (1 << 20), bytes.count)
            while end < bytes.count, bytes[end - 1] != 0x0A { end += 1 }
            chunks.append(Array(bytes[start..<end]))
            start = end
        }
        return chunks
    }

    private static func sum(_ bytes: [UInt8]) -> UInt64 {
        bytes.withUnsafeBytes { raw in
            var total = SIMD8<UInt64>()
            var offset = 0
            while offset + 64 <= raw.count {
                total &+= raw.loadUnaligned(fromByteOffset: offset, as: SIMD8<UInt64>.self)
                offset += 64
            }
            return total.wrappedSum()
        }
    }
}
