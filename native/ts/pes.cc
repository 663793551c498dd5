#include "ts/pes.h"

#include <algorithm>

namespace reelvault::ts {
namespace {

// Stream ids whose PES packets have no optional head (table 2-22): nothing to read there.
bool plain(uint8_t streamId) {
  switch (streamId) {
    case 0xbc: case 0xbe: case 0xbf: case 0xf0: case 0xf1: case 0xf2: case 0xf8: case 0xff:
      return true;
    default:
      return false;
  }
}

PictureScanner::Verdict judge(Codec codec, uint8_t head) {
  if (codec == Codec::h264) {
    const uint8_t type = head & 0x1f;
    if (type == 5) return PictureScanner::Verdict::keyframe;  // IDR
    return type >= 1 && type <= 4 ? PictureScanner::Verdict::other : PictureScanner::Verdict::undecided;
  }
  const uint8_t type = head >> 1 & 0x3f;
  if (type >= 16 && type <= 23) return PictureScanner::Verdict::keyframe;  // IRAP: BLA, IDR, CRA
  return type < 16 ? PictureScanner::Verdict::other : PictureScanner::Verdict::undecided;
}

}  // namespace

PesHead readPesHead(const uint8_t* data, size_t length) {
  PesHead head;
  if (length < 6 || data[0] != 0 || data[1] != 0 || data[2] != 1) return head;
  head.valid = true;
  head.payload = std::min<size_t>(6, length);
  if (plain(data[3]) || length < 9) return head;
  head.payload = std::min<size_t>(9u + data[8], length);
  const bool hasPts = (data[7] & 0x80) != 0 && data[8] >= 5 && length >= 14;
  if (hasPts && (data[9] & 0x01) != 0 && (data[11] & 0x01) != 0 && (data[13] & 0x01) != 0) {
    head.pts = static_cast<int64_t>(data[9] >> 1 & 0x07) << 30 | static_cast<int64_t>(data[10]) << 22 | static_cast<int64_t>(data[11] >> 1) << 15 |
               static_cast<int64_t>(data[12]) << 7 | data[13] >> 1;
  }
  return head;
}

PictureScanner::Verdict PictureScanner::feed(const uint8_t* data, size_t length) {
  for (size_t at = 0; at < length; at++) {
    const bool nalHead = (last_ & 0x00ffffffu) == 1;
    last_ = last_ << 8 | data[at];
    if (!nalHead) continue;
    const Verdict verdict = judge(codec_, data[at]);
    if (verdict != Verdict::undecided) return verdict;
  }
  return Verdict::undecided;
}

}  // namespace reelvault::ts
