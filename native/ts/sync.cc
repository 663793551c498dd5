#include "ts/sync.h"

#include <cstring>

namespace reelvault::ts {

void SyncFinder::reset() {
  runs_ = {};
  windowLength_ = tailAt_ = 0;
  taken_ = 0;
  found_ = false;
}

size_t SyncFinder::feed(const uint8_t* data, size_t length) {
  size_t at = 0;
  while (at < length && !found_ && !exhausted()) {
    if (windowLength_ == window_.size()) {
      std::memcpy(window_.data(), window_.data() + kSpan, kSpan);
      windowLength_ = kSpan;
    }
    const uint8_t byte = data[at++];
    window_[windowLength_++] = byte;
    taken_++;
    for (size_t g = 0; g < kGrids.size() && !found_; g++) {
      const size_t packet = kGrids[g].bytes;
      Runs& runs = runs_[g];
      uint8_t& run = runs.run[runs.place];
      runs.place = runs.place + 1 == packet ? 0 : runs.place + 1;
      if (byte != kSyncByte) run = 0;
      else if (run < kWanted) run++;
      if (run < kWanted) continue;
      const uint64_t firstSync = taken_ - 1 - (kWanted - 1) * packet;
      if (firstSync <= kLimit + kGrids[g].lead) accept(kGrids[g], windowLength_ - 1 - (kWanted - 1) * packet);
    }
  }
  return at;
}

bool SyncFinder::acceptShort() {
  if (found_ || taken_ != windowLength_) return found_;
  return std::any_of(kGrids.begin(), kGrids.end(), [this](const Grid& grid) { return acceptShort(grid); });
}

bool SyncFinder::acceptShort(const Grid& grid) {
  const size_t last = windowLength_;
  for (size_t start = 0; start < grid.bytes && start + kPacketBytes <= last; start++) {
    size_t at = start;
    size_t packets = 0;
    for (; at + kPacketBytes <= last && window_[at] == kSyncByte; at += grid.bytes) packets++;
    const bool every = at + kPacketBytes > last;
    // One sync byte inside a packet proves nothing; where the very first packet has it, it does.
    if (every && packets >= (start == grid.lead ? 1u : 3u)) return accept(grid, start);
  }
  return false;
}

bool SyncFinder::accept(const Grid& grid, size_t syncAt) {
  grid_ = grid;
  tailAt_ = syncAt;
  return found_ = true;
}

}  // namespace reelvault::ts
