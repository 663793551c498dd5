#pragma once
// Fields of a transport stream packet (ISO/IEC 13818-1, 2.4.3). Every function wants all 188 bytes.
#include <cstddef>
#include <cstdint>

namespace reelvault::ts {

constexpr size_t kPacketBytes = 188;
constexpr uint8_t kSyncByte = 0x47;
constexpr uint16_t kPatPid = 0;
constexpr uint16_t kNullPid = 0x1fff;
constexpr uint16_t kNoPid = 0xffff;

inline uint16_t pid(const uint8_t* p) { return static_cast<uint16_t>((p[1] & 0x1f) << 8 | p[2]); }
inline bool payloadUnitStart(const uint8_t* p) { return (p[1] & 0x40) != 0; }
inline bool transportError(const uint8_t* p) { return (p[1] & 0x80) != 0; }
inline bool scrambled(const uint8_t* p) { return (p[3] & 0xc0) != 0; }
inline bool hasAdaptation(const uint8_t* p) { return (p[3] & 0x20) != 0; }
inline bool hasPayload(const uint8_t* p) { return (p[3] & 0x10) != 0; }
inline uint8_t continuityCounter(const uint8_t* p) { return p[3] & 0x0f; }
inline bool discontinuityIndicator(const uint8_t* p) { return hasAdaptation(p) && p[4] > 0 && (p[5] & 0x80) != 0; }
inline bool randomAccessIndicator(const uint8_t* p) { return hasAdaptation(p) && p[4] > 0 && (p[5] & 0x40) != 0; }

/// Where the payload starts; kPacketBytes when there is none, or when the adaptation field claims more than the packet holds.
inline size_t payloadOffset(const uint8_t* p) {
  if (!hasPayload(p)) return kPacketBytes;
  if (!hasAdaptation(p)) return 4;
  const size_t at = 5u + p[4];
  return at < kPacketBytes ? at : kPacketBytes;
}

/// The 33 bits of a program clock reference that count 90 kHz; -1 when the packet carries none.
inline int64_t clockReference(const uint8_t* p) {
  const bool carries = hasAdaptation(p) && p[4] >= 7 && (p[5] & 0x10) != 0;
  if (!carries) return -1;
  return static_cast<int64_t>(p[6]) << 25 | static_cast<int64_t>(p[7]) << 17 | static_cast<int64_t>(p[8]) << 9 | static_cast<int64_t>(p[9]) << 1 | p[10] >> 7;
}

}  // namespace reelvault::ts
