#pragma once
#include <atomic>
#include <condition_variable>
#include <cstdint>
#include <mutex>

#include "luksblock/write_log.h"

namespace reelvault::luksblock {

/** fdatasync of `fd`: 0 or its errno. */
int dataSync(int fd);

/**
 * Answers syncs with as few flushes of the disk as are enough. A flush that began after a write ended makes that write stable, for
 * whoever asks: syncs that wait together share one, and one that comes when nothing was written since needs none. Thread-safe.
 */
class GroupSync {
 public:
  using Flush = int (*)(int fd);
  /** `log`, where there is one, outlives this. */
  explicit GroupSync(int fd, Flush flush = dataSync, WriteLog* log = nullptr) : fd(fd), flush(flush), log(log) {}

  /** To be called when a write has ended, well or not, and before it is answered. */
  void wrote();
  /** Whether a sync asked for now needs no flush. */
  bool stable();
  /** Returns when every write that had ended at the call is stable: 0, or the errno of a flush that should have made it so. */
  int sync();
  /** A sync that nobody asked for. Its error is the next one's who asks. */
  void ahead();
  /** Whether the last flush took less than a millisecond: a wake-up of another thread for the next one is a part of that to reckon with. */
  bool quick() const { return lastWasQuick; }

 private:
  int flushAll(std::unique_lock<std::mutex>& lock);
  int flushOnce();

  const int fd;
  const Flush flush;
  WriteLog* const log;
  std::mutex mutex;
  std::condition_variable ended;
  // The first sync always flushes: what a former process wrote may still be in the disk's own cache.
  uint64_t writes = 1;
  uint64_t stableWrites = 0;
  uint64_t failedWrites = 0;  // how many writes the last failed flush should have made stable
  uint64_t failures = 0;
  int lastError = 0;
  int untold = 0;  // the error of a flush that nobody waited for
  bool flushing = false;
  std::atomic<bool> lastWasQuick{false};
};

}  // namespace reelvault::luksblock
