#include "ts/psi.h"

#include <algorithm>
#include <cstring>
#include <string_view>

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
    case 0x03: case 0x04: case 0x0f: case 0x11: case 0x1c: case 0x80: case 0x81: case 0x82: case 0x83: case 0x84: case 0x85: case 0x87:
      return true;
    default:
      return false;
  }
}
// Sections (private ones, DSM-CC, SCTE-35 cues): no access units to cut by.
bool isSections(uint8_t type) { return type == 0x05 || (type >= 0x0a && type <= 0x0d) || type == 0x14 || type == 0x86; }

Codec videoCodec(uint8_t type) {
  switch (type) {
    case 0x01: case 0x02:
      return Codec::mpeg2;
    case 0x1b:
      return Codec::h264;
    case 0x24:
      return Codec::hevc;
    default:
      return Codec::other;
  }
}

struct PrivateKind {
  bool video = false, audio = false;
  Codec codec = Codec::other;
};
// What a stream of private data (stream_type 6) is by its descriptors: registrations, and the DVB tags of ETSI EN 300 468.
PrivateKind privateKind(const uint8_t* descriptors, size_t length) {
  for (size_t at = 0; at + 2 <= length && at + 2 + descriptors[at + 1] <= length; at += 2u + descriptors[at + 1]) {
    const uint8_t tag = descriptors[at];
    if (tag == 0x6a || tag == 0x7a || tag == 0x7b || tag == 0x7c) return {.audio = true};  // AC-3, E-AC-3, DTS, AAC
    if (tag != 0x05 || descriptors[at + 1] < 4) continue;
    const std::string_view name(reinterpret_cast<const char*>(descriptors + at + 2), 4);
    if (name == "HEVC") return {.video = true, .codec = Codec::hevc};
    if (name == "AV01" || name == "VC-1" || name == "drac") return {.video = true};
    if (name == "Opus" || name == "AC-3" || name == "EAC3" || name == "AC-4" || name == "BSSD" || name.substr(0, 3) == "DTS") return {.audio = true};
  }
  return {};
}

constexpr size_t kSectionHead = 8;  // through last_section_number
constexpr size_t kSectionCrc = 4;
constexpr size_t kMapHead = 12;  // of a PMT, through program_info_length

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
  restLength_ = 0;
  size_t at = payloadOffset(packet);
  if (at >= kPacketBytes) return false;
  if (!payloadUnitStart(packet)) return length_ > 0 && take(packet + at, kPacketBytes - at);
  const size_t pointer = packet[at++];
  if (at + pointer >= kPacketBytes) {
    reset();
    return false;
  }
  rest_ = packet + at + pointer;
  restLength_ = kPacketBytes - at - pointer;
  // The end of a former section may stand before the pointer.
  if (length_ > 0 && pointer > 0 && take(packet + at, pointer)) return true;
  length_ = wanted_ = 0;
  return next();
}

bool SectionAssembler::next() {
  constexpr uint8_t kStuffing = 0xff;
  while (restLength_ > 0 && *rest_ != kStuffing) {
    const uint8_t* from = rest_;
    const size_t length = std::min<size_t>(restLength_ >= 3 ? 3u + read12(from + 1) : restLength_, restLength_);
    rest_ += length, restLength_ -= length;
    length_ = wanted_ = 0;
    if (take(from, length)) return true;
  }
  return false;
}

std::optional<uint8_t> associationNumber(const uint8_t* section, size_t length) {
  if (!inForce(section, length, 0x00)) return std::nullopt;
  return section[6];
}

std::optional<Program> firstProgram(const uint8_t* section, size_t length) {
  std::optional<Program> first;
  for (size_t at = kSectionHead; at + 4 + kSectionCrc <= length; at += 4) {
    const auto number = static_cast<uint16_t>(section[at] << 8 | section[at + 1]);
    const uint16_t id = read13(section + at + 2);
    if (number == 0) continue;  // the network's own table
    if (!first) first = Program{.number = number, .pmtPid = id};
    else if (id == first->pmtPid) first->alone = false;
  }
  return first;
}

bool isMapOf(const uint8_t* section, size_t length, const Program& program) {
  if (!inForce(section, length, 0x02) || length < kMapHead + kSectionCrc) return false;
  return program.alone || (section[3] << 8 | section[4]) == program.number;
}

uint16_t clockPid(const uint8_t* programMap) { return read13(programMap + 8); }

std::optional<MainStream> mainStream(const uint8_t* section, size_t length) {
  std::optional<MainStream> audio, any;
  size_t at = kMapHead + read12(section + 10);
  while (at + 5 + kSectionCrc <= length) {
    const uint8_t type = section[at];
    const uint16_t id = read13(section + at + 1);
    const size_t described = read12(section + at + 3);
    const size_t room = std::min(described, length - kSectionCrc - at - 5);
    const PrivateKind kind = type == 0x06 ? privateKind(section + at + 5, room) : PrivateKind{};
    if (isVideo(type)) return MainStream{id, videoCodec(type)};
    if (kind.video) return MainStream{id, kind.codec};
    if (!audio && (isAudio(type) || kind.audio)) audio = MainStream{id, Codec::audio};
    if (!any && !isSections(type)) any = MainStream{id, Codec::audio};
    at += 5 + described;
  }
  return audio ? audio : any;
}

}  // namespace reelvault::ts
