public import MonitoringDomain
import StreamingStatistics

extension PredictionBatch {
    /// This is the batch with the numbers that stand for its texts and vectors in their place: a numeric
    /// column for each, as `FeatureKind.measures` names them.
    ///
    /// A column of the batch that has such a name itself stays, and the measure is left out. The numbers are
    /// made of a row alone, so it does not matter how rows were batched.
    public var measured: PredictionBatch {
        guard features.contains(where: { !$0.column.kind.measures.isEmpty }) else { return self }
        var batch = self
        let names = features.map(\.name).exactSet
        batch.features = features.flatMap { name, column in
            guard let measures = column.measures else { return [(name, column)] }
            return zip(column.kind.measures, measures).map { measure, values in
                ("\(name).\(measure)", .numeric(values))
            }.filter { !names.contains(ExactText($0.0)) }
        }
        return batch
    }
}

extension FeatureColumn {
    /// [measures][rowCount]; nil where the column is counted itself.
    ///
    /// NaN where the value is missing, and for the shares of an empty text.
    fileprivate var measures: [[Double]]? {
        switch self {
        case .numeric, .single, .categorical: nil
        case .text(let texts): texts.measures
        case .vector(let vectors): vectors.measures
        }
    }
}

extension TextColumn {
    /// Each distinct text is measured once.
    fileprivate var measures: [[Double]] {
        let ofText = dictionary.map { TextMeasures(of: $0).values }
        return TextMeasures.names.indices.map { measure in
            codes.map { $0 == Self.missing ? .nan : ofText[Int($0)][measure] }
        }
    }
}

extension VectorColumn {
    fileprivate var measures: [[Double]] {
        let projection = VectorProjection(
            dimension: dimension, directionCount: FeatureKind.vectorDirectionCount)
        return projection.columns(of: numbers.span).map { values in
            var next = 0
            return isPresent.map { isPresent in
                guard isPresent else { return .nan }
                defer { next += 1 }
                return values[next]
            }
        }
    }
}
