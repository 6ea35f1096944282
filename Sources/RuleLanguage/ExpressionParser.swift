import MonitoringDomain

/// This is what is wrong with an expression, and at which character of its text.
struct ExpressionError: Error, Equatable {
    let offset: Int
    let message: String
}

/// This reads an expression by recursive descent and checks its types.
struct ExpressionParser {
    /// Deeper nesting is refused, long before the stack would be.
    static let depthMax = 64
    static let textSizeMax = 8_192
    /// More operators are refused: a chain of them is a tree as deep as it is long.
    static let operatorCountMax = 256

    let characters: [Character]
    var index = 0
    private var depth = 0
    private var operatorCount = 0
    /// Places of `reference(…)` of a feature that names none: it is the one that `*` stands for.
    var subjectlessReferences: [(offset: Int, word: String)] = []

    private enum Kind { case number, boolean }
    private typealias Typed = (expression: Expression, kind: Kind, start: Int)

    /// Whether the group has a budget, without which `drift` means nothing.
    let hasBudget: Bool

    static func parse(
        _ text: String, hasBudget: Bool = false
    ) throws(ExpressionError) -> Expression {
        guard text.utf8.count <= textSizeMax else {
            throw ExpressionError(offset: 0, message: "the expression is over \(textSizeMax) bytes")
        }
        var parser = ExpressionParser(characters: Array(text), hasBudget: hasBudget)
        let result = try parser.disjunction()
        parser.skipSpace()
        guard parser.index == parser.characters.count else {
            throw parser.error(
                "found \"\(parser.characters[parser.index])\", expected an operator or the end")
        }
        guard result.kind == .boolean else {
            throw ExpressionError(
                offset: result.start,
                message: "the expression is a number; compare it, for example with > 0.2")
        }
        if let open = parser.subjectlessReferences.first, !result.expression.isOfEachFeature {
            throw ExpressionError(
                offset: open.offset,
                message: "\(open.word) is of a feature; name one: reference(\(open.word), age)")
        }
        return result.expression
    }

    private init(characters: [Character], hasBudget: Bool) {
        self.characters = characters
        self.hasBudget = hasBudget
    }

    func error(_ message: String) -> ExpressionError {
        ExpressionError(offset: min(index, characters.count), message: message)
    }

    // MARK: - Tokens

    mutating func skipSpace() {
        while index < characters.count, characters[index].isWhitespace { index += 1 }
    }

    mutating func take(_ symbol: String) -> Bool {
        skipSpace()
        let wanted = Array(symbol)
        guard index + wanted.count <= characters.count,
            Array(characters[index..<index + wanted.count]) == wanted
        else { return false }
        index += wanted.count
        return true
    }

    private static func isWord(_ character: Character) -> Bool {
        character.isASCII && (character.isLetter || character.isNumber || character == "_")
    }

    func peekWord() -> String? {
        var end = index
        while end < characters.count, characters[end].isWhitespace { end += 1 }
        let start = end
        while end < characters.count, Self.isWord(characters[end]) { end += 1 }
        return end > start ? String(characters[start..<end]) : nil
    }

    mutating func takeWord(_ word: String) -> Bool {
        guard peekWord() == word else { return false }
        skipSpace()
        index += word.count
        return true
    }

    mutating func expect(_ symbol: String, _ purpose: String) throws(ExpressionError) {
        guard take(symbol) else { throw error("expected \"\(symbol)\" \(purpose)") }
    }

    // MARK: - Operators

    private func check(_ side: Typed, _ kind: Kind, _ symbol: String) throws(ExpressionError) {
        guard side.kind == kind else {
            throw ExpressionError(
                offset: side.start,
                message: kind == .number
                    ? "\"\(symbol)\" takes numbers, and this is true or false"
                    : "\"\(symbol)\" takes conditions, and this is a number")
        }
    }

    private mutating func countOperator() throws(ExpressionError) {
        operatorCount += 1
        guard operatorCount <= Self.operatorCountMax else {
            throw error("more than \(Self.operatorCountMax) operators")
        }
    }

    private mutating func disjunction() throws(ExpressionError) -> Typed {
        var left = try conjunction()
        while takeWord("or") {
            try countOperator()
            let right = try conjunction()
            try check(left, .boolean, "or")
            try check(right, .boolean, "or")
            left = (.or(left.expression, right.expression), .boolean, left.start)
        }
        return left
    }

    private mutating func conjunction() throws(ExpressionError) -> Typed {
        var left = try negation()
        while takeWord("and") {
            try countOperator()
            let right = try negation()
            try check(left, .boolean, "and")
            try check(right, .boolean, "and")
            left = (.and(left.expression, right.expression), .boolean, left.start)
        }
        return left
    }

    private mutating func negation() throws(ExpressionError) -> Typed {
        skipSpace()
        let start = index
        guard takeWord("not") else { return try comparison() }
        try descend()
        defer { depth -= 1 }
        let inner = try negation()
        try check(inner, .boolean, "not")
        return (.not(inner.expression), .boolean, start)
    }

    private mutating func comparison() throws(ExpressionError) -> Typed {
        let left = try sum()
        for symbol in ["<=", ">=", "==", "!=", "<", ">"] where take(symbol) {
            let right = try sum()
            try check(left, .number, symbol)
            try check(right, .number, symbol)
            guard let operation = Expression.ComparisonOperator(rawValue: symbol) else { continue }
            return (
                .comparison(operation, left.expression, right.expression), .boolean, left.start
            )
        }
        return left
    }

    private mutating func sum() throws(ExpressionError) -> Typed {
        var left = try product()
        while let operation = takeOperator(["+", "-"]) {
            try countOperator()
            let right = try product()
            try check(left, .number, operation.rawValue)
            try check(right, .number, operation.rawValue)
            left = (.arithmetic(operation, left.expression, right.expression), .number, left.start)
        }
        return left
    }

    private mutating func product() throws(ExpressionError) -> Typed {
        var left = try unary()
        while let operation = takeOperator(["*", "/"]) {
            try countOperator()
            let right = try unary()
            try check(left, .number, operation.rawValue)
            try check(right, .number, operation.rawValue)
            left = (.arithmetic(operation, left.expression, right.expression), .number, left.start)
        }
        return left
    }

    private mutating func takeOperator(_ symbols: [String]) -> Expression.ArithmeticOperator? {
        for symbol in symbols where take(symbol) {
            return Expression.ArithmeticOperator(rawValue: symbol)
        }
        return nil
    }

    private mutating func unary() throws(ExpressionError) -> Typed {
        skipSpace()
        let start = index
        if take("-") {
            try descend()
            defer { depth -= 1 }
            let inner = try unary()
            try check(inner, .number, "-")
            return (.negate(inner.expression), .number, start)
        }
        return try primary()
    }

    private mutating func descend() throws(ExpressionError) {
        depth += 1
        guard depth <= Self.depthMax else {
            throw error("nested deeper than \(Self.depthMax)")
        }
    }

    private mutating func primary() throws(ExpressionError) -> Typed {
        skipSpace()
        let start = index
        if take("(") {
            try descend()
            defer { depth -= 1 }
            let inner = try disjunction()
            try expect(")", "to close the parenthesis")
            return (inner.expression, inner.kind, start)
        }
        guard index < characters.count else {
            throw error("a value was expected, and the text ends")
        }
        if characters[index].isASCII, characters[index].isNumber || characters[index] == "." {
            return (.number(try number()), .number, start)
        }
        guard let word = peekWord() else {
            throw error("found \"\(characters[index])\", expected a number, a statistic or \"(\"")
        }
        index += word.count
        if word == "drift" { return (.drift(try drift(at: start)), .boolean, start) }
        if word == "reference" { return (try reference(), .number, start) }
        return (.statistic(try call(word, at: start)), .number, start)
    }

    private mutating func number() throws(ExpressionError) -> Double {
        let start = index
        while index < characters.count,
            Self.isWord(characters[index]) || characters[index] == "."
                || ((characters[index] == "-" || characters[index] == "+")
                    && (characters[index - 1] == "e" || characters[index - 1] == "E"))
        { index += 1 }
        let text = String(characters[start..<index])
        guard let value = Double(text), value.isFinite, text.first != ".", text.last != ".",
            !text.contains("x"), !text.contains("_")
        else {
            index = start
            throw error("\"\(text)\" is not a finite decimal number")
        }
        return value
    }
}
