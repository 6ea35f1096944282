import Glibc

/// This bets against predicted probabilities being right, and gains only where they are not.
///
/// Formula: Π (1 + λ_i (y_i − p̂_i)), averaged over the fractions ±{¼, ½, 1} of the largest predictable bet
/// |λ_i| = ½ / max(p̂_i, 1 − p̂_i).
/// Source: A. Henzi and J. F. Ziegel, "Valid sequential inference on probability forecast performance",
/// Biometrika 109(3), 2022; S. Arnold, A. Henzi, J. F. Ziegel, Annals of Applied Statistics 17(3), 2023.
///
/// While every outcome has the predicted chance given the past, the chance that the value ever reaches 1/α
/// is at most α. The direction says which way predictions are wrong. The product over the rows of each
/// fraction does not depend on their order, so parts merge.
public struct CalibrationMartingale: Equatable, Sendable {
    /// The bets as fractions of the largest one.
    public static let fractions = [-1, -0.5, -0.25, 0.25, 0.5, 1]

    /// The logarithms of the products, [fractions.count].
    public private(set) var logProducts: [CompensatedSum]
    /// The number of outcomes.
    public private(set) var count: UInt64 = 0

    /// Starts with 1.
    public init() {
        logProducts = Array(repeating: CompensatedSum(), count: Self.fractions.count)
    }

    /// Adds an outcome and what had been predicted for it.
    ///
    /// - Precondition: `predicted` is in 0...1.
    public mutating func absorb(predicted: Double, isPositive: Bool) {
        precondition((0...1).contains(predicted), "predicted \(predicted)")
        let bet = 0.5 / max(predicted, 1 - predicted)
        let residual = (isPositive ? 1 : 0) - predicted
        for (index, fraction) in Self.fractions.enumerated() {
            logProducts[index].add(log1p(fraction * bet * residual))
        }
        count += 1
    }

    /// Adds the outcomes of another part.
    public mutating func merge(_ other: Self) {
        for index in logProducts.indices { logProducts[index].merge(other.logProducts[index]) }
        count += other.count
    }

    /// This is the logarithm of the average over all fractions.
    public var logValue: Double { logMean(logProducts.map(\.value)) }

    /// This is the evidence that outcomes are positive more often than predicted, as a logarithm.
    public var logValueOfUnderestimation: Double {
        logMean(logProducts.suffix(Self.fractions.count / 2).map(\.value))
    }

    /// This is the evidence that outcomes are positive less often than predicted, as a logarithm.
    public var logValueOfOverestimation: Double {
        logMean(logProducts.prefix(Self.fractions.count / 2).map(\.value))
    }
}

/// This is ln(mean of exp), without overflow; −∞ for no or only vanished terms.
func logMean(_ terms: [Double]) -> Double {
    guard let largest = terms.max(), largest > -.infinity else { return -.infinity }
    guard largest < .infinity else { return .infinity }
    let sum = terms.reduce(0) { $0 + exp($1 - largest) }
    return largest + log(sum / Double(terms.count))
}
