import MonitoringDomain
import RecordCoding
import Testing

/// The classes of the public suites for parsers of JSON: what every parser must take, what every one must
/// refuse, and what RFC 8259 leaves open, where this one has decided.
@Suite struct JSONConformanceTests {
    static let accepted = [
        "[[]   ]", #"[""]"#, "[]", "[\"a\"]\n", "[false]", #"[null, 1, "1", {}]"#, "[null]",
        "[1\n]", " [1]", "[1,null,null,null,2]", "[2] ", "[123e65]", "[0e+1]", "[0e1]", "[ 4]",
        "[-0.000000000000000000000000000000000000000000000000000000000000000000000000000001]\n",
        "[20e1]", "[-0]", "[-123]", "[-1]", "[1E22]", "[1E-2]", "[1E+2]", "[123e45]",
        "[123.456e78]", "[1e-2]", "[1e+2]", "[123]", "[123.456789]",
        #"{"asd":"sdf", "dfg":"fgh"}"#, #"{"asd":"sdf"}"#, "{}", #"{"":0}"#,
        #"{"foo\u0000bar": 42}"#, #"{ "min": -1.0e+28, "max": 1.0e+28 }"#,
        #"{"x":[{"id": "xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx"}], "id": "xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx"}"#,
        #"{"a":[]}"#, #"{"title":"\u041f\u043e\u043b" }"#, "{\n\"a\": \"b\"\n}",
        #"["\u0060\u012a\u12AB"]"#, #"["\uD801\udc37"]"#, #"["\ud83d\ude39\ud83d\udc8d"]"#,
        #"["\"\\\/\b\f\n\r\t"]"#, #"["\\u0000"]"#, #"["\""]"#, #"["a/*b*/c/*d//e"]"#, #"["\\a"]"#,
        #"["\\n"]"#, #"["\u0012"]"#, #"["\uFFFF"]"#, #"["asd"]"#, #"[ "asd"]"#,
        #"["\uDBFF\uDFFF"]"#, "[\"new\u{A0}line\"]", "[\"\u{10FFFF}\"]", "[\"\u{FFFF}\"]",
        #"["\u0000"]"#, #"["\u002c"]"#, "[\"\u{3C0}\"]", "[\"\u{1BFFF}\"]", #"["asd "]"#, #"" ""#,
        #"["\uD834\uDd1e"]"#, #"["\u0821"]"#, #"["\u0123"]"#, "[\"\u{2028}\"]", "[\"\u{2029}\"]",
        #"["\u0061\u30af\u30EA\u30b9"]"#, #"["new\u000Aline"]"#, "[\"\u{7F}\"]", #"["\uA66D"]"#,
        #"["\u005C"]"#, "[\"\u{2342}\u{3234}\u{2342}\"]", #"["\uDBFF\uDFFE"]"#,
        #"["\uD83F\uDFFE"]"#, #"["\u200B"]"#, #"["\u2064"]"#, #"["\uFDD0"]"#, #"["\uFFFE"]"#,
        #"["\u0022"]"#, "[\"\u{20AC}\u{1D11E}\"]", "[\"a\u{7F}a\"]", "false", "42", "-0.1", "null",
        #""asd""#, "true", #""""#, "[true]", " [] ",
    ]

    static let refused = [
        #"{"a":"b","a":"c"}"#, #"{"a":"b","a":"b"}"#, "[1 true]", #"["": 1]"#, #"[""],"#, "[,1]",
        "[1,,2]", #"["x",,]"#, #"["x"]]"#, #"["",]"#, #"["x""#, "[x", "[3[4]]", "[1:2]", "[,]",
        "[-]", #"[   , ""]"#, "[\"a\",\n4\n,1,", "[1,]", "[1,,]", "[\"\u{B}a\"\\f]", "[*]",
        #"["""#, "[1,", "[1,\n1\n,1", "[{}", "[fals]", "[nul]", "[tru]", "123\u{0}", "[++1234]",
        "[+1]", "[+Inf]", "[-01]", "[-1.0.]", "[-2.]", "[-NaN]", "[.-1]", "[.2e-3]", "[0.1.2]",
        "[0.3e+]", "[0.3e]", "[0.e1]", "[0E+]", "[0E]", "[0e+]", "[0e]", "[1.0e+]", "[1.0e-]",
        "[1.0e]", "[1 000.0]", "[1eE2]", "[2.e+3]", "[2.e-3]", "[2.e3]", "[9.e+]", "[Inf]",
        "[NaN]", "[\u{FF11}]", "[1+2]", "[0x1]", "[0x42]", "[Infinity]", "[0e+-1]",
        "[-123.123foo]", "[-Infinity]", "[-foo]", "[- 1]", "[-012]", "[-.123]", "[-1x]", "[1ea]",
        "[1.]", "[.123]", "[1.2a-3]", "[1.8011670033376514H-308]", "[012]", #"["x", truth]"#,
        "{[: \"x\"}\n", #"{"x", null}"#, #"{"x"::"b"}"#, "{\u{1F1E8}\u{1F1ED}}", #"{"a":"a" 123}"#,
        "{key: 'value'}", #"{"a" b}"#, #"{:"b"}"#, #"{"a" "b"}"#, #"{"a":"#, #"{"a""#, "{1:1}",
        "{9999E9999:1}", "{null:null,null:null}", #"{"id":0,,,,,}"#, "{'a':0}", #"{"id":0,}"#,
        #"{"a":"b"}/**/"#, #"{"a":"b"}/**//"#, #"{"a":"b"}//"#, #"{"a":"b"}/"#,
        #"{"a":"b",,"c":"d"}"#, #"{a: "b"}"#, #"{"a":"a"#, #"{ "foo" : "bar", "a" }"#,
        #"{"a":"b"}#"#, " ", #"["\uD800\"]"#, #"["\uD800\u"]"#, #"["\uD800\u1"]"#,
        #"["\uD800\u1x"]"#, "[\u{E9}]", "[\"\\\u{0}\"]", #"["\x00"]"#, #"["\\\"]"#, "[\"\\\t\"]",
        "[\"\\\u{1F300}\"]", #"["\"]"#, #"["\u00A"]"#, #"["\uD834\uDd"]"#, #"["\uD800\uD800\x"]"#,
        #"["\a"]"#, #"["\uqqqq"]"#, #"[\u0020"asd"]"#, #"[\n]"#, #"""#, "['single quote']", "abc",
        #"["\"#, "[\"a\u{0}a\"]", "[\"new\nline\"]", "[\"\t\"]", #""\UA66D""#, #"""x"#, "<.>",
        "[<null>]", "[1]x", "[1]]", #"["asd]"#, "a\u{E5}", "[True]", "1]", #"{"x": true,"#, "[][]",
        "]", "[", "", "[\u{0}]", "2@", "{}}", #"{"":"#, #"{"a":/*comment*/"b"}"#,
        #"{"a": true} "x""#, "['", "[,", "[{", #"["a"#, #"["a""#, "{", "{[", "{,", "{]", #"{"a"#,
        "{'a'", #"["\{["\{["\{["\{"#, "*", #"{"a":"b"}#{}"#, "[\u{2060}]", #"[\u000A""]"#, "[1",
        "[ false, nul", "[ true, fals", "[ false, tru", #"{"asd":"asd""#, "\u{E5}", "\u{FEFF}",
        "[\u{C}]", "[\u{A0}]",
        String(repeating: "[", count: 100_000), String(repeating: "[{\"\":", count: 50_000),
    ]

    static let refusedBytes: [[UInt8]] = [
        [0x5B, 0x61, 0xE5, 0x5D], [0x5B, 0xFF, 0x5D], [0x5B, 0x31, 0x32, 0x33, 0xE5, 0x5D],
        [0x5B, 0x31, 0x65, 0x31, 0xE5, 0x5D], [0x5B, 0x30, 0xE5, 0x5D, 0x0A],
        [0x5B, 0x31, 0x65, 0xE5, 0x5D],
        [0x7B, 0x22, 0xB9, 0x22, 0x3A, 0x22, 0x30, 0x22, 0x2C, 0x7D],
        [0x5B, 0x22, 0x5C, 0x75, 0xE5, 0x22, 0x5D], [0x5B, 0x22, 0x5C, 0xE5, 0x22, 0x5D],
        [0xEF, 0xBB, 0x7B, 0x7D], [0xE5], [0xE9],
    ]

    /// Open by the standard, refused here: out of the range of a double, lone surrogates, a byte order mark,
    /// another encoding than UTF-8, too deep.
    static let undecided = [

        "[0.4e00669999999999999999999999999999999999999999999999999999999999999999999999999999999999999999999999999999999969999999006]",
        "[-1e+9999]", "[1.5e+9999]", "[-123123e100000]", "[123123e100000]", #"{"\uDFAA":0}"#,
        #"["\uDADA"]"#, #"["\uD888\u1234"]"#, #"["\uD800\n"]"#, #"["\uDd1ea"]"#,
        #"["\uD800\uD800\n"]"#, #"["\ud800"]"#, #"["\ud800abc"]"#, #"["\uDd1e\uD834"]"#,
        #"["\uDFAA"]"#, "\u{FEFF}{}",
        String(repeating: "[", count: 500) + String(repeating: "]", count: 500),
    ]

    static let undecidedBytes: [[UInt8]] = [
        [0x5B, 0x22, 0xFF, 0x22, 0x5D], [0x5B, 0x22, 0xE9, 0x22, 0x5D],
        [0x5B, 0x22, 0x81, 0x22, 0x5D], [0x5B, 0x22, 0xF4, 0xBF, 0xBF, 0xBF, 0x22, 0x5D],
        [0x5B, 0x22, 0xC0, 0xAF, 0x22, 0x5D],
        [0x5B, 0x22, 0xFC, 0x83, 0xBF, 0xBF, 0xBF, 0xBF, 0x22, 0x5D],
        [0x5B, 0x22, 0xFC, 0x80, 0x80, 0x80, 0x80, 0x80, 0x22, 0x5D],
        [0x5B, 0x22, 0xE0, 0xFF, 0x22, 0x5D],
        [0x00, 0x5B, 0x00, 0x22, 0x00, 0xE9, 0x00, 0x22, 0x00, 0x5D],
        [0x5B, 0x00, 0x22, 0x00, 0xE9, 0x00, 0x22, 0x00, 0x5D, 0x00],
        [0xFF, 0xFE, 0x5B, 0x00, 0x22, 0x00, 0xE9, 0x00, 0x22, 0x00, 0x5D, 0x00],
        [0x5B, 0x22, 0xED, 0xA0, 0x80, 0x22, 0x5D],
    ]

    /// Open by the standard, taken here: what rounds to a double.
    static let rounded = [
        "[123.456e-789]", "[123e-10000000]", "[-123123123123123123123123123123]",
        "[100000000000000000000]", "[-237462374673276894279832749832423479823246327846]",
    ]

    @Test(arguments: accepted + rounded)
    func `what is JSON is a value, whether it is a record or not`(text: String) throws {
        _ = try WireValue.parse(Array(text.utf8))
        #expect(!decode(text).isMalformed && !decodeTruth(text).isMalformed)
        let inside = #"{"unknown":\#(text),"features":{"a":1}}"#
        #expect(!decode(inside).isMalformed, "as the value of a field")
        // White space around a text is part of it, and nothing else is.
        _ = try WireValue.parse(Array(" \t\r\n\(text)\n ".utf8))
        #expect(throws: RecordDecodingError.self) { try WireValue.parse(Array((text + "]").utf8)) }
    }

    @Test func `what is not JSON is malformed wherever it stands`() {
        let texts = (Self.refused + Self.undecided).map { Array($0.utf8) }
        for body in texts + Self.refusedBytes + Self.undecidedBytes {
            let name = String(decoding: body.prefix(60), as: UTF8.self)
            do {
                _ = try WireValue.parse(body)
                Issue.record("taken: \(name)")
            } catch {
                guard case .malformed(_, let offset, _) = error else {
                    Issue.record("\(name): \(error)")
                    continue
                }
                #expect(offset <= body.count)
            }
            #expect(decode(body).isMalformed, "\(name)")
            let inside = Array(#"{"unknown":"#.utf8) + body + Array("}".utf8)
            #expect(decode(inside).isMalformed, "\(name), inside")
        }
    }

    @Test func `every prefix of what is JSON ends in a value or an error`() {
        for text in Self.accepted {
            let body = Array(text.utf8)
            for count in body.indices {
                _ = try? WireValue.parse(Array(body.prefix(count)))
                _ = decode(Array(body.prefix(count)))
            }
        }
    }
}
