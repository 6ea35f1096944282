import ByteCoding

extension ModelAggregator {
    /// True when both hold the same profiles, to the last bit.
    public func equals(_ other: ModelAggregator) -> Bool {
        func bytes(_ aggregator: ModelAggregator) -> [UInt8] {
            var writer = ByteWriter()
            aggregator.encode(to: &writer)
            return writer.bytes
        }
        return bytes(self) == bytes(other)
    }
}
