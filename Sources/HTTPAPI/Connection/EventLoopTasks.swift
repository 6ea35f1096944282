import NIOCore
import NIOPosix

/// This runs tasks on the threads that read and write connections, so that a request and its answer change
/// threads only for the disk and the state machine: that is most of a small one's cost.
///
/// A preference of the server's tasks, not the process's executor: that one can only be replaced where the
/// runtime is a shared library, and what else the process does may block.
final class EventLoopTasks: TaskExecutor {
    private let group = MultiThreadedEventLoopGroup.singleton

    func enqueue(_ job: consuming ExecutorJob) {
        let job = UnownedJob(job)
        let executor = asUnownedTaskExecutor()
        // The loop of this thread, where it is one.
        group.any().execute { job.runSynchronously(on: executor) }
    }
}
