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
  void reset() { length_ = wanted_ = restLength_ = 0; }
  /// Takes a packet of the PID; true when `section()` is now a whole section with a good CRC. The packet must stay until next() says false.
  bool feed(const uint8_t* packet);
  /// Goes on to the next section of the same packet; true as feed().
  bool next();
  const uint8_t* section() const { return buffer_.data(); }
  size_t length() const { return wanted_; }

 private:
  bool take(const uint8_t* data, size_t length);
  std::array<uint8_t, 1024> buffer_{};
  size_t length_ = 0;
  size_t wanted_ = 0;
  const uint8_t* rest_ = nullptr;  // what the packet holds behind the section
  size_t restLength_ = 0;
};

struct Program {
  uint16_t number = 0;
  uint16_t pmtPid = kNoPid;
  uint16_t clockPid = kNoPid;  ///< of the PCR, once the PMT was read
  bool alone = true;           ///< no other program's PMT comes on the same PID
};
/// Number of the section when it is one of a PAT in force.
std::optional<uint8_t> associationNumber(const uint8_t* section, size_t length);
/// The first program that such a section names.
std::optional<Program> firstProgram(const uint8_t* section, size_t length);
/// Whether the section is a PMT in force of this program. Where only its PMT comes on the PID, the number in it is not looked at: some
/// multiplexers write another one than their PAT names.
bool isMapOf(const uint8_t* section, size_t length, const Program& program);
uint16_t clockPid(const uint8_t* programMap);

enum class Codec : uint8_t { other, mpeg2, h264, hevc, audio };
struct MainStream {
  uint16_t pid = kNoPid;
  Codec codec = Codec::other;  ///< audio: the program has no video
  bool operator==(const MainStream&) const = default;
};
/// The elementary stream that segments are cut by: the first video, else the first audio, else the first that comes in PES packets.
/// `section` is one that isMapOf() took.
std::optional<MainStream> mainStream(const uint8_t* section, size_t length);

}  // namespace reelvault::ts
