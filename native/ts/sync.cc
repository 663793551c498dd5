#include "ts/sync.h"

#include <cstring>

namespace reelvault::ts {

void SyncFinder::reset() {
  run_.fill(0);
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
    uint8_t& run = run_[taken_++ % kPacketBytes];
    run = byte == kSyncByte ? static_cast<uint8_t>(run + 1) : uint8_t{0};
    if (run == kWanted) {
      found_ = true;
      tailAt_ = windowLength_ - 1 - (kWanted - 1) * kPacketBytes;
    }
  }
  return at;
}

bool SyncFinder::acceptShort() {
  if (found_ || taken_ != windowLength_) return found_;
  for (size_t start = 0; start < kPacketBytes && start + kPacketBytes <= windowLength_; start++) {
    size_t at = start;
    size_t packets = 0;
    for (; at + kPacketBytes <= windowLength_ && window_[at] == kSyncByte; at += kPacketBytes) packets++;
    const bool every = at + kPacketBytes > windowLength_;
    // One sync byte inside a packet proves nothing; at the very first byte it does.
    if (every && packets >= (start == 0 ? 1u : 3u)) {
      found_ = true;
      tailAt_ = start;
      return true;
    }
  }
  return false;
}

}  // namespace reelvault::ts
