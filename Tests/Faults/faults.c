// This makes system calls on the log's files fail, vanish or kill: a library to be loaded before others.
//
// FAULT=drop     flushes do nothing, as on a disk that lies
// FAULT=eio:N    the N-th flush fails with EIO; later ones work again
// FAULT=write:N  the N-th write or cut fails with EIO; later ones work again
// FAULT=reads:P  counts, in the file P, every read of a file of the data directory; opens:P every opening
// FAULT=flushes:P, FAULT=writes:P  count what eio:N and write:N would make fail
// FAULT=read:N   the N-th of them fails with EIO; open:N the same of openings
// FAULT=rot:P    flushes fail with EIO while there is a file P
// FAULT=intr     every third read, write and cut is interrupted before it does anything
// FAULT=short    writes put half of what they are given, and say so
// FAULT=kill:N   the process dies at the N-th write, flush or cut
// FAULT=tear:N   the process dies in the middle of the N-th write: half of it is in the file
// FAULT=order    an acknowledgement that leaves while a write of the log is not flushed ends the process
// FAULT=blind    the same, with eyes that see no flush: the first acknowledgement ends the process
// FAULT=full:P   writes of the log fail with ENOSPC while there is a file P
// FAULT=base:P   the same, of the database itself and not of its write-ahead log
// FAULT=hold:P   writes of the database itself, which only a checkpoint makes, wait while there is a file P, and say so
//                in a file P.held
// FAULT=snap:P   SQLite refuses snapshots as too large for the disk while there is a file P
// FAULT=brim:N   from the N-th of those changes on nothing has room: writes, making and reserving fail with ENOSPC
// FAULT=steps:P  counts, in the file P, every call that changes a file of the data directory
// FAULT=step:N   the process dies at the N-th of them: write, flush, cut, making, renaming, removing
// FAULT=normal   SQLite is told synchronous=NORMAL where it is told FULL
// FAULT=hidden   the same, and SQLite says FULL when it is asked
// Only files whose path holds "leeway.sqlite" count; of steps, reads and openings those whose path holds
// FAULT_PATH.
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <unistd.h>

enum mode {
  NONE, DROP, FAIL, KILL, TEAR, WRITE, SHORT, ORDER, BLIND, FULL, BASE, NORMAL, HIDDEN, SNAP, ROT, HOLD,
  INTR,
  FLUSHES, WRITES, READS, READ, OPENS, OPENED, STEPS, STEP, BRIM
};
static enum mode mode = NONE;
static long target = 0;
static const char *sign = "";
static const char *root = "";
static int counter = -1;
static atomic_long calls = 0;
static atomic_int is_dirty = 0;

__attribute__((constructor)) static void begin(void) {
  const char *text = getenv("FAULT");
  if (!text) return;
  if (strcmp(text, "drop") == 0) mode = DROP;
  if (strncmp(text, "eio:", 4) == 0) mode = FAIL, target = atol(text + 4);
  if (strcmp(text, "order") == 0) mode = ORDER;
  if (strcmp(text, "blind") == 0) mode = BLIND;
  if (strncmp(text, "base:", 5) == 0) mode = BASE, sign = text + 5;
  if (strncmp(text, "full:", 5) == 0) mode = FULL, sign = text + 5;
  if (getenv("FAULT_PATH")) root = getenv("FAULT_PATH");
  if (strncmp(text, "snap:", 5) == 0) mode = SNAP, sign = text + 5;
  if (strncmp(text, "step:", 5) == 0) mode = STEP, target = atol(text + 5);
  if (strncmp(text, "read:", 5) == 0) mode = READ, target = atol(text + 5);
  if (strncmp(text, "open:", 5) == 0) mode = OPENED, target = atol(text + 5);
  if (strncmp(text, "brim:", 5) == 0) mode = BRIM, target = atol(text + 5);
  if (strncmp(text, "hold:", 5) == 0) mode = HOLD, sign = text + 5;
  if (strncmp(text, "rot:", 4) == 0) mode = ROT, sign = text + 4;
  if (strcmp(text, "intr") == 0) mode = INTR;
  if (strncmp(text, "steps:", 6) == 0) mode = STEPS;
  if (strncmp(text, "reads:", 6) == 0) mode = READS;
  if (strncmp(text, "opens:", 6) == 0) mode = OPENS;
  if (strncmp(text, "flushes:", 8) == 0) mode = FLUSHES;
  if (strncmp(text, "writes:", 7) == 0) mode = WRITES;
  if (mode == STEPS || mode == READS || mode == OPENS || mode == FLUSHES || mode == WRITES)
    counter = (int)syscall(SYS_openat, AT_FDCWD, strchr(text, ':') + 1, O_WRONLY | O_CREAT, 0600);
  if (strcmp(text, "normal") == 0) mode = NORMAL;
  if (strcmp(text, "hidden") == 0) mode = HIDDEN;
  if (strncmp(text, "tear:", 5) == 0) mode = TEAR, target = atol(text + 5);
  if (strcmp(text, "short") == 0) mode = SHORT;
  if (strncmp(text, "write:", 6) == 0) mode = WRITE, target = atol(text + 6);
  if (strncmp(text, "kill:", 5) == 0) mode = KILL, target = atol(text + 5);
}

static int ends_in(const char *path, const char *end) {
  size_t size = strlen(path), tail = strlen(end);
  return size >= tail && strcmp(path + size - tail, end) == 0;
}

static int is_log(int fd) {
  char link[64], path[1024];
  snprintf(link, sizeof link, "/proc/self/fd/%d", fd);
  ssize_t size = readlink(link, path, sizeof path - 1);
  if (size < 0) return 0;
  path[size] = 0;
  // A checkpoint writes the database itself while the answer to what is durable is on its way.
  if (mode == ORDER || mode == BLIND) return ends_in(path, "leeway.sqlite-wal");
  if (mode == BASE || mode == HOLD) return ends_in(path, "leeway.sqlite");
  return strstr(path, "leeway.sqlite") != 0;
}

static void note(long call) {
  char line[32];
  int size = snprintf(line, sizeof line, "%ld", call);
  syscall(SYS_pwrite64, counter, line, (size_t)size, 0);
}

// Counts a call; 1 where it is the one that is asked for, or behind it on a disk that is full from there on.
static int counted(const char *path) {
  if (!*root || !strstr(path, root)) return 0;
  long call = atomic_fetch_add(&calls, 1) + 1;
  if (mode == STEPS || mode == READS || mode == OPENS) {
    note(call);
    return 0;
  }
  return mode == BRIM ? call >= target : call == target;
}

// Counts a call that changes a file of the data directory, and dies at the one that is asked for; 1 where
// there is no room for it.
static int step(const char *path) {
  if (mode < STEPS || !counted(path)) return 0;
  if (mode == BRIM) {
    errno = ENOSPC;
    return 1;
  }
  kill(getpid(), SIGKILL);
  return pause();
}
static int path_of(int fd, char path[1024]) {
  char link[64];
  snprintf(link, sizeof link, "/proc/self/fd/%d", fd);
  ssize_t size = readlink(link, path, 1023);
  if (size < 0) return 0;
  path[size] = 0;
  return 1;
}
static int step_of(int fd) {
  char path[1024];
  return mode >= STEPS && path_of(fd, path) && step(path);
}

// 1 where a read fails.
static int misreads(int fd) {
  char path[1024];
  if ((mode != READ && mode != READS) || !path_of(fd, path) || !counted(path)) return 0;
  errno = EIO;
  return 1;
}

// 1 where a call is to be made again; never twice in a row, whoever makes it.
static int interrupts(int fd) {
  if (mode != INTR || !is_log(fd) || atomic_fetch_add(&calls, 1) % 3 != 0) return 0;
  errno = EINTR;
  return 1;
}

// 0: go on; 1: say that it is done; -1: fail.
static int strike(int fd, int is_flush) {
  if (mode == NONE || mode >= TEAR || !is_log(fd)) return 0;
  if (mode == DROP) return is_flush;
  if (mode == FAIL && !is_flush) return 0;
  if (atomic_fetch_add(&calls, 1) + 1 != target) return 0;
  if (mode == KILL) {
    kill(getpid(), SIGKILL);
    pause();
  }
  errno = EIO;
  return -1;
}

static void hold(int fd) {
  if (mode != HOLD || !is_log(fd) || access(sign, F_OK) != 0) return;
  char held[1024];
  snprintf(held, sizeof held, "%s.held", sign);
  close((int)syscall(SYS_openat, AT_FDCWD, held, O_WRONLY | O_CREAT, 0600));
  while (access(sign, F_OK) == 0) usleep(10000);
}

static int breaks(int fd) {
  if (mode == WRITES && is_log(fd)) note(atomic_fetch_add(&calls, 1) + 1);
  if (mode != WRITE || !is_log(fd) || atomic_fetch_add(&calls, 1) + 1 != target) return 0;
  errno = EIO;
  return 1;
}

static int flush(int fd, long number) {
  step_of(fd);
  if (mode == ROT && is_log(fd) && access(sign, F_OK) == 0) {
    errno = EIO;
    return -1;
  }
  if (mode == FLUSHES && is_log(fd)) note(atomic_fetch_add(&calls, 1) + 1);
  int verdict = strike(fd, 1);
  if (verdict != 0) return verdict > 0 ? 0 : -1;
  int result = (int)syscall(number, fd);
  if (mode == ORDER && result == 0 && is_log(fd)) is_dirty = 0;
  return result;
}

int fdatasync(int fd) { return flush(fd, SYS_fdatasync); }
int fsync(int fd) { return flush(fd, SYS_fsync); }

ssize_t pwrite64(int fd, const void *bytes, size_t count, off_t offset) {
  strike(fd, 0);
  hold(fd);
  if (step_of(fd)) return -1;
  if (mode == TEAR && is_log(fd) && atomic_fetch_add(&calls, 1) + 1 == target) {
    syscall(SYS_pwrite64, fd, bytes, count / 2, offset);
    kill(getpid(), SIGKILL);
    pause();
  }
  if (mode == SHORT && is_log(fd) && count > 1) count /= 2;
  if (interrupts(fd)) return -1;
  if (breaks(fd)) return -1;
  if ((mode == ORDER || mode == BLIND) && is_log(fd)) is_dirty = 1;
  if ((mode == FULL || mode == BASE) && is_log(fd) && access(sign, F_OK) == 0) {
    errno = ENOSPC;
    return -1;
  }
  return syscall(SYS_pwrite64, fd, bytes, count, offset);
}
ssize_t pwrite(int fd, const void *bytes, size_t count, off_t offset) {
  return pwrite64(fd, bytes, count, offset);
}
ssize_t pread64(int fd, void *bytes, size_t count, off_t offset) {
  if (misreads(fd) || interrupts(fd)) return -1;
  return syscall(SYS_pread64, fd, bytes, count, offset);
}
ssize_t pread(int fd, void *bytes, size_t count, off_t offset) {
  return pread64(fd, bytes, count, offset);
}
ssize_t read(int fd, void *bytes, size_t count) {
  if (misreads(fd)) return -1;
  return syscall(SYS_read, fd, bytes, count);
}
int ftruncate64(int fd, off_t size) {
  strike(fd, 0);
  step_of(fd);
  if (breaks(fd) || interrupts(fd)) return -1;
  return (int)syscall(SYS_ftruncate, fd, size);
}
int ftruncate(int fd, off_t size) { return ftruncate64(fd, size); }
int posix_fallocate64(int fd, off_t start, off_t size) {
  if (step_of(fd)) return ENOSPC;
  return syscall(SYS_fallocate, fd, 0, start, size) == 0 ? 0 : errno;
}
int posix_fallocate(int fd, off_t start, off_t size) { return posix_fallocate64(fd, start, size); }

// Opening counts where it may make a file.
static int opened(int folder, const char *path, int flags, mode_t access) {
  if ((flags & O_CREAT) && step(path)) return -1;
  if ((mode == OPENS || mode == OPENED) && counted(path)) {
    errno = EIO;
    return -1;
  }
  return (int)syscall(SYS_openat, folder, path, flags | O_LARGEFILE, access);
}
#define OPEN(name)                                      \
  int name(const char *path, int flags, ...) {          \
    va_list rest;                                       \
    va_start(rest, flags);                              \
    mode_t access = (flags & (O_CREAT | O_TMPFILE)) ? va_arg(rest, mode_t) : 0; \
    va_end(rest);                                       \
    return opened(AT_FDCWD, path, flags, access);       \
  }
OPEN(open)
OPEN(open64)
#define OPENAT(name)                                    \
  int name(int folder, const char *path, int flags, ...) { \
    va_list rest;                                       \
    va_start(rest, flags);                              \
    mode_t access = (flags & (O_CREAT | O_TMPFILE)) ? va_arg(rest, mode_t) : 0; \
    va_end(rest);                                       \
    return opened(folder, path, flags, access);         \
  }
OPENAT(openat)
OPENAT(openat64)
int rename(const char *from, const char *to) {
  step(to);
  return (int)syscall(SYS_renameat, AT_FDCWD, from, AT_FDCWD, to);
}
int unlink(const char *path) {
  step(path);
  return (int)syscall(SYS_unlinkat, AT_FDCWD, path, 0);
}
int mkdir(const char *path, mode_t access) {
  if (step(path)) return -1;
  return (int)syscall(SYS_mkdirat, AT_FDCWD, path, access);
}

// An answer that begins here, before the flush it stands for, would be a lie after a power cut.
static void leave(const void *bytes, size_t size) {
  if (!is_dirty || !memmem(bytes, size, "HTTP/1.1 202", 12)) return;
  static const char words[] = "acknowledged before the flush\n";
  syscall(SYS_write, 2, words, sizeof words - 1);
  _exit(99);
}

ssize_t write(int fd, const void *bytes, size_t count) {
  leave(bytes, count);
  if (step_of(fd)) return -1;
  return syscall(SYS_write, fd, bytes, count);
}
ssize_t writev(int fd, const struct iovec *parts, int count) {
  for (int i = 0; i < count; i++) leave(parts[i].iov_base, parts[i].iov_len);
  return syscall(SYS_writev, fd, parts, count);
}
ssize_t send(int fd, const void *bytes, size_t count, int flags) {
  leave(bytes, count);
  return syscall(SYS_sendto, fd, bytes, count, flags, 0, 0);
}
ssize_t sendmsg(int fd, const struct msghdr *message, int flags) {
  for (size_t i = 0; i < message->msg_iovlen; i++)
    leave(message->msg_iov[i].iov_base, message->msg_iov[i].iov_len);
  return syscall(SYS_sendmsg, fd, message, flags);
}

// The words that are put in place of others have their length, so that places in the text stay.
static char *altered(const char *sql) {
  if (mode != NORMAL && mode != HIDDEN) return 0;
  char *copy = strdup(sql), *place;
  if (copy && (place = strstr(copy, "synchronous = FULL"))) memcpy(place + 14, "   1", 4);
  if (copy && mode == HIDDEN && strcmp(copy, "PRAGMA synchronous") == 0)
    memcpy(copy, "SELECT 2          ", 18);
  return copy;
}

typedef int (*prepare_v3)(void *, const char *, int, unsigned, void **, const char **);

int sqlite3_prepare_v3(
    void *db, const char *sql, int size, unsigned flags, void **statement, const char **tail) {
  if (mode == SNAP && strstr(sql, "INTO snapshot") && access(sign, F_OK) == 0) {
    *statement = 0;
    return 13;
  }
  prepare_v3 next = (prepare_v3)dlsym(RTLD_NEXT, "sqlite3_prepare_v3");
  char *copy = altered(sql);
  if (!copy) return next(db, sql, size, flags, statement, tail);
  const char *end = copy;
  int result = next(db, copy, size, flags, statement, &end);
  if (tail) *tail = sql + (end - copy);
  free(copy);
  return result;
}
int sqlite3_prepare_v2(void *db, const char *sql, int size, void **statement, const char **tail) {
  return sqlite3_prepare_v3(db, sql, size, 0, statement, tail);
}
