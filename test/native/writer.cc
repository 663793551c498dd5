// What comes in is what is in the reels.
#include <doctest/doctest.h>

#include "writer_ground.h"

using namespace reelvault;
using namespace writer_ground;

namespace {

Sha256Digest sha256(const std::string& bytes) {
  Sha256 sha;
  sha.update(bytes.data(), bytes.size());
  return sha.finish();
}

}  // namespace

TEST_CASE("what comes in is what is in the reel, for both backends, with and without direct I/O, at any rate") {
  for (const BackendKind backend : {BackendKind::ioUring, BackendKind::pwrite}) {
    for (const char* base : {static_cast<const char*>(nullptr), "/dev/shm"}) {
      for (const size_t packets : {1u, 60u, 3000u}) {
        Ground ground(backend, base);
        CHECK(ground.writer->backend() == backend);
        const auto bytes = streamOf(6, 0, packets);
        const int stream = ground.open("cam", kUnknownTime, true);
        CHECK(ground.feed(stream, bytes, packets > 100 ? 65536 : 500));
        CHECK(ground.finish(stream).error == 0);
        CHECK(ground.directory.read(kTestReel) == text(bytes));
        CHECK(ground.directory.index().exact);
        CHECK(ground.directory.index().records == ground.sink.durable());
        CHECK(ground.directory.index().header.uuid[0] == 9);
        CHECK(ground.sink.durable().size() == 6);
        ground.directory.checkSums();
        CHECK_FALSE(ground.directory.has(".reelvault/open/cam"));
        CHECK(ground.sink.all(EventKind::segment).size() == 6);
      }
    }
  }
}

TEST_CASE("a reel of the same hour is taken up at its exact end, again and again") {
  for (const char* base : {static_cast<const char*>(nullptr), "/dev/shm"}) {
    Ground ground(BackendKind::automatic, base);
    std::string expected;
    for (int session = 0; session < 5; session++) {
      const auto bytes = streamOf(3, session * 1'000'000, session % 2 == 0 ? 1 : 500);
      const int stream = ground.open("cam", session == 0 ? kUnknownTime : ground.sink.durable().back().endUs());
      CHECK(ground.feed(stream, bytes, 10007));
      CHECK(ground.finish(stream).error == 0);
      expected += text(bytes);
      CHECK(ground.directory.read(kTestReel) == expected);
    }
    CHECK(ground.directory.index().records == ground.sink.durable());
    ground.directory.checkSums();
  }
}

TEST_CASE("a reel taken up in the middle of a block, with a commit at every second, across the staging memory's seams") {
  Ground ground(BackendKind::automatic, "/dev/shm");
  const auto first = streamOf(1, 0, 4);  // 40 bytes into its second block: the first slab is out of step by as much
  int stream = ground.open();
  CHECK(ground.feed(stream, first));
  CHECK(ground.finish(stream).error == 0);
  REQUIRE(first.size() % kBlockBytes == 40);
  // Seconds of little bytes: their ends come to lie in every part of a block and of a slab.
  const size_t seconds = 3 * kSlabBytes / 2256;
  const auto bytes = streamOf(static_cast<int>(seconds), 0, 2);
  const size_t second = bytes.size() / seconds;
  stream = ground.open("cam", ground.sink.durable().back().endUs());
  for (size_t i = 0; i < seconds; i++) {
    CHECK(ground.feed(stream, {bytes.begin() + static_cast<ptrdiff_t>(i * second), bytes.begin() + static_cast<ptrdiff_t>((i + 1) * second)}));
    ground.sink.awaitAcknowledged(i + 1);
  }
  CHECK(ground.finish(stream).error == 0);
  CHECK(ground.directory.read(kTestReel) == text(first) + text(bytes));
  CHECK(ground.directory.index().records == ground.sink.durable());
  ground.directory.checkSums();
}

TEST_CASE("the next hour's reel begins with the segment that starts in it") {
  for (const size_t packets : {1u, 700u}) {
    Ground ground;
    const auto bytes = streamOf(8, 0, packets);
    const int stream = ground.open();
    CHECK(ground.feed(stream, bytes, 4000, kTestHour + kHourUs - 3'500'000));
    CHECK(ground.finish(stream).error == 0);
    const std::string next = "dvr/cam/2026/11/21/15.ts";
    const std::string first = ground.directory.read(kTestReel);
    CHECK(first + ground.directory.read(next) == text(bytes));
    CHECK(ground.directory.index().records.size() == 4);
    const auto records = ground.directory.index(next).records;
    REQUIRE(records.size() == 4);
    CHECK(records[0].offset == 0);
    CHECK(records[0].sequence == 0);
    CHECK(records[0].startUs == kTestHour + kHourUs + 500'000);
    CHECK((records[0].flags & kDiscontinuity) == 0);
    ground.directory.checkSums();
    ground.directory.checkSums(next);
  }
}

TEST_CASE("a segment is acknowledged while the session goes on") {
  Ground ground;
  const int stream = ground.open();
  CHECK(ground.feed(stream, streamOf(3)));
  ground.sink.await(EventKind::durable);
  const auto records = ground.sink.durable();
  const auto index = ground.directory.index();
  CHECK(index.records.size() >= records.size());
  for (size_t i = 0; i < records.size(); i++) CHECK(index.records[i] == records[i]);
  CHECK(ground.directory.read(".reelvault/open/cam") == kTestReel + "\n");
  CHECK(ground.finish(stream).error == 0);
}

TEST_CASE("an open reel has blocks and length ahead of its bytes, so that writes need not make it longer; a finished one has neither") {
  Ground ground;
  const auto facts = [&] {
    struct stat found {};
    REQUIRE(::fstatat(ground.directory.fd.get(), kTestReel.c_str(), &found, 0) == 0);
    return found;
  };
  const int stream = ground.open();
  const auto bytes = streamOf(3);
  CHECK(ground.feed(stream, bytes));
  ground.sink.await(EventKind::durable);
  // What is allocated comes after what is told.
  const auto isAhead = [&] { return facts().st_size >= 1 << 20 && facts().st_blocks >= (1 << 20) / 512; };
  for (int wait = 0; wait < 500 && !isAhead(); wait++) std::this_thread::sleep_for(std::chrono::milliseconds(10));
  CHECK(isAhead());
  CHECK(ground.finish(stream).error == 0);
  CHECK(static_cast<size_t>(facts().st_size) == bytes.size());
  CHECK(facts().st_blocks < (1 << 20) / 512);
}

TEST_CASE("how late a segment becomes durable counts from its own last byte, not from the one that showed its end") {
  Ground ground(BackendKind::automatic, nullptr, systemFileOps(), 16 << 20, 1);
  const int stream = ground.open();
  const auto bytes = streamOf(2);
  const size_t half = bytes.size() / 2;
  CHECK(ground.feed(stream, {bytes.begin(), bytes.begin() + static_cast<ptrdiff_t>(half)}, half));
  std::this_thread::sleep_for(std::chrono::milliseconds(300));
  CHECK(ground.feed(stream, {bytes.begin() + static_cast<ptrdiff_t>(half), bytes.end()}, half));
  CHECK(ground.finish(stream).error == 0);
  std::vector<int64_t> lags;
  for (const Event& event : ground.sink.all(EventKind::durable)) lags.insert(lags.end(), event.lagsMs.begin(), event.lagsMs.end());
  REQUIRE(lags.size() == 2);
  CHECK(lags[0] >= 290);
  CHECK(lags[1] >= 0);
  CHECK(lags[1] < lags[0]);
}

TEST_CASE("many streams share the staging memory, and each gets its bytes") {
  Ground ground(BackendKind::automatic, nullptr, systemFileOps(), 16 << 20);
  const auto bytes = streamOf(4, 0, 40);
  std::vector<int> streams;
  for (int i = 0; i < 40; i++) streams.push_back(ground.open("cam" + std::to_string(i)));
  for (size_t at = 0; at < bytes.size(); at += 1316)
    for (const int stream : streams) CHECK(ground.feed(stream, {bytes.begin() + static_cast<ptrdiff_t>(at), bytes.begin() + static_cast<ptrdiff_t>(std::min(at + 1316, bytes.size()))}));
  for (const int stream : streams) CHECK(ground.finish(stream).error == 0);
  for (int i = 0; i < 40; i++) CHECK(ground.directory.read("dvr/cam" + std::to_string(i) + "/2026/11/21/14.ts") == text(bytes));
}

TEST_CASE("no transport stream: an error, and no reel") {
  for (const uint8_t value : {uint8_t{0}, uint8_t{0xff}}) {
    Ground ground;
    const int stream = ground.open();
    CHECK_FALSE(ground.feed(stream, std::vector<uint8_t>(200000, value)));
    ground.sink.await(EventKind::error);
    const Event error = ground.sink.all(EventKind::error)[0];
    CHECK(error.notTransportStream);
    CHECK(error.got.find(value == 0 ? " 00 00 00 00" : " ff ff ff ff") != std::string::npos);
    CHECK(ground.finish(stream).error == 0);
    CHECK_FALSE(ground.directory.has("dvr"));
  }
}

TEST_CASE("a transport stream that turns to garbage keeps what was good") {
  Ground ground;
  auto bytes = streamOf(4);
  const std::string good = text(bytes);
  bytes.insert(bytes.end(), 100000, 0);
  const int stream = ground.open();
  CHECK_FALSE(ground.feed(stream, bytes, 1000));
  ground.sink.await(EventKind::error);
  CHECK(ground.sink.all(EventKind::error)[0].notTransportStream);
  CHECK(ground.finish(stream).error == 0);
  CHECK(ground.directory.read(kTestReel) == good);
  CHECK(ground.sink.durable().size() == 4);
}

TEST_CASE("garbage shorter than that is kept where it came") {
  Ground ground;
  TsBuilder ts;
  ts.seconds(2).noise(60000).seconds(2, 180000).noise(100);
  const int stream = ground.open();
  CHECK(ground.feed(stream, ts.bytes, 1000));
  CHECK(ground.writer->counters(stream).syncLosses == 2);
  CHECK(ground.finish(stream).error == 0);
  CHECK(ground.directory.read(kTestReel) == text(ts.bytes));
}

TEST_CASE("evidence that is switched in mid-hour: the header tells that records may carry a SHA-256, and each record whether it does") {
  for (const bool first : {false, true}) {
    Ground ground;
    std::string bytes;
    for (int session = 0; session < 4; session++) {
      const bool evidence = (session % 2 == 0) == first;
      const int stream = ground.open("cam", session == 0 ? kUnknownTime : ground.sink.durable().back().endUs(), evidence);
      const auto more = streamOf(2, session * 1'000'000);
      bytes += text(more);
      CHECK(ground.feed(stream, more));
      // Before the first record that carries one is acknowledged, not at the end of the session only.
      ground.sink.awaitAcknowledged(static_cast<size_t>(session) * 2 + 1);
      CHECK(ground.directory.index().header.flags == (first || session > 0 ? kEvidence : 0));
      CHECK(ground.finish(stream).error == 0);
      const auto index = ground.directory.index();
      CHECK(index.exact);
      CHECK(index.header.flags == (first || session > 0 ? kEvidence : 0));
      REQUIRE(index.records.size() == static_cast<size_t>(session + 1) * 2);
      CHECK(index.records == ground.sink.durable());
      for (size_t i = 0; i < index.records.size(); i++) {
        const auto& record = index.records[i];
        const bool carries = (i / 2 % 2 == 0) == first;
        CHECK(record.sha256 == (carries ? sha256(bytes.substr(record.offset, record.length)) : Sha256Digest{}));
      }
    }
    CHECK(ground.directory.index().header.uuid[0] == 9);
  }
}

TEST_CASE("an index that had lost its header gets the container's UUID again from the session that takes it up") {
  Ground ground;
  int stream = ground.open();
  CHECK(ground.feed(stream, streamOf(2)));
  CHECK(ground.finish(stream).error == 0);
  std::string index = ground.directory.read(indexPathOf(kTestReel));
  index[20] = static_cast<char>(index[20] + 1);
  ground.directory.write(indexPathOf(kTestReel), index);
  REQUIRE_FALSE(ground.directory.index().headerHolds);
  stream = ground.open("cam", ground.sink.durable().back().endUs());
  CHECK(ground.feed(stream, streamOf(2, 1'000'000)));
  CHECK(ground.finish(stream).error == 0);
  CHECK(ground.directory.index().exact);
  CHECK(ground.directory.index().header.uuid == VolumeUuid{9});
  CHECK(ground.directory.index().records == ground.sink.durable());
}
