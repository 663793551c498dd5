#include "ts/psi.h"

#include <algorithm>
#include <cstring>

namespace reelvault::ts {
namespace {

constexpr std::array<uint32_t, 256> makeTable() {
  std::array<uint32_t, 256> table{};
  for (uint32_t n = 0; n < 256; n++) {
    uint32_t c = n << 24;
    for (int bit = 0; bit < 8; bit++) c = (c & 0x80000000u) != 0 ? (c << 1) ^ 0x04c11db7u : c << 1;
    table[n] = c;
  }
  return table;
}
constexpr auto kTable = makeTable();

uint16_t read13(const uint8_t* p) { return static_cast<uint16_t>((p[0] & 0x1f) << 8 | p[1]); }
uint16_t read12(const uint8_t* p) { return static_cast<uint16_t>((p[0] & 0x0f) << 8 | p[1]); }

// stream_type values: ISO/IEC 13818-1 table 2-34, and the registered private ones that are in use.
bool isVideo(uint8_t type) {
  switch (type) {
    case 0x01: case 0x02: case 0x10: case 0x1b: case 0x1e: case 0x20: case 0x21: case 0x24: case 0x33: case 0x42: case 0xd1: case 0xd2: case 0xd4: case 0xea:
      return true;
    default:
      return false;
  }
}
bool isAudio(uint8_t type) {
  switch (type) {
    case 0x03: case 0x04: case 0x0f: case 0x11: case 0x1c: case 0x80: case 0x81: case 0x82: case 0x83: case 0x84: case 0x85: case 0x86: case 0x87:
      return true;
    default:
      return false;
  }
}

constexpr size_t kSectionHead = 8;  // through last_section_number
constexpr size_t kSectionCrc = 4;

bool inForce(const uint8_t* section, size_t length, uint8_t tableId) {
  return length >= kSectionHead + kSectionCrc && section[0] == tableId && (section[5] & 0x01) != 0;
}

}  // namespace

uint32_t crc32Mpeg(const uint8_t* data, size_t length) {
  uint32_t crc = 0xffffffffu;
  while (length-- > 0) crc = crc << 8 ^ kTable[(crc >> 24 ^ *data++) & 0xff];
  return crc;
}

bool SectionAssembler::take(const uint8_t* data, size_t length) {
  const size_t room = (wanted_ > 0 ? wanted_ : buffer_.size()) - length_;
  const size_t count = std::min(length, room);
  std::memcpy(buffer_.data() + length_, data, count);
  length_ += count;
  if (wanted_ == 0 && length_ >= 3) {
    wanted_ = 3u + read12(buffer_.data() + 1);
    if (wanted_ > buffer_.size() || wanted_ < kSectionHead + kSectionCrc) {
      reset();
      return false;
    }
  }
  if (wanted_ == 0 || length_ < wanted_) return false;
  length_ = 0;
  const bool good = crc32Mpeg(buffer_.data(), wanted_) == 0;
  if (!good) wanted_ = 0;
  return good;
}

bool SectionAssembler::feed(const uint8_t* packet) {
  size_t at = payloadOffset(packet);
  if (at >= kPacketBytes) return false;
  if (!payloadUnitStart(packet)) return length_ > 0 && take(packet + at, kPacketBytes - at);
  const size_t pointer = packet[at++];
  if (at + pointer >= kPacketBytes) {
    reset();
    return false;
  }
  // The end of a former section may stand before the pointer; it counts only when no new one is whole.
  const bool former = length_ > 0 && pointer > 0 && take(packet + at, pointer);
  if (former) return true;
  reset();
  return take(packet + at + pointer, kPacketBytes - at - pointer);
}

std::optional<uint16_t> programMapPid(const uint8_t* section, size_t length) {
  if (!inForce(section, length, 0x00)) return std::nullopt;
  for (size_t at = kSectionHead; at + 4 + kSectionCrc <= length; at += 4) {
    const bool network = section[at] == 0 && section[at + 1] == 0;
    if (!network) return read13(section + at + 2);
  }
  return std::nullopt;
}

std::optional<MainStream> mainStream(const uint8_t* section, size_t length) {
  if (!inForce(section, length, 0x02) || length < 12 + kSectionCrc) return std::nullopt;
  std::optional<MainStream> audio, any;
  size_t at = 12u + read12(section + 10);
  while (at + 5 + kSectionCrc <= length) {
    const uint8_t type = section[at];
    const uint16_t id = read13(section + at + 1);
    if (isVideo(type)) return MainStream{id, type == 0x1b ? Codec::h264 : type == 0x24 ? Codec::hevc : Codec::other};
    if (!audio && isAudio(type)) audio = MainStream{id, Codec::audio};
    if (!any) any = MainStream{id, Codec::audio};
    at += 5u + read12(section + at + 3);
  }
  return audio ? audio : any;
}

}  // namespace reelvault::ts
