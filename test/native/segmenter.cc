#include "writer/segmenter.h"

#include <doctest/doctest.h>

#include "segments_of.h"

using namespace reelvault;

TEST_CASE("the timeline goes by the media clock while the wall clock agrees") {
  const int64_t end = kNow;
  CHECK(placeSegment(end, end + 1'900'000, false).startUs == end);
  CHECK(placeSegment(end, end + 1'900'000, false).flags == 0);
  CHECK(placeSegment(end, end - 1'900'000, false).startUs == end);
  CHECK(placeSegment(end, end - 1'900'000, false).flags == 0);
}

TEST_CASE("a wall clock that is ahead makes a gap, one that is behind is only noted") {
  const Placed gap = placeSegment(kNow, kNow + 2'100'000, false);
  CHECK(gap.startUs == kNow + 2'100'000);
  CHECK(gap.flags == kDiscontinuity);
  const Placed behind = placeSegment(kNow, kNow - 3'600'000'000, false);
  CHECK(behind.startUs == kNow);
  CHECK(behind.flags == kClockJumped);
}

TEST_CASE("a new session starts at the wall clock, but never before the former end") {
  CHECK(placeSegment(kUnknownTime, kNow, true).startUs == kNow);
  CHECK(placeSegment(kNow, kNow + 500'000, true).startUs == kNow + 500'000);
  CHECK(placeSegment(kNow, kNow - 500'000, true).startUs == kNow);
  CHECK(placeSegment(kNow, kNow - 60'000'000, true).flags == (kDiscontinuity | kClockJumped));
}

TEST_CASE("the PTS line goes on over the wrap, and says when the time base changes") {
  constexpr int64_t kWrap = int64_t{1} << 33;
  PtsClock clock;
  CHECK(clock.feed(kWrap - 3600).pts == kWrap - 3600);
  CHECK(clock.feed(0).pts == kWrap);
  CHECK(clock.feed(kWrap - 1800).pts == kWrap - 1800);  // reordered pictures around the wrap
  CHECK(clock.feed(1800).pts == kWrap + 1800);
  CHECK(clock.unitTicks() == 1800);
  const auto jump = clock.feed(100 * 90000);
  CHECK(jump.jumped);
  CHECK(jump.pts == kWrap + 100 * 90000);
}

TEST_CASE("segments are cut at the first keyframe that comes late enough") {
  TsBuilder ts;
  ts.seconds(10);
  const auto segments = segmentsOf(ts.bytes, 2500);
  REQUIRE(segments.size() == 4);
  for (size_t i = 0; i < 4; i++) {
    CHECK((segments[i].flags & (kKeyframe | kTables)) == (kKeyframe | kTables));
    CHECK(segments[i].firstPts == static_cast<int64_t>(i) * 3 * 90000);
    CHECK(segments[i].duration == (i < 3 ? 270000u : 90000u));
    CHECK(segments[i].startUs == kNow + static_cast<int64_t>(i) * 3'000'000);
  }
  CHECK((segments[0].flags & kDiscontinuity) != 0);
  CHECK((segments[3].flags & kSessionEnd) != 0);
  CHECK((segments[2].flags & kSessionEnd) == 0);
}

TEST_CASE("what comes before the first keyframe is a segment of its own") {
  TsBuilder ts;
  ts.pat().pmt().frame(0).frame(18000).frame(36000);
  const uint64_t lead = ts.size();
  ts.seconds(4, 54000);
  const auto segments = segmentsOf(ts.bytes, 2000);
  REQUIRE(segments.size() == 3);
  CHECK(segments[0].end == lead);
  CHECK((segments[0].flags & kKeyframe) == 0);
  CHECK(segments[0].duration == 54000);
  CHECK((segments[1].flags & kKeyframe) != 0);
}

TEST_CASE("bytes before the first packet belong to the first segment") {
  TsBuilder ts;
  ts.noise(1000).seconds(4);
  const auto segments = segmentsOf(ts.bytes, 2000, kNow, 100);
  REQUIRE(segments.size() == 2);
  CHECK(segments[0].begin == 0);
  CHECK((segments[0].flags & kKeyframe) != 0);
}

TEST_CASE("without keyframes the media clock cuts after three times the length, and the next keyframe cuts at once") {
  TsBuilder ts;
  ts.pat().pmt().key(0);
  for (int f = 1; f < 40; f++) ts.frame(f * 18000);
  ts.seconds(2, 40 * 18000);
  const auto segments = segmentsOf(ts.bytes, 2000);
  REQUIRE(segments.size() == 3);
  CHECK((segments[0].flags & kCutByTime) != 0);
  CHECK(segments[0].duration == 6 * 90000);
  CHECK((segments[1].flags & (kKeyframe | kCutByTime)) == 0);
  CHECK(segments[1].duration == 2 * 90000);
  CHECK((segments[2].flags & kKeyframe) != 0);
}

TEST_CASE("without any PTS the wall clock cuts") {
  TsBuilder ts;
  for (int i = 0; i < 100; i++) ts.null();
  Segmenter segmenter(1000, kUnknownTime);
  for (int second = 0; second < 8; second++) CHECK(segmenter.feed(ts.bytes.data(), ts.bytes.size(), kNow + second * 1'000'000));
  CHECK(segmenter.end());
  const auto& segments = segmenter.finished();
  REQUIRE(segments.size() == 3);
  CHECK(segments[0].duration == 3 * 90000);
  CHECK((segments[0].flags & kCutByTime) != 0);
  CHECK(segments[1].startUs == kNow + 3'000'000);
  CHECK(segments[0].firstPts == kUnknownPts);
}

TEST_CASE("a jump of the PTS cuts at the next keyframe and is marked") {
  TsBuilder ts;
  ts.seconds(2).seconds(2, 500 * 90000);
  const auto segments = segmentsOf(ts.bytes, 60000);
  REQUIRE(segments.size() == 2);
  CHECK(segments[0].duration == 180000);
  CHECK((segments[1].flags & kDiscontinuity) != 0);
  CHECK(segments[1].startUs == kNow + 2'000'000);
}

TEST_CASE("a picture of several seconds later than its reordered neighbours does not stretch a segment") {
  TsBuilder ts;
  ts.pat().pmt();
  for (int gop = 0; gop < 3; gop++)
    for (const int f : {0, 3, 1, 2, 4}) {
      const int64_t pts = gop * 90000 + f * 18000;
      f == 0 ? ts.key(pts) : ts.frame(pts);
    }
  const auto segments = segmentsOf(ts.bytes, 1000);
  REQUIRE(segments.size() == 3);
  for (const Segment& segment : segments) CHECK(segment.duration == 90000);
}

TEST_CASE("the same segments however the bytes come in") {
  TsBuilder ts;
  ts.noise(50).seconds(5).noise(300).seconds(5, 6 * 90000);
  const auto whole = segmentsOf(ts.bytes, 2000);
  for (const size_t piece : {1u, 188u, 1000u, 1316u, 65536u}) {
    const auto segments = segmentsOf(ts.bytes, 2000, kNow, piece);
    REQUIRE(segments.size() == whole.size());
    for (size_t i = 0; i < whole.size(); i++) {
      CHECK(segments[i].end == whole[i].end);
      CHECK(segments[i].flags == whole[i].flags);
      CHECK(segments[i].startUs == whole[i].startUs);
      CHECK(segments[i].duration == whole[i].duration);
    }
  }
}
