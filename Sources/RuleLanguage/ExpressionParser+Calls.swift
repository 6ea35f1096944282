import MonitoringDomain

// The calls of an expression: statistics, their references, and budgeted detectors.

extension ExpressionParser {
    private func statistic(_ word: String, at start: Int) throws(ExpressionError) -> Statistic {
        if let statistic = Statistic(rawValue: word) { return statistic }
        if word == "new_outcomes" {
            throw ExpressionError(offset: start, message: "\(word) is not supported yet")
        }
        let near = Suggestion.nearest(to: word, among: Statistic.allCases.map(\.rawValue))
        throw ExpressionError(
            offset: start,
            message: "\"\(word)\" is not a statistic" + (near.map { "; did you mean \($0)?" } ?? "")
        )
    }

    private mutating func subject() throws(ExpressionError) -> Expression.Subject {
        skipSpace()
        if take("*") { return .each }
        if take("\"") {
            var name = ""
            while index < characters.count, characters[index] != "\"" {
                name.append(characters[index])
                index += 1
            }
            guard take("\""), !name.isEmpty else { throw error("the feature's name does not end") }
            return .feature(name)
        }
        let start = index
        while index < characters.count, !",)\"".contains(characters[index]),
            !characters[index].isWhitespace
        { index += 1 }
        guard index > start else { throw error("a feature's name or * was expected") }
        return .feature(String(characters[start..<index]))
    }

    mutating func reference() throws(ExpressionError) -> Expression {
        try expect("(", "after reference")
        skipSpace()
        let start = index
        guard let word = peekWord() else { throw error("a statistic's name was expected") }
        index += word.count
        let statistic = try statistic(word, at: start)
        var feature: Expression.Subject?
        if take(",") { feature = try subject() }
        try expect(")", "to close reference")
        if statistic.group == .detector {
            throw ExpressionError(offset: start, message: "\(word) has no value on the reference")
        }
        if feature != nil, statistic.isOfModel {
            throw ExpressionError(
                offset: start, message: "\(word) is of the model and takes no feature")
        }
        if feature == nil, !statistic.isOfModel { subjectlessReferences.append((start, word)) }
        return .reference(statistic, feature: feature)
    }

    mutating func call(
        _ word: String, at start: Int
    ) throws(ExpressionError) -> StatisticCall {
        let statistic = try statistic(word, at: start)
        var call = StatisticCall(
            statistic: statistic, subject: nil, window: .milliseconds(WindowSpan.day), version: nil,
            part: .value)
        var hasWindow = false
        try expect("(", "after \(word), as in \(word)(window: 1h)")
        var isFirst = true
        while !take(")") {
            if !isFirst { try expect(",", "between arguments") }
            skipSpace()
            let place = index
            if takeArgument("window") {
                call.window = try window()
                hasWindow = true
            } else if takeArgument("version") {
                guard case .feature(let version) = try subject() else {
                    throw error("a version was expected")
                }
                call.version = version
            } else if takeArgument("q") {
                call.fraction = try fraction(of: statistic, at: place)
            } else {
                guard isFirst else {
                    throw ExpressionError(
                        offset: place,
                        message: statistic == .quantile
                            ? "expected window:, version: or q:" : "expected window: or version:")
                }
                call.subject = try subject()
            }
            isFirst = false
        }
        guard hasWindow else {
            throw ExpressionError(
                offset: start, message: "\(word) needs a window, as in \(word)(window: 1h)")
        }
        if statistic.group == .detector {
            try checkDetector(call, word, at: start)
            return call
        }
        if statistic.isOfModel, call.subject != nil {
            throw ExpressionError(
                offset: start, message: "\(word) is of the model and takes no feature")
        }
        if !statistic.isOfModel, call.subject == nil {
            throw ExpressionError(
                offset: start,
                message: "\(word) is of a feature; name one, or * for each: \(word)(*, window: 1h)")
        }
        if take(".") {
            let offset = index
            guard let name = peekWord(), let part = StatisticCall.Part(rawValue: name) else {
                throw ExpressionError(
                    offset: offset, message: "expected .value, .lower, .upper, .p_value or .count")
            }
            index += name.count
            call.part = part
        }
        return call
    }

    private mutating func fraction(
        of statistic: Statistic, at start: Int
    ) throws(ExpressionError) -> Double {
        guard statistic == .quantile else {
            throw ExpressionError(
                offset: start, message: "q: is of quantile, as in quantile(age, window: 1h, q: 0.9)"
            )
        }
        skipSpace()
        let place = index
        while index < characters.count, characters[index].isNumber || characters[index] == "." {
            index += 1
        }
        let text = String(characters[place..<index])
        guard let value = Double(text), (0...1).contains(value) else {
            throw ExpressionError(
                offset: place, message: "expected a fraction from 0 to 1, as in q: 0.9")
        }
        return value
    }

    /// Classic detectors run over one signal, and their reading is a number without parts.
    private mutating func checkDetector(
        _ call: StatisticCall, _ word: String, at start: Int
    ) throws(ExpressionError) {
        guard call.subject == .feature("error") else {
            throw ExpressionError(
                offset: start,
                message: "\(word) runs over the model's errors: \(word)(error, window: 1d) > 0")
        }
        if take(".") {
            throw error("\(word) is a number of changes and has no parts")
        }
    }

    mutating func drift(at start: Int) throws(ExpressionError) -> DriftCall {
        let example = "drift(features, window: 24h)"
        guard hasBudget else {
            throw ExpressionError(
                offset: start,
                message: "drift spends the group's budget; add budget: { false_alarms: 1 per 90d }")
        }
        try expect("(", "after drift, as in \(example)")
        skipSpace()
        let isName = index < characters.count && characters[index] == "\""
        let place = index
        if takeArgument("window") || takeArgument("version") {
            throw ExpressionError(
                offset: place,
                message: "drift needs a subject: features, *, prediction or a feature's name")
        }
        let subject: DriftSubject =
            switch try subject() {
            case .each: .each
            case .feature("features") where !isName: .features
            case .feature(let name): .one(name)
            }
        guard take(","), takeArgument("window") else {
            throw ExpressionError(offset: start, message: "drift needs a window, as in \(example)")
        }
        guard case .milliseconds(let span) = try window() else {
            throw error("expected a window like 1h or 24h")
        }
        try expect(")", "to close drift, as in \(example)")
        if take(".") { throw error("drift is true or false and has no parts") }
        return DriftCall(subject: subject, span: span)
    }

    private mutating func takeArgument(_ name: String) -> Bool {
        let start = index
        if takeWord(name), take(":") { return true }
        index = start
        return false
    }

    private mutating func window() throws(ExpressionError) -> WindowSpan {
        skipSpace()
        guard let word = peekWord(), let span = WindowSpan(word) else {
            throw error("expected a window like 30m, 1h, 7d")
        }
        guard span != .month else { throw error("rules slide their windows; use 30d, not 1mo") }
        index += word.count
        return span
    }
}
