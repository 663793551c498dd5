#pragma once
// Gives inputs of a fuzzer the sums and places that no mutation hits by chance. What is done is told by the input itself, so that an input is
// also taken as it is.
#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <vector>

#include "core/crc32c.h"
#include "ts/psi.h"
#include "ts/sync.h"
#include "writer/index.h"

namespace fuzz {

/// Ends the process when what must hold does not: the fuzzer keeps the input.
inline void must(bool holds, const char* what) {
  if (holds) return;
  std::fprintf(stderr, "does not hold: %s\n", what);
  std::abort();
}

/// Takes numbers and bytes off the front of an input; zeros when it is at its end.
class Input {
 public:
  Input(const uint8_t* data, size_t length) : data_(data), left_(length) {}
  uint64_t number(size_t bytes) {
    uint64_t value = 0;
    for (size_t i = 0; i < bytes; i++) value |= static_cast<uint64_t>(left_ > 0 ? left_--, *data_++ : 0) << (8 * i);
    return value;
  }
  std::vector<uint8_t> take(size_t length) {
    length = length < left_ ? length : left_;
    std::vector<uint8_t> taken(data_, data_ + length);
    data_ += length, left_ -= length;
    return taken;
  }
  std::vector<uint8_t> rest() { return take(left_); }

 private:
  const uint8_t* data_;
  size_t left_;
};

/// By the low two bits of `how`: packets of 188, 192 or 204 bytes get their sync bytes (3: none does). With bit 2, sections that lie in one packet get their CRC.
inline void shapePackets(std::vector<uint8_t>& bytes, uint8_t how) {
  if ((how & 3) == 3) return;
  const auto grid = reelvault::ts::kGrids[how & 3];
  for (size_t at = grid.lead; at + reelvault::ts::kPacketBytes <= bytes.size(); at += grid.bytes) {
    uint8_t* p = bytes.data() + at;
    p[0] = reelvault::ts::kSyncByte;
    if ((how & 4) == 0 || !reelvault::ts::payloadUnitStart(p)) continue;
    size_t section = reelvault::ts::payloadOffset(p);
    if (section >= reelvault::ts::kPacketBytes) continue;
    section += 1u + p[section];
    if (section + 3 > reelvault::ts::kPacketBytes || (p[section] != 0 && p[section] != 2)) continue;
    const size_t length = 3u + ((p[section + 1] & 0x0f) << 8 | p[section + 2]);
    if (length < 4 || section + length > reelvault::ts::kPacketBytes) continue;
    const uint32_t crc = reelvault::ts::crc32Mpeg(p + section, length - 4);
    for (size_t i = 0; i < 4; i++) p[section + length - 4 + i] = static_cast<uint8_t>(crc >> (24 - 8 * i));
  }
}

/// Each slot of an index gets the CRC that its bytes want.
inline void sealIndex(std::vector<uint8_t>& bytes) {
  for (size_t at = 0; at + reelvault::kIndexRecordBytes <= bytes.size(); at += reelvault::kIndexRecordBytes) {
    const uint32_t crc = reelvault::crc32c(0, bytes.data() + at, reelvault::kIndexRecordBytes - 4);
    for (size_t i = 0; i < 4; i++) bytes[at + reelvault::kIndexRecordBytes - 4 + i] = static_cast<uint8_t>(crc >> (8 * i));
  }
}

}  // namespace fuzz
