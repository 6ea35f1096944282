import MonitoringTestSupport
import StreamingStatistics
import Testing

private struct Vector: Decodable {
    struct Expected: Decodable {
        let n: UInt64
        let psiHalf: Double?
        let js: Double?
        let hellinger: Double?
        let tv: Double?
        let chi2: Double?
        let chi2Dof: Int?
        let chi2P: Double?
        let newCount: UInt64
    }

    let name: String
    let reference: [WireCategory?]
    let window: [WireCategory?]
    let expected: Expected

    var comparison: CategoricalComparison {
        let categories = Set(reference.compactMap { $0?.text }).sorted()
        func profile(_ rows: [WireCategory?]) -> CategoricalProfile {
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
            return profile
        }
        return CategoricalComparison(window: profile(window), reference: profile(reference))
    }
}

@Suite struct CategoricalComparisonTests {
    @Test(.enabled(if: Vectors.areThere, "the reference values are not beside the repository"))
    func `values are the libraries'`() throws {
        for vector in try Vectors.read("categorical", as: [Vector].self) {
            let pair = vector.comparison
            let expected = vector.expected
            #expect(pair.window.unseen == expected.newCount, "\(vector.name)")
            let index = try? pair.populationStability()
            #expect(isClose(index?.value, expected.psiHalf), "\(vector.name)")
            #expect(isClose((try? pair.jensenShannon())?.value, expected.js), "\(vector.name)")
            #expect(isClose((try? pair.hellinger())?.value, expected.hellinger), "\(vector.name)")
            #expect(isClose((try? pair.totalVariation())?.value, expected.tv), "\(vector.name)")
            let test = try? pair.chiSquare()
            #expect(isClose(test?.value, expected.chi2), "\(vector.name)")
            #expect(test?.degreesOfFreedom == expected.chi2Dof, "\(vector.name)")
            #expect(isClose(test?.pValue, expected.chi2P), "\(vector.name)")
        }
    }

    @Test func `only unseen values, and too few rows, have defined answers`() throws {
        var reference = CategoricalProfile(categoryCount: 2)
        reference.absorb(category: 0, times: 6)
        reference.absorb(category: 1, times: 4)
        var window = CategoricalProfile(categoryCount: 2)
        window.absorbUnseen("new", times: 3)
        let pair = CategoricalComparison(window: window, reference: reference)
        #expect(try pair.totalVariation().value == 1)
        #expect(try pair.hellinger().value == 1)
        #expect(try pair.jensenShannon().value == 1)
        #expect(try pair.kullbackLeibler().value.isFinite)
        let few = CategoricalComparison(window: window, reference: reference, rowCountMin: 4)
        #expect(throws: UndefinedStatistic.insufficient(found: 3, required: 4)) {
            try few.chiSquare()
        }
        let none = CategoricalComparison(
            window: CategoricalProfile(categoryCount: 2), reference: reference)
        #expect(throws: UndefinedStatistic.windowEmpty) { try none.populationStability() }
    }
}
