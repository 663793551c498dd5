#pragma once
#include <array>
#include <cstdint>
#include <optional>
#include <span>

#include "core/sha256.h"
#include "writer/timeline.h"

namespace reelvault {

/// The index of a reel: one header, then one record a segment; the layout is in docs/archive.md ("Index").
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
/// The fields of a record that is known to hold.
IndexRecord parseRecord(const uint8_t* bytes);

/// Calls `take(record, bytes)` for the records of an index that hold (I1), in order: the others name bytes beyond `reelBytes`, overlap the one
/// before, or are none.
template <typename Take>
void forEachRecord(std::span<const uint8_t> index, uint64_t reelBytes, Take take) {
  uint64_t end = 0;
  for (size_t at = kIndexRecordBytes; at + kIndexRecordBytes <= index.size(); at += kIndexRecordBytes) {
    const auto record = decodeRecord(index.data() + at);
    if (!record || record->offset < end || record->offset > reelBytes || record->length > reelBytes - record->offset) continue;
    end = record->end();
    take(*record, index.data() + at);
  }
}

/// Moves the records of an index that hold together, right behind its header, and answers how many they are. What lies behind them is of no use.
size_t compactIndex(std::span<uint8_t> index, uint64_t reelBytes);

}  // namespace reelvault
