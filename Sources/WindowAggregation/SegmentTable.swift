public import MonitoringDomain

/// This is the values of the declared segment keys that are profiled apart, by key in order of first
/// appearance.
///
/// Beyond `Segment.valueCountMax` values of a key, further ones count in `other`, and so do rows without
/// one: the values of a key are a partition of the rows. Which values have a place of their own depends on
/// which came first; nothing else depends on the order of rows.
struct SegmentTable: Sendable, Equatable {
    /// This is the code of `other`.
    static let other = 0

    let keys: [String]
    /// By key: the value with code i + 1.
    private(set) var values: [[String]]
    private var codes: [[ExactText: Int]]

    init(keys: [String]) {
        self.keys = keys
        values = keys.map { _ in [] }
        codes = keys.map { _ in [:] }
    }

    /// Nil unless there are as many lists as keys, without repeats and within the limits.
    init?(keys: [String], values: [[String]]) {
        guard keys.count == values.count, keys.count <= Segment.keyCountMax,
            Set(keys).count == keys.count
        else { return nil }
        self.init(keys: keys)
        for (key, list) in values.enumerated() {
            for value in list {
                guard codes[key][ExactText(value)] == nil, admit(value, key: key) != Self.other
                else {
                    return nil
                }
            }
        }
    }

    /// This is the value's code; a new value gets one while there is room.
    mutating func admit(_ value: String, key: Int) -> Int {
        if let code = codes[key][ExactText(value)] { return code }
        guard values[key].count < Segment.valueCountMax, value != Segment.other,
            value.utf8.count <= Segment.valueSizeBytesMax,
            !value.unicodeScalars.contains(Cohort.separator)
        else { return Self.other }
        values[key].append(value)
        codes[key][ExactText(value)] = values[key].count
        return values[key].count
    }

    /// This is the code of a value; `other` for what has no place of its own.
    func code(of value: String?, key: Int) -> Int {
        value.flatMap { codes[key][ExactText($0)] } ?? Self.other
    }

    func value(of code: Int, key: Int) -> String {
        code == Self.other ? Segment.other : values[key][code - 1]
    }

    /// By key, then by row: the codes of a batch, whose new values are admitted in the order of rows.
    mutating func codes(of batch: PredictionBatch) -> [[Int]] {
        keys.indices.map { key in
            guard let column = batch.segments.first(where: { $0.key.isExactly(keys[key]) })?.column
            else {
                return [Int](repeating: Self.other, count: batch.rowCount)
            }
            var codeOfText = [Int?](repeating: nil, count: column.dictionary.count)
            return column.codes.map { text in
                guard text != TextColumn.missing else { return Self.other }
                if let code = codeOfText[Int(text)] { return code }
                let code = admit(column.dictionary[Int(text)], key: key)
                codeOfText[Int(text)] = code
                return code
            }
        }
    }
}

/// This is a version and its segments as one text, for the join, which keeps one text of a prediction
/// beside its score.
///
/// The form is the values in the order of the keys, each followed by U+001F, and then the version; without
/// keys it is the version.
enum Cohort {
    static let separator: Unicode.Scalar = "\u{1F}"

    static func text(version: String, segments: [String]) -> String {
        segments.reduce(into: "") { text, value in
            text += value
            text.unicodeScalars.append(separator)
        } + version
    }

    /// This is the two parts again; as many segments as there are keys.
    static func parts(
        of text: String, keyCount: Int
    ) -> (version: String, segments: [String]) {
        var segments: [String] = []
        var rest = Substring(text).unicodeScalars
        while segments.count < keyCount, let end = rest.firstIndex(of: separator) {
            segments.append(String(rest[..<end]))
            rest = rest[rest.index(after: end)...]
        }
        return (String(rest), segments)
    }
}

extension ModelAggregator {
    /// These are the rows' versions with their segments, for the join to keep: without declared keys the
    /// versions themselves.
    public mutating func cohorts(of batch: PredictionBatch) -> TextColumn {
        guard !segments.keys.isEmpty else { return batch.versions }
        let codes = segments.codes(of: batch)
        var column = TextColumn()
        column.codes.reserveCapacity(batch.rowCount)
        var codeOfCohort: [[Int]: UInt32] = [:]
        for row in 0..<batch.rowCount {
            let version = batch.versions.codes[row]
            let cohort = [version == TextColumn.missing ? -1 : Int(version)] + codes.map { $0[row] }
            let code = codeOfCohort[cohort] ?? UInt32(column.dictionary.count)
            if codeOfCohort.updateValue(code, forKey: cohort) == nil {
                column.dictionary.append(
                    Cohort.text(
                        version: batch.versions.text(at: row) ?? "default",
                        segments: codes.enumerated().map { key, list in
                            segments.value(of: list[row], key: key)
                        }))
            }
            column.codes.append(code)
        }
        return column
    }

    /// This is an outcome whose version was one of `cohorts`, with version and segments apart again.
    public func separated(_ outcome: Outcome) -> Outcome {
        guard !segments.keys.isEmpty else { return outcome }
        var outcome = outcome
        (outcome.version, outcome.segments) = Cohort.parts(
            of: outcome.version, keyCount: segments.keys.count)
        return outcome
    }
}
