import StreamingStatistics

/// This is one subject's bins in a reference, with the reference's own counts.
public struct ReferenceDetail: Sendable, Equatable {
    /// A feature's name, `prediction`, `prediction.label` or `ground_truth`.
    public let subject: String
    /// Numeric: strictly increasing; bin j holds edges[j − 1] < x ≤ edges[j].
    ///
    /// Empty for categories.
    public let edges: [Double]
    /// Numeric: the deciles without repeats, a subset of the edges.
    public let deciles: [Double]
    /// Categorical: sorted; the bin behind the last holds unseen values.
    public let categories: [String]
    /// One for each bin.
    public let counts: [UInt64]
    /// Rows without a value.
    public let missing: UInt64

    fileprivate init(
        _ subject: String, _ content: FeatureReference.Content, _ profile: FeatureProfile
    ) {
        self.subject = subject
        switch content {
        case .numeric(let numeric):
            edges = numeric.edges.edges
            deciles = numeric.edges.decileEdges
            categories = []
        case .categorical(let categorical):
            edges = []
            deciles = []
            categories = categorical.categories
        }
        switch profile {
        case .numeric(let numeric): counts = numeric.counts.dense()
        case .categorical(let categorical): counts = categorical.counts
        }
        missing = profile.missing
    }
}

extension ModelReference {
    /// These are the bins and counts of every subject, features first.
    public var details: [ReferenceDetail] {
        let names = features.map(\.name) + ["prediction", "prediction.label", "ground_truth"]
        return names.compactMap { name in
            subject(named: name).map { ReferenceDetail(name, $0.content, profile(of: $0)) }
        }
    }
}
