// The streams there are: what the parser makes of each kind.
#include <doctest/doctest.h>

#include <initializer_list>

#include "ts_parsed.h"

using namespace reelvault::ts;
using Bytes = TsBuilder::Bytes;

namespace {

constexpr uint16_t kVideo = TsBuilder::kVideo, kAudio = TsBuilder::kAudio;

std::vector<bool> keyframesOf(const Parsed& parsed) {
  std::vector<bool> list;
  for (const auto& unit : parsed.units.list) list.push_back(unit.keyframe);
  return list;
}
std::vector<int64_t> timesOf(const Parsed& parsed) {
  std::vector<int64_t> list;
  for (const auto& unit : parsed.units.list) list.push_back(unit.pts);
  return list;
}
using Flags = std::vector<bool>;
using Times = std::vector<int64_t>;

}  // namespace

TEST_CASE("of several programs the first one is followed, also when another's PMT comes on the same PID") {
  TsBuilder apart;
  apart.programs({{0, 0x10}, {7, 0x1000}, {8, 0x1001}}).pmt({{0x1b, 0x200}}, 0, 0x1001, 8).pmt({{0x1b, kVideo}}, 0, 0x1000, 7);
  apart.pes(0x200, 1, 1, true).key(2000).pes(0x200, 3, 1, true);
  CHECK(timesOf(Parsed(apart.bytes)) == Times{2000});

  TsBuilder together;
  together.programs({{7, 0x1000}, {8, 0x1000}});
  for (int i = 0; i < 3; i++) together.pmt({{0x1b, kVideo}}, 0, 0x1000, 7).pmt({{0x1b, 0x200}}, 0, 0x1000, 8).key(i * 1000).pes(0x200, 5, 1, true);
  const Parsed parsed(together.bytes);
  CHECK(timesOf(parsed) == Times{0, 1000, 2000});
  CHECK(parsed.counters().tableChanges == 0);
}

TEST_CASE("a PAT of several sections names one first program, and its end leaves the next one") {
  TsBuilder ts;
  for (int i = 0; i < 3; i++) {
    ts.programs({{7, 0x1000}}, 0, 1).programs({{8, 0x1001}}, 1, 1);
    ts.pmt({{0x1b, kVideo}}, 0, 0x1000, 7).pmt({{0x1b, 0x200}}, 0, 0x1001, 8).key(i * 1000).pes(0x200, 5, 1, true);
  }
  const Parsed both(ts.bytes);
  CHECK(timesOf(both) == Times{0, 1000, 2000});
  CHECK(both.counters().tableChanges == 0);
  ts.programs({}, 0, 1).programs({{8, 0x1001}}, 1, 1).pmt({{0x1b, 0x200}}, 0, 0x1001, 8).key(9000).pes(0x200, 5, 1, true);
  const Parsed parsed(ts.bytes);
  CHECK(timesOf(parsed) == Times{0, 1000, 2000, 5});
  CHECK(parsed.counters().tableChanges == 2);
}

TEST_CASE("a program whose number in the PMT is not that of the PAT is followed where nothing else comes on its PID") {
  TsBuilder ts;
  ts.pat().pmt({{0x1b, kVideo}}, 0, TsBuilder::kPmt, 99).key(1000);
  CHECK(timesOf(Parsed(ts.bytes)) == Times{1000});
}

TEST_CASE("a PMT may stand behind another section in its packet, and may need several packets") {
  TsBuilder behind;
  behind.pat().sections(TsBuilder::kPmt, {{0xc0, 0xb0, 0, 0, 1, 0xc1, 0, 0, 1, 2, 3}, TsBuilder::mapOf({{0x1b, kVideo}})}).key(1000);
  CHECK(timesOf(Parsed(behind.bytes)) == Times{1000});

  Bytes text(200, 0x20);
  text[0] = 0x0a, text[1] = 198;
  TsBuilder large;
  large.pat().sections(TsBuilder::kPmt, {TsBuilder::mapOf({{0x0f, kAudio, text}, {0x1b, kVideo}})}).key(2000);
  CHECK(large.size() == (1 + 2 + 3) * kPacketBytes);
  CHECK(timesOf(Parsed(large.bytes)) == Times{2000});

  // Each of its packets is sent twice.
  TsBuilder twice;
  twice.bytes.assign(large.bytes.begin(), large.bytes.begin() + 188);
  for (size_t at = 188; at < large.size(); at += 188)
    for (int i = 0; i < 2; i++) twice.bytes.insert(twice.bytes.end(), large.bytes.begin() + static_cast<ptrdiff_t>(at), large.bytes.begin() + static_cast<ptrdiff_t>(at) + 188);
  const Parsed parsed(twice.bytes);
  CHECK(timesOf(parsed) == Times{2000});
  CHECK(parsed.counters().duplicatePackets == 5);
}

TEST_CASE("tracks come and go: video leaves, sound goes on alone, other video comes") {
  TsBuilder ts;
  ts.pat().pmt().key(0).audio(0).frame(18000);
  ts.pat().pmt({{0x0f, kAudio}}, 1).audio(36000).audio(38000);
  ts.pat().pmt({{0x24, 0x200}, {0x0f, kAudio}}, 2).audio(54000).unit(0x200, 54000, {0, 0, 1, 19 << 1});
  const Parsed parsed(ts.bytes);
  CHECK(timesOf(parsed) == Times{0, 18000, 36000, 38000, 54000});
  CHECK(keyframesOf(parsed) == Flags{true, false, true, true, true});
  CHECK(parsed.counters().tableChanges == 2);
  CHECK_FALSE(parsed.units.list[1].newStream);
  CHECK(parsed.units.list[2].newStream);
  CHECK_FALSE(parsed.units.list[3].newStream);
  CHECK(parsed.units.list[4].newStream);
}

TEST_CASE("a PAT that names another PMT in mid-stream is followed") {
  TsBuilder ts;
  ts.pat().pmt().key(0).pat(0x1ffe).pmt({{0x1b, 0x300}}, 0, 0x1ffe).key(1000).pes(0x300, 2000, 1, true);
  const Parsed parsed(ts.bytes);
  CHECK(timesOf(parsed) == Times{0, 2000});
  CHECK(parsed.counters().tableChanges == 2);
}

TEST_CASE("a PMT that is damaged, or comes into force later only, changes nothing") {
  TsBuilder ts;
  ts.pat().pmt().key(0);
  ts.pmt({{0x1b, 0x300}}, 1);
  ts.bytes[ts.size() - 170] ^= 1;
  auto next = TsBuilder::mapOf({{0x1b, 0x300}}, 1);
  next[5] &= 0xfe;
  ts.sections(TsBuilder::kPmt, {next}).frame(1000).pes(0x300, 5, 1, true);
  CHECK(timesOf(Parsed(ts.bytes)) == Times{0, 1000});
}

TEST_CASE("H.264 without access unit delimiters or the indicator: IDR, or an I slice behind parameter sets") {
  struct Case {
    Bytes content;
    bool keyframe;
  };
  for (const Case& c : std::initializer_list<Case>{
           {{0, 0, 1, 0x65, 0x88}, true},                                                      // IDR
           {{0, 0, 0, 1, 0x67, 1, 2, 3, 0, 0, 0, 1, 0x68, 4, 0, 0, 1, 0x65, 0x88}, true},      // parameter sets, IDR
           {{0, 0, 1, 0x67, 1, 2, 0, 0, 1, 0x68, 4, 0, 0, 1, 0x06, 6, 1, 0, 0, 1, 0x41, 0x88}, true},  // parameter sets, SEI, I slice (7)
           {{0, 0, 1, 0x67, 1, 2, 0, 0, 1, 0x41, 0xb3}, true},                                 // I slice (2)
           {{0, 0, 1, 0x67, 1, 2, 0, 0, 1, 0x41, 0x9a}, false},                                // parameter sets, P slice (5)
           {{0, 0, 1, 0x67, 1, 2, 0, 0, 1, 0x41, 0xc8}, false},                                // P slice (0)
           {{0, 0, 1, 0x41, 0x88}, false},                                                     // I slice that nothing decodes without the sets before
           {{0, 0, 1, 0x09, 0xf0, 0, 0, 1, 0x41, 0x9a}, false},                                // delimiter, P slice
       }) {
    TsBuilder ts;
    ts.pat().pmt().unit(kVideo, 0, c.content, 2).frame(9000);
    CHECK(keyframesOf(Parsed(ts.bytes)) == Flags{c.keyframe, false});
    CHECK(keyframesOf(Parsed(ts.bytes, 1)) == Flags{c.keyframe, false});
  }
}

TEST_CASE("MPEG-2 video: an I picture behind a sequence header") {
  const auto picture = [](uint8_t type) { return Bytes{0, 0, 1, 0x00, 0x3f, static_cast<uint8_t>(0xc0 | type << 3)}; };
  const Bytes sequence{0, 0, 1, 0xb3, 0x2d, 0x02, 0x40, 0x33, 0, 0, 1, 0xb5, 0x14, 0, 0, 1, 0xb8, 0, 8};
  const auto behindSequence = [&](uint8_t type) {
    Bytes all = sequence;
    const Bytes last = picture(type);
    all.insert(all.end(), last.begin(), last.end());
    return all;
  };
  for (const uint8_t stream : {0x01, 0x02}) {
    TsBuilder ts;
    ts.pat().pmt({{stream, kVideo}});
    ts.unit(kVideo, 0, behindSequence(1), 2).unit(kVideo, 3600, picture(2)).unit(kVideo, 7200, picture(1)).unit(kVideo, 10800, behindSequence(2));
    CHECK(keyframesOf(Parsed(ts.bytes)) == Flags{true, false, false, false});
    CHECK(keyframesOf(Parsed(ts.bytes, 1)) == Flags{true, false, false, false});
  }
}

TEST_CASE("cues (SCTE-35), sections and private data are never what a stream with sound or pictures is cut by") {
  TsBuilder sound;
  sound.pat().pmt({{0x86, 0x1f0}, {0x05, 0x1f1}, {0x06, 0x1f2}, {0x0f, kAudio}});
  sound.sections(0x1f0, {{0xfc, 0x30, 0, 0, 0, 0, 0, 0, 0, 0}}).pes(0x1f2, 5).audio(1000);
  CHECK(timesOf(Parsed(sound.bytes)) == Times{1000});

  TsBuilder pictures;
  pictures.pat().pmt({{0x86, 0x1f0}, {0x0f, kAudio}, {0x06, 0x1f2}, {0x1b, kVideo}}).pes(0x1f2, 5).audio(900).key(1000);
  CHECK(timesOf(Parsed(pictures.bytes)) == Times{1000});

  TsBuilder cues;
  cues.pat().pmt({{0x86, 0x1f0}}).sections(0x1f0, {{0xfc, 0x30, 0, 0, 0, 0, 0, 0, 0, 0}}).null().null();
  CHECK(Parsed(cues.bytes).units.list.empty());

  TsBuilder data;
  data.pat().pmt({{0x86, 0x1f0}, {0x06, 0x1f2}}).pes(0x1f2, 5).pes(0x1f2, 9);
  CHECK(keyframesOf(Parsed(data.bytes)) == Flags{true, true});
}

TEST_CASE("private streams that carry sound or pictures are told by their descriptors") {
  const Bytes opus{0x05, 4, 'O', 'p', 'u', 's'}, ac3{0x52, 1, 9, 0x6a, 1, 0}, teletext{0x56, 5, 'e', 'n', 'g', 9, 0}, hevc{0x05, 4, 'H', 'E', 'V', 'C'};
  for (const Bytes& sound : {opus, ac3}) {
    TsBuilder ts;
    ts.pat().pmt({{0x06, 0x1f2, teletext}, {0x06, kAudio, sound}}).pes(0x1f2, 5).audio(1000);
    CHECK(timesOf(Parsed(ts.bytes)) == Times{1000});
  }
  TsBuilder ts;
  ts.pat().pmt({{0x0f, kAudio}, {0x06, kVideo, hevc}}).audio(900).unit(kVideo, 1000, {0, 0, 1, 19 << 1}).unit(kVideo, 2000, {0, 0, 1, 1 << 1});
  const Parsed parsed(ts.bytes);
  CHECK(timesOf(parsed) == Times{1000, 2000});
  CHECK(keyframesOf(parsed) == Flags{true, false});
}

TEST_CASE("the program clock: announced and unannounced jumps, its wrap, and packets without payload") {
  TsBuilder ts;
  ts.pat().pmt().clock(1000).key(2000).clock(90000).frame(91000).clock(500).frame(1500).clock(800, true).frame(1800);
  const Parsed parsed(ts.bytes);
  CHECK(parsed.counters().clockJumps == 1);
  CHECK(parsed.counters().discontinuities == 1);
  CHECK(parsed.counters().continuityErrors == 0);
  std::vector<bool> anew;
  for (const auto& unit : parsed.units.list) anew.push_back(unit.newTimeBase);
  CHECK(anew == Flags{false, false, true, true});

  TsBuilder wrap;
  wrap.pat().pmt().clock((int64_t{1} << 33) - 100).key(0).clock(100).frame(1000).clock(1000 + 9 * 90000).frame(2000);
  CHECK(Parsed(wrap.bytes).counters().clockJumps == 0);
}

TEST_CASE("lost packets are counted; one that comes twice is no second picture") {
  TsBuilder lost;
  lost.pat().pmt().key(0).frame(1000, 5).lose().lose().frame(2000);
  const Parsed gap(lost.bytes);
  CHECK(timesOf(gap) == Times{0, 1000, 2000});
  CHECK(gap.counters().continuityErrors == 1);

  TsBuilder twice;
  twice.pat().again().pmt().again();
  twice.unit(kVideo, 0, {0, 0, 1, 0x67}, 1).again().pes(kVideo, -1, 0);
  twice.frame(1000, 1).again().again().audio(5);
  const Parsed parsed(twice.bytes);
  // The third of the same is an error and taken for what it says.
  CHECK(timesOf(parsed) == Times{0, 1000, 1000});
  CHECK(parsed.counters().duplicatePackets == 4);
  CHECK(parsed.counters().continuityErrors == 1);
  CHECK(parsed.units.list[0].cutOffset == 0);
}

TEST_CASE("an announced discontinuity is no error, and a transport error is no packet") {
  TsBuilder ts;
  ts.pat().pmt().key(0);
  ts.breakContinuity(kVideo);
  ts.pes(kVideo, 1000, 1, true);
  ts.bytes[ts.size() - 188 + 5] |= 0x80;
  ts.frame(2000, 1).key(3000, 1);
  ts.bytes[ts.size() - 188 + 1] |= 0x80;
  const Parsed parsed(ts.bytes);
  CHECK(timesOf(parsed) == Times{0, 1000, 2000});
  CHECK(parsed.counters().continuityErrors == 0);
  CHECK(parsed.counters().discontinuities == 1);
  CHECK(parsed.counters().transportErrors == 1);
}

TEST_CASE("scrambled: keyframes by the indicator alone, time by the program clock, and no payload is read") {
  TsBuilder ts;
  ts.pat().pmt().clock(5000).key(9000, 2).frame(12600, 2).clock(8600).pes(kVideo, 16200, 2, false, 0x65).audio(9000);
  ts.scramble(kVideo);
  const Parsed parsed(ts.bytes);
  CHECK(timesOf(parsed) == Times{5000, 5000, 8600});
  CHECK(keyframesOf(parsed) == Flags{true, false, false});
  CHECK(parsed.counters().scrambledPackets == 8);

  TsBuilder sound;
  sound.pat().pmt({{0x0f, kAudio}}).audio(1).audio(2);
  sound.scramble(kAudio);
  CHECK(keyframesOf(Parsed(sound.bytes)) == Flags{true, true});
  CHECK(timesOf(Parsed(sound.bytes)) == Times{-1, -1});
}

TEST_CASE("packets of 192 and 204 bytes hold the same units, in the same packets") {
  TsBuilder ts;
  ts.seconds(3).null().seconds(1, 270000);
  const Parsed plain(ts.bytes);
  CHECK(plain.counters().packetBytes == 188);
  for (const size_t size : {size_t{192}, size_t{204}}) {
    const Bytes framed = ts.framed(size);
    for (const size_t piece : {size_t{1}, size_t{5}, size_t{191}, size_t{192}, size_t{204}, size_t{1316}, size_t{1} << 20}) {
      const Parsed parsed(framed, piece);
      CHECK(parsed.good);
      CHECK(parsed.counters().packetBytes == size);
      CHECK(parsed.counters().packets == plain.counters().packets);
      CHECK(parsed.counters().garbageBytes == 0);
      CHECK(parsed.counters().continuityErrors == 0);
      CHECK(parsed.parser.settled() == framed.size());
      REQUIRE(parsed.units.list.size() == plain.units.list.size());
      for (size_t i = 0; i < plain.units.list.size(); i++) {
        CHECK(parsed.units.list[i].offset == plain.units.list[i].offset / 188 * size);
        CHECK(parsed.units.list[i].cutOffset == plain.units.list[i].cutOffset / 188 * size);
        CHECK(parsed.units.list[i].keyframe == plain.units.list[i].keyframe);
      }
    }
  }
}

TEST_CASE("192 and 204 bytes: a start in the middle, a grid that is lost and found, another size behind it, a torn end") {
  TsBuilder ts;
  ts.seconds(2);
  for (const size_t size : {size_t{192}, size_t{204}}) {
    const Bytes whole = ts.framed(size);
    for (size_t skip = 1; skip < size + 6; skip++) {
      const Parsed parsed(Bytes(whole.begin() + static_cast<ptrdiff_t>(skip), whole.end()), 1000);
      const size_t lead = size == 192 ? 4 : 0;
      CHECK(parsed.good);
      CHECK(parsed.counters().packets == whole.size() / size - (skip > size + lead ? 2 : skip > lead ? 1 : 0));
      CHECK(parsed.parser.goodEnd() == whole.size() - skip);
    }
    Bytes broken = whole;
    const Bytes noise = TsBuilder().noise(777).bytes, other = ts.framed(size == 192 ? 204 : 192);
    broken.insert(broken.end(), noise.begin(), noise.end());
    broken.insert(broken.end(), other.begin(), other.end());
    for (const size_t piece : {size_t{1}, size_t{3}, size_t{189}, size_t{65536}}) {
      const Parsed parsed(broken, piece);
      CHECK(parsed.good);
      CHECK(parsed.counters().syncLosses == 1);
      CHECK(parsed.counters().garbageBytes == 777);
      CHECK(parsed.counters().packets == 2 * whole.size() / size);
      CHECK(parsed.counters().packetBytes == (size == 192 ? 204 : 192));
    }
    const Bytes few(whole.begin(), whole.begin() + static_cast<ptrdiff_t>(3 * size + 100));
    const Parsed parsed(few);
    CHECK(parsed.good);
    CHECK(parsed.counters().packets == 3);
    CHECK(parsed.parser.goodEnd() == 3 * size);
    CHECK(parsed.parser.settled() == few.size());
  }
}

TEST_CASE("null packets are counted and stand between nothing") {
  TsBuilder ts;
  ts.pat().null().pmt().null().key(0);
  const Parsed parsed(ts.bytes);
  CHECK(parsed.counters().nullPackets == 2);
  CHECK(parsed.counters().continuityErrors == 0);
  CHECK(parsed.units.list[0].cutOffset == 0);
  CHECK(parsed.units.list[0].tables);
}
