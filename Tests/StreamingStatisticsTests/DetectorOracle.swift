import Foundation
import MonitoringTestSupport

/// This is a signal: a text of zeros and ones, or numbers.
struct Signal: Decodable {
    let values: [Double]

    init(from decoder: any Decoder) throws {
        let container = try decoder.singleValueContainer()
        if let text = try? container.decode(String.self) {
            values = text.utf8.map { Double($0) - 48 }
        } else {
            values = try container.decode([Double].self)
        }
    }
}

/// This is a long list, as its length and its beginning.
struct Firings<Row: Decodable & Equatable>: Decodable {
    let count: Int
    let first: [Row]

    private enum Key: String, CodingKey { case count, alarms, first }

    init(from decoder: any Decoder) throws {
        let container = try decoder.container(keyedBy: Key.self)
        count =
            try container.decodeIfPresent(Int.self, forKey: .count)
            ?? container.decode(Int.self, forKey: .alarms)
        first = try container.decode([Row].self, forKey: .first)
    }
}

/// This is a firing of ADWIN, and its window then.
struct AdaptiveFiring: Decodable, Equatable {
    let at: Int
    let width: Double
    let mean: Double

    enum CodingKeys: String, CodingKey {
        case at
        case width = "width_after"
        case mean = "mean_after"
    }
}

/// This is an alarm of CUSUM: where, and "up" or "down".
struct SidedFiring: Decodable, Equatable {
    let at: Int
    let side: String

    init(at: Int, side: String) {
        self.at = at
        self.side = side
    }

    init(from decoder: any Decoder) throws {
        var container = try decoder.unkeyedContainer()
        at = try container.decode(Int.self)
        side = try container.decode(String.self)
    }
}

/// This is what public libraries' detectors do on one real stream.
struct DetectorOracle: Decodable {
    struct Adaptive: Decodable {
        let river: Firings<AdaptiveFiring>
        let keepWindow: Firings<AdaptiveFiring>
        enum CodingKeys: String, CodingKey {
            case river
            case keepWindow = "keep_window"
        }
    }
    struct Hinkley: Decodable {
        let both: Firings<Int>
        let up: Firings<Int>
        enum CodingKeys: String, CodingKey {
            case both = "river_both"
            case up = "river_up"
        }
    }
    struct Zoned: Decodable {
        let river: Firings<Int>
        let zones: Firings<[Int]>
        enum CodingKeys: String, CodingKey {
            case river
            case zones = "river_warning_zones"
        }
    }
    struct Sliding: Decodable {
        let all: Firings<Int>
        enum CodingKeys: String, CodingKey { case all = "no_random_draw" }
    }
    struct Tabular: Decodable {
        let quick: Firings<SidedFiring>
        let slow: Firings<SidedFiring>
        enum CodingKeys: String, CodingKey {
            case quick = "k0.5_h5"
            case slow = "k0.25_h12"
        }
    }
    struct Detectors: Decodable {
        let adwin: Adaptive
        let hinkley: Hinkley
        let ddm: Zoned?
        let eddm: Zoned?
        let kswin: Sliding?
        let cusum: Tabular
        enum CodingKeys: String, CodingKey {
            case adwin, ddm, eddm, kswin, cusum
            case hinkley = "page_hinkley"
        }
    }
    struct Order: Decodable {
        let values: Signal
        let detectors: Detectors
    }

    let mean: Double
    let deviation: Double
    let byPredictionTime: Order
    let byLabelArrival: Order

    enum CodingKeys: String, CodingKey {
        case mean = "reference_mean"
        case deviation = "reference_std"
        case byPredictionTime = "by_prediction_time"
        case byLabelArrival = "by_label_arrival"
    }

    init(_ stream: String) throws {
        let file = Repository.streams.appendingPathComponent("oracles/\(stream)/detectors.json")
        self = try JSONDecoder().decode(Self.self, from: Data(contentsOf: file))
    }
}

/// These are the detectors' short vectors, with the state after every value.
struct DetectorVectors: Decodable {
    struct Case<Parameters: Decodable, Trace: Decodable>: Decodable {
        let name: String
        let params: Parameters
        let values: Signal
        let trace: Trace
    }
    struct HinkleyParameters: Decodable {
        let minInstances: Int
        let delta: Double
        let threshold: Double
        let alpha: Double
        let mode: String
    }
    struct HinkleyTrace: Decodable {
        let mean: [Double]
        let sumIncrease: [Double]
        let minIncrease: [Double]
        let sumDecrease: [Double]
        let maxDecrease: [Double]
        let drift: [Int]
    }
    struct DriftParameters: Decodable {
        let warmStart: Int
    }
    struct DriftTrace: Decodable {
        let n: [Int]
        let p: [Double]
        let s: [Double]
        let pMin: [Double?]
        let sMin: [Double?]
        let warning: [Int]
        let drift: [Int]
    }
    struct EarlyTrace: Decodable {
        let errors: [Int]
        let meanDistance: [Double]
        let maxLevel: [Double?]
        let warning: [Int]
        let drift: [Int]
    }
    struct Tabular: Decodable {
        let name: String
        let mean: Double
        let std: Double
        let k: Double
        let h: Double
        let values: [Double]
        let upperBeforeReset: [Double]
        let lowerBeforeReset: [Double]
        let alarm: [String?]
    }
    struct Adaptive: Decodable {
        let name: String
        let values: Signal
        let river: [Firing]
        let keepWindow: [Firing]
        let widthEvery100: [Double]
    }
    struct Firing: Decodable, Equatable {
        let at: Int
        let widthAfter: Double
        let meanAfter: Double
    }
    struct Sliding: Decodable {
        let name: String
        let values: Signal
        let noRandomDraw: [Int]
    }
    struct Alarms: Decodable {
        let alarms: [SidedFiring]
    }
    struct Default: Decodable {
        let name: String
        let values: Signal
        let pageHinkley: [Int]
        let ddm: [Int]
        let eddm: [Int]
        let cusum: Alarms
    }

    let pageHinkley: [Case<HinkleyParameters, HinkleyTrace>]
    let ddm: [Case<DriftParameters, DriftTrace>]
    let eddm: [Case<DriftParameters, EarlyTrace>]
    let cusum: [Tabular]
    let adwin: [Adaptive]
    let kswin: [Sliding]
    let defaultParameters: [Default]

    static func read() throws -> Self {
        let file = Repository.streams.appendingPathComponent("vectors/detectors.json")
        let decoder = JSONDecoder()
        decoder.keyDecodingStrategy = .convertFromSnakeCase
        return try decoder.decode(Self.self, from: Data(contentsOf: file))
    }
}
