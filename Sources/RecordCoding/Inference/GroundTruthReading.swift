import MonitoringDomain

extension WireRow {
    /// Takes a foreign value as ground truth; false where it is none.
    ///
    /// A whole number can name a class or be a value: where the task is not known, it is both, and
    /// the outcome uses the one that its prediction has.
    mutating func readTruth(_ truth: WireValue, task: TaskKind?) -> Bool {
        switch truth {
        case .null, .bytes: return false
        case .string, .bool:
            truthLabel = truth.name
        case .integer, .number:
            if task != .regression { truthLabel = truth.name }
            if task == nil || task == .regression { truthValue = truth.double }
        case .array(let elements):
            if elements.count == 1 { return readTruth(elements[0], task: task) }
            // One-hot, or probabilities: the class is the place of the largest.
            let kind = OutputKind(task: task)
            truthLabel = PredictedOutput(truth, kind)?.label
        case .object(let members):
            let names = ["label", "ground_truth", "truth", "target", "value"]
            if let found = names.lazy.compactMap({ truth[$0] }).first {
                return readTruth(found, task: task)
            }
            return members.count == 1 && readTruth(members[0].value, task: task)
        }
        return hasTruth
    }
}
