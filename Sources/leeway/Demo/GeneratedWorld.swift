import Foundation
import MonitoringDomain

/// This is a small, fast source of repeatable randomness.
///
/// Source: G. L. Steele, D. Lea, C. H. Flood, "Fast splittable pseudorandom number generators",
/// OOPSLA 2014 (SplitMix64).
struct SeededRandom: RandomNumberGenerator, Sendable {
    private var state: UInt64

    init(seed: UInt64) { state = seed }

    mutating func next() -> UInt64 {
        state &+= 0x9E37_79B9_7F4A_7C15
        var mixed = state
        mixed = (mixed ^ (mixed >> 30)) &* 0xBF58_476D_1CE4_E5B9
        mixed = (mixed ^ (mixed >> 27)) &* 0x94D0_49BB_1331_11EB
        return mixed ^ (mixed >> 31)
    }

    /// This is a number in 0..<1.
    mutating func uniform() -> Double { Double(next() >> 11) * 0x1p-53 }

    /// This is a draw of the standard normal distribution (Box and Muller).
    mutating func normal() -> Double {
        let radius = (-2 * log(1 - uniform())).squareRoot()
        return radius * cos(2 * .pi * uniform())
    }
}

/// This is the demo's default world: parcels that arrive late or not, for reasons that change.
///
/// Rain and traffic grow for eight days, and with them their weight in what makes a parcel late; six
/// days later the hub is reorganised from one hour to the next, and distance stops to matter. The
/// best possible accuracy stays about the same throughout, so a model can recover fully.
struct GeneratedWorld {
    private static let hourlyCount = 120
    private static let historyDayCount: Int64 = 10
    private static let referenceDayCount: Int64 = 5
    private static let productionDayCount: Int64 = 36
    private static let gradualDays: Range<Double> = 8..<16
    private static let abruptDay = 22.0
    private static let truthDelayHours: Range<Double> = 6..<12
    private static let lostTruthShare = 0.02
    private static let missingShare = 0.02
    /// 2026-03-02T00:00:00Z, a Monday; the demo's first production day.
    private static let start = EventTime(
        milliseconds: CivilDate(year: 2026, month: 3, day: 2).startOfDay.milliseconds
    ).milliseconds

    /// One numeric feature: its usual level and spread, how far its level moves in the gradual phase
    /// (in spreads), and its weight in the concept before, after the gradual and after the abrupt change.
    private struct Numeric {
        var name: String
        var level: Double
        var spread: Double
        var shift: Double
        var weights: (before: Double, gradual: Double, abrupt: Double)
    }

    private static let numerics = [
        Numeric(
            name: "distance_km", level: 18, spread: 7, shift: 0, weights: (2.0, 1.2, -0.6)),
        Numeric(name: "traffic", level: 50, spread: 15, shift: 0.7, weights: (0.9, 1.9, 0.4)),
        Numeric(name: "rain_mm", level: 6, spread: 2, shift: 1.1, weights: (0.3, 1.7, 0.8)),
        Numeric(
            name: "temperature_c", level: 9, spread: 5, shift: 0.2, weights: (-0.3, -0.2, -0.2)),
        Numeric(name: "stops", level: 40, spread: 12, shift: 0, weights: (1.3, 0.6, 2.6)),
        Numeric(
            name: "driver_years", level: 6, spread: 3, shift: 0, weights: (-1.3, -0.7, 0.2)),
        Numeric(name: "load_kg", level: 600, spread: 140, shift: 0, weights: (0.4, 0.4, 1.4)),
        Numeric(name: "fuel_price", level: 1.7, spread: 0.1, shift: 0.1, weights: (0, 0, 0)),
    ]
    private static let depots: [(name: String, before: Double, after: Double)] = [
        ("harbour", 0.8, -0.9), ("north", -0.6, 0.7), ("airport", 0.2, 0.9), ("mill", -0.5, -0.8),
    ]
    private static let vehicles: [(name: String, before: Double, after: Double)] = [
        ("van", 0.3, -0.4), ("bike", -0.6, 0.9), ("truck", 0.2, -0.2),
    ]

    static func make(seed: UInt64) -> World {
        var random = SeededRandom(seed: seed)
        let day = Double(WindowSpan.day)
        let past = -(historyDayCount + referenceDayCount)
        var events: [WorldEvent] = []
        for hour in (past * 24)..<(productionDayCount * 24) {
            // Fewer parcels at night: the counts follow a working day and keep their mean.
            let share = 1 - 0.5 * cos(2 * .pi * Double((hour % 24 + 24) % 24) / 24)
            let count = Int((Double(hourlyCount) * share).rounded())
            for index in 0..<count {
                let offset = WindowSpan.hour * Int64(index) / Int64(count)
                let time = start + hour * WindowSpan.hour + offset
                let age = Double(time - start) / day
                events.append(event(number: events.count, time: time, day: age, with: &random))
            }
        }
        let referenceStart = start - referenceDayCount * WindowSpan.day
        let production = events.filter { $0.time >= start }
        let truths = production.compactMap { event -> WorldTruth? in
            guard let truth = event.truth, let time = event.truthTime else { return nil }
            return WorldTruth(id: event.id, time: time, truth: truth)
        }
        return World(
            title: "parcels, late or on time; generated from seed \(seed)", model: "parcel-late",
            task: .binary(positive: .text("late"), negative: .text("on_time")),
            numericNames: numerics.map(\.name), categoricalNames: ["depot", "vehicle"],
            history: events.filter { $0.time < referenceStart },
            reference: events.filter { $0.time >= referenceStart && $0.time < start },
            production: production, groundTruth: truths.sorted { $0.time < $1.time },
            drifts: [
                WorldDrift(
                    time: start + Int64(gradualDays.lowerBound * day), kind: "gradual",
                    what: "rain and traffic begin to grow, and to matter more"),
                WorldDrift(
                    time: start + Int64(abruptDay * day), kind: "abrupt",
                    what: "the hub is reorganised: other parcels are late now"),
            ])
    }

    private static func event(
        number: Int, time: Int64, day: Double, with random: inout SeededRandom
    ) -> WorldEvent {
        let span = gradualDays.upperBound - gradualDays.lowerBound
        let progress = min(1, max(0, (day - gradualDays.lowerBound) / span))
        let isAbrupt = day >= abruptDay
        var logit = 0.0
        var numbers: [Double] = []
        for numeric in numerics {
            let standard = random.normal() + numeric.shift * progress
            let weights = numeric.weights
            let weight =
                isAbrupt
                ? weights.abrupt : weights.before + (weights.gradual - weights.before) * progress
            // Centred on the level of the day, so that the share of late parcels stays near one half.
            logit += weight * (standard - numeric.shift * progress)
            let value = numeric.level + numeric.spread * standard
            let isMissing = random.uniform() < missingShare
            numbers.append(isMissing ? .nan : (value * 1_000).rounded() / 1_000)
        }
        var categories: [String?] = []
        for choices in [depots, vehicles] {
            let choice = choices[Int(random.uniform() * Double(choices.count))]
            logit += isAbrupt ? choice.after : choice.before
            categories.append(random.uniform() < missingShare ? nil : choice.name)
        }
        let isLate = random.uniform() < 1 / (1 + exp(-1.4 * logit))
        let delay =
            truthDelayHours.lowerBound
            + random.uniform() * (truthDelayHours.upperBound - truthDelayHours.lowerBound)
        let isLost = random.uniform() < lostTruthShare
        return WorldEvent(
            id: "parcel-\(number)", time: time, numbers: numbers, categories: categories,
            truth: isLate ? 1 : 0,
            truthTime: isLost ? nil : time + Int64(delay * Double(WindowSpan.hour)))
    }
}
