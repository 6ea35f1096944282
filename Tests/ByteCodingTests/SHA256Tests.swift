import ByteCoding
import Testing

@Suite struct SHA256Tests {
    private func hexadecimal(_ text: String) -> String {
        SHA256.digest(of: Array(text.utf8))
            .map { ($0 < 16 ? "0" : "") + String($0, radix: 16) }.joined()
    }

    /// The standard's examples, and one whose padding needs a block of its own.
    @Test(arguments: [
        ("", "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"),
        ("abc", "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"),
        (
            "abcdbcdecdefdefgefghfghighijhijkijkljklmklmnlmnomnopnopq",
            "248d6a61d20638b8e5c026930c3e6039a33ce45964ff2167f6ecedd419db06c1"
        ),
        (
            String(repeating: "a", count: 10_000),
            "27dd1f61b867b6a0f6e9d8a41c43231de52107e53ae424de8f847b821db4b711"
        ),
    ])
    func `digests are the standard's`(message: String, digest: String) {
        #expect(hexadecimal(message) == digest)
    }

    @Test func `every length near a block's end has its own digest`() {
        let digests = (0...200).map { hexadecimal(String(repeating: "x", count: $0)) }

        #expect(Set(digests).count == 201)
    }
}
