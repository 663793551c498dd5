// Parser and segmenter: any bytes, in pieces of any size, give the same segments, without hole, and nothing is settled too early or too late.
#include "writer/segmenter.h"

#include <algorithm>

#include "shape.h"

using namespace reelvault;

namespace {

constexpr int64_t kWallUs = 1'795'269'600'000'000;

struct Outcome {
  std::vector<Segment> segments;
  bool good = true;
  uint64_t settled = 0;
  ts::Counters counters;
};

Outcome run(const std::vector<uint8_t>& bytes, uint32_t segmentMs, int64_t wallUs, uint64_t pieces) {
  Segmenter segmenter(segmentMs, wallUs == kUnknownTime ? 0 : kUnknownTime);
  Outcome outcome;
  uint64_t settled = 0;
  for (size_t at = 0; at < bytes.size() && outcome.good;) {
    pieces = pieces * 6364136223846793005 + 1442695040888963407;
    const size_t take = pieces % 3 == 0 ? 1 + (pieces >> 33) % 4096 : pieces % 3 == 1 ? 1 + (pieces >> 33) % 8 : 188 * (1 + (pieces >> 33) % 7);
    const size_t length = std::min(take, bytes.size() - at);
    outcome.good = segmenter.feed(bytes.data() + at, length, wallUs);
    at += length;
    fuzz::must(segmenter.settled() >= settled, "what is settled stays settled");
    settled = segmenter.settled();
    fuzz::must(settled <= at, "nothing is settled before it came");
    fuzz::must(at - settled <= ts::Parser::kUnsettledMax, "what is not settled fits into the reserved memory");
    for (const Segment& segment : segmenter.finished()) fuzz::must(segment.end <= settled, "a segment ends in what is settled");
    const size_t cutsBefore = segmenter.finished().size();
    if (cutsBefore > 0) fuzz::must(segmenter.currentStartUs() >= segmenter.finished().back().startUs, "time goes on");
  }
  (void)segmenter.end();
  outcome.settled = segmenter.settled();
  fuzz::must(outcome.settled >= settled, "the end takes nothing back");
  outcome.segments = segmenter.finished();
  outcome.counters = segmenter.parser().counters();
  uint64_t end = 0;
  int64_t time = INT64_MIN;
  for (const Segment& segment : outcome.segments) {
    fuzz::must(segment.begin == end && segment.end > segment.begin, "segments follow each other");
    fuzz::must(segment.startUs >= time, "segments do not overlap in time");
    fuzz::must(segment.firstPts >= -1, "a PTS is none or positive");
    end = segment.end, time = segment.endUs();
  }
  if (segmenter.parser().synced()) fuzz::must(end == outcome.settled, "segments hold every byte");
  return outcome;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t length) {
  fuzz::Input input(data, length);
  const auto how = static_cast<uint8_t>(input.number(1));
  const auto segmentMs = static_cast<uint32_t>(100 + input.number(1) * 40);
  const uint64_t pieces = input.number(2);
  std::vector<uint8_t> bytes = input.rest();
  fuzz::shapePackets(bytes, how);
  const int64_t wallUs = (how & 8) != 0 ? kUnknownTime : kWallUs;
  const Outcome one = run(bytes, segmentMs, wallUs, pieces), other = run(bytes, segmentMs, wallUs, pieces ^ 0x5555);
  fuzz::must(one.good == other.good && one.settled == other.settled, "pieces of other sizes come to the same end");
  fuzz::must(one.counters.packets == other.counters.packets && one.counters.garbageBytes == other.counters.garbageBytes &&
                 one.counters.continuityErrors == other.counters.continuityErrors && one.counters.clockJumps == other.counters.clockJumps,
             "pieces of other sizes give the same counts");
  fuzz::must(one.segments.size() == other.segments.size(), "pieces of other sizes give as many segments");
  for (size_t i = 0; i < one.segments.size(); i++) {
    const Segment &a = one.segments[i], &b = other.segments[i];
    fuzz::must(a.end == b.end && a.flags == b.flags && a.firstPts == b.firstPts && a.duration == b.duration && a.startUs == b.startUs,
               "pieces of other sizes give the same segments");
  }
  return 0;
}
