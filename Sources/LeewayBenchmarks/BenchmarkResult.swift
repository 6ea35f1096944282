import Foundation

/// This is one line of a benchmark's output.
public struct BenchmarkResult: Sendable {
    /// The benchmark's name on the command line.
    public var bench: String
    /// What was measured.
    public var name: String
    /// How much of it.
    public var value: Double
    /// Of what.
    public var unit: String
    /// The value over another case's of the same run; of speeds, how many times as fast it is.
    public var ratios: [(String, Double)]
    /// What the reader must know of this line, for instance why a ratio is not there.
    public var note: String?

    init(
        _ bench: String, _ name: String, _ value: Double, _ unit: String,
        _ ratios: [(String, Double)] = [], note: String? = nil
    ) {
        self.bench = bench
        self.name = name
        self.value = value
        self.unit = unit
        self.ratios = ratios
        self.note = note
    }
}

/// This is a benchmark that cannot go on, in words.
public struct BenchmarkError: Error, CustomStringConvertible {
    /// What happened.
    public let description: String
    init(_ description: String) { self.description = description }
}

extension Duration {
    var seconds: Double { Double(components.seconds) + Double(components.attoseconds) / 1e18 }
}

/// Keeps the optimiser from removing what computes `value`.
@inline(never)
@_optimize(none)
func blackHole(_ value: some BinaryInteger) {}

/// This is what the kernel says of a process's memory, in bytes: `VmRSS`, `RssAnon` or `VmHWM`.
func memoryUse(_ key: String, of process: String = "self") -> Double {
    let text = (try? String(contentsOfFile: "/proc/\(process)/status", encoding: .utf8)) ?? ""
    let line = text.split(separator: "\n").first { $0.hasPrefix(key + ":") }
    let number = line?.split(whereSeparator: { $0 == " " || $0 == "\t" }).dropFirst().first
    return number.flatMap { Double($0) }.map { $0 * 1_024 } ?? .nan
}

/// This is how long a process has run on any core: what a busy machine does not change much.
func processorSeconds(_ process: String = "self") -> Double {
    let text = (try? String(contentsOfFile: "/proc/\(process)/stat", encoding: .utf8)) ?? ""
    // The name, which may hold spaces, ends at the last parenthesis; then user and system are 12 and 13.
    let fields = text.split(separator: ")").last?.split(separator: " ") ?? []
    guard fields.count > 12, let user = Double(fields[11]), let system = Double(fields[12]) else {
        return .nan
    }
    return (user + system) / Double(sysconf(Int32(_SC_CLK_TCK)))
}

/// This is SplitMix64 (Steele, Lea, Flood, OOPSLA 2014).
struct BenchmarkGenerator: RandomNumberGenerator {
    private var state: UInt64
    init(seed: UInt64) { state = seed }

    mutating func next() -> UInt64 {
        state &+= 0x9E37_79B9_7F4A_7C15
        var z = state
        z = (z ^ (z >> 30)) &* 0xBF58_476D_1CE4_E5B9
        z = (z ^ (z >> 27)) &* 0x94D0_49BB_1331_11EB
        return z ^ (z >> 31)
    }
}

/// This is the time of a run over parts, in nanoseconds: the sum of each part's shortest time in several runs.
///
/// What disturbs only makes a part longer, and a part is shorter than what a busy machine leaves at once.
func shortestTime(
    of repetitionCount: Int, over total: Int, partSize: Int = 250_000, _ body: (Range<Int>) -> Void
) -> Double {
    let clock = ContinuousClock()
    let starts = Array(stride(from: 0, to: total, by: partSize))
    var shortest = [Double](repeating: .infinity, count: starts.count)
    for _ in 0..<repetitionCount {
        for (place, start) in starts.enumerated() {
            let part = start..<min(total, start + partSize)
            shortest[place] = min(shortest[place], clock.measure { body(part) }.seconds * 1e9)
        }
    }
    return shortest.reduce(0, +)
}
