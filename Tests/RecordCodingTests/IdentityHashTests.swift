import MonitoringDomain
import RecordCoding
import Testing

@testable import struct RecordCoding.IdentityHash

@Suite struct IdentityHashTests {
    /// The values of the authors' `vectors_sip128`, for inputs of 0 and 1 bytes.
    @Test(
        arguments: [
            (0, 0xE6A8_25BA_047F_81A3, 0x9302_55C7_1472_F66D),
            (1, 0x44AF_996B_D8C1_87DA, 0x45FC_229B_1159_7634),
        ] as [(Int, UInt64, UInt64)])
    func `the hash is SipHash-2-4-128`(count: Int, low: UInt64, high: UInt64) {
        #expect(
            IdentityHash().identity(lastWord: 0, count: count)
                == RecordIdentity(high: high, low: low))
    }

    @Test func `an identity never changes, because logs hold it`() throws {
        let model = try #require(ModelID("credit"))
        let identity = identity(model: model, id: "p-000001".utf8)
        #expect(String(identity.high, radix: 16) == "3afe837afea30262")
        #expect(String(identity.low, radix: 16) == "af6e04e0bee6b07a")
    }

    @Test func `ids and models of all sizes differ, also by case and by where one ends`() throws {
        var identities: Set<RecordIdentity> = [.none]
        var count = 1
        for size in 1...64 {
            let name = try #require(ModelID(String(repeating: "a", count: size)))
            for idSize in 0...64 {
                for letter in ["a", "A", "\u{0}"] {
                    if idSize == 0, letter != "a" { continue }
                    identities.insert(
                        identity(model: name, id: String(repeating: letter, count: idSize).utf8))
                    count += 1
                }
            }
        }
        #expect(identities.count == count)
    }

    @Test func `a decoded id has the identity of its unescaped bytes`() throws {
        let model = try #require(ModelID("m"))
        for size in 1...40 {
            let id = String(repeating: "ä", count: size)
            let escaped = String(repeating: "\\u00e4", count: size)
            let expected = identity(model: model, id: id.utf8)
            for text in [id, escaped] {
                let batches = try decode(#"{"id":"\#(text)"}"#).get()
                #expect(batches[0].identities == [expected])
            }
        }
    }
}
