#include "luksblock/request_threads.h"

#include <cstdlib>
#include <utility>

namespace reelvault::luksblock {

RequestThreads::RequestThreads(fuse_session* session, unsigned count) : session(session), idleCount(count), count(count) {
  for (unsigned index = 0; index < count; index += 1) threads[index] = std::thread([this] { work(); });
}

RequestThreads::~RequestThreads() {
  {
    const std::lock_guard lock(mutex);
    ending = true;
  }
  given.notify_all();
  for (unsigned index = 0; index < count; index += 1) threads[index].join();
  for (unsigned index = 0; index < idleCount; index += 1) std::free(idle[index].mem);
}

void RequestThreads::give(fuse_buf& raw) {
  {
    std::unique_lock lock(mutex);
    freed.wait(lock, [this] { return idleCount != 0; });
    idleCount -= 1;
    waiting[(waitingFirst + waitingCount) % waiting.size()] = std::exchange(raw, idle[idleCount]);
    waitingCount += 1;
  }
  given.notify_one();
}

void RequestThreads::work() {
  std::unique_lock lock(mutex);
  for (;;) {
    given.wait(lock, [this] { return waitingCount != 0 || ending; });
    if (waitingCount == 0) return;
    fuse_buf raw = waiting[waitingFirst];
    waitingFirst = (waitingFirst + 1) % waiting.size();
    waitingCount -= 1;
    lock.unlock();
    fuse_session_process_buf(session, &raw);
    lock.lock();
    idle[idleCount] = raw;
    idleCount += 1;
    if (idleCount == 1) freed.notify_one();
  }
}

}  // namespace reelvault::luksblock
