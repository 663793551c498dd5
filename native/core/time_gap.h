#pragma once
#include <cstdint>

namespace reelvault {

/// Whether time is missing between what ends at `formerEndUs` and what starts at `startUs`; the rule of src/archive/segment.ts. Ticks of 90 kHz do
/// not fall on whole microseconds, so neighbours may lie apart by rounding; a missing frame is far above this.
constexpr bool isTimeGap(int64_t formerEndUs, int64_t startUs) { return startUs - formerEndUs > 1000; }

}  // namespace reelvault
