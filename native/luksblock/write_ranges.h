#pragma once
#include <array>
#include <condition_variable>
#include <cstddef>
#include <cstdint>
#include <mutex>

namespace reelvault::luksblock {

/** The most threads that serve requests: sixteen that work on one each, and the one that reads them all. */
constexpr unsigned kMaxWorkers = 17;
/** The most small requests that the reading thread has under way besides. */
constexpr unsigned kSmallSlots = 32;

/**
 * The ranges being written now. A write that covers only part of a unit reads, changes and writes back the whole unit, so
 * it must be alone on that unit; writes of whole units never wait for each other.
 */
class WriteRanges {
 public:
  /** Waits until `[begin, end)` may be written; `alone` for read-modify-write. Returns the entry to release. */
  unsigned acquire(uint64_t begin, uint64_t end, bool alone);
  /** As `acquire` of whole units, but false instead of waiting. */
  bool tryAcquire(uint64_t begin, uint64_t end, unsigned& entry);
  void release(unsigned entry);

 private:
  struct Range {
    uint64_t begin = 0;
    uint64_t end = 0;  // 0: free entry
    bool alone = false;
  };

  bool conflicts(uint64_t begin, uint64_t end, bool alone) const;
  unsigned enter(uint64_t begin, uint64_t end, bool alone);

  std::mutex mutex;
  std::condition_variable released;
  unsigned waiting = 0;
  std::array<Range, kMaxWorkers + kSmallSlots> active;
};

/** Holds a range for a scope. */
class HeldRange {
 public:
  HeldRange(WriteRanges& ranges, uint64_t begin, uint64_t end, bool alone)
      : ranges(ranges), entry(ranges.acquire(begin, end, alone)) {}
  ~HeldRange() { ranges.release(entry); }
  HeldRange(const HeldRange&) = delete;
  HeldRange& operator=(const HeldRange&) = delete;

 private:
  WriteRanges& ranges;
  unsigned entry;
};

}  // namespace reelvault::luksblock
