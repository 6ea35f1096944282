import MonitoringDomain
import StreamingStatistics

/// This is the part of a reference that belongs to one feature, or to one number that stands for one.
struct FeatureReference: Sendable, Equatable {
    let name: String
    var content: Content
    /// The same bins for values of single precision; nil for features of other kinds.
    let narrow: NarrowBinEdges?

    enum Content: Sendable, Equatable {
        case numeric(NumericReference)
        case categorical(CategoricalReference)
    }

    init(name: String, content: Content, isSingle: Bool = false) {
        self.name = name
        self.content = content
        if isSingle, case .numeric(let numeric) = content {
            narrow = NarrowBinEdges(numeric.edges)
        } else {
            narrow = nil
        }
    }

    /// - Precondition: the feature is counted itself, and the batches' columns are measured.
    init(_ schema: FeatureSchema, _ batches: [PredictionBatch]) {
        precondition(schema.kind.measures.isEmpty, "\(schema.name) is measured through others")
        let columns = batches.map { batch in
            (batch.features.first { $0.name.isExactly(schema.name) }?.column, batch.rowCount)
        }
        guard schema.kind == .categorical else {
            let numbers = columns.map { column, count in
                switch column {
                case .numeric(let values): values
                case .single(let values): values.map { Double($0) }
                case .categorical, .text, .vector, nil: [Double](repeating: .nan, count: count)
                }
            }
            self.init(
                name: schema.name, content: .numeric(NumericReference(numbers)),
                isSingle: schema.kind == .single)
            return
        }
        let texts = columns.map { column, count in
            if case .categorical(let texts)? = column { return texts }
            return TextColumn(
                codes: [UInt32](repeating: TextColumn.missing, count: count), dictionary: [])
        }
        self.init(name: schema.name, content: .categorical(CategoricalReference(texts)))
    }

    /// Compares what is stored.
    static func == (left: Self, right: Self) -> Bool {
        left.name.isExactly(right.name) && left.content == right.content
            && (left.narrow == nil) == (right.narrow == nil)
    }
}
