#include "luksblock/group_sync.h"

#include <unistd.h>

#include <cerrno>
#include <chrono>
#include <utility>

namespace reelvault::luksblock {

int dataSync(int fd) {
  // A container on FUSE or network storage: a signal there says nothing about the data.
  while (fdatasync(fd) != 0)
    if (errno != EINTR) return errno;
  return 0;
}

void GroupSync::wrote() {
  const std::lock_guard lock(mutex);
  writes += 1;
}

bool GroupSync::stable() {
  const std::lock_guard lock(mutex);
  return untold == 0 && stableWrites == writes;
}

int GroupSync::sync() {
  std::unique_lock lock(mutex);
  if (untold != 0) return std::exchange(untold, 0);
  return flushAll(lock);
}

void GroupSync::ahead() {
  std::unique_lock lock(mutex);
  if (const int error = flushAll(lock)) untold = error;
}

int GroupSync::flushOnce() {
  if (log == nullptr) return flush(fd);
  uint64_t entry = 0;
  if (const int error = log->flushBegins(entry)) return error;
  const int error = flush(fd);
  const int failed = log->flushEnds(entry, error);
  return error != 0 ? error : failed;
}

int GroupSync::flushAll(std::unique_lock<std::mutex>& lock) {
  const uint64_t needed = writes;
  const uint64_t failuresBefore = failures;
  while (stableWrites < needed) {
    // The kernel tells an error to one fdatasync only: whoever waited for the same writes has to hear of it too.
    if (failures != failuresBefore && failedWrites >= needed) return lastError;
    if (flushing) {
      ended.wait(lock);
      continue;
    }
    // Only what has ended before the flush begins is made stable by it.
    const uint64_t covered = writes;
    flushing = true;
    lock.unlock();
    const auto begun = std::chrono::steady_clock::now();
    const int error = flushOnce();
    lastWasQuick = std::chrono::steady_clock::now() - begun < std::chrono::milliseconds(1);
    lock.lock();
    flushing = false;
    ended.notify_all();
    if (error == 0) {
      stableWrites = covered;
      continue;
    }
    failures += 1;
    failedWrites = covered;
    lastError = error;
    return error;
  }
  return 0;
}

}  // namespace reelvault::luksblock
