#pragma once
#include <array>
#include <condition_variable>
#include <mutex>
#include <thread>

#include "luksblock/fuse_operations.h"
#include "luksblock/write_ranges.h"

namespace reelvault::luksblock {

/** Threads that work on one request each, from its raw bytes to the reply. They end, with what they were given, in the destructor. */
class RequestThreads {
 public:
  RequestThreads(fuse_session* session, unsigned count);
  ~RequestThreads();
  RequestThreads(const RequestThreads&) = delete;
  RequestThreads& operator=(const RequestThreads&) = delete;

  /** Gives away `raw` and makes it an empty buffer for the next request; waits while all threads have work and the next has, too. */
  void give(fuse_buf& raw);

 private:
  void work();

  fuse_session* const session;
  std::mutex mutex;
  std::condition_variable given, freed;
  // Stacks and a queue of at most as many buffers as there are threads: memory of a request each, made when first used.
  std::array<fuse_buf, kMaxWorkers> idle{}, waiting{};
  unsigned idleCount, waitingFirst = 0, waitingCount = 0;
  bool ending = false;
  const unsigned count;
  std::array<std::thread, kMaxWorkers> threads;
};

}  // namespace reelvault::luksblock
