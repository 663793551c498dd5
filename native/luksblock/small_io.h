#pragma once
#include <liburing.h>

#include <array>
#include <cstdint>
#include <memory>
#include <span>

#include "luksblock/flush_ahead.h"
#include "luksblock/fuse_operations.h"
#include "luksblock/plane.h"
#include "luksblock/short_poll.h"
#include "luksblock/status.h"

namespace reelvault::luksblock {

/** The largest request of SmallIo: larger ones are worth a thread of their own. */
constexpr size_t kSmallRequest = 1 << 16;

/**
 * Small requests of whole units, many under way at once and all served by one thread, so that no thread is woken for a request. Only
 * for direct I/O, and only used by the thread that made it.
 */
class SmallIo {
 public:
  /** None where the kernel refuses io_uring (then every request has a thread, as a large one). */
  static std::unique_ptr<SmallIo> make(Plane& plane, Worker& worker, Counters& counters, int fuseFd);
  ~SmallIo();
  SmallIo(const SmallIo&) = delete;
  SmallIo& operator=(const SmallIo&) = delete;

  /** The calling thread's own, or null. */
  static SmallIo* mine();

  /** Whether a request of this size and place is one for here, now. */
  bool takes(uint64_t offset, size_t length) const;
  /** Begins what `takes` took; replied to in `wait`. Of a write nothing of `bytes` is needed afterwards. */
  void read(fuse_req_t request, uint64_t offset, size_t length);
  /** False where a write of part of one of these units is under way: it has to be waited for elsewhere. */
  bool write(fuse_req_t request, uint64_t offset, std::span<const uint8_t> bytes);

  /** To be told of syncs and of writes that are not for here. */
  FlushAhead& forecast() { return ahead; }
  /** Whether a sync that has come is flushed here rather than by a thread of its own: it takes less time than to wake that one. */
  bool flushes() const { return ahead.rhythm() && plane.flushesQuickly(); }
  bool full() const { return freeCount == 0; }
  /** Waits until a FUSE request has come or something is done, replies to what is done, and flushes where a sync will follow. */
  void wait();

 private:
  struct Slot {
    fuse_req_t request = nullptr;
    uint8_t* buffer = nullptr;
    uint64_t offset = 0;
    uint32_t length = 0;
    uint64_t logged = 0;  // of the write log
    unsigned range = 0;
    bool writing = false;
  };

  SmallIo(Plane& plane, Worker& worker, Counters& counters, int fuseFd);
  bool start();
  io_uring_sqe* entry();
  unsigned indexOf(const Slot& slot) const;
  Slot& takeSlot(fuse_req_t request, uint64_t offset, size_t length, bool writing);
  void submit();
  void listen();
  void reap();
  void finish(Slot& slot, int result);
  void finishRead(Slot& slot, int result);
  void finishWrite(Slot& slot, int result);

  Plane& plane;
  Worker& worker;
  Counters& counters;
  const int fuseFd;
  io_uring ring{};
  bool started = false;
  bool listening = false;  // a poll of fuseFd is under way
  std::unique_ptr<uint8_t, FreeMemory> memory;
  std::array<Slot, kSmallSlots> slots;
  std::array<unsigned, kSmallSlots> free{};
  unsigned freeCount = 0;
  unsigned writing = 0;
  FlushAhead ahead;
  bool flushNow = false;
  ShortPoll<> poll;
};

}  // namespace reelvault::luksblock
