#include "writer/index.h"

#include <doctest/doctest.h>

#include "writer/recovery.h"

using namespace reelvault;

namespace {
IndexRecord sample(uint64_t offset, uint32_t length) {
  IndexRecord record{.offset = offset, .length = length, .flags = 37, .startUs = 1'795'269'600'123'456, .firstPts = 0x2'3456'789a, .duration = 360000, .crc32c = 0xdeadbeef, .sequence = 7};
  for (size_t i = 0; i < 32; i++) record.sha256[i] = static_cast<uint8_t>(i);
  return record;
}
std::string text(const IndexBytes& bytes) { return {reinterpret_cast<const char*>(bytes.data()), bytes.size()}; }
}  // namespace

TEST_CASE("a record lies on disk as the page says, little endian") {
  const IndexBytes bytes = encodeRecord(sample(0x0102030405060708, 0x11223344));
  const uint8_t start[] = {8, 7, 6, 5, 4, 3, 2, 1, 0x44, 0x33, 0x22, 0x11, 37, 0, 0, 0};
  CHECK(std::equal(std::begin(start), std::end(start), bytes.begin()));
  CHECK(bytes[24] == 0x9a);
  CHECK(bytes[28] == 0x02);
  CHECK(bytes[40] == 0x40);
  CHECK(bytes[44] == 0xef);
  CHECK(bytes[48] == 7);
  CHECK(bytes[57] == 1);
  CHECK(bytes[88] == 0);
  const auto back = decodeRecord(bytes.data());
  REQUIRE(back.has_value());
  CHECK(*back == sample(0x0102030405060708, 0x11223344));
}

TEST_CASE("any flipped bit makes a record or header invalid") {
  const IndexBytes record = encodeRecord(sample(5, 6));
  const IndexBytes header = encodeHeader({.flags = kEvidence, .hourUs = 1'795'269'600'000'000, .uuid = {1, 2, 3}});
  for (size_t bit = 0; bit < kIndexRecordBytes * 8; bit++) {
    for (const IndexBytes& good : {record, header}) {
      IndexBytes bad = good;
      bad[bit / 8] ^= static_cast<uint8_t>(1 << bit % 8);
      CHECK_FALSE(decodeRecord(bad.data()).has_value());
      CHECK_FALSE(decodeHeader(bad.data()).has_value());
    }
  }
  CHECK(decodeHeader(header.data())->hourUs == 1'795'269'600'000'000);
  CHECK(decodeHeader(header.data())->uuid[2] == 3);
  const IndexBytes zeros{};
  CHECK_FALSE(decodeRecord(zeros.data()).has_value());
}

TEST_CASE("only records count that hold, follow each other and name bytes of the reel") {
  const std::string header = text(encodeHeader({.hourUs = 0}));
  std::string broken = text(encodeRecord(sample(100, 100)));
  broken[3] ^= 1;
  const std::string contents = header + text(encodeRecord(sample(0, 100))) + broken + text(encodeRecord(sample(200, 100))) + text(encodeRecord(sample(250, 10))) +
                               text(encodeRecord(sample(300, 101))) + "torn";
  const ReelIndex index = readIndex(contents, 400);
  REQUIRE(index.records.size() == 2);
  CHECK(index.records[1].offset == 200);
  CHECK_FALSE(index.exact);
  CHECK(readIndex(header + text(encodeRecord(sample(0, 100))), 100).exact);
  CHECK(readIndex(header + text(encodeRecord(sample(UINT64_MAX - 5, 100))), 100).records.empty());
}

TEST_CASE("the records that hold are moved together") {
  std::string broken = text(encodeRecord(sample(100, 100)));
  broken[3] ^= 1;
  std::string contents = text(encodeHeader({.hourUs = 0})) + text(encodeRecord(sample(0, 100))) + broken + text(encodeRecord(sample(200, 100))) + "torn";
  const std::span<uint8_t> bytes(reinterpret_cast<uint8_t*>(contents.data()), contents.size());
  REQUIRE(compactIndex(bytes, 400) == 2);
  CHECK(parseRecord(&bytes[kIndexRecordBytes]) == sample(0, 100));
  CHECK(parseRecord(&bytes[2 * kIndexRecordBytes]) == sample(200, 100));
  CHECK(compactIndex(bytes, 299) == 1);
  CHECK(compactIndex(bytes.first(kIndexRecordBytes), 400) == 0);
  CHECK(compactIndex(bytes.first(kIndexRecordBytes - 1), 400) == 0);
  CHECK(compactIndex({}, 400) == 0);
}

TEST_CASE("times that no recording has make a record or header invalid, though its sum holds") {
  for (const int64_t us : {INT64_MAX, INT64_MAX - 1000, INT64_MIN, int64_t{300'000'000'000'000'000}, int64_t{-300'000'000'000'000'000}}) {
    IndexRecord record = sample(5, 6);
    record.startUs = us;
    CHECK_FALSE(decodeRecord(encodeRecord(record).data()).has_value());
    record = sample(5, 6);
    record.firstPts = us;
    CHECK_FALSE(decodeRecord(encodeRecord(record).data()).has_value());
    CHECK_FALSE(decodeHeader(encodeHeader({.hourUs = us}).data()).has_value());
  }
  IndexRecord record = sample(5, 6);
  record.firstPts = -2;
  CHECK_FALSE(decodeRecord(encodeRecord(record).data()).has_value());
  record.firstPts = kUnknownPts;
  CHECK(decodeRecord(encodeRecord(record).data()).has_value());
}
