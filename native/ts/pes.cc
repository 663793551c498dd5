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
    if ((last_ & 0x00ffffffu) == 1) head_ = data[at], behind_ = 0;
    else if (behind_ < kFar) behind_++;
    last_ = last_ << 8 | data[at];
    const Verdict verdict = judge();
    if (verdict != Verdict::undecided) return verdict;
  }
  return Verdict::undecided;
}

PictureScanner::Verdict PictureScanner::judge() {
  if (behind_ == kFar) return Verdict::undecided;
  switch (codec_) {
    case Codec::h264:
      return judgeH264();
    case Codec::hevc:
      return judgeHevc();
    default:
      return judgeMpeg2();
  }
}

// An IDR picture; or one that begins with an I slice behind a sequence parameter set, as broadcasters' open groups of pictures do.
PictureScanner::Verdict PictureScanner::judgeH264() {
  const uint8_t type = head_ & 0x1f;
  if (behind_ == 0) {
    if (type == 5) return Verdict::keyframe;
    if (type == 7) parametersSeen_ = true;
    const bool slice = type >= 1 && type <= 4;
    return slice && !(type == 1 && parametersSeen_) ? Verdict::other : Verdict::undecided;
  }
  if (behind_ != 1 || type != 1) return Verdict::undecided;
  // Exp-Golomb: first_mb_in_slice 0 is `1`; slice_type 2 is `011`, 7 is `0001000`: both I.
  const auto slice = static_cast<uint8_t>(last_);
  return (slice & 0xf0) == 0xb0 || slice == 0x88 ? Verdict::keyframe : Verdict::other;
}

PictureScanner::Verdict PictureScanner::judgeHevc() const {
  if (behind_ != 0) return Verdict::undecided;
  const uint8_t type = head_ >> 1 & 0x3f;
  if (type >= 16 && type <= 23) return Verdict::keyframe;  // IRAP: BLA, IDR, CRA
  return type < 16 ? Verdict::other : Verdict::undecided;
}

// An I picture behind a sequence header: without that nothing can be decoded.
PictureScanner::Verdict PictureScanner::judgeMpeg2() {
  constexpr uint8_t kPicture = 0x00, kSequence = 0xb3;
  if (behind_ == 0 && head_ == kSequence) parametersSeen_ = true;
  if (behind_ != 2 || head_ != kPicture) return Verdict::undecided;
  const uint32_t codingType = last_ >> 3 & 7;  // behind ten bits of temporal_reference
  return codingType == 1 && parametersSeen_ ? Verdict::keyframe : Verdict::other;
}

}  // namespace reelvault::ts
