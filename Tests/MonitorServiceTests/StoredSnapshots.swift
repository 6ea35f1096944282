import MonitorStore

extension SQLiteStore {
    /// These are the snapshots whose checksums hold, the newest first.
    func snapshots() throws -> [(position: Int64, bytes: [UInt8])] {
        try snapshotPositions().compactMap { position in
            try snapshot(at: position).map { (position, $0) }
        }
    }
}
