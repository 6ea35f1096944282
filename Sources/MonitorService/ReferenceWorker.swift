import Dispatch
import Foundation
public import Logging
import MonitorCore
import MonitorStore
public import MonitoringDomain
import Synchronization

/// This is the background work of references: it folds a model's log again in a new reference's bins while
/// records are taken, and asks for the activation when it is done.
///
/// It reads the log by a connection of its own. A newer request for a reference, or the end of the service,
/// interrupts it; nothing of it is kept, and a replay does the same work at the same place.
public final class ReferenceWorker: Sendable {
    /// Inputs between two looks at whether the work is still wanted.
    private static let checkIntervalCount = 64

    private let directory: String
    private let runner: MonitorRunner
    private let logger: Logger
    private let progress = Mutex<[ModelID: Progress]>([:])

    /// This is how far the folding of a model is.
    public struct Progress: Sendable, Equatable {
        /// The reference that will be in force.
        public var id: String
        /// Inputs that were read, of selection and folding together.
        public var done: Int64
        /// Inputs that must be read; it grows while records come.
        public var total: Int64

        /// This is the share that is done, 0...1.
        public var fraction: Double { total > 0 ? min(1, Double(done) / Double(total)) : 0 }
    }

    private struct Interrupted: Error {}

    /// Makes the worker of a data directory.
    public init(directory: String, runner: MonitorRunner, logger: Logger) {
        self.directory = directory
        self.runner = runner
        self.logger = logger
    }

    /// This is how far the work on a model is; nil when none is going on.
    public func progress(of model: ModelID) -> Progress? { progress.withLock { $0[model] } }

    /// Works until the task is cancelled.
    public func run() async {
        await withTaskExecutorPreference(BackgroundExecutor("leeway-references")) { await work() }
    }

    private func work() async {
        while !Task.isCancelled {
            do {
                if try await !workOnce() { try await Task.sleep(for: .milliseconds(200)) }
            } catch is CancellationError {
                return
            } catch {
                logger.error(
                    "a reference could not be profiled", metadata: ["reason": "\(error)"])
                try? await Task.sleep(for: .seconds(5))
            }
        }
    }

    /// Makes one waiting reference ready and activates it; false when none waits.
    public func workOnce() async throws -> Bool {
        let waiting = try await runner.read { monitor -> (Refolding, Int64, Int64)? in
            for model in monitor.collector.models.keys.sorted() {
                if let refolding = monitor.collector.models[model]?.refolding {
                    return (refolding, monitor.logStart.position, monitor.position)
                }
            }
            return nil
        }
        guard let (refolding, start, position) = waiting else { return false }
        let (model, id) = (refolding.model, refolding.id)
        defer { progress.withLock { $0[model] = nil } }
        guard let folded = try await fold(refolding, after: start, through: position) else {
            return true
        }
        runner.offer(folded, after: start, through: position)
        _ = try await runner.submit([.activateReference(model, id: id)])
        return true
    }

    /// Nil when a newer reference was asked for meanwhile.
    private func fold(
        _ start: Refolding, after first: Int64, through end: Int64
    ) async throws -> Refolding? {
        let store = try SQLiteStore(directory: directory, readOnly: true)
        defer { store.close() }
        var refolding = start
        let total = end - first + (start.needsSelection ? max(0, start.selectionEnd - first) : 0)
        var done: Int64 = 0
        if start.needsSelection {
            var position = first
            while position < start.selectionEnd {
                let last = min(position + Int64(Self.checkIntervalCount), start.selectionEnd)
                try store.forEachEntry(after: position, through: last) { entry in
                    refolding.select(entry)
                }
                done += last - position
                position = last
                guard try await isWanted(start, done, total) else { return nil }
            }
        }
        var position = first
        while position < end {
            let last = min(position + Int64(Self.checkIntervalCount), end)
            try store.forEachEntry(after: position, through: last) { entry in
                refolding.fold(entry)
            }
            done += last - position
            position = last
            guard try await isWanted(start, done, total) else { return nil }
        }
        return refolding
    }

    private func isWanted(
        _ refolding: Refolding, _ done: Int64, _ total: Int64
    ) async throws -> Bool {
        try Task.checkCancellation()
        let (model, id) = (refolding.model, refolding.id)
        progress.withLock { $0[model] = Progress(id: id, done: done, total: total) }
        return try await runner.read { $0.collector.models[model]?.refolding?.id == id }
    }
}

/// This is a thread of its own for long work, so that the threads that answer are free for answers.
final class BackgroundExecutor: TaskExecutor {
    private let queue: DispatchQueue

    init(_ label: String) { queue = DispatchQueue(label: label, qos: .utility) }

    func enqueue(_ job: consuming ExecutorJob) {
        let job = UnownedJob(job)
        queue.async { job.runSynchronously(on: self.asUnownedTaskExecutor()) }
    }
}
