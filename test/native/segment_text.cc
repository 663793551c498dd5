#include "playlist/segment_text.h"

#include <doctest/doctest.h>

#include <vector>

using namespace reelvault;

namespace {

constexpr int64_t kTenUs = 1'795'255'200'000'000;  // 2026-11-21 10:00 UTC
constexpr char kTenPath[] = "2026/11/21/10";

class Reel {
 public:
  Reel& add(int64_t atUs, uint32_t flags, uint32_t duration = 180000) {
    const IndexBytes bytes = encodeRecord({.offset = bytes_.size() / kIndexRecordBytes * 188, .length = 188, .flags = flags, .startUs = kTenUs + atUs, .duration = duration});
    bytes_.insert(bytes_.end(), bytes.begin(), bytes.end());
    return *this;
  }
  SegmentRun run(uint32_t first = 0) const {
    return {.records = bytes_, .hourPath = kTenPath, .first = first, .end = static_cast<uint32_t>(bytes_.size() / kIndexRecordBytes)};
  }

 private:
  std::vector<uint8_t> bytes_;
};

std::string written(SegmentText&& text, const SegmentRun& run) {
  (void)text.write(run);
  return std::string(text.take().view());
}
std::string written(const Reel& reel) { return written(SegmentText(std::nullopt), reel.run()); }

size_t count(std::string_view text, std::string_view what) {
  size_t found = 0;
  for (size_t at = text.find(what); at != text.npos; at = text.find(what, at + 1)) found++;
  return found;
}

}  // namespace

TEST_CASE("a segment with its time, its length and its bytes") {
  CHECK(written(Reel().add(1'500'999, 5, 172801)) == "#EXT-X-PROGRAM-DATE-TIME:2026-11-21T10:00:01.500Z\n#EXTINF:1.920011,\n2026/11/21/10/0-188.ts\n");
  CHECK(written(Reel().add(0, 5, UINT32_MAX)).find("#EXTINF:47721.858833,\n") != std::string::npos);
  CHECK(written(Reel().add(0, 5, 0)).find("#EXTINF:0.000000,\n") != std::string::npos);
}

TEST_CASE("a head of any length goes before the text, and numbers of any size into it") {
  for (const size_t length : {0, 1, 255, 256, 257, 100'000}) {
    SegmentText text(std::nullopt);
    (void)text.write(Reel().add(0, 5).run());
    const std::string lines = written(Reel().add(0, 5));
    const std::string head(length, 'h');
    CHECK(text.take(head, "tail").view() == head + lines + "tail");
    CHECK(text.take(head, "tail").view() == head + "tail");
  }
  for (const uint64_t offset : {uint64_t{0}, uint64_t{99'999'999}, uint64_t{100'000'000}, uint64_t{1'000'000'007}, uint64_t{9'876'543'210}, uint64_t{10'000'000'000'000'000}, UINT64_MAX}) {
    const IndexBytes bytes = encodeRecord({.offset = offset, .length = 188, .flags = 5, .startUs = kTenUs, .duration = 180000});
    const std::string lines = written(SegmentText(std::nullopt), {.records = bytes, .hourPath = kTenPath, .first = 0, .end = 1, .withoutTables = {}});
    CHECK(lines.find("/" + std::to_string(offset) + "-188.ts") != std::string::npos);
  }
}

TEST_CASE("the path of an hour may have any length") {
  for (const size_t length : {1, 62, 63, 64, 65, 5000}) {
    const std::string path(length, 'p');
    const Reel reel = Reel().add(0, 1).add(2'000'000, 1);
    SegmentRun run = reel.run();
    run.hourPath = path;
    const std::string lines = written(SegmentText(std::nullopt), run);
    CHECK(count(lines, "\n" + path + "/") == 2);
    CHECK(count(lines, "\"" + path + "/0-188.tables.ts\"\n") == 1);
    CHECK(lines.size() == written(reel).size() + 3 * (length - sizeof kTenPath + 1));
  }
}

TEST_CASE("time goes on over hours, and before 1970 and the year 0") {
  SegmentText text(std::nullopt);
  for (const auto& [us, date] : {std::pair{kHourUs - 1, "2026-11-21T10:59:59.999Z"}, {kHourUs, "2026-11-21T11:00:00.000Z"}, {-kTenUs - 1, "1969-12-31T23:59:59.999Z"}, {-kTenUs - 62'198'755'200'000'000, "-000001-01-01T00:00:00.000Z"}}) {
    (void)text.write(Reel().add(us, 5).run());
    CHECK(text.take().view().find(date) != std::string::npos);
  }
}

TEST_CASE("a hole or a flag breaks off, from the neighbour before too, and the first of a playlist never") {
  const Reel reel = Reel().add(0, 7).add(2'000'000, 5).add(4'001'001, 5).add(6'002'001, 5);
  CHECK(count(written(reel), "#EXT-X-DISCONTINUITY\n") == 2);
  SegmentRun run = reel.run();
  run.startsPlaylist = true;
  CHECK(count(written(SegmentText(std::nullopt), run), "#EXT-X-DISCONTINUITY\n") == 1);
  CHECK(count(written(SegmentText(kTenUs + 2'000'000), reel.run(2)), "#EXT-X-DISCONTINUITY\n") == 1);
  CHECK(count(written(SegmentText(kTenUs + 4'000'001), reel.run(2)), "#EXT-X-DISCONTINUITY\n") == 0);
  SegmentText twice(std::nullopt);
  run.end = 2;
  (void)twice.write(run);
  (void)twice.take();
  (void)twice.write(reel.run(2));
  CHECK(count(twice.take().view(), "#EXT-X-DISCONTINUITY\n") == 1);
}

TEST_CASE("segments without tables get them from the last break, named when they change") {
  const Reel reel = Reel().add(0, 5).add(2'000'000, 1).add(4'000'000, 1).add(6'000'000, 7).add(8'000'000, 1).add(10'000'000, 5);
  const std::string text = written(reel);
  CHECK(count(text, "#EXT-X-MAP") == 2);
  CHECK(text.find("#EXT-X-MAP:URI=\"2026/11/21/10/0-188.tables.ts\"\n#EXT-X-PROGRAM-DATE-TIME:2026-11-21T10:00:02.000Z") != std::string::npos);
  CHECK(text.find("#EXT-X-DISCONTINUITY\n#EXT-X-MAP:URI=\"2026/11/21/10/564-188.tables.ts\"\n") != std::string::npos);
  const uint32_t none[] = {3};
  SegmentRun run = reel.run();
  run.withoutTables = none;
  CHECK(count(written(SegmentText(std::nullopt), run), "#EXT-X-MAP") == 1);
  SegmentRun later = reel.run(4);
  later.tables = 3;
  CHECK(written(SegmentText(std::nullopt), later).starts_with("#EXT-X-MAP:URI=\"2026/11/21/10/564-188.tables.ts\"\n"));
}

TEST_CASE("what is held goes out once, between a head and a tail, and what follows goes on from it") {
  const Reel reel = Reel().add(0, 1).add(2'000'000, 1);
  SegmentRun first = reel.run();
  first.end = 1;
  SegmentText text(std::nullopt);
  const size_t held = text.write(first);
  CHECK(text.write(reel.run(1)) > held);
  CHECK(text.take("head\n", "tail\n").view() == "head\n" + written(reel) + "tail\n");
  CHECK(text.take("head\n").view() == "head\n");
  CHECK(text.take().view().empty());
}

TEST_CASE("a segment with the longest lines there are, in a text that has no room left") {
  IndexRecord record{.offset = 0, .length = 1, .flags = 0, .startUs = -kTenUs - 62'198'755'200'000'000, .duration = 1};
  std::vector<uint8_t> records;
  for (record.offset = UINT64_MAX - 2000; record.offset < UINT64_MAX - 1000; record.offset++) {
    record.length = UINT32_MAX;
    record.flags = kDiscontinuity;
    record.duration = UINT32_MAX;
    const IndexBytes bytes = encodeRecord(record);
    records.insert(records.end(), bytes.begin(), bytes.end());
  }
  const std::string path(700, 'p');
  SegmentText text(std::nullopt);
  (void)text.write({.records = records, .hourPath = path, .first = 0, .end = 1000, .tables = 0, .withoutTables = {}, .startsPlaylist = false});
  const GrowingText all = text.take(std::string(5000, 'h'), std::string(5000, 't'));
  CHECK(count(all.view(), "#EXT-X-MAP:URI=\"" + path) == 1000);
  CHECK(count(all.view(), path + "/184467440737095") == 2000);
  CHECK(all.view().starts_with("hhh"));
  CHECK(all.view().ends_with(".ts\n" + std::string(5000, 't')));
}
