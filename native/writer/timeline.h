#pragma once
#include <cstdint>

namespace reelvault {

constexpr int64_t kUnknownTime = INT64_MIN;
constexpr int64_t kHourUs = 3600LL * 1000 * 1000;
constexpr int64_t kUnknownPts = -1;
constexpr int64_t kPtsWrap = int64_t{1} << 33;

/// Flags of a segment, as they stand in its index record (docs/archive.md).
constexpr uint32_t kKeyframe = 1;
constexpr uint32_t kDiscontinuity = 2;
constexpr uint32_t kTables = 4;
constexpr uint32_t kCutByTime = 8;
constexpr uint32_t kSessionEnd = 16;
constexpr uint32_t kClockJumped = 32;
/// Why nothing is recorded directly before the segment, of a segment behind a gap; several may have held one after another.
constexpr uint32_t kGapOrderedOff = 1 << 8;
constexpr uint32_t kGapScheduledOff = 1 << 9;
constexpr uint32_t kGapDisk = 1 << 10;
constexpr uint32_t kGapFull = 1 << 11;
constexpr uint32_t kGapLocked = 1 << 12;
constexpr uint32_t kGapClock = 1 << 13;
constexpr uint32_t kGapStopped = 1 << 14;
constexpr uint32_t kGapUnexplained = 1 << 15;
constexpr uint32_t kGapReasons = 0xff00;

/// Start of the UTC hour, also before 1970.
constexpr int64_t hourOf(int64_t us) { return us - ((us % kHourUs) + kHourUs) % kHourUs; }
/// 90 kHz ticks as microseconds, rounded.
constexpr int64_t ticksToUs(int64_t ticks) { return (ticks * 100 + 4) / 9; }

struct Placed {
  int64_t startUs;
  uint32_t flags;
};
/// The timeline rule (I6): media clock while it and the wall clock agree; the wall clock where it is ahead; never before `formerEndUs`.
/// `formerEndUs` and `wallUs` may be kUnknownTime, not both. `newSession`: the first segment of a publisher.
Placed placeSegment(int64_t formerEndUs, int64_t wallUs, bool newSession);

/// Makes the 33-bit PTS of one stream a line that does not wrap. It starts at the first one and may go below zero: pictures are reordered.
class PtsClock {
 public:
  /// A step further ahead is no passing of time but another time base; so is one further back, which is no reordering of pictures.
  static constexpr int64_t kJump = 10 * 90000, kJumpBack = 3 * 90000;
  struct Reading {
    int64_t pts;
    bool jumped;
  };
  /// `newTimeBase`: the stream's clock was set anew since the last one, so that a step of a second tells as much.
  Reading feed(int64_t pts33, bool newTimeBase = false);
  /// The shortest distance seen between two access units: the best guess for how long the last one lasts.
  int64_t unitTicks() const { return unit_; }

 private:
  bool started_ = false;
  int64_t last_ = 0;
  int64_t unit_ = 0;
};

}  // namespace reelvault
