#pragma once
// What the segmenter makes of a transport stream.
#include <doctest/doctest.h>

#include <algorithm>
#include <vector>

#include "ts_builder.h"
#include "writer/segmenter.h"

constexpr int64_t kNow = 1'795'269'600'000'000;  // 2026-11-21T14:00:00Z

/// The segments of a whole session; they follow each other and hold every byte.
inline std::vector<reelvault::Segment> segmentsOf(const std::vector<uint8_t>& bytes, uint32_t segmentMs, int64_t wallUs = kNow, size_t piece = 1 << 20,
                                                  int64_t lastEndUs = reelvault::kUnknownTime) {
  reelvault::Segmenter segmenter(segmentMs, lastEndUs);
  for (size_t at = 0; at < bytes.size(); at += piece) CHECK(segmenter.feed(bytes.data() + at, std::min(piece, bytes.size() - at), wallUs));
  CHECK(segmenter.end());
  uint64_t end = 0;
  for (const reelvault::Segment& segment : segmenter.finished()) {
    CHECK(segment.begin == end);
    CHECK(segment.end > segment.begin);
    end = segment.end;
  }
  CHECK(end == bytes.size());
  return segmenter.finished();
}
