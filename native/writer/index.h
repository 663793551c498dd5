#pragma once
#include <array>
#include <cstdint>
#include <optional>

#include "core/sha256.h"
#include "writer/timeline.h"

namespace reelvault {

/// The index of a reel: one header, then one record a segment; the layout is in docs/architecture.md ("Archive on disk").
constexpr size_t kIndexRecordBytes = 96;
using IndexBytes = std::array<uint8_t, kIndexRecordBytes>;
using VolumeUuid = std::array<uint8_t, 16>;
constexpr uint32_t kEvidence = 1;  ///< header flag: records may carry a SHA-256; a record has one when it is not zero

struct IndexHeader {
  uint32_t flags = 0;
  int64_t hourUs = 0;
  VolumeUuid uuid{};
};
struct IndexRecord {
  uint64_t offset = 0;  ///< in the reel
  uint32_t length = 0;
  uint32_t flags = 0;  ///< kKeyframe …
  int64_t startUs = 0;
  int64_t firstPts = kUnknownPts;
  uint32_t duration = 0;  ///< 90 kHz
  uint32_t crc32c = 0;
  uint32_t sequence = 0;
  Sha256Digest sha256{};
  uint64_t end() const { return offset + length; }
  int64_t endUs() const { return startUs + ticksToUs(duration); }
  bool operator==(const IndexRecord&) const = default;
};

IndexBytes encodeHeader(const IndexHeader& header);
IndexBytes encodeRecord(const IndexRecord& record);
/// Nothing when the bytes are no header or record of this layout, their CRC does not hold, or they tell of a time that no recording has.
std::optional<IndexHeader> decodeHeader(const uint8_t* bytes);
std::optional<IndexRecord> decodeRecord(const uint8_t* bytes);

}  // namespace reelvault
