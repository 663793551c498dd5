// Clocks that are set anew, tracks that change, and streams without what segments are usually cut by.
#include "segments_of.h"

using namespace reelvault;

namespace {
int64_t ticksOf(const std::vector<Segment>& segments) {
  int64_t sum = 0;
  for (const Segment& segment : segments) sum += segment.duration;
  return sum;
}
}  // namespace

TEST_CASE("pictures before the first one's time, across the wrap, are no jump") {
  TsBuilder ts;
  ts.pat().pmt().key(1800).frame(-1800).frame(0).frame(3600).pat().pmt().key(91800);
  const auto segments = segmentsOf(ts.bytes, 1000);
  REQUIRE(segments.size() == 2);
  CHECK(segments[0].firstPts == 1800);
  CHECK(segments[0].duration == 90000);
  CHECK((segments[1].flags & kDiscontinuity) == 0);
}

TEST_CASE("a clip that is sent again and again has its whole length, also when it is shorter than a jump ahead") {
  TsBuilder ts;
  for (int round = 0; round < 3; round++) ts.seconds(5);
  const auto segments = segmentsOf(ts.bytes, 60000);
  REQUIRE(segments.size() == 3);
  CHECK(ticksOf(segments) == 15 * 90000);
  for (size_t i = 1; i < 3; i++) CHECK((segments[i].flags & kDiscontinuity) != 0);
}

TEST_CASE("a program clock that is set anew tells a small step of the PTS from time that passed") {
  for (const bool announced : {true, false}) {
    TsBuilder ts;
    ts.pat().pmt().clock(10 * 90000).key(10 * 90000);
    for (int f = 1; f < 10; f++) ts.frame(10 * 90000 + f * 18000);
    ts.pat().pmt().clock(9 * 90000, announced).key(9 * 90000 - 18000);
    for (int f = 1; f < 10; f++) ts.frame(9 * 90000 - 18000 + f * 18000);
    const auto segments = segmentsOf(ts.bytes, 60000);
    REQUIRE(segments.size() == 2);
    CHECK((segments[1].flags & kDiscontinuity) != 0);
    CHECK(segments[0].duration == 2 * 90000);
    CHECK(segments[1].duration == 2 * 90000);
  }
  // The same clock anew, the pictures where they would have been: nothing to cut for.
  TsBuilder ts;
  ts.pat().pmt().clock(900000).key(900000).frame(918000).pat().pmt().clock(918000, true).key(936000).frame(954000);
  CHECK(segmentsOf(ts.bytes, 60000).size() == 1);
}

TEST_CASE("other video begins a segment of its own, marked") {
  TsBuilder ts;
  ts.pat().pmt().key(0).frame(18000).pat().pmt({{0x24, 0x200}, {0x0f, TsBuilder::kAudio}}, 1).pes(0x200, 36000, 2, true).pes(0x200, 54000, 2).pes(0x200, 72000, 2, true);
  const auto segments = segmentsOf(ts.bytes, 60000);
  REQUIRE(segments.size() == 2);
  CHECK(segments[1].begin == 7 * 188);
  CHECK((segments[1].flags & (kDiscontinuity | kKeyframe | kTables)) == (kDiscontinuity | kKeyframe | kTables));
  CHECK(segments[0].duration == 36000);
}

TEST_CASE("scrambled video without the indicator is cut by time, by its program clock") {
  TsBuilder ts;
  for (int f = 0; f < 50; f++) {
    if (f % 5 == 0) ts.pat().pmt();
    ts.clock(f * 18000).pes(TsBuilder::kVideo, f * 18000, 2, false, f % 5 == 0 ? 0x65 : 0x41);
  }
  ts.scramble(TsBuilder::kVideo);
  const auto segments = segmentsOf(ts.bytes, 1000);
  REQUIRE(segments.size() == 4);
  for (size_t i = 0; i < 3; i++) {
    CHECK(segments[i].duration == 3 * 90000);
    CHECK((segments[i].flags & (kCutByTime | kKeyframe)) == kCutByTime);
  }
}

TEST_CASE("scrambled or plain, with the indicator the cuts are the same") {
  TsBuilder plain, scrambled;
  for (TsBuilder* ts : {&plain, &scrambled})
    for (int s = 0; s < 6; s++) {
      ts->pat().pmt().clock(s * 90000).key(s * 90000);
      for (int f = 1; f < 5; f++) ts->clock(s * 90000 + f * 18000).frame(s * 90000 + f * 18000);
    }
  scrambled.scramble(TsBuilder::kVideo);
  const auto one = segmentsOf(plain.bytes, 2000), other = segmentsOf(scrambled.bytes, 2000);
  REQUIRE(one.size() == 3);
  REQUIRE(other.size() == 3);
  for (size_t i = 0; i < 3; i++) {
    CHECK(one[i].end == other[i].end);
    CHECK(one[i].duration == other[i].duration);
  }
}

TEST_CASE("packets of 192 and 204 bytes are cut as plain ones are, and a segment begins with what stands before its sync byte") {
  TsBuilder ts;
  ts.seconds(7);
  const auto plain = segmentsOf(ts.bytes, 2000);
  for (const size_t size : {size_t{192}, size_t{204}}) {
    const auto framed = segmentsOf(ts.framed(size), 2000, kNow, 1316);
    REQUIRE(framed.size() == plain.size());
    for (size_t i = 0; i < plain.size(); i++) {
      CHECK(framed[i].begin == plain[i].begin / 188 * size);
      CHECK(framed[i].duration == plain[i].duration);
      CHECK(framed[i].flags == plain[i].flags);
    }
  }
}

TEST_CASE("no video, no sound, no time: data alone is cut by the wall clock") {
  TsBuilder ts;
  ts.pat().pmt({{0x86, 0x1f0}});
  for (int i = 0; i < 20; i++) ts.sections(0x1f0, {{0xfc, 0x30, 0, 0, 0, 0, 0, 0, 0, 0}});
  Segmenter segmenter(1000, kUnknownTime);
  for (int second = 0; second < 8; second++) CHECK(segmenter.feed(ts.bytes.data(), ts.bytes.size(), kNow + second * 1'000'000));
  CHECK(segmenter.end());
  REQUIRE(segmenter.finished().size() == 3);
  CHECK(segmenter.finished()[0].duration == 3 * 90000);
  CHECK((segmenter.finished()[0].flags & kCutByTime) != 0);
}

TEST_CASE("why time is missing before a session stands in its first segment, and only where time is missing") {
  TsBuilder ts;
  ts.seconds(5);
  const auto flagsOf = [&ts](int64_t lastEndUs) {
    Segmenter segmenter(1000, lastEndUs, kGapOrderedOff | kGapStopped | kKeyframe);
    CHECK(segmenter.feed(ts.bytes.data(), ts.bytes.size(), kNow));
    CHECK(segmenter.end());
    std::vector<uint32_t> flags;
    for (const Segment& segment : segmenter.finished()) flags.push_back(segment.flags & kGapReasons);
    REQUIRE(flags.size() > 1);
    CHECK(std::all_of(flags.begin() + 1, flags.end(), [](uint32_t rest) { return rest == 0; }));
    return flags.front();
  };
  CHECK(flagsOf(kNow - 5'000'000) == (kGapOrderedOff | kGapStopped));
  CHECK(flagsOf(kNow) == 0);
  CHECK(flagsOf(kNow + 1'000'000) == 0);
  CHECK(flagsOf(kUnknownTime) == 0);
}

TEST_CASE("why time is missing in the middle of a session is said by the segment behind the gap, and by no other") {
  constexpr int64_t kThen = 1'795'269'600'000'000;
  Segmenter segmenter(1000, kUnknownTime);
  TsBuilder ts;
  const auto second = [&](int s, int64_t wallUs) {
    ts.bytes.clear();
    ts.pat().pmt().key(s * 90000, 3);
    for (int f = 1; f < 5; f++) ts.frame(s * 90000 + f * 18000, 3);
    CHECK(segmenter.feed(ts.bytes.data(), ts.bytes.size(), wallUs));
  };
  for (int s = 0; s < 4; s++) second(s, kThen + s * 1'000'000);
  segmenter.noteGap(kGapStopped);
  for (int s = 4; s < 8; s++) second(s, kThen + 60'000'000 + s * 1'000'000);
  segmenter.noteGap(kGapClock);  // no time is missing: it was set back
  for (int s = 8; s < 12; s++) second(s, kThen - 60'000'000 + s * 1'000'000);
  second(12, kThen + 600'000'000);
  second(13, kThen + 601'000'000);
  CHECK(segmenter.end());
  size_t stopped = 0, clock = 0;
  int64_t endUs = 0;
  for (const Segment& segment : segmenter.finished()) {
    CHECK(segment.startUs >= endUs);
    if ((segment.flags & kGapStopped) != 0) {
      stopped++;
      CHECK(segment.startUs > endUs + 2'000'000);
    }
    clock += (segment.flags & kGapClock) != 0 ? 1 : 0;
    endUs = segment.endUs();
  }
  CHECK(stopped == 1);
  CHECK(clock == 0);
}
