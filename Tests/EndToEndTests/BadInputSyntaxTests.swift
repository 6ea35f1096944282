import MonitoringTestSupport
import Testing

/// Bytes that are not all UTF-8, between texts.
private func bytes(_ parts: Any...) -> [UInt8] {
    parts.flatMap { part -> [UInt8] in
        if let text = part as? String { return Array(text.utf8) }
        return (part as? [Int] ?? []).map { UInt8($0) }
    }
}

/// A record whose one feature has the value `value`.
private func record(_ value: String) -> String {
    #"{"id":"1","ts":"2026-11-23T00:00:00Z","model":"bad","features":{"a":\#(value)}}"#
}

private func times(_ count: Int, _ text: String) -> String { String(repeating: text, count: count) }

extension EndToEndTests {
    /// The syntax of JSON: catalogue JS, by the categories of the public suites for parsers.
    struct BadInputSyntaxTests {
        /// Texts that are not JSON.
        ///
        /// Each is tried as a body and as the value of a feature.
        static let fragments: [(String, [UInt8])] = [
            // Numbers
            ("a leading zero", bytes("01")), ("a leading zero, negative", bytes("-01")),
            ("two zeros", bytes("00")), ("no fraction", bytes("1.")), ("no integer", bytes(".5")),
            ("a minus", bytes("-")), ("a minus and a space", bytes("- 1")), ("a plus", bytes("+1")),
            ("two minuses", bytes("--1")), ("plus minus", bytes("+-1")),
            ("no exponent", bytes("1e")),
            ("an exponent sign", bytes("1e+")), ("two exponents", bytes("1e1e1")),
            ("no fraction before an exponent", bytes("1.e1")),
            ("a point and an exponent", bytes(".e1")),
            ("a fraction of an exponent", bytes("1e1.5")), ("a fraction sign", bytes("1.-5")),
            ("two points", bytes("1.2.3")), ("hexadecimal", bytes("0x1")), ("octal", bytes("0o7")),
            ("binary", bytes("0b1")), ("an underscore", bytes("1_000")), ("a comma", bytes("1,5 ")),
            ("a space inside", bytes("1 000")), ("a letter behind", bytes("1a")),
            ("a trailing e", bytes("0E")), ("E plus", bytes("0E+")),
            ("infinity by sign", bytes("∞")),
            ("NaN", bytes("NaN")), ("nan", bytes("nan")), ("-NaN", bytes("-NaN")),
            ("Infinity", bytes("Infinity")), ("-Infinity", bytes("-Infinity")),
            ("Inf", bytes("Inf")),
            ("full-width digits", bytes("１２")), ("a number over the range", bytes("1E400")),
            ("a negative number over the range", bytes("-1e999")),
            ("a huge exponent", bytes("1e999999999999999999999")),
            ("a number of 2,000 digits", bytes(times(2_000, "9"))),
            // Literals
            ("True", bytes("True")), ("TRUE", bytes("TRUE")), ("tru", bytes("tru")),
            ("truee", bytes("truee")), ("fals", bytes("fals")), ("nul", bytes("nul")),
            ("Null", bytes("Null")), ("undefined", bytes("undefined")),
            ("a bare word", bytes("abc")),
            ("a call", bytes("Date(1)")),
            // Strings
            ("no end of a string", bytes("\"abc")), ("one quote", bytes("\"")),
            ("an escaped end", bytes(#""abc\""#)), ("single quotes", bytes("'abc'")),
            ("a raw newline", bytes("\"a\nb\"")), ("a raw tab", bytes("\"a\tb\"")),
            ("a raw NUL", bytes("\"a", [0], "b\"")),
            ("a raw control character", bytes("\"a", [0x1F], "b\"")),
            ("an unknown escape", bytes(#""\x41""#)), ("an escape of a letter", bytes(#""\a""#)),
            ("an escaped NUL", bytes("\"\\", [0], "\"")), ("an escaped emoji", bytes(#""\😀""#)),
            ("a cut escape", bytes(#""\u00A""#)), ("a cut escape at the end", bytes(#""\u""#)),
            ("an escape in capitals", bytes(#""\U0041""#)),
            ("an escape with a sign", bytes(#""\u+041""#)),
            ("an escape that is not hexadecimal", bytes(#""\u00Gx""#)),
            ("a lone high surrogate", bytes(#""\ud800""#)),
            ("a high surrogate and a letter", bytes(#""\ud800x""#)),
            ("a lone low surrogate", bytes(#""\udc00x""#)),
            ("two high surrogates", bytes(#""\ud800\ud800""#)),
            ("surrogates in the wrong order", bytes(#""\udc00\ud800""#)),
            ("a high surrogate and an escape", bytes(#""\ud800\n""#)),
            ("a cut surrogate pair", bytes(#""\ud83d\ude""#)),
            // UTF-8
            ("a lone continuation byte", bytes("\"", [0x80], "\"")),
            ("a lone lead byte", bytes("\"", [0xC3], "\"")),
            ("a cut scalar", bytes("\"", [0xE2, 0x82], "\"")),
            ("overlong slash", bytes("\"", [0xC0, 0xAF], "\"")),
            ("overlong NUL", bytes("\"", [0xC0, 0x80], "\"")),
            ("overlong in three", bytes("\"", [0xE0, 0x80, 0xAF], "\"")),
            ("overlong in four", bytes("\"", [0xF0, 0x80, 0x80, 0xAF], "\"")),
            ("an encoded surrogate", bytes("\"", [0xED, 0xA0, 0x80], "\"")),
            ("CESU-8", bytes("\"", [0xED, 0xA0, 0xBD, 0xED, 0xB8, 0x80], "\"")),
            ("over U+10FFFF", bytes("\"", [0xF4, 0x90, 0x80, 0x80], "\"")),
            ("a lead byte of five", bytes("\"", [0xF8, 0x88, 0x80, 0x80, 0x80], "\"")),
            ("FE", bytes("\"", [0xFE], "\"")), ("FF", bytes("\"", [0xFF], "\"")),
            ("Latin-1", bytes("\"", [0xE9], "\"")), ("a bare byte", bytes([0xE5])),
            // Structure
            ("a trailing comma of an array", bytes("[1,]")), ("two commas", bytes("[1,,2]")),
            ("a leading comma", bytes("[,1]")), ("only a comma", bytes("[,]")),
            ("no comma", bytes("[1 2]")),
            ("a colon in an array", bytes("[1:2]")), ("no end of an array", bytes("[1")),
            ("a wrong end of an array", bytes("[1}")), ("an end too much", bytes("[1]]")),
            ("a trailing comma of an object", bytes(#"{"a":1,}"#)),
            ("two commas in an object", bytes(#"{"a":1,,"b":2}"#)),
            ("a leading comma of an object", bytes(#"{,"a":1}"#)),
            ("no colon", bytes(#"{"a" 1}"#)), ("two colons", bytes(#"{"a"::1}"#)),
            ("no value", bytes(#"{"a":}"#)),
            ("only a key", bytes(#"{"a"}"#)), ("a bare key", bytes("{a:1}")),
            ("a number as key", bytes("{1:1}")),
            ("a key in single quotes", bytes("{'a':1}")),
            ("a comma for a colon", bytes(#"{"a","b"}"#)),
            ("no end of an object", bytes(#"{"a":1"#)),
            ("a wrong end of an object", bytes(#"{"a":1]"#)),
            ("a brace too much", bytes(#"{"a":1}}"#)), ("a repeated key", bytes(#"{"a":1,"a":2}"#)),
            ("a repeated key by an escape", bytes(#"{"a":1,"\u0061":2}"#)),
            ("a repeated empty key", bytes(#"{"":1,"":2}"#)),
            ("a comment", bytes("/**/1")), ("a line comment", bytes("//1\n1")),
            ("a hash comment", bytes("#1\n1")),
            ("a comment in an object", bytes(#"{"a":/*b*/1}"#)),
            ("a form feed", bytes("[", [0x0C], "1]")),
            ("a no-break space", bytes("[\u{A0}1]")), ("a word joiner", bytes("[\u{2060}1]")),
            ("a byte order mark inside", bytes("[\u{FEFF}1]")), ("a NUL behind", bytes("1", [0])),
            ("an asterisk", bytes("*")), ("angle brackets", bytes("<null>")),
            ("an emoji", bytes("😀")),
            ("an ellipsis", bytes("[1,...]")), ("a template", bytes("`a`")),
            // Depth
            ("65 arrays", bytes(times(65, "["), times(65, "]"))),
            ("1,000 arrays", bytes(times(1_000, "["), times(1_000, "]"))),
            ("100,000 open arrays", bytes(times(100_000, "["))),
            ("100,000 open objects", bytes(times(100_000, #"{"":"#))),
            ("50,000 open arrays and objects", bytes(times(50_000, #"[{"":"#))),
            ("1,000,000 arrays", bytes(times(1_000_000, "["), times(1_000_000, "]"))),
        ]

        /// What a fragment is as a body: without the sender's mark of NDJSON there is one text.
        @Test(.timeLimit(.minutes(3)))
        func `what is not JSON is refused as a body`() throws {
            let rows = Self.fragments.map { what, fragment in
                BadInput.post(
                    "JS", what, [400], ["malformed-json"], type: "application/json", fragment)
            }
            try BadInputSite("syntax").check(rows)
        }

        @Test(.timeLimit(.minutes(3)))
        func `what is not JSON is refused inside a record`() throws {
            let head = Array(record("").dropLast(2).utf8)
            let rows = Self.fragments.map { what, fragment in
                BadInput.post(
                    "JS", what, [400], ["malformed-json"], type: "application/json",
                    head + fragment + Array("}}".utf8))
            }
            try BadInputSite("syntax").check(rows)
        }

        /// TY of schemas: each with the place.
        @Test(.timeLimit(.minutes(3)))
        func `a schema's field of another type is refused with its place`() throws {
            let site = try BadInputSite("fields")
            let long = times(300, "x")
            let rows = [
                (#"{"task":1}"#, "/task"), (#"{"task":"Binary"}"#, "/task"), (#"{"x":1}"#, "/x"),
                (#"{"pane":"7m"}"#, "/pane"), (#"{"horizon":"11y"}"#, "/horizon"),
                (#"{"positive_label":""}"#, "/positive_label"), (#"{"scores":"any"}"#, "/scores"),
                (#"{"segments":[""]}"#, "/segments"), (#"{"segments":["\#(long)"]}"#, "/segments"),
                (#"{"features":[{"name":1}]}"#, "/features/0/name"),
                (#"{"features":[{"name":"","kind":"numeric"}]}"#, "/features"),
                (#"{"features":[{"name":"\#(long)","kind":"numeric"}]}"#, "/features"),
                (
                    #"{"features":[{"name":"a","kind":"vector","dimension":1.5}]}"#,
                    ""
                ),
                (
                    #"{"features":[{"name":"a","kind":"vector","dimension":9223372036854775808}]}"#,
                    ""
                ),
            ]
            for (schema, pointer) in rows {
                let answer = try site.site.client.send(
                    "PUT", "/v1/models/bad", headers: ["Content-Type": "application/json"],
                    body: Array(schema.utf8))
                let problem = try answer.decoded(as: Problem.self)
                #expect(
                    answer.status == 422 && problem.type.hasSuffix("invalid-field"), "\(schema)")
                #expect(problem.errors?.map(\.pointer) == [pointer], "\(schema): \(answer.text)")
            }
            try site.check([])
        }

        @Test(.timeLimit(.minutes(3)))
        func `what is not JSON is refused as a schema`() throws {
            let site = try BadInputSite("schema")
            for (what, fragment) in Self.fragments {
                try site.check(
                    BadInput(
                        id: "JS", what: "\(what), as a schema",
                        bytes: {
                            let head =
                                "PUT /v1/models/bad HTTP/1.1\r\nHost: localhost\r\n"
                                + "Content-Type: application/json\r\n"
                                + "Content-Length: \(fragment.count)\r\n\r\n"
                            return Array(head.utf8) + fragment
                        }, statuses: [400], types: ["malformed-json"], closes: false))
            }
            try site.check([])
        }

        @Test(.timeLimit(.minutes(3)))
        func `every prefix of a record is refused`() throws {
            let site = try BadInputSite("prefix")
            let good = Array(record(#"[1.5e3,"\u00e9",{"b":null}]"#).utf8)
            for count in 0..<good.count {
                try site.check(
                    .post(
                        "JS-2", "\(count) bytes", [400], ["malformed-json"],
                        type: "application/json", Array(good[..<count])))
            }
            try site.check([])
        }

        static let bodies: [BadInput] = [
            .post("JS-1a", "nothing", [400], ["malformed-json"], ""),
            .post("JS-1b", "white space", [400], ["malformed-json"], " \r\n\t "),
            .post(
                "JS-13", "invalid UTF-8 in a key", [400], ["malformed-json"],
                bytes(#"{"id":"1","model":"bad","features":{""#, [0xFF], #"":1}}"#)),
            .post(
                "JS-17", "a byte order mark", [400], ["malformed-json"],
                bytes([0xEF, 0xBB, 0xBF], record("1"))),
            .post(
                "JS-17b", "only a byte order mark", [400], ["malformed-json"],
                bytes([0xEF, 0xBB, 0xBF])),
            .post(
                "JS-18a", "UTF-16", [400], ["malformed-json"],
                record("1").utf16.flatMap { [UInt8($0 & 255), UInt8($0 >> 8)] }),
            .post(
                "JS-18b", "UTF-16 with a mark", [400], ["malformed-json"],
                [0xFF, 0xFE] + record("1").utf16.flatMap { [UInt8($0 & 255), UInt8($0 >> 8)] }),
            .post(
                "JS-18c", "UTF-32", [400], ["malformed-json"],
                record("1").unicodeScalars.flatMap { [0, 0, 0, UInt8($0.value & 255)] }),
            .post(
                "JS-18d", "UTF-16 by its name", [415], ["unsupported-media-type"],
                type: "application/json; charset=utf-16", record("1")),
            .post(
                "JS-21a", "two documents", [400], ["malformed-json"], type: "application/json",
                record("1") + record("1")),
            .post(
                "JS-21b", "two documents on two lines", [400], ["malformed-json"],
                type: "application/json", record("1") + "\n" + record("1")),
            .post(
                "JS-21c", "text after the document", [400], ["malformed-json"],
                type: "application/json", record("1") + "#"),
            .post(
                "JS-21d", "an object and a string", [400], ["malformed-json"],
                type: "application/json", record("1") + #" "x""#),
            .post(
                "JS-21e", "an array and a number", [400], ["malformed-json"],
                type: "application/json", "[\(record("1"))] 1"),
            .post(
                "JS-23a", "1,000,000 open arrays", [400], ["malformed-json"], times(1_000_000, "[")),
            .post(
                "JS-23b", "1,000,000 open objects", [400], ["malformed-json"],
                times(1_000_000, #"{"a":"#)),
            .post(
                "JS-22", "65 arrays", [400], ["too-deep"], type: "application/json",
                times(65, "[") + times(65, "]")),
            .post("JS-22b", "65 open arrays", [400], ["too-deep"], times(65, "[")),
            .post(
                "JS-22c", "a record with 65 levels", [400], ["too-deep"],
                record(times(63, "[") + times(63, "]"))),
            .post("JS-22d", "64 arrays", [422], ["invalid-field"], times(64, "[") + times(64, "]")),
            .post(
                "JS-22e", "a record with 64 levels", [422], ["invalid-field"],
                record(times(62, "[") + times(62, "]"))),
            .post(
                "JS-26b", "an object with 4,001 keys", [400], ["too-many-members"],
                #"{"id":"1","model":"bad","features":{"#
                    + (0...4_000).map { "\"\($0)\":1" }.joined(separator: ",") + "}}"),
            .post(
                "JS-26", "an object with 1,000,000 keys", [400, 413],
                ["malformed-json", "body-too-large"],
                #"{"id":"1","model":"bad","features":{"#
                    + (0..<600_000).map { "\"\($0)\":1" }.joined(separator: ",") + "}}"),
            .post("JS-29a", "a number", [422], ["invalid-field"], type: "application/json", "1"),
            .post(
                "JS-29b", "a string", [422], ["invalid-field"], type: "application/json", "\"1\""),
            .post("JS-29c", "null", [422], ["invalid-field"], type: "application/json", "null"),
            .post(
                "JS-29d", "an array of numbers", [422], ["invalid-field"], type: "application/json",
                "[1,2]"),
            .post(
                "JS-29e", "an array of arrays", [422], ["invalid-field"], type: "application/json",
                "[[]]"),
            .post(
                "JS-30", "a bad line of 100", [422], ["malformed-json"],
                times(50, record("1") + "\n") + "{\"id\":\n" + times(49, record("1") + "\n")),
            .post(
                "JS-30b", "two records on one line", [400, 422], ["malformed-json"],
                record("1") + " " + record("2")),
            .post(
                "JS-31", "a line over the limit", [413], ["body-too-large"],
                times((8 << 20) + 1, " ")),
            .post(
                "JS-33a", "a text", [415], ["unsupported-media-type"], type: "text/plain",
                record("1")),
            .post("JS-33b", "no type", [415], ["unsupported-media-type"], type: nil, record("1")),
            .post(
                "JS-33c", "Latin-1", [415], ["unsupported-media-type"],
                type: "application/json; charset=latin1", record("1")),
            .post(
                "JS-33e", "two character sets", [415], ["unsupported-media-type"],
                type: "application/json; charset=utf-8; charset=utf-16", record("1")),
            .post(
                "JS-33f", "two types", [415], ["unsupported-media-type"],
                type: "application/json, text/plain", record("1")),
            .post(
                "JS-33d", "a form", [415], ["unsupported-media-type"],
                type: "application/x-www-form-urlencoded", "a=1"),
        ]

        @Test(.timeLimit(.minutes(3)))
        func `bodies that are not records are refused`() throws {
            try BadInputSite("bodies").check(Self.bodies)
        }

        /// Values of a feature that are JSON, however odd.
        static let goodValues = [
            "0", "-0", "0.0", "-0.0", "1e-999", "5e-324", "1E22", "1e+2", "1e00000000001",
            "0e999999999",
            "123456789012345678901234567890", "0.1234567890123456789012345678901234567890",
            "1.7976931348623157e308", #""""#, #""\u0000""#, #""\u0041\/\b\f\n\r\t""#,
            #""\ud83d\ude00""#,
            #""\uFFFF\uFDD0\uDBFF\uDFFE""#,
            "\""
                + String(
                    decoding: [0xF4, 0x8F, 0xBF, 0xBF, 0xEF, 0xBF, 0xBF, 0xEF, 0xB7, 0x90],
                    as: UTF8.self) + "\"",
            "\"\u{2028}\u{2029}\"",
            "\"\u{7F}\u{80}\u{FEFF}\"", "true", "false", "null", " \t\r 1 ", #""e\u0301""#,
        ]

        @Test(.timeLimit(.minutes(3)))
        func `what is JSON is taken`() throws {
            let site = try Site("good-json")
            for (index, value) in Self.goodValues.enumerated() {
                let line =
                    #"{"id":"\#(index)","ts":"2026-11-23T00:00:00Z","model":"json\#(index)","#
                    + #""features":{"a":\#(value)}}"#
                for type in ["application/json", "application/x-ndjson"] {
                    let answer = try site.client.post(
                        "/v1/predictions", Array(line.utf8), headers: ["Content-Type": type])
                    #expect(answer.status == 202, "\(value): \(answer.text)")
                }
            }
            let lines = record("1") + "\r\n\n  \r\n" + record("1").replacing(#""1""#, with: #""2""#)
            let answer = try site.client.post("/v1/predictions", Array(lines.utf8))
            #expect(try answer.decoded(as: IngestAnswer.self).accepted == 2)
            for empty in ["[]", " [ ] "] {
                let answer = try site.client.post(
                    "/v1/predictions", Array(empty.utf8),
                    headers: ["Content-Type": "application/json"])
                #expect(answer.status == 202, "\(answer.text)")
            }
            #expect(try site.client.get("/readyz").status == 200)
        }
    }
}
