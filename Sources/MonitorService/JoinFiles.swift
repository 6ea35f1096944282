import MonitorCore
public import MonitorStore
public import MonitoringDomain
public import WindowAggregation

extension PartitionFiles {
    /// This is the place of each model's sealed ids; a reader opens what is there and writes nothing.
    ///
    /// - Parameter isReadOnly: True for a reader of somebody else's directory.
    /// - Returns: The storage of a model.
    public func storage(isReadOnly: Bool) -> @Sendable (ModelID) -> PartitionStorage {
        { model in
            let prefix = "\(model.rawValue)."
            return PartitionStorage(
                make: { name, write in
                    isReadOnly ? nil : self.make(prefix + name, write).map { PartitionBytes($0) }
                }, open: { name in self.open(prefix + name).map { PartitionBytes($0) } })
        }
    }
}

extension PartitionBytes {
    fileprivate init(_ file: SealedFile) {
        self.init(count: file.count) { file.read($0, $1) }
    }
}

extension Monitor {
    /// These are the names of the files that hold its sealed ids.
    var partitionNames: Set<String> {
        Set(
            collector.models.flatMap { model, collector in
                collector.join.partitions.map { "\(model.rawValue).\($0.name)" }
            })
    }
}
