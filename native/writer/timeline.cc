#include "writer/timeline.h"

#include <algorithm>
#include <cstdlib>

namespace reelvault {
namespace {
constexpr int64_t kToleranceUs = 2'000'000;
constexpr int64_t kLongestUnit = 90000;
}  // namespace

Placed placeSegment(int64_t formerEndUs, int64_t wallUs, bool newSession) {
  uint32_t flags = newSession ? kDiscontinuity : 0;
  if (formerEndUs == kUnknownTime) return {wallUs, flags};
  if (wallUs == kUnknownTime) return {formerEndUs, flags};
  if (wallUs < formerEndUs - kToleranceUs) return {formerEndUs, flags | kClockJumped};
  if (newSession) return {std::max(formerEndUs, wallUs), flags};
  if (wallUs > formerEndUs + kToleranceUs) return {wallUs, kDiscontinuity};
  return {formerEndUs, flags};
}

PtsClock::Reading PtsClock::feed(int64_t pts33, bool newTimeBase) {
  if (!started_) {
    started_ = true;
    last_ = pts33;
    return {pts33, false};
  }
  int64_t step = (pts33 - last_) % kPtsWrap;
  if (step > kPtsWrap / 2) step -= kPtsWrap;
  if (step < -kPtsWrap / 2) step += kPtsWrap;
  const int64_t size = std::abs(step);
  last_ += step;
  if (size > 0 && size <= kLongestUnit) unit_ = unit_ == 0 ? size : std::min(unit_, size);
  return {last_, step > kJump || step < -kJumpBack || (newTimeBase && size > kLongestUnit)};
}

}  // namespace reelvault
