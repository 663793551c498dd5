#include "writer/segmenter.h"

#include <algorithm>

namespace reelvault {
namespace {
constexpr int64_t kLateFactor = 3;
constexpr uint64_t kLongestBytes = uint64_t{1} << 30;  // an index record has 32 bits for the length
}

Segmenter::Segmenter(uint32_t segmentMs, int64_t lastEndUs, uint32_t gapReasons)
    : segmentTicks_(int64_t{segmentMs} * 90), formerEndUs_(lastEndUs), gapReasons_(gapReasons & kGapReasons), parser_(*this) {}

bool Segmenter::feed(const uint8_t* data, size_t length, int64_t wallUs) {
  if (wallBegin_ == kUnknownTime) wallBegin_ = wallUs;
  wallUs_ = wallUs;
  const bool good = parser_.feed(data, length);
  if (!open_ && parser_.synced()) openFirst();
  const bool late = wallTicks() >= kLateFactor * segmentTicks_ || parser_.settled() - current_.begin > kLongestBytes;
  if (open_ && good && late && parser_.settled() > current_.begin) {
    cut(parser_.settled(), timeSoFar(), kCutByTime);
    unitSeen_ = true;
  }
  return good;
}

bool Segmenter::end(bool wholePackets) {
  if (ended_) return open_;
  ended_ = true;
  const bool good = parser_.end(wholePackets);
  if (!open_ && good) openFirst();
  if (open_ && parser_.settled() > current_.begin) {
    cut(parser_.settled(), timeSoFar(), kSessionEnd);
  }
  return good;
}

// The first segment starts when its first byte came.
void Segmenter::openFirst() {
  open_ = true;
  const Placed placed = placeSegment(formerEndUs_, wallBegin_, true);
  current_.startUs = placed.startUs;
  current_.flags |= placed.flags;
  if (formerEndUs_ != kUnknownTime && placed.startUs > formerEndUs_) current_.flags |= gapReasons_;
}

int64_t Segmenter::wallTicks() const {
  if (wallUs_ == kUnknownTime || wallBegin_ == kUnknownTime) return 0;
  return std::max<int64_t>(0, (wallUs_ - wallBegin_) * 9 / 100);
}

int64_t Segmenter::timeSoFar() const {
  if (current_.firstPts == kUnknownPts) return wallTicks();
  return spent_ + (running_ ? runEnd_ - runBegin_ + clock_.unitTicks() : 0);
}

void Segmenter::accessUnit(const ts::AccessUnit& unit) {
  if (!open_) openFirst();
  const bool dated = unit.pts >= 0;
  int64_t pts = 0;
  if (dated) {
    const auto reading = clock_.feed(unit.pts, unit.newTimeBase || unit.newStream);
    pts = reading.pts;
    if (reading.jumped && running_) {
      spent_ += runEnd_ - runBegin_ + clock_.unitTicks();
      running_ = false;
      jumped_ = true;
    }
  }
  if (unit.newStream && unitSeen_) jumped_ = true;
  const bool timed = current_.firstPts != kUnknownPts;
  const int64_t elapsed = timed ? spent_ + (running_ && dated ? pts - runBegin_ : 0) : wallTicks();
  const bool atStart = (unit.first && !unitSeen_) || unit.cutOffset == current_.begin;
  if (unit.keyframe && atStart) {
    current_.flags |= kKeyframe | (unit.tables ? kTables : 0);
  } else if (unit.keyframe && ((current_.flags & kKeyframe) == 0 || elapsed >= segmentTicks_ || jumped_)) {
    cut(unit.cutOffset, elapsed, 0);
    current_.flags |= kKeyframe | (unit.tables ? kTables : 0);
  } else if (!unit.keyframe && elapsed >= kLateFactor * segmentTicks_ && unit.offset > current_.begin) {
    cut(unit.offset, elapsed, kCutByTime);
  }
  unitSeen_ = true;
  if (!dated) return;
  if (current_.firstPts == kUnknownPts) current_.firstPts = pts < 0 ? pts + kPtsWrap : pts;
  if (!running_) {
    running_ = true;
    runBegin_ = runEnd_ = pts;
  }
  runEnd_ = std::max(runEnd_, pts);
}

void Segmenter::cut(uint64_t offset, int64_t duration, uint32_t endFlags) {
  current_.end = offset;
  current_.duration = static_cast<uint32_t>(std::clamp<int64_t>(duration, 0, UINT32_MAX));
  current_.flags |= endFlags;
  finished_.push_back(current_);
  const Placed placed = placeSegment(current_.endUs(), wallUs_, false);
  current_ = Segment{.begin = offset, .end = 0, .flags = placed.flags | (jumped_ ? kDiscontinuity : 0u), .startUs = placed.startUs};
  if (placed.startUs > finished_.back().endUs()) current_.flags |= noted_;
  noted_ = 0;
  wallBegin_ = wallUs_;
  running_ = jumped_ = false;
  spent_ = 0;
}

}  // namespace reelvault
