import StreamingStatistics
import Testing

private struct CategoricalVector: Decodable {
    struct Expected: Decodable {
        let n: Int
        let psi: Double?
        let psiHalf: Double?
    }

    let name: String
    let reference: [WireCategory?]
    let window: [WireCategory?]
    let expected: Expected
}

@Suite struct PopulationStabilityIndexTests {
    @Test func `the worked example of the null and the bias`() throws {
        let found = try #require(
            populationStabilityIndex(
                window: [35, 40, 20, 5], reference: [200, 300, 300, 200]))
        #expect(isClose(found.value, 0.340424, 5e-7))
        #expect(isClose(found.bias, 0.03300, 5e-8))
        #expect(abs(found.pValue - 8.72e-7) < 5e-10)
        #expect(found.binCount == 4)
        #expect(found.lower < found.value && found.value < found.upper)
        // 0.085962 is the threshold of the 5 % test with 3 degrees of freedom.
        let unit = 1.0 / 100 + 1.0 / 1_000
        #expect(abs(chiSquareSurvival(0.085962 / unit, degreesOfFreedom: 3) - 0.05) < 1e-5)
    }

    @Test func `nothing can be said of an empty side`() {
        #expect(populationStabilityIndex(window: [0, 0], reference: [1, 2]) == nil)
        #expect(populationStabilityIndex(window: [1, 2], reference: [0, 0]) == nil)
        #expect(populationStabilityIndex(window: [], reference: []) == nil)
        #expect(populationStabilityIndexFloored(window: [0], reference: [1]) == nil)
        #expect(populationStabilityIndexFloored(window: [1], reference: [0]) == nil)
    }

    @Test func `bins that are empty on both sides count for nothing`() {
        let short = populationStabilityIndex(window: [5, 9], reference: [50, 40])
        let long = populationStabilityIndex(window: [0, 5, 0, 9], reference: [0, 50, 0, 40])
        #expect(short == long)
        let one = populationStabilityIndex(window: [0, 7], reference: [0, 9])
        #expect(one?.value == 0 && one?.pValue == 1 && one?.binCount == 1)
    }

    @Test(.enabled(if: Vectors.areThere, "the reference values are not beside the repository"))
    func `numeric values are the libraries'`() throws {
        for vector in try Vectors.read("numeric", as: [NumericVector].self)
        where vector.isFiniteReference && vector.expected.psi != nil {
            let edges = BinEdges(reference: vector.referenceValues)
            let window = vector.profile(vector.windowValues, edges).decileCounts(edges)
            let reference = vector.profile(vector.referenceValues, edges).decileCounts(edges)
            let half = populationStabilityIndex(window: window, reference: reference)?.value
            let floored = populationStabilityIndexFloored(window: window, reference: reference)
            #expect(isClose(half, vector.expected.psiHalf), "\(vector.name)")
            #expect(isClose(floored, vector.expected.psi), "\(vector.name)")
        }
    }

    @Test(.enabled(if: Vectors.areThere, "the reference values are not beside the repository"))
    func `categorical values are the libraries'`() throws {
        for vector in try Vectors.read("categorical", as: [CategoricalVector].self) {
            let categories = Set(vector.reference.compactMap { $0?.text }).sorted()
            // The unseen bin, then missing.
            func counts(_ rows: [WireCategory?]) -> [UInt64] {
                var profile = CategoricalProfile(categoryCount: categories.count)
                for row in rows {
                    guard let text = row?.text else {
                        profile.absorb(category: nil)
                        continue
                    }
                    if let code = categories.firstIndex(of: text) {
                        profile.absorb(category: code)
                    } else {
                        profile.absorbUnseen(text)
                    }
                }
                return profile.counts + [profile.missing]
            }
            let (window, reference) = (counts(vector.window), counts(vector.reference))
            let half = populationStabilityIndex(window: window, reference: reference)?.value
            let floored = populationStabilityIndexFloored(window: window, reference: reference)
            #expect(isClose(half, vector.expected.psiHalf), "\(vector.name)")
            #expect(isClose(floored, vector.expected.psi), "\(vector.name)")
        }
    }
}
