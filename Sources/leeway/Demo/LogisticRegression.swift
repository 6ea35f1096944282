import Foundation

/// This is how events become numbers: standardised numeric features, one column per category.
///
/// A missing number is the mean; a missing or unknown category is no category. A numeric feature with
/// few whole values (an hour, a month) is taken as categories, because its effect is seldom a line.
struct FeatureEncoder: Sendable {
    /// Up to so many distinct whole values are categories: the hours of a day.
    private static let wholeValueCountMax = 24
    /// Rarer categories have no column: their weight would be noise.
    private static let categoryCountMin = 5
    /// A value further out is cut: a feature that was nearly constant must not decide alone.
    private static let standardisedMax = 6.0

    private enum Column: Sendable {
        case standardised(mean: Double, deviation: Double)
        case whole([Double: Int])
    }

    private var columns: [Column] = []
    private var categories: [[String: Int]] = []
    /// The number of columns, with the constant 1 in column 0.
    private(set) var width = 1

    init(fittedOn events: [WorldEvent], numericCount: Int, categoricalCount: Int) {
        for index in 0..<numericCount {
            let values = events.map { $0.numbers[index] }.filter { !$0.isNaN }
            let distinct = Set(values)
            let isWhole = distinct.allSatisfy { $0 == $0.rounded() }
            if isWhole, (3...Self.wholeValueCountMax).contains(distinct.count) {
                var codes: [Double: Int] = [:]
                for value in distinct.sorted() {
                    codes[value] = width
                    width += 1
                }
                columns.append(.whole(codes))
            } else {
                let count = Double(max(1, values.count))
                let mean = values.reduce(0, +) / count
                let variance = values.reduce(0) { $0 + ($1 - mean) * ($1 - mean) } / count
                columns.append(.standardised(mean: mean, deviation: variance.squareRoot()))
                width += 1
            }
        }
        for index in 0..<categoricalCount {
            var counts: [String: Int] = [:]
            for event in events {
                if let category = event.categories[index] { counts[category, default: 0] += 1 }
            }
            var codes: [String: Int] = [:]
            for category in counts.keys.sorted()
            where counts[category, default: 0] >= Self.categoryCountMin {
                codes[category] = width
                width += 1
            }
            categories.append(codes)
        }
    }

    /// Calls `body` with each column that is not 0, and its value, in growing order of columns.
    func forEachColumn(of event: WorldEvent, _ body: (Int, Double) -> Void) {
        body(0, 1)
        var position = 1
        for (index, column) in columns.enumerated() {
            let value = event.numbers[index]
            switch column {
            case .standardised(let mean, let deviation):
                if !value.isNaN, deviation > 1e-12 {
                    let standard = (value - mean) / deviation
                    body(position, max(-Self.standardisedMax, min(Self.standardisedMax, standard)))
                }
                position += 1
            case .whole(let codes):
                if let code = codes[value] { body(code, 1) }
                position += codes.count
            }
        }
        for (index, codes) in categories.enumerated() {
            if let category = event.categories[index], let code = codes[category] { body(code, 1) }
        }
    }
}

/// This is a trained model: logistic regression for two classes, one of them for each class against the
/// rest where there are several, linear regression for a value.
struct TrainedModel: Sendable {
    /// The weight of the squared coefficients, as if each had been seen to be 0 once.
    private static let ridge = 1.0
    private static let iterationCountMax = 12
    /// Newton's method ends when no coefficient moves further.
    private static let tolerance = 1e-5
    /// More rows do not change coefficients that anybody would notice.
    static let rowCountMax = 6_000

    let task: WorldTask
    private let encoder: FeatureEncoder
    /// One set for each class of several; else one.
    private var coefficients: [[Double]]

    /// Fits by Newton's method (iteratively reweighted least squares); a linear regression is its
    /// first step with equal weights.
    ///
    /// Source: T. Hastie, R. Tibshirani, J. Friedman, *The Elements of Statistical Learning*,
    /// 2nd ed., 2009, section 4.4.1, with the ridge penalty of section 3.4.1.
    init(
        fittedOn rows: [WorldEvent], task: WorldTask, numericCount: Int, categoricalCount: Int
    ) {
        let known = rows.filter { $0.truth != nil }
        let stride = max(1, (known.count + Self.rowCountMax - 1) / Self.rowCountMax)
        let events = Swift.stride(from: 0, to: known.count, by: stride).map { known[$0] }
        let encoder = FeatureEncoder(
            fittedOn: events, numericCount: numericCount, categoricalCount: categoricalCount)
        self.task = task
        self.encoder = encoder
        var design = SparseRows()
        for event in events {
            encoder.forEachColumn(of: event) { design.append(column: $0, value: $1) }
            design.endRow()
        }
        let truths = events.map { $0.truth ?? 0 }
        func fit(_ truths: [Double]) -> [Double] {
            Self.fit(
                design, truths, width: encoder.width, isLogistic: task != .regression)
        }
        switch task {
        case .binary, .regression: coefficients = [fit(truths)]
        case .multiclass(let classes):
            coefficients = classes.indices.map { index in
                fit(truths.map { $0 == Double(index) ? 1 : 0 })
            }
        }
    }

    private static func fit(
        _ design: SparseRows, _ truths: [Double], width: Int, isLogistic: Bool
    ) -> [Double] {
        var coefficients = [Double](repeating: 0, count: width)
        for _ in 0..<(isLogistic ? iterationCountMax : 1) {
            let step = newtonStep(coefficients, design, truths, isBinary: isLogistic)
            var largest = 0.0
            for index in coefficients.indices {
                coefficients[index] += step[index]
                largest = max(largest, abs(step[index]))
            }
            if largest < tolerance { break }
        }
        return coefficients
    }

    /// This is what the model says of an event.
    func prediction(for event: WorldEvent) -> ModelOutput {
        var sums = [Double](repeating: 0, count: coefficients.count)
        encoder.forEachColumn(of: event) { column, value in
            for index in sums.indices { sums[index] += coefficients[index][column] * value }
        }
        switch task {
        case .binary: return ModelOutput(value: 1 / (1 + exp(-sums[0])))
        case .regression: return ModelOutput(value: sums[0])
        case .multiclass:
            // Each class against the rest, then as shares of their sum.
            let odds = sums.map { max(1e-12, 1 / (1 + exp(-$0))) }
            let total = odds.reduce(0, +)
            let shares = odds.map { $0 / total }
            let best = shares.indices.max { shares[$0] < shares[$1] } ?? 0
            return ModelOutput(value: Double(best), shares: shares)
        }
    }

    private static func newtonStep(
        _ coefficients: [Double], _ design: SparseRows, _ truths: [Double], isBinary: Bool
    ) -> [Double] {
        let width = coefficients.count
        var hessian = [Double](repeating: 0, count: width * width)
        var gradient = [Double](repeating: 0, count: width)
        hessian.withUnsafeMutableBufferPointer { hessian in
            gradient.withUnsafeMutableBufferPointer { gradient in
                design.columns.withUnsafeBufferPointer { columns in
                    design.values.withUnsafeBufferPointer { values in
                        var start = 0
                        for (row, end) in design.ends.enumerated() {
                            var sum = 0.0
                            var index = start
                            while index < end {
                                sum += coefficients[columns[index]] * values[index]
                                index += 1
                            }
                            let predicted = isBinary ? 1 / (1 + exp(-sum)) : sum
                            let weight = isBinary ? max(1e-6, predicted * (1 - predicted)) : 1
                            let residual = truths[row] - predicted
                            index = start
                            while index < end {
                                let value = values[index]
                                let line = columns[index] * width
                                gradient[columns[index]] += residual * value
                                let scaled = weight * value
                                var other = start
                                while other <= index {
                                    hessian[line + columns[other]] += scaled * values[other]
                                    other += 1
                                }
                                index += 1
                            }
                            start = end
                        }
                    }
                }
            }
        }
        for index in 0..<width {
            // The constant is not shrunk, but kept off 0 so that the system always has a solution.
            let penalty = index == 0 ? 1e-9 : ridge
            hessian[index * width + index] += penalty
            gradient[index] -= penalty * coefficients[index]
        }
        return solveCholesky(&hessian, gradient)
    }
}

/// This is a matrix by rows, without its zeros.
private struct SparseRows {
    var columns: [Int] = []
    var values: [Double] = []
    /// Where each row ends in `columns` and `values`.
    var ends: [Int] = []

    mutating func append(column: Int, value: Double) {
        columns.append(column)
        values.append(value)
    }

    mutating func endRow() { ends.append(columns.count) }
}

/// Solves A x = b, where A is symmetric and positive definite and given by its lower triangle.
///
/// - Complexity: O(n³ / 6); `matrix` holds the Cholesky factor afterwards.
private func solveCholesky(_ matrix: inout [Double], _ right: [Double]) -> [Double] {
    let count = right.count
    precondition(matrix.count == count * count, "\(matrix.count) elements for \(count) unknowns")
    for column in 0..<count {
        for row in column..<count {
            var sum = matrix[row * count + column]
            for index in 0..<column {
                sum -= matrix[row * count + index] * matrix[column * count + index]
            }
            if row == column {
                matrix[row * count + column] = max(sum, 1e-12).squareRoot()
            } else {
                matrix[row * count + column] = sum / matrix[column * count + column]
            }
        }
    }
    var solution = right
    for row in 0..<count {
        for index in 0..<row { solution[row] -= matrix[row * count + index] * solution[index] }
        solution[row] /= matrix[row * count + row]
    }
    for row in stride(from: count - 1, through: 0, by: -1) {
        for index in (row + 1)..<count {
            solution[row] -= matrix[index * count + row] * solution[index]
        }
        solution[row] /= matrix[row * count + row]
    }
    return solution
}
