#include "ts/parser.h"

#include <doctest/doctest.h>

#include <algorithm>

#include "ts_parsed.h"

using namespace reelvault::ts;

TEST_CASE("a segment may start at the PAT directly before a keyframe, and at none with video in between") {
  TsBuilder ts;
  ts.pat().pmt().key(1000).frame(2000);
  const uint64_t secondPat = ts.size();
  ts.pat().pmt().audio(2500);
  const uint64_t secondKey = ts.size();
  ts.key(3000).pat();
  ts.frame(4000);
  const uint64_t thirdKey = ts.size();
  ts.key(5000).frame(6000);
  const Parsed parsed(ts.bytes);
  REQUIRE(parsed.units.list.size() == 6);
  CHECK(parsed.units.list[0].cutOffset == 0);
  CHECK(parsed.units.list[0].first);
  CHECK(parsed.units.list[0].tables);
  CHECK(parsed.units.list[2].keyframe);
  CHECK(parsed.units.list[2].offset == secondKey);
  CHECK(parsed.units.list[2].cutOffset == secondPat);
  CHECK(parsed.units.list[2].pts == 3000);
  CHECK_FALSE(parsed.units.list[2].first);
  CHECK(parsed.units.list[4].keyframe);
  CHECK(parsed.units.list[4].cutOffset == thirdKey);
  CHECK_FALSE(parsed.units.list[4].tables);
}

TEST_CASE("without the random access indicator the first picture NAL decides, also when it comes packets later") {
  struct Case {
    uint8_t type, nal;
    bool keyframe;
  };
  for (const Case& c : {Case{0x1b, 0x65, true}, Case{0x1b, 0x41, false}, Case{0x24, 19 << 1, true}, Case{0x24, 21 << 1, true}, Case{0x24, 1 << 1, false}}) {
    TsBuilder ts;
    ts.pat().pmt({{c.type, TsBuilder::kVideo}}).pes(TsBuilder::kVideo, 0, 2, false, c.nal).frame(9000);
    const Parsed parsed(ts.bytes);
    REQUIRE(parsed.units.list.size() == 2);
    CHECK(parsed.units.list[0].keyframe == c.keyframe);
  }
  // A parameter set first (NAL type 7), the start code of the IDR split between two packets.
  TsBuilder ts;
  ts.pat().pmt().pes(TsBuilder::kVideo, 0, 3, false, 0x67).frame(9000).frame(18000);
  const uint64_t key = 2 * kPacketBytes;
  ts.bytes[key + 187] = 0, ts.bytes[key + 186] = 0;
  ts.bytes[key + 188 + 4] = 1, ts.bytes[key + 188 + 5] = 0x65;
  const Parsed parsed(ts.bytes);
  REQUIRE(parsed.units.list.size() == 3);
  CHECK(parsed.units.list[0].keyframe);
}

TEST_CASE("nothing is settled that a cut may still come before") {
  TsBuilder ts;
  ts.pat().pmt().key(0).frame(9000);
  const uint64_t pat = ts.size();
  ts.pat().pmt().pes(TsBuilder::kVideo, 18000, 2, false, 0x67);  // not yet clear what it is
  const Parsed parsed(ts.bytes, 1 << 20, false);
  CHECK(parsed.parser.settled() == pat);
}

TEST_CASE("audio alone: every PES start may begin a segment") {
  TsBuilder ts;
  ts.pat().pmt({{0x0f, TsBuilder::kAudio}}).audio(0).audio(2000).audio(4000);
  const Parsed parsed(ts.bytes);
  REQUIRE(parsed.units.list.size() == 3);
  CHECK(std::all_of(parsed.units.list.begin(), parsed.units.list.end(), [](const auto& unit) { return unit.keyframe; }));
}

TEST_CASE("a PMT with another version may move the video to another PID") {
  TsBuilder ts;
  ts.pat().pmt().key(0).frame(9000).pat().pmt({{0x24, 0x200}}, 1).pes(0x200, 18000, 1, true).frame(20000).pes(0x200, 27000);
  const Parsed parsed(ts.bytes);
  REQUIRE(parsed.units.list.size() == 4);
  CHECK(parsed.units.list[2].pts == 18000);
  CHECK(parsed.units.list[2].keyframe);
  CHECK(parsed.units.list[3].pts == 27000);
}

TEST_CASE("counts null packets, continuity errors, sync losses and garbage") {
  TsBuilder ts;
  ts.pat().pmt().key(0).null().null();
  ts.breakContinuity(TsBuilder::kVideo);
  ts.frame(9000).noise(1000);
  ts.seconds(1, 18000);
  const Parsed parsed(ts.bytes);
  CHECK(parsed.good);
  const Counters& counters = parsed.parser.counters();
  CHECK(counters.nullPackets == 2);
  CHECK(counters.continuityErrors == 1);
  CHECK(counters.syncLosses == 1);
  CHECK(counters.garbageBytes == 1000);
  CHECK(counters.packets * kPacketBytes + counters.garbageBytes == ts.size());
}

TEST_CASE("finds the grid behind up to 64 KiB of something else, at the start and in the middle; further on it gives up") {
  for (const size_t garbage : {1u, 187u, 188u, 4096u, 65536u}) {
    TsBuilder start;
    start.noise(garbage).seconds(2);
    const Parsed first(start.bytes);
    CHECK(first.good);
    CHECK(first.units.list.size() == 10);
    TsBuilder middle;
    middle.seconds(1).noise(garbage).seconds(1, 90000);
    const Parsed second(middle.bytes, 1316);
    CHECK(second.good);
    CHECK(second.units.list.size() == 10);
    CHECK(second.parser.settled() == middle.size());
  }
  TsBuilder late;
  late.noise(65537).seconds(2);
  CHECK_FALSE(Parsed(late.bytes).good);
  TsBuilder lost;
  lost.seconds(1);
  const uint64_t good = lost.size();
  lost.noise(70000).seconds(1);
  const Parsed parsed(lost.bytes);
  CHECK_FALSE(parsed.good);
  CHECK(parsed.parser.settled() == good);
}

TEST_CASE("zeros are no transport stream, and neither is noise") {
  TsBuilder zeros;
  zeros.raw(100000, 0);
  CHECK_FALSE(Parsed(zeros.bytes).good);
  CHECK_FALSE(Parsed(zeros.bytes).parser.synced());
  TsBuilder few;
  few.raw(1000, 0);
  CHECK_FALSE(Parsed(few.bytes).good);
  TsBuilder noise;
  noise.noise(300);
  CHECK_FALSE(Parsed(noise.bytes).good);
}

TEST_CASE("a stream of fewer than five packets counts when it ends") {
  TsBuilder ts;
  ts.pat().pmt().key(0, 1);
  const Parsed parsed(ts.bytes);
  CHECK(parsed.good);
  CHECK(parsed.units.list.size() == 1);
  ts.bytes.resize(ts.bytes.size() - 10);  // the last packet is torn
  const Parsed torn(ts.bytes);
  CHECK(torn.good);
  CHECK(torn.parser.settled() == ts.bytes.size());
}

TEST_CASE("the answers do not depend on how the bytes come in") {
  TsBuilder ts;
  ts.noise(333).seconds(3).noise(500).null().seconds(2, 400000).raw(70, 0x47);
  const Parsed whole(ts.bytes);
  for (const size_t piece : {1u, 7u, 187u, 188u, 189u, 1316u, 65536u}) {
    const Parsed parsed(ts.bytes, piece);
    CHECK(parsed.good == whole.good);
    CHECK(parsed.parser.settled() == whole.parser.settled());
    REQUIRE(parsed.units.list.size() == whole.units.list.size());
    for (size_t i = 0; i < whole.units.list.size(); i++) {
      CHECK(parsed.units.list[i].offset == whole.units.list[i].offset);
      CHECK(parsed.units.list[i].cutOffset == whole.units.list[i].cutOffset);
      CHECK(parsed.units.list[i].keyframe == whole.units.list[i].keyframe);
    }
  }
}

TEST_CASE("bytes of any value do no harm") {
  uint32_t state = 7;
  for (int round = 0; round < 300; round++) {
    TsBuilder ts;
    ts.seconds(2);
    for (int hits = 0; hits < 40; hits++) {
      state = state * 1664525 + 1013904223;
      ts.bytes[(state >> 8) % ts.bytes.size()] = static_cast<uint8_t>(state >> 3);
    }
    const Parsed parsed(ts.bytes, 1 + state % 3000);
    CHECK(parsed.parser.settled() <= ts.size());
  }
}
