#pragma once
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>

#include "core/growing_text.h"
#include "core/often_text.h"
#include "writer/index.h"

namespace reelvault {

/// Neighbouring segments of one reel.
struct SegmentRun {
  std::span<const uint8_t> records;  ///< of the whole reel, those that hold, end to end
  std::string_view hourPath;         ///< of the reel, relative to the playlist: "2026/11/21/14"
  uint32_t first = 0;                ///< positions in `records`; `end` is not written
  uint32_t end = 0;
  uint32_t tables = 0;               ///< the segment whose PAT and PMT serve `first`; each one that follows a discontinuity has its own
  std::span<const uint32_t> withoutTables;  ///< those of such segments that have none: nothing refers to them
  bool startsPlaylist = false;              ///< nothing precedes `first`, so nothing breaks off there
};

/// Writes segments in order as lines of a media playlist (RFC 8216), and keeps what the next depends on: the end of the neighbour before it, and
/// the tables (EXT-X-MAP) in force.
class SegmentText {
 public:
  /// `formerEndUs`: the end of the segment before the first one, where the playlist goes on from it.
  explicit SegmentText(std::optional<int64_t> formerEndUs) : formerEndUs_(formerEndUs) {}
  /// Writes the lines of a run behind those that are held, and answers how many bytes are held now.
  size_t write(const SegmentRun& run);
  /// The lines that are held, between `head` and `tail`. Those written after this go on from them.
  GrowingText take(std::string_view head = {}, std::string_view tail = {});

 private:
  char* putMap(char* at, const SegmentRun& run, const OftenText& folder, uint32_t tables);
  char* putTime(char* at, int64_t us);

  std::optional<int64_t> formerEndUs_;
  std::string map_;  ///< the URI in force; empty before the first
  int64_t datedHour_ = INT64_MIN;
  OftenText date_;  ///< the line of that hour: "#EXT-X-PROGRAM-DATE-TIME:2026-11-21T14:"
  GrowingText out_;
};

}  // namespace reelvault
