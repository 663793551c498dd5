#pragma once
#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>

#include "ts/packet.h"

namespace reelvault::ts {

/// How packets lie in the bytes: `bytes` apart, each with its sync byte behind `lead` others and with what the carrier added at its end.
struct Grid {
  size_t bytes;
  size_t lead;
};
/// Plain packets; with a 4-byte arrival time before each (M2TS, ISO/IEC 13818-1 has no name for it); with 16 bytes of Reed-Solomon parity behind.
constexpr std::array<Grid, 3> kGrids{{{188, 0}, {192, 4}, {204, 0}}};
constexpr size_t kLongestPacket = 204;

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
  bool exhausted() const { return !found_ && taken_ > kLimit + kLongestPacket + (kWanted - 1) * kLongestPacket; }
  /// Bytes taken since reset().
  uint64_t taken() const { return taken_; }
  /// After found(): how the packets lie.
  const Grid& grid() const { return grid_; }
  /// After found(): how many of the bytes before the first sync byte belong to its packet; less than the grid's lead when the rest never came.
  size_t lead() const { return std::min(grid_.lead, tailAt_); }
  /// After found(): the bytes from the first sync byte on (some whole packets, then a part of one); `lead()` bytes stand before them.
  const uint8_t* tail() const { return window_.data() + tailAt_; }
  size_t tailLength() const { return windowLength_ - tailAt_; }

 private:
  static constexpr size_t kSpan = kWanted * kLongestPacket;
  bool accept(const Grid& grid, size_t syncAt);
  bool acceptShort(const Grid& grid);
  // Consecutive sync bytes at each of the places where a grid may lie, and the place of the next byte.
  struct Runs {
    std::array<uint8_t, kLongestPacket> run{};
    size_t place = 0;
  };
  std::array<Runs, kGrids.size()> runs_{};
  std::array<uint8_t, 2 * kSpan> window_{};  // the newest bytes; slides by kSpan when full
  size_t windowLength_ = 0;
  size_t tailAt_ = 0;
  uint64_t taken_ = 0;
  bool found_ = false;
  Grid grid_ = kGrids[0];
};

}  // namespace reelvault::ts
