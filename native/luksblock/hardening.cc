#include "luksblock/hardening.h"

#include <fcntl.h>
#include <malloc.h>
#include <pthread.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <unistd.h>

#include <cerrno>
#include <csignal>
#include <cstring>

#include "luksblock/refusal.h"
#include "luksblock/unique_fd.h"

namespace reelvault::luksblock {
namespace {

// MCL_FUTURE makes every stack resident: the default of 8 MiB a thread would be waste. The handlers need far less than this;
// ThreadSanitizer keeps its own state on the stack.
constexpr size_t kThreadStack = 1 << 20;
constexpr char kOomScore[] = "-900";

}  // namespace

void hardenEarly(Hardening& state) {
  prctl(PR_SET_DUMPABLE, 0);
  state.dumpable = prctl(PR_GET_DUMPABLE) != 0;
  std::signal(SIGPIPE, SIG_IGN);
}

void becomeIoFlusher(Hardening& state) {
  if (!assertIoFlusher()) state.ioFlusherRefused = describeErrno("PR_SET_IO_FLUSHER", errno);
  const UniqueFd score(open("/proc/self/oom_score_adj", O_WRONLY | O_CLOEXEC));
  if (!score || write(score.get(), kOomScore, strlen(kOomScore)) < 0) state.oomScoreRefused = describeErrno("oom_score_adj", errno);
}

void lockMemory(Hardening& state) {
  // Memory that malloc gives back to the kernel has to be asked for again, on the I/O path.
  mallopt(M_TRIM_THRESHOLD, -1);
  mallopt(M_MMAP_MAX, 0);
  mallopt(M_ARENA_MAX, 2);
  pthread_attr_t attributes;
  pthread_attr_init(&attributes);
  pthread_attr_setstacksize(&attributes, kThreadStack);
  pthread_setattr_default_np(&attributes);
  pthread_attr_destroy(&attributes);
  if (mlockall(MCL_CURRENT | MCL_FUTURE) != 0) state.memoryLockRefused = describeErrno("mlockall", errno);
}

bool assertIoFlusher() {
  if (prctl(PR_GET_IO_FLUSHER, 0, 0, 0, 0) == 1) return true;
  return prctl(PR_SET_IO_FLUSHER, 1, 0, 0, 0) == 0 && prctl(PR_GET_IO_FLUSHER, 0, 0, 0, 0) == 1;
}

}  // namespace reelvault::luksblock
