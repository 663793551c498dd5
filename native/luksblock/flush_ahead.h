#pragma once
#include <atomic>
#include <cstdint>
#include <functional>
#include <thread>

namespace reelvault::luksblock {

/**
 * Begins a flush when small writes have ended that one will follow, as it did after the last ones: a journal or a database then waits
 * for the disk alone, and not for the way of the answer and of its sync through loop device and FUSE as well. A wrong guess costs one
 * flush, and makes it stop guessing. All but the flush itself is for the reading thread only.
 */
class FlushAhead {
 public:
  /** `flush` is called by a thread of its own; what it has to tell, it keeps for the sync that comes. */
  explicit FlushAhead(std::function<void()> flush);
  /** Waits for a flush that is under way. */
  ~FlushAhead();
  FlushAhead(const FlushAhead&) = delete;
  FlushAhead& operator=(const FlushAhead&) = delete;

  /** A small write has ended, and is not answered yet; `last` of those that were under way. */
  void wrote(bool last);
  /** A sync has come. */
  void asked();
  /** A large write has come: whoever streams syncs seldom. */
  void streamed() { trust = 0; }

 private:
  void work();

  const std::function<void()> flush;
  unsigned since = 0;       // small writes since the last sync
  unsigned trust = 0;       // syncs in a row that came after few small writes
  bool unanswered = false;  // a flush was begun, and no sync has come since
  std::atomic<uint32_t> begun{0};  // flushes that were begun
  std::atomic<bool> ending{false};
  std::thread thread;
};

}  // namespace reelvault::luksblock
