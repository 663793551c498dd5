#include "writer/timeline.h"

#include <algorithm>
#include <cstdlib>

namespace reelvault {
namespace {
constexpr int64_t kToleranceUs = 2'000'000;
constexpr int64_t kWrap = int64_t{1} << 33;
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

PtsClock::Reading PtsClock::feed(int64_t pts33) {
  if (last_ == kUnknownPts) {
    last_ = pts33;
    return {pts33, false};
  }
  int64_t step = (pts33 - last_) % kWrap;
  if (step > kWrap / 2) step -= kWrap;
  if (step < -kWrap / 2) step += kWrap;
  // Before the very first PTS there may be smaller ones (reordered pictures); the line never goes below zero.
  if (last_ + step < 0) step += kWrap;
  const int64_t size = std::abs(step);
  last_ += step;
  if (size > 0 && size <= kLongestUnit) unit_ = unit_ == 0 ? size : std::min(unit_, size);
  return {last_, size > kJump};
}

}  // namespace reelvault
