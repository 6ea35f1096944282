import MonitoringTestSupport
import Testing

@testable import MonitorService

@Suite struct KeyDigestsTests {
    private static let idCount = 40

    private func bytes(_ count: Int, _ random: inout SeededGenerator) -> [UInt8] {
        (0..<count).map { _ in UInt8.random(in: .min ... .max, using: &random) }
    }

    @Test(arguments: UInt64(0)..<8)
    func `a key is found by its id and its digest, and by nothing that differs in a bit`(
        seed: UInt64
    ) {
        var random = SeededGenerator(seed: seed)
        let keys = (0..<Self.idCount).map { _ in (bytes(12, &random), bytes(32, &random)) }
        var digests = KeyDigests()
        let added = keys.map { digests.add(id: $0.0, digest: $0.1) }
        #expect(added.allSatisfy { $0 })

        for (place, (id, digest)) in keys.enumerated() {
            #expect(digests.place(ofID: id, digest: digest) == place)
            let other = keys[(place + 1) % keys.count].1
            #expect(digests.place(ofID: id, digest: other) == nil)
            for bit in 0..<(12 + 32) * 8 {
                var changed = id + digest
                changed[bit / 8] ^= 1 << UInt8(bit % 8)
                #expect(
                    digests.place(ofID: changed[..<12], digest: Array(changed[12...])) == nil)
            }
        }
        #expect(
            digests.place(ofID: bytes(12, &random), digest: [UInt8](repeating: 0, count: 32)) == nil
        )
    }

    @Test func `nothing is found where there is nothing, and an id counts once`() {
        let (id, zeros) = ([UInt8](repeating: 7, count: 12), [UInt8](repeating: 0, count: 32))
        var digests = KeyDigests()
        #expect(digests.place(ofID: id, digest: zeros) == nil)
        let added = [
            digests.add(id: id.dropLast(), digest: zeros),
            digests.add(id: id, digest: Array(zeros.dropLast())),
            digests.add(id: id, digest: zeros), digests.add(id: id, digest: zeros),
        ]
        #expect(added == [false, false, true, false])
        #expect(digests.place(ofID: id, digest: zeros) == 0)
    }
}
