import MonitoringTestSupport
import StreamingStatistics
import Testing

private func firings(
    _ values: [Double], _ absorb: (Double) -> DetectorStatus
) -> [Int] {
    values.indices.filter { absorb(values[$0]) == .drift }
}

/// The indices with a drift, and the first and last of each run of warnings.
private func zones(
    _ values: [Double], _ absorb: (Double) -> DetectorStatus
) -> (drifts: [Int], warnings: [[Int]]) {
    var (drifts, warnings): ([Int], [[Int]]) = ([], [])
    for (index, value) in values.enumerated() {
        switch absorb(value) {
        case .stable: break
        case .drift: drifts.append(index)
        case .warning:
            if let last = warnings.last, last[1] == index - 1 {
                warnings[warnings.count - 1][1] = index
            } else {
                warnings.append([index, index])
            }
        }
    }
    return (drifts, warnings)
}

private func adaptiveFirings(
    _ values: [Double], _ afterChange: ADWIN.AfterChange
) -> [AdaptiveFiring] {
    var detector = ADWIN(afterChange: afterChange)
    return values.enumerated().compactMap { index, value in
        guard detector.absorb(value) == .drift, let mean = detector.mean else { return nil }
        return AdaptiveFiring(at: index, width: detector.width, mean: mean)
    }
}

private func sidedFirings(_ values: [Double], _ detector: TabularCUSUM) -> [SidedFiring] {
    var detector = detector
    return values.enumerated().compactMap { index, value in
        detector.absorb(value).map { SidedFiring(at: index, side: "\($0)") }
    }
}

@Suite(.enabled(if: Repository.hasStreams, "the real streams are not beside the repository"))
struct ClassicDetectorOracleTests {
    @Test(arguments: ["elec2", "bike", "steel", "carloan"], [true, false])
    func `each fires at the library's rows`(stream: String, byPredictionTime: Bool) throws {
        let oracle = try DetectorOracle(stream)
        let order = byPredictionTime ? oracle.byPredictionTime : oracle.byLabelArrival
        let (values, expected) = (order.values.values, order.detectors)

        check(adaptiveFirings(values, .startAfresh), expected.adwin.river)
        check(adaptiveFirings(values, .keepNewerPart), expected.adwin.keepWindow)
        var both = PageHinkley()
        check(firings(values) { both.absorb($0) }, expected.hinkley.both)
        var up = PageHinkley(side: .up)
        check(firings(values) { up.absorb($0) }, expected.hinkley.up)
        if let ddm = expected.ddm {
            var detector = DriftDetectionMethod()
            let found = zones(values) { detector.absorb(isError: $0 == 1) }
            check(found.drifts, ddm.river)
            check(found.warnings, ddm.zones)
        }
        if let eddm = expected.eddm {
            var detector = EarlyDriftDetectionMethod()
            let found = zones(values) { detector.absorb(isError: $0 == 1) }
            check(found.drifts, eddm.river)
            check(found.warnings, eddm.zones)
        }
        if let kswin = expected.kswin {
            var detector = KSWIN()
            check(firings(values) { detector.absorb($0) }, kswin.all)
        }
        let quick = TabularCUSUM(mean: oracle.mean, deviation: oracle.deviation)
        check(sidedFirings(values, quick), expected.cusum.quick)
        let slow = TabularCUSUM(
            mean: oracle.mean, deviation: oracle.deviation, allowance: 0.25, threshold: 12)
        check(sidedFirings(values, slow), expected.cusum.slow)
    }

    private func check<Row: Equatable>(
        _ found: [Row], _ expected: Firings<Row>, at location: SourceLocation = #_sourceLocation
    ) {
        #expect(found.count == expected.count, sourceLocation: location)
        #expect(
            Array(found.prefix(expected.first.count)) == expected.first, sourceLocation: location)
    }

    private func check(
        _ found: [AdaptiveFiring], _ expected: Firings<AdaptiveFiring>,
        at location: SourceLocation = #_sourceLocation
    ) {
        #expect(found.count == expected.count, sourceLocation: location)
        for (one, other) in zip(found, expected.first) {
            #expect(one.at == other.at && one.width == other.width, sourceLocation: location)
            #expect(isClose(one.mean, other.mean), sourceLocation: location)
        }
    }
}

@Suite(.enabled(if: Vectors.areThere, "the vectors are not beside the repository"))
struct ClassicDetectorVectorTests {
    private let vectors: DetectorVectors

    init() throws { vectors = try DetectorVectors.read() }

    @Test func `Page and Hinkley's state is the library's after every value`() throws {
        for vector in vectors.pageHinkley {
            var detector = PageHinkley(
                countMin: vector.params.minInstances, delta: vector.params.delta,
                threshold: vector.params.threshold, fading: vector.params.alpha,
                side: vector.params.mode == "up" ? .up : .both)
            for (index, value) in vector.values.values.enumerated() {
                let status = detector.absorb(value)

                #expect((status == .drift) == (vector.trace.drift[index] == 1))
                #expect(isClose(detector.mean, vector.trace.mean[index]))
                #expect(isClose(detector.increase, vector.trace.sumIncrease[index]))
                #expect(isClose(detector.increaseMin, vector.trace.minIncrease[index]))
                #expect(isClose(detector.decrease, vector.trace.sumDecrease[index]))
                #expect(isClose(detector.decreaseMax, vector.trace.maxDecrease[index]))
            }
        }
    }

    @Test func `DDM's state is the library's after every value`() throws {
        for vector in vectors.ddm {
            var detector = DriftDetectionMethod(warmUpCount: vector.params.warmStart)
            for (index, value) in vector.values.values.enumerated() {
                let status = detector.absorb(isError: value == 1)

                #expect((status == .drift) == (vector.trace.drift[index] == 1))
                #expect((status == .warning) == (vector.trace.warning[index] == 1))
                #expect(detector.count == vector.trace.n[index])
                #expect(isClose(detector.errorRate, vector.trace.p[index]))
                #expect(isClose(detector.deviation, vector.trace.s[index]))
                #expect(isClose(detector.best?.errorRate, vector.trace.pMin[index]))
                #expect(isClose(detector.best?.deviation, vector.trace.sMin[index]))
            }
        }
    }

    @Test func `EDDM's state is the library's after every value`() throws {
        for vector in vectors.eddm {
            var detector = EarlyDriftDetectionMethod(warmUpCount: vector.params.warmStart)
            for (index, value) in vector.values.values.enumerated() {
                let status = detector.absorb(isError: value == 1)

                #expect((status == .drift) == (vector.trace.drift[index] == 1))
                // The library leaves its warning on while it reports the drift; here a drift is no warning.
                if status != .drift {
                    #expect((status == .warning) == (vector.trace.warning[index] == 1))
                }
                #expect(detector.errorCount == vector.trace.errors[index])
                #expect(isClose(detector.meanDistance, vector.trace.meanDistance[index]))
                #expect(isClose(detector.spreadMax, vector.trace.maxLevel[index]))
            }
        }
    }

    @Test func `CUSUM's sums are the formula's after every value`() throws {
        for vector in vectors.cusum {
            var detector = TabularCUSUM(
                mean: vector.mean, deviation: vector.std, allowance: vector.k, threshold: vector.h)
            for (index, value) in vector.values.enumerated() {
                let alarm = detector.absorb(value)

                #expect(alarm.map { "\($0)" } == vector.alarm[index])
                #expect(isClose(detector.upper, vector.upperBeforeReset[index]))
                #expect(isClose(detector.lower, vector.lowerBeforeReset[index]))
            }
        }
    }

    @Test func `ADWIN fires and narrows as the library's`() throws {
        for vector in vectors.adwin {
            for (form, expected) in [
                (ADWIN.AfterChange.startAfresh, vector.river), (.keepNewerPart, vector.keepWindow),
            ] {
                let found = adaptiveFirings(vector.values.values, form)

                #expect(found.map(\.at) == expected.map(\.at), "\(vector.name)")
                #expect(found.map(\.width) == expected.map(\.widthAfter), "\(vector.name)")
                for (one, other) in zip(found, expected) {
                    #expect(isClose(one.mean, other.meanAfter), "\(vector.name)")
                }
            }
            var detector = ADWIN(afterChange: .startAfresh)
            var widths: [Double] = []
            for (index, value) in vector.values.values.enumerated() {
                _ = detector.absorb(value)
                if index % 100 == 99 { widths.append(detector.width) }
            }
            #expect(widths == vector.widthEvery100, "\(vector.name)")
        }
    }

    @Test func `KSWIN without a draw fires at the library's rows`() throws {
        for vector in vectors.kswin {
            var detector = KSWIN()

            #expect(firings(vector.values.values) { detector.absorb($0) } == vector.noRandomDraw)
        }
    }

    @Test func `with usual parameters all fire at the library's rows`() throws {
        for vector in vectors.defaultParameters {
            let values = vector.values.values
            var hinkley = PageHinkley()
            var ddm = DriftDetectionMethod()
            var eddm = EarlyDriftDetectionMethod()
            let cusum = TabularCUSUM(mean: 0.1, deviation: 0.3)

            #expect(firings(values) { hinkley.absorb($0) } == vector.pageHinkley)
            #expect(firings(values) { ddm.absorb(isError: $0 == 1) } == vector.ddm)
            #expect(firings(values) { eddm.absorb(isError: $0 == 1) } == vector.eddm)
            #expect(sidedFirings(values, cusum) == vector.cusum.alarms)
        }
    }
}

@Suite struct ClassicDetectorTests {
    @Test func `a replay from a value on is bit-identical`() {
        var random = SeededGenerator(seed: 6)
        let values = (0..<3_000).map { index in
            Double.random(in: 0...1, using: &random) < (index < 1_500 ? 0.1 : 0.4) ? 1.0 : 0
        }
        var adwin = ADWIN()
        var hinkley = PageHinkley(threshold: 5)
        var kept = (adwin, hinkley)
        for (index, value) in values.enumerated() {
            if index == 1_000 { kept = (adwin, hinkley) }
            _ = adwin.absorb(value)
            _ = hinkley.absorb(value)
        }
        for value in values[1_000...] {
            _ = kept.0.absorb(value)
            _ = kept.1.absorb(value)
        }

        #expect(kept.0 == adwin)
        #expect(kept.1 == hinkley)
    }

    @Test func `ADWIN without values has no mean`() {
        #expect(ADWIN().mean == nil)
    }

    /// The values are those of L H Miller's tables, JASA 51, 1956.
    @Test(arguments: [
        (10, 0.05, 0.40925), (20, 0.01, 0.35241), (21, 0.05, 0.28724), (5, 0.1, 0.50945),
    ])
    func `the critical distance is the table's`(count: Int, alpha: Double, distance: Double) {
        // r (w − r) / w = n with r = w / 2 and w = 4n.
        let detector = KSWIN(alpha: alpha, windowCount: 4 * count, newestCount: 2 * count)

        #expect(abs(detector.criticalDistance - distance) < 6e-6)
    }
}
