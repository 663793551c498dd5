// Whom and what a writer does not take.
#include <doctest/doctest.h>

#include <atomic>

#include "writer_ground.h"

using namespace reelvault;
using namespace writer_ground;

TEST_CASE("refuses the second writer of a name, streams beyond the memory, and a volume in use") {
  Ground ground(BackendKind::automatic, nullptr, systemFileOps(), 4 << 20);
  const int stream = ground.open();
  const StreamOptions same{.volume = ground.volume, .name = "cam"};
  CHECK(ground.writer->openStream(same).failure.error == EBUSY);
  CHECK(ground.writer->removeVolume(ground.volume).error == EBUSY);
  int opened = 1;
  Failure refused;
  while (!refused && opened < 1000) {
    const auto made = ground.writer->openStream({.volume = ground.volume, .name = "x" + std::to_string(opened)});
    refused = made.failure;
    opened++;
  }
  CHECK(refused.error == ENOBUFS);
  CHECK(opened > 8);
  CHECK(ground.finish(stream).error == 0);
  CHECK(ground.writer->append(stream, reinterpret_cast<const uint8_t*>("x"), 1, kTestHour) == Writer::kRefused);
}

TEST_CASE("when the memory is used up nothing is taken, nothing is lost, and drain tells when to go on") {
  // Writes that do not end until they are let go: the disk hangs.
  class HangingOps final : public FileOps {
   public:
    int writeResult(int, int result, bool) override {
      while (hang) std::this_thread::sleep_for(std::chrono::milliseconds(1));
      return result;
    }
    std::atomic<bool> hang{true};
  } ops;
  Ground ground(BackendKind::automatic, nullptr, ops, 4 << 20);
  const auto bytes = streamOf(4, 0, 2000);
  const int stream = ground.open();
  size_t at = 0;
  int64_t queued = 0;
  bool above = false;
  while ((queued = ground.writer->append(stream, bytes.data() + at, 65536, kTestHour)) >= 0) {
    at += 65536;
    above = above || queued > static_cast<int64_t>(ground.writer->highMark());
    REQUIRE(at + 65536 < bytes.size());
  }
  CHECK(queued == Writer::kNotTaken);
  CHECK(above);
  CHECK(at <= (4u << 20));
  CHECK(at > (3u << 20));
  ops.hang = false;
  ground.sink.await(EventKind::drain);
  CHECK(ground.feed(stream, {bytes.begin() + static_cast<ptrdiff_t>(at), bytes.end()}));
  CHECK(ground.finish(stream).error == 0);
  CHECK(ground.directory.read(kTestReel) == text(bytes));
}

TEST_CASE("what is due is written without a commit, however little comes at a time, and from many streams in turn") {
  constexpr uint32_t kNoCommitMs = 3'1'300'000;
  for (const BackendKind backend : {BackendKind::ioUring, BackendKind::pwrite}) {
    Ground ground(backend, nullptr, systemFileOps(), 64 << 20, kNoCommitMs);
    const auto bytes = streamOf(4, 0, 600);
    std::vector<int> streams;
    for (const char* name : {"a", "b", "c", "d"}) streams.push_back(ground.open(name));
    std::vector<int64_t> queued(streams.size());
    for (size_t at = 0; at + 188 <= bytes.size(); at += 188)
      for (size_t i = 0; i < streams.size(); i++) queued[i] = ground.writer->append(streams[i], bytes.data() + at, 188, kTestHour);
    const auto until = std::chrono::steady_clock::now() + std::chrono::seconds(30);
    // Nothing but null packets from here on, and nothing of them is due.
    std::vector<uint8_t> null(188, 0xff);
    null[0] = 0x47, null[1] = 0x1f, null[3] = 0x10;
    for (size_t i = 0; i < streams.size(); i++) {
      while (queued[i] > 1'300'000 && std::chrono::steady_clock::now() < until) {
        std::this_thread::sleep_for(std::chrono::milliseconds(10));
        queued[i] = ground.writer->append(streams[i], null.data(), null.size(), kTestHour);
      }
      CHECK(queued[i] <= 1'300'000);
    }
    for (const int stream : streams) CHECK(ground.finish(stream).error == 0);
    CHECK(ground.directory.read("dvr/c/" + std::string(kTestReel).substr(8)).starts_with(text(bytes)));
  }
}

TEST_CASE("a volume whose disk hangs takes neither the memory nor the turns of the others") {
  class HangingOps final : public FileOps {
   public:
    int writeResult(int fd, int result, bool) override {
      while (hang && pathOf(fd).starts_with(below)) std::this_thread::sleep_for(std::chrono::milliseconds(1));
      return result;
    }
    std::string below = "/";
    std::atomic<bool> hang{false};
  };
  for (const BackendKind backend : {BackendKind::ioUring, BackendKind::pwrite}) {
    HangingOps ops;
    Ground ground(backend, nullptr, ops, 16 << 20);
    ops.below = ground.directory.path;
    ops.hang = true;
    TemporaryVolume other;
    const int well = ground.writer->addVolume(UniqueFd(::fcntl(other.fd.get(), F_DUPFD_CLOEXEC, 3)), {}).value;
    std::vector<int> hanging;
    for (int i = 0; i < 12; i++) hanging.push_back(ground.open("cam" + std::to_string(i)));
    const auto bytes = streamOf(4, 0, 2000);
    std::vector<size_t> taken(hanging.size(), 0);
    bool any = true;
    while (any) {
      any = false;
      for (size_t i = 0; i < hanging.size(); i++) {
        if (taken[i] + 65536 > bytes.size() || ground.writer->append(hanging[i], bytes.data() + taken[i], 65536, kTestHour) < 0) continue;
        taken[i] += 65536;
        any = true;
      }
    }
    const auto stream = ground.writer->openStream({.volume = well, .name = "well", .segmentMs = 1000});
    REQUIRE(stream.ok());
    CHECK(ground.feed(stream.value, bytes, 65536));
    ground.sink.awaitAcknowledged(3);
    CHECK(ground.finish(stream.value).error == 0);
    CHECK(other.read("dvr/well/2026/11/21/14.ts") == text(bytes));
    ops.hang = false;
    for (size_t i = 0; i < hanging.size(); i++) {
      CHECK(ground.feed(hanging[i], {bytes.begin() + static_cast<ptrdiff_t>(taken[i]), bytes.end()}, 65536));
      CHECK(ground.finish(hanging[i]).error == 0);
      CHECK(ground.directory.read("dvr/cam" + std::to_string(i) + "/2026/11/21/14.ts") == text(bytes));
    }
  }
}

TEST_CASE("a reel that another writer has is refused") {
  Ground first;
  const int one = first.open();
  CHECK(first.feed(one, streamOf(2)));
  first.sink.await(EventKind::durable);
  KeepingSink sink;
  auto second = Writer::make({.backend = BackendKind::pwrite, .stagingBytes = 8 << 20, .commitIntervalMs = 10}, sink);
  REQUIRE(second.ok());
  const int volume = second.value->addVolume(UniqueFd(::fcntl(first.directory.fd.get(), F_DUPFD_CLOEXEC, 3)), {}).value;
  const auto two = second.value->openStream({.volume = volume, .name = "cam", .segmentMs = 1000});
  const auto bytes = streamOf(2);
  (void)second.value->append(two.value, bytes.data(), bytes.size(), kTestHour);
  sink.await(EventKind::error);
  CHECK(sink.all(EventKind::error)[0].error == EBUSY);
  CHECK(first.finish(one).error == 0);
  CHECK(first.directory.read(kTestReel) == text(bytes));
}
