import MonitoringTestSupport
import StreamingStatistics
import Testing

private func values(_ projection: VectorProjection, _ vector: [Double]) -> [Double]? {
    projection.values(of: vector.span)
}

@Suite struct VectorProjectionTests {
    @Test func `the norm is Euclid's, also where squares have no place`() throws {
        let projection = VectorProjection(dimension: 2, directionCount: 0)
        #expect(values(projection, [3, -4]) == [5])
        #expect(values(projection, [0, 0]) == [0])
        let huge = try #require(values(projection, [3e200, 4e200]))
        #expect(isClose(huge[0], 5e200, 1e-15))
        let tiny = try #require(values(projection, [3e-200, 4e-200]))
        #expect(isClose(tiny[0] / 5e-200, 1, 1e-14))
    }

    @Test func `another dimension has no values, and what is not a number says so`() throws {
        let projection = VectorProjection(dimension: 3, directionCount: 2)
        #expect(values(projection, [1, 2]) == nil)
        #expect(values(projection, []) == nil)
        let missing = try #require(values(projection, [1, .nan, 2]))
        let areMissing = missing.allSatisfy(\.isNaN)
        #expect(areMissing)
        let infinite = try #require(values(projection, [1, .infinity, 2]))
        #expect(infinite.allSatisfy { !$0.isFinite })
    }

    @Test func `projections are linear, and the same for the same seed`() throws {
        var random = SeededGenerator(seed: 3)
        let (a, b) = (
            (0..<100).map { _ in Double.random(in: -1...1, using: &random) },
            (0..<100).map { _ in Double.random(in: -1...1, using: &random) }
        )
        let projection = VectorProjection(dimension: 100, directionCount: 8, seed: 7)
        let sum = try #require(values(projection, zip(a, b).map { $0 + 2 * $1 }))
        let (left, right) = (
            try #require(values(projection, a)), try #require(values(projection, b))
        )
        for place in 1...8 {
            #expect(isClose(sum[place], left[place] + 2 * right[place], 1e-12))
        }
        #expect(values(VectorProjection(dimension: 100, seed: 7), a) == left)
        #expect(values(VectorProjection(dimension: 100, seed: 8), a) != left)
    }

    @Test(arguments: [(1, 0), (3, 3), (64, 8), (65, 9), (200, 64)])
    func `columns hold the values of each vector`(dimension: Int, directions: Int) throws {
        var random = SeededGenerator(seed: UInt64(dimension))
        let projection = VectorProjection(dimension: dimension, directionCount: directions)
        let numbers = (0..<dimension * 5).map { _ in Double.random(in: -1...1, using: &random) }

        let columns = projection.columns(of: numbers.span)

        #expect(columns.count == 1 + directions)
        for vector in 0..<5 {
            let one = Array(numbers[vector * dimension..<(vector + 1) * dimension])
            let expected = try #require(values(projection, one))
            for (column, value) in zip(columns, expected) {
                #expect(isClose(column[vector], value, 1e-14))
            }
        }
        let ofNone = projection.columns(of: [Double]().span)
        #expect(ofNone == [[Double]](repeating: [], count: 1 + directions))
    }

    /// E (projection²) over directions is ‖x‖² / n.
    @Test func `the root mean square over many directions is the norm's share`() throws {
        var random = SeededGenerator(seed: 5)
        var sum = 0.0
        let vector = (0..<70).map { _ in Double.random(in: -1...1, using: &random) }
        for seed in UInt64(0)..<40 {
            let found = try #require(
                values(VectorProjection(dimension: 70, directionCount: 64, seed: seed), vector))
            sum += found.dropFirst().reduce(0) { $0 + $1 * $1 } / 64
        }
        let norm = try #require(values(VectorProjection(dimension: 70), vector))[0]
        // 2,560 squares with a relative deviation of √2 each: four standard errors.
        #expect(abs(sum / 40 / (norm * norm / 70) - 1) < 0.12)
    }
}
