// This makes system calls on the log's files fail, vanish or kill: a library to be loaded before others.
//
// FAULT=drop     flushes do nothing, as on a disk that lies
// FAULT=eio:N    the N-th flush fails with EIO; later ones work again
// FAULT=kill:N   the process dies at the N-th write, flush or cut
// Only files whose path holds "leeway.sqlite" count.
#define _GNU_SOURCE
#include <errno.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

enum mode { NONE, DROP, FAIL, KILL };
static enum mode mode = NONE;
static long target = 0;
static atomic_long calls = 0;

__attribute__((constructor)) static void begin(void) {
  const char *text = getenv("FAULT");
  if (!text) return;
  if (strcmp(text, "drop") == 0) mode = DROP;
  if (strncmp(text, "eio:", 4) == 0) mode = FAIL, target = atol(text + 4);
  if (strncmp(text, "kill:", 5) == 0) mode = KILL, target = atol(text + 5);
}

static int is_log(int fd) {
  char link[64], path[1024];
  snprintf(link, sizeof link, "/proc/self/fd/%d", fd);
  ssize_t size = readlink(link, path, sizeof path - 1);
  if (size < 0) return 0;
  path[size] = 0;
  return strstr(path, "leeway.sqlite") != 0;
}

// 0: go on; 1: say that it is done; -1: fail.
static int strike(int fd, int is_flush) {
  if (mode == NONE || !is_log(fd)) return 0;
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

static int flush(int fd, long number) {
  int verdict = strike(fd, 1);
  if (verdict != 0) return verdict > 0 ? 0 : -1;
  return (int)syscall(number, fd);
}

int fdatasync(int fd) { return flush(fd, SYS_fdatasync); }
int fsync(int fd) { return flush(fd, SYS_fsync); }

ssize_t pwrite64(int fd, const void *bytes, size_t count, off_t offset) {
  strike(fd, 0);
  return syscall(SYS_pwrite64, fd, bytes, count, offset);
}
ssize_t pwrite(int fd, const void *bytes, size_t count, off_t offset) {
  return pwrite64(fd, bytes, count, offset);
}
int ftruncate64(int fd, off_t size) {
  strike(fd, 0);
  return (int)syscall(SYS_ftruncate, fd, size);
}
int ftruncate(int fd, off_t size) { return ftruncate64(fd, size); }
