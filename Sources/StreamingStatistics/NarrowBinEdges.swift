/// This is the same binning for values of single precision: a quantity whose schema says so is stored and
/// counted in half the bytes.
///
/// Bins are those of the edges: a value has the bin that it has as a double.
public struct NarrowBinEdges: Sendable {
    /// The edges, in double precision.
    public let edges: BinEdges
    private let table: EdgeTable<Float>

    /// Makes the table, of at most 128 KiB.
    public init(_ edges: BinEdges) {
        self.edges = edges
        table = EdgeTable(edges: edges.edges)
    }

    /// Writes the bin of each value; `UInt16.max` for NaN.
    ///
    /// - Complexity: O(values) for usual edges; allocates only when `bins` must grow.
    public func bins(of values: Span<Float>, into bins: inout [UInt16]) {
        if bins.count != values.count { bins = [UInt16](repeating: 0, count: values.count) }
        table.bins(of: values, into: &bins)
    }

    func count(_ values: Span<Float>, into counts: inout [UInt64]) -> UInt64 {
        table.count(values, into: &counts)
    }
}
