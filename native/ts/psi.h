#pragma once
#include <array>
#include <cstddef>
#include <cstdint>
#include <optional>

#include "ts/packet.h"

namespace reelvault::ts {

/// CRC-32 of PSI sections (ISO/IEC 13818-1 annex A); 0 over a section that includes its CRC.
uint32_t crc32Mpeg(const uint8_t* data, size_t length);

/// Puts together the sections of one PID. Holds one section; a damaged one is dropped.
class SectionAssembler {
 public:
  void reset() { length_ = 0, wanted_ = 0; }
  /// Takes a packet of the PID; true when `section()` is now a whole section with a good CRC.
  bool feed(const uint8_t* packet);
  const uint8_t* section() const { return buffer_.data(); }
  size_t length() const { return wanted_; }

 private:
  bool take(const uint8_t* data, size_t length);
  std::array<uint8_t, 1024> buffer_{};
  size_t length_ = 0;
  size_t wanted_ = 0;
};

/// PID of the PMT of the first program; nothing when the section is no PAT in force or names no program.
std::optional<uint16_t> programMapPid(const uint8_t* section, size_t length);

enum class Codec : uint8_t { other, h264, hevc, audio };
struct MainStream {
  uint16_t pid = kNoPid;
  Codec codec = Codec::other;  ///< audio: the program has no video
  bool operator==(const MainStream&) const = default;
};
/// The elementary stream that segments are cut by: the first video, else the first audio, else the first of any kind.
std::optional<MainStream> mainStream(const uint8_t* section, size_t length);

}  // namespace reelvault::ts
