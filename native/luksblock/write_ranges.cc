#include "luksblock/write_ranges.h"

namespace reelvault::luksblock {

bool WriteRanges::conflicts(uint64_t begin, uint64_t end, bool alone) const {
  for (const Range& range : active)
    if (range.end != 0 && (alone || range.alone) && range.begin < end && begin < range.end) return true;
  return false;
}

// One entry a worker and one a small request: a free one exists.
unsigned WriteRanges::enter(uint64_t begin, uint64_t end, bool alone) {
  unsigned entry = 0;
  while (active[entry].end != 0) entry += 1;
  active[entry] = {begin, end, alone};
  return entry;
}

unsigned WriteRanges::acquire(uint64_t begin, uint64_t end, bool alone) {
  std::unique_lock lock(mutex);
  waiting += 1;
  released.wait(lock, [&] { return !conflicts(begin, end, alone); });
  waiting -= 1;
  return enter(begin, end, alone);
}

bool WriteRanges::tryAcquire(uint64_t begin, uint64_t end, unsigned& entry) {
  const std::lock_guard lock(mutex);
  if (conflicts(begin, end, false)) return false;
  entry = enter(begin, end, false);
  return true;
}

void WriteRanges::release(unsigned entry) {
  const std::lock_guard lock(mutex);
  active[entry].end = 0;
  if (waiting != 0) released.notify_all();
}

}  // namespace reelvault::luksblock
