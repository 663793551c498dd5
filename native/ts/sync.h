#pragma once
#include <array>
#include <cstddef>
#include <cstdint>

#include "ts/packet.h"

namespace reelvault::ts {

/// Finds the packet grid in bytes that come in pieces of any size: the sync byte at kWanted places, one packet apart.
class SyncFinder {
 public:
  static constexpr size_t kWanted = 5;
  static constexpr size_t kLimit = 64 * 1024;  ///< a first packet that starts later than this is not looked for

  void reset();
  /// Takes bytes until the grid is found, the limit is passed, or they are all taken; answers how many it took.
  size_t feed(const uint8_t* data, size_t length);
  /// At the end of a stream too short for kWanted packets: a grid that every whole packet of it follows.
  bool acceptShort();

  bool found() const { return found_; }
  bool exhausted() const { return !found_ && taken_ >= kLimit + (kWanted - 1) * kPacketBytes + 1; }
  /// Bytes taken since reset().
  uint64_t taken() const { return taken_; }
  /// After found(): the bytes from the first packet on (some whole packets, then a part of one).
  const uint8_t* tail() const { return window_.data() + tailAt_; }
  size_t tailLength() const { return windowLength_ - tailAt_; }

 private:
  static constexpr size_t kSpan = kWanted * kPacketBytes;
  std::array<uint8_t, kPacketBytes> run_{};  // consecutive sync bytes on each of the possible grids
  std::array<uint8_t, 2 * kSpan> window_{};  // the newest bytes; slides by kSpan when full
  size_t windowLength_ = 0;
  size_t tailAt_ = 0;
  uint64_t taken_ = 0;
  bool found_ = false;
};

}  // namespace reelvault::ts
