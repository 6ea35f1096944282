/// This finds what somebody probably meant.
enum Suggestion {
    /// Nil when no name begins the word or is within a third of its length.
    static func nearest(to word: String, among names: [String]) -> String? {
        // Of equally near names the one that begins alike: "ps" is psi rather than ks.
        let ranked = names.map { name in
            (distance(word, name), -zip(word, name).prefix { $0 == $1 }.count, name)
        }.min { $0 < $1 }
        if let longer = names.first(where: { $0.count >= 4 && word.hasPrefix($0) }) {
            return longer
        }
        guard let ranked, ranked.0 <= max(1, word.count / 3) else { return nil }
        return ranked.2
    }

    /// This is the Levenshtein distance.
    private static func distance(_ left: String, _ right: String) -> Int {
        let (a, b) = (Array(left.prefix(64)), Array(right.prefix(64)))
        var row = Array(0...b.count)
        for (i, character) in a.enumerated() {
            var diagonal = row[0]
            row[0] = i + 1
            for (j, other) in b.enumerated() {
                let above = row[j + 1]
                row[j + 1] = min(
                    diagonal + (character == other ? 0 : 1), above + 1, row[j] + 1)
                diagonal = above
            }
        }
        return row[b.count]
    }
}
