import MonitoringTestSupport
import StreamingStatistics
import Testing

/// Performance by hand-sized vectors that scikit-learn and NannyML computed.
@Suite(.enabled(if: Vectors.areThere, "the vectors are not beside the repository"))
struct PerformanceVectorTests {
    private struct CalibrationVector: Decodable {
        let name: String
        let label: [Int]
        let score: [Double]
        let bins: Int
        let expected: Double
    }

    @Test func `the calibration error is that of equal bins, edges below`() throws {
        for vector in try Vectors.read("ece", as: [CalibrationVector].self) {
            let found = expectedCalibrationError(
                vector.score, isPositive: vector.label.map { $0 == 1 }, binCount: vector.bins)
            #expect(isClose(found, vector.expected), "\(vector.name)")
        }
        #expect(expectedCalibrationError([], isPositive: []) == nil)
    }

    private struct IsotonicVector: Decodable {
        let name: String
        let score: [Double]
        let label: [Int]
        let knotsX: [Double]
        let knotsY: [Double]
        let query: [Double]
        let expected: [Double]
    }

    @Test func `isotonic regression has scikit-learn's knots and values`() throws {
        for vector in try Vectors.read("isotonic", as: [IsotonicVector].self) {
            let fit = try #require(
                IsotonicRegression(
                    scores: vector.score, isPositive: vector.label.map { $0 == 1 }))
            #expect(fit.scores == vector.knotsX, "\(vector.name)")
            #expect(
                fit.values.count == vector.knotsY.count
                    && zip(fit.values, vector.knotsY).allSatisfy { isClose($0, $1) })
            for (score, expected) in zip(vector.query, vector.expected) {
                #expect(isClose(fit.value(at: score), expected), "\(vector.name) at \(score)")
            }
        }
        #expect(IsotonicRegression(scores: [], isPositive: []) == nil)
    }

    @Test func `no increasing function is closer, and none that it makes decreases`() throws {
        var generator = SeededGenerator(seed: 5)
        for _ in 0..<50 {
            let scores = (0..<40).map { _ in Double(Int.random(in: 0..<25, using: &generator)) }
            let outcomes = scores.map { Double.random(in: 0..<25, using: &generator) < $0 }
            let fit = try #require(IsotonicRegression(scores: scores, isPositive: outcomes))
            #expect(zip(fit.values, fit.values.dropFirst()).allSatisfy { $0 <= $1 })
            #expect(zip(fit.scores, fit.scores.dropFirst()).allSatisfy { $0 < $1 })
            func loss(_ shift: (Double) -> Double) -> Double {
                zip(scores, outcomes).reduce(0) { sum, row in
                    let difference = (row.1 ? 1 : 0) - shift(row.0)
                    return sum + difference * difference
                }
            }
            let best = loss { fit.value(at: $0) }
            // Any convex combination with another increasing function is increasing too.
            let other = loss { 0.9 * fit.value(at: $0) + 0.1 * min(1, $0 / 24) }
            #expect(best <= other + 1e-12)
        }
    }

    private struct MulticlassVector: Decodable {
        struct Expected: Decodable {
            let accuracy: Double?
            let precisionMacro: Double?
            let recallMacro: Double?
            let f1Macro: Double?
            let f1Weighted: Double?
            let rocAucOvrMacro: Double?
            let logLoss: Double?
            let brier: Double?
            let ece10Top: Double?
            let confusion: [[Int]]?
            let perClass: [String: Class]?
            let rocAucOvr: [String: Double?]?
        }

        struct Class: Decodable {
            let support: Int
            let precision: Double?
            let recall: Double?
            let f1: Double?
        }

        let name: String
        let classes: [String]
        let label: [String]
        let predicted: [String]
        let proba: [[Double]]
        let expected: Expected
    }

    @Test func `several classes are measured as scikit-learn does`() throws {
        for vector in try Vectors.read("multiclass", as: [MulticlassVector].self) {
            func numbers(_ names: [String]) throws -> [Int] {
                try names.map { try #require(vector.classes.firstIndex(of: $0)) }
            }
            let found = MulticlassPerformance(
                labels: try numbers(vector.label), predicted: try numbers(vector.predicted),
                probabilities: vector.proba, classCount: vector.classes.count)
            let expected = vector.expected
            #expect(isClose(found?.accuracy, expected.accuracy), "\(vector.name)")
            #expect(isClose(found?.macroPrecision, expected.precisionMacro), "\(vector.name)")
            #expect(isClose(found?.macroRecall, expected.recallMacro), "\(vector.name)")
            #expect(isClose(found?.macroF1, expected.f1Macro), "\(vector.name)")
            #expect(isClose(found?.weightedF1, expected.f1Weighted), "\(vector.name)")
            #expect(isClose(found?.macroROCAUC, expected.rocAucOvrMacro), "\(vector.name)")
            #expect(isClose(found?.logLoss, expected.logLoss), "\(vector.name)")
            #expect(isClose(found?.brier, expected.brier), "\(vector.name)")
            #expect(isClose(found?.topCalibrationError, expected.ece10Top), "\(vector.name)")
            #expect(found?.confusion == expected.confusion, "\(vector.name)")
            for (place, name) in vector.classes.enumerated() {
                guard let one = expected.perClass?[name], let found else { continue }
                let counts = found.classes[place]
                #expect(counts.truePositives + counts.falseNegatives == Double(one.support))
                #expect(isClose(counts.precision, one.precision), "\(vector.name) \(name)")
                #expect(isClose(counts.recall, one.recall), "\(vector.name) \(name)")
                #expect(isClose(counts.f1, one.f1), "\(vector.name) \(name)")
                let area = try #require(expected.rocAucOvr?[name])
                #expect(isClose(found.rocAUC[place], area), "\(vector.name) \(name)")
            }
        }
    }

    private struct EstimateVectors: Decodable {
        struct Binary: Decodable {
            struct Expected: Decodable {
                let tp: Double
                let fp: Double
                let tn: Double
                let fn: Double
                let accuracy: Double?
                let precision: Double?
                let recall: Double?
                let f1: Double?
                let rocAuc: Double?
                let rocAucOffDiagonal: Double?
            }

            let name: String
            let score: [Double]
            let predicted: [Int]
            let probability: [Double]
            let expected: Expected
        }

        struct Multiclass: Decodable {
            struct Expected: Decodable {
                let accuracy: Double
                let f1Macro: Double
                let f1: [String: Double]
            }

            let name: String
            let classes: [String]
            let predicted: [String]
            let probability: [[Double]]
            let expected: Expected
        }

        let binary: [Binary]
        let multiclass: [Multiclass]
    }

    @Test func `performance without ground truth is NannyML's estimate`() throws {
        let vectors = try Vectors.read("cbpe", as: EstimateVectors.self)
        for vector in vectors.binary {
            let found = EstimatedPerformance(
                scores: vector.score, isPredicted: vector.predicted.map { $0 == 1 },
                probabilities: vector.probability)
            let expected = vector.expected
            #expect(isClose(found.counts.truePositives, expected.tp), "\(vector.name)")
            #expect(isClose(found.counts.falsePositives, expected.fp), "\(vector.name)")
            #expect(isClose(found.counts.falseNegatives, expected.fn), "\(vector.name)")
            #expect(isClose(found.trueNegatives, expected.tn), "\(vector.name)")
            #expect(isClose(found.accuracy, expected.accuracy), "\(vector.name)")
            #expect(isClose(found.counts.precision, expected.precision), "\(vector.name)")
            #expect(isClose(found.counts.recall, expected.recall), "\(vector.name)")
            #expect(isClose(found.counts.f1, expected.f1), "\(vector.name)")
            #expect(isClose(found.rocAUC, expected.rocAuc), "\(vector.name)")
            #expect(isClose(found.rocAUCOffDiagonal, expected.rocAucOffDiagonal), "\(vector.name)")
        }
        for vector in vectors.multiclass {
            let found = EstimatedMulticlassPerformance(
                predicted: try vector.predicted.map {
                    try #require(vector.classes.firstIndex(of: $0))
                }, probabilities: vector.probability, classCount: vector.classes.count)
            #expect(isClose(found.accuracy, vector.expected.accuracy), "\(vector.name)")
            #expect(isClose(found.macroF1, vector.expected.f1Macro), "\(vector.name)")
            for (name, counts) in zip(vector.classes, found.classes) {
                #expect(isClose(counts.f1, vector.expected.f1[name]), "\(vector.name) \(name)")
            }
        }
    }
}
