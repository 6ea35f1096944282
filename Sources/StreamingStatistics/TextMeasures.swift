/// These are the numbers that stand for a text, so that a free text can be watched like numeric features.
///
/// Lengths and shares are of Unicode scalars, and classes are decided by the scalar's general category, so
/// that the same text gives the same numbers on every machine. The numbers see length, shape and script
/// change; what the text means they do not see.
public struct TextMeasures: Equatable, Sendable {
    /// Unicode scalars, 0...∞.
    public let scalarCount: Int
    /// Runs of scalars without white space between, 0...∞.
    public let tokenCount: Int
    /// Shares of the scalars, each 0...1; nil for an empty text, which has none.
    public let shares: Shares?

    /// These are shares of a text's scalars, by class.
    public struct Shares: Equatable, Sendable {
        /// General categories L*.
        public let letters: Double
        /// General category Lu; part of `letters`.
        public let uppercase: Double
        /// General category Nd.
        public let digits: Double
        /// White_Space.
        public let whitespace: Double
        /// General categories P* and S*.
        public let punctuation: Double
        /// Above U+007F, of whatever class.
        public let nonASCII: Double
    }

    /// Measures a text.
    ///
    /// - Complexity: O(length); allocates nothing.
    public init(of text: String) {
        var (scalars, tokens, isInToken) = (0, 0, false)
        var (letters, uppercase, digits, whitespace, punctuation, others) = (0, 0, 0, 0, 0, 0)
        for scalar in text.unicodeScalars {
            scalars += 1
            if scalar.value > 0x7F { others += 1 }
            let kind =
                scalar.value <= 0x7F ? Self.asciiClasses[Int(scalar.value)] : Class(of: scalar)
            if kind != .whitespace, !isInToken { tokens += 1 }
            isInToken = kind != .whitespace
            switch kind {
            case .whitespace: whitespace += 1
            case .uppercase:
                letters += 1
                uppercase += 1
            case .letter: letters += 1
            case .digit: digits += 1
            case .punctuation: punctuation += 1
            case .other: break
            }
        }
        scalarCount = scalars
        tokenCount = tokens
        let total = Double(scalars)
        shares =
            scalars == 0
            ? nil
            : Shares(
                letters: Double(letters) / total, uppercase: Double(uppercase) / total,
                digits: Double(digits) / total, whitespace: Double(whitespace) / total,
                punctuation: Double(punctuation) / total, nonASCII: Double(others) / total)
    }

    /// The class of a scalar, white space before all others.
    private enum Class {
        case whitespace, uppercase, letter, digit, punctuation, other

        init(of scalar: Unicode.Scalar) {
            let properties = scalar.properties
            guard !properties.isWhitespace else {
                self = .whitespace
                return
            }
            switch properties.generalCategory {
            case .uppercaseLetter: self = .uppercase
            case .lowercaseLetter, .titlecaseLetter, .modifierLetter, .otherLetter: self = .letter
            case .decimalNumber: self = .digit
            case .connectorPunctuation, .dashPunctuation, .openPunctuation, .closePunctuation,
                .initialPunctuation, .finalPunctuation, .otherPunctuation, .mathSymbol,
                .currencySymbol, .modifierSymbol, .otherSymbol:
                self = .punctuation
            default: self = .other
            }
        }
    }

    /// [128]: asking for a scalar's properties costs more than the rest of its measuring.
    private static let asciiClasses = (0..<0x80).map { Class(of: Unicode.Scalar(UInt8($0))) }

    /// The names of the derived quantities, in the order of `values`.
    public static let names = [
        "length", "tokens", "letters", "uppercase", "digits", "whitespace", "punctuation",
        "non_ascii",
    ]

    /// The derived quantities as doubles; a share of an empty text is NaN, the mark of a missing value.
    public var values: [Double] {
        [Double(scalarCount), Double(tokenCount)]
            + [
                shares?.letters, shares?.uppercase, shares?.digits, shares?.whitespace,
                shares?.punctuation, shares?.nonASCII,
            ].map { $0 ?? .nan }
    }
}
