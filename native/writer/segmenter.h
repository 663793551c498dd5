#pragma once
#include <cstddef>
#include <cstdint>
#include <vector>

#include "ts/parser.h"
#include "writer/timeline.h"

namespace reelvault {

/// A finished segment of one session. `begin` and `end` count the session's bytes.
struct Segment {
  uint64_t begin = 0, end = 0;
  uint32_t flags = 0;
  int64_t startUs = 0;
  int64_t firstPts = kUnknownPts;
  uint32_t duration = 0;  ///< 90 kHz
  int64_t endUs() const { return startUs + ticksToUs(duration); }
};

/// Cuts the bytes of one session into segments: at the first keyframe after `segmentMs`, by time when none comes for three times as long.
/// The rules are in docs/archive.md ("Segments"). Plain memory, no I/O.
class Segmenter final : private ts::AccessUnitSink {
 public:
  /// `lastEndUs`: where the archive of this stream ends; kUnknownTime when it is empty. `gapReasons`: why nothing is recorded from there to
  /// the first segment; flags of that one, if time is missing.
  Segmenter(uint32_t segmentMs, int64_t lastEndUs, uint32_t gapReasons = 0);
  Segmenter(const Segmenter&) = delete;
  Segmenter& operator=(const Segmenter&) = delete;

  /// `wallUs` kUnknownTime: no wall clock, the media clock alone counts (recovery). False when the bytes are no transport stream.
  bool feed(const uint8_t* data, size_t length, int64_t wallUs);
  /// Bytes are about to come: has the cache fetch what they will need.
  void expect() const { parser_.expect(); }
  /// Why time may be missing before the next segment: flags of it, if time is.
  void noteGap(uint32_t reasons) { noted_ |= reasons & kGapReasons; }
  /// The rest becomes the last segment. False when the session never was a transport stream (it then has no segment).
  /// `wholePackets`: see Parser::end.
  bool end(bool wholePackets = false);
  /// Finished segments, oldest first; the caller takes them out.
  std::vector<Segment>& finished() { return finished_; }
  /// True once the first segment has its start (`currentStartUs`).
  bool open() const { return open_; }
  int64_t currentStartUs() const { return current_.startUs; }
  uint64_t settled() const { return parser_.settled(); }
  const ts::Parser& parser() const { return parser_; }

 private:
  void accessUnit(const ts::AccessUnit& unit) override;
  void openFirst();
  void cut(uint64_t offset, int64_t duration, uint32_t endFlags);
  int64_t wallTicks() const;
  int64_t timeSoFar() const;

  const int64_t segmentTicks_;
  int64_t formerEndUs_;
  const uint32_t gapReasons_;
  uint32_t noted_ = 0;  // of gaps within the session
  int64_t wallUs_ = kUnknownTime;
  bool open_ = false, ended_ = false;
  std::vector<Segment> finished_;

  Segment current_;
  int64_t wallBegin_ = kUnknownTime;
  bool unitSeen_ = false;  // current_ has an access unit of the main stream already: a keyframe must cut to stand at a start
  PtsClock clock_;
  // Media time of current_: `spent_` of runs that ended in a jump, and the run since `runBegin_`.
  bool running_ = false, jumped_ = false;
  int64_t spent_ = 0, runBegin_ = 0, runEnd_ = 0;
  ts::Parser parser_;
};

}  // namespace reelvault
