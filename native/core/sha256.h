#pragma once
#include <array>
#include <cstddef>
#include <cstdint>

namespace reelvault {

using Sha256Digest = std::array<uint8_t, 32>;

/// SHA-256 (FIPS 180-4), with the CPU's SHA instructions where it has them. A copy of an object goes on from the same state.
class Sha256 {
 public:
  /// `portable` leaves the CPU's instructions alone: for the tests, which compare both ways.
  explicit Sha256(bool portable = false);
  void update(const void* data, size_t length);
  /// The digest of everything so far. The object starts anew afterwards.
  Sha256Digest finish();

 private:
  void reset();
  std::array<uint32_t, 8> state_{};
  std::array<uint8_t, 64> block_{};
  uint64_t length_ = 0;
  void (*compress_)(uint32_t* state, const uint8_t* blocks, size_t count);
};

}  // namespace reelvault
