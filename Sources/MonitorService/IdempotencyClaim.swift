public import ByteCoding
import Foundation
import MonitorStore

/// This is a batch's key, and how its answer reads.
public struct IdempotencyClaim: Sendable {
    /// Whose key it is, and on which route.
    public let scope: String
    /// The sender's key.
    public let key: String
    /// SHA-256 of the decoded body.
    public let fingerprint: [UInt8]
    /// The answer's status, and what it holds beside the receipt.
    public let answer: @Sendable (Receipt) -> (status: Int, rest: [(String, JSONValue)])

    /// Makes a claim.
    public init(
        scope: String, key: String, fingerprint: [UInt8],
        answer: @escaping @Sendable (Receipt) -> (status: Int, rest: [(String, JSONValue)])
    ) {
        self.scope = scope
        self.key = key
        self.fingerprint = fingerprint
        self.answer = answer
    }

    /// This is an answer that was given under a key.
    public struct Answer: Sendable {
        /// SHA-256 of the decoded body.
        public let fingerprint: [UInt8]
        /// The answer's status.
        public let status: Int
        /// The answer's body.
        public let body: String
    }

    func record(
        of receipt: Receipt, _ place: IdempotencyRecord.Place? = nil
    ) -> IdempotencyRecord {
        let (status, rest) = answer(receipt)
        return IdempotencyRecord(
            scope: scope, key: key, fingerprint: fingerprint, status: status,
            answer: receipt.json(rest).text, place: place)
    }
}

extension IdempotencyRecord {
    /// The record with what really came out, where it was written before that was known and the process
    /// ended in between; nil where it says so already.
    ///
    /// Records in conflict are counted and not named: which lines of the body they were nobody knows any
    /// more.
    func corrected(by receipt: Receipt) -> IdempotencyRecord? {
        // As the writer wrote it: without its end, behind which the rest of the answer stands.
        let expected = Receipt(
            accepted: receipt.accepted + receipt.duplicates + receipt.tooOld, duplicates: 0,
            position: receipt.position
        ).json().text.dropLast()
        guard answer.hasPrefix(expected) else { return nil }
        var record = self
        record.answer = String(receipt.json().text.dropLast() + answer.dropFirst(expected.count))
        return record.answer == answer ? nil : record
    }
}

extension MonitorRunner {
    /// Keys of batches that are kept for one project; a further one is refused, so that no earlier one
    /// is forgotten before its day is over.
    static let keyCountMax = 500_000

    /// This is what was answered under a key, nil where it is not known.
    ///
    /// - Parameters:
    ///   - scope: Whose key it is, and on which route.
    ///   - key: The sender's key.
    /// - Returns: The answer.
    /// - Throws: `storageFailed` where the file cannot be read, `tooManyKeys` for a new key of a project
    ///   that has as many as are kept.
    public func answer(
        scope: String, key: String
    ) async throws(SubmissionError) -> IdempotencyClaim.Answer? {
        let result: Result<IdempotencyClaim.Answer?, SubmissionError> =
            await withCheckedContinuation {
                continuation in
                // The file waits for the disk, and the threads that answer must not.
                DispatchQueue.global().async { [store] in
                    do {
                        let record = try store.idempotencyRecord(scope: scope, key: key)
                        let answer = record.map {
                            IdempotencyClaim.Answer(
                                fingerprint: $0.fingerprint, status: $0.status, body: $0.answer)
                        }
                        let isRefused =
                            try answer == nil
                            && !store.hasRoomForKey(
                                scope: scope, countMax: Self.keyCountMax)
                        continuation.resume(
                            returning: isRefused ? .failure(.tooManyKeys) : .success(answer))
                    } catch {
                        continuation.resume(
                            returning: .failure(.storageFailed(StoreError.reason(of: error))))
                    }
                }
            }
        return try result.get()
    }
}
