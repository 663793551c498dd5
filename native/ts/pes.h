#pragma once
#include <cstddef>
#include <cstdint>

#include "ts/psi.h"

namespace reelvault::ts {

struct PesHead {
  bool valid = false;
  int64_t pts = -1;    ///< 33 bits, 90 kHz; -1 when the head carries none
  size_t payload = 0;  ///< where the elementary stream starts, from the start of the PES packet; at most the length given
};
/// Reads the head of a PES packet (ISO/IEC 13818-1, 2.4.3.6) from the payload of its first transport packet.
PesHead readPesHead(const uint8_t* data, size_t length);

/// Looks at the units behind start codes (NAL units; the headers of MPEG-2 video) until the first one of a picture tells what it is.
class PictureScanner {
 public:
  enum class Verdict : uint8_t { undecided, keyframe, other };
  void reset(Codec codec) { *this = PictureScanner(), codec_ = codec; }
  Verdict feed(const uint8_t* data, size_t length);

 private:
  static constexpr uint8_t kFar = 3;  // nothing that tells stands this far behind a start code
  Verdict judge();
  Verdict judgeH264();
  Verdict judgeHevc() const;
  Verdict judgeMpeg2();

  Codec codec_ = Codec::other;
  uint32_t last_ = 0xffffffffu;  // the last four bytes: a start code may be split between packets
  uint8_t head_ = 0;             // the byte behind the last start code
  uint8_t behind_ = kFar;        // how far the last byte is behind that
  bool parametersSeen_ = false;
};

}  // namespace reelvault::ts
