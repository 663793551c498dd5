#pragma once
#include <array>
#include <condition_variable>
#include <cstddef>
#include <cstdint>
#include <mutex>

namespace reelvault::luksblock {

/** The most requests served at once. */
constexpr unsigned kMaxWorkers = 16;

/**
 * The ranges being written now. A write that covers only part of a unit reads, changes and writes back the whole unit, so
 * it must be alone on that unit; writes of whole units never wait for each other.
 */
class WriteRanges {
 public:
  /** Waits until `[begin, end)` may be written; `alone` for read-modify-write. Returns the entry to release. */
  unsigned acquire(uint64_t begin, uint64_t end, bool alone);
  void release(unsigned entry);

 private:
  struct Range {
    uint64_t begin = 0;
    uint64_t end = 0;  // 0: free entry
    bool alone = false;
  };

  bool conflicts(uint64_t begin, uint64_t end, bool alone) const;

  std::mutex mutex;
  std::condition_variable released;
  unsigned waiting = 0;
  std::array<Range, kMaxWorkers> active;
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
