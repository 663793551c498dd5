#include "writer/writer.h"

#include <doctest/doctest.h>
#include <sys/mount.h>

#include <atomic>
#include <thread>

#include "ts_builder.h"
#include "volume_ground.h"

using namespace reelvault;

namespace {

struct Ground {
  TemporaryVolume directory;
  KeepingSink sink;
  std::unique_ptr<Writer> writer;
  int volume = 0;

  explicit Ground(BackendKind backend = BackendKind::automatic, const char* base = nullptr, FileOps& ops = systemFileOps(), size_t staging = 16 << 20,
                  uint32_t intervalMs = 10)
      : directory(base) {
    auto made = Writer::make({.backend = backend, .stagingBytes = staging, .commitIntervalMs = intervalMs}, sink, ops);
    REQUIRE(made.ok());
    writer = std::move(made.value);
    volume = writer->addVolume(UniqueFd(::fcntl(directory.fd.get(), F_DUPFD_CLOEXEC, 3)), VolumeUuid{9});
  }
  int open(const std::string& name = "cam", int64_t lastEndUs = kUnknownTime, bool evidence = false) {
    const auto stream = writer->openStream({.volume = volume, .name = name, .segmentMs = 1000, .evidence = evidence, .lastEndUs = lastEndUs});
    REQUIRE(stream.ok());
    return stream.value;
  }
  // Takes all of it, waiting where the writer says so. False when the session is over.
  bool feed(int stream, const std::vector<uint8_t>& bytes, size_t piece = 1316, int64_t nowUs = kTestHour) {
    for (size_t at = 0; at < bytes.size();) {
      const size_t take = std::min(piece, bytes.size() - at);
      const int64_t queued = writer->append(stream, bytes.data() + at, take, nowUs);
      if (queued == Writer::kRefused) return false;
      if (queued != Writer::kNotTaken) at += take;
      else std::this_thread::sleep_for(std::chrono::milliseconds(1));
    }
    return true;
  }
  Event finish(int stream) {
    const size_t before = sink.all(EventKind::finished).size();
    writer->finish(stream);
    sink.await(EventKind::finished, before + 1);
    return sink.all(EventKind::finished).back();
  }
};

std::string text(const std::vector<uint8_t>& bytes) { return {bytes.begin(), bytes.end()}; }

std::vector<uint8_t> streamOf(int seconds, int64_t pts = 0, size_t packets = 3) {
  TsBuilder ts;
  for (int s = 0; s < seconds; s++) {
    ts.pat().pmt().key(pts + s * 90000, packets);
    for (int f = 1; f < 5; f++) ts.frame(pts + s * 90000 + f * 18000, packets);
  }
  return ts.bytes;
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
    int writeResult(int, int result) override {
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

namespace {

class FaultyOps final : public FileOps {
 public:
  std::atomic<int> volumeSyncs{0}, dataSyncs{0}, indexWrites{0};
  std::atomic<int> failVolumeSyncFrom{1 << 30}, failDataSyncFrom{1 << 30}, failIndexWriteFrom{1 << 30}, failWriteFrom{1 << 30}, writes{0};
  int volumeSync(int fd) override { return ++volumeSyncs > failVolumeSyncFrom ? refuse() : FileOps::volumeSync(fd); }
  int dataSync(int fd) override { return ++dataSyncs > failDataSyncFrom ? refuse() : FileOps::dataSync(fd); }
  ssize_t write(int fd, const void* data, size_t length, off_t offset) override {
    return offset > 0 && ++indexWrites > failIndexWriteFrom ? refuse() : FileOps::write(fd, data, length, offset);
  }
  int writeResult(int fd, int result) override { return ++writes > failWriteFrom ? -EIO : result; }

 private:
  static int refuse() { return errno = EIO, -1; }
};

// Runs a session in which something fails; the rules that hold for all failures.
void survive(FaultyOps& ops, const char* what) {
  INFO(what);
  Ground ground(BackendKind::automatic, nullptr, ops);
  const auto bytes = streamOf(30, 0, 30);
  const int stream = ground.open();
  bool open = true;
  // Second by second, each in a commit of its own.
  const size_t second = bytes.size() / 30;
  for (size_t i = 0; open && i < 30; i++) {
    open = ground.feed(stream, {bytes.begin() + static_cast<ptrdiff_t>(i * second), bytes.begin() + static_cast<ptrdiff_t>((i + 1) * second)});
    if (open) ground.sink.awaitAcknowledged(i);
  }
  CHECK(ground.finish(stream).error == EIO);
  REQUIRE(ground.sink.all(EventKind::error).size() == 1);
  CHECK(ground.sink.all(EventKind::error)[0].error == EIO);
  const auto acknowledged = ground.sink.durable();
  CHECK(acknowledged.size() < 30);
  ground.writer.reset();
  if (ground.directory.has(kTestReel)) {
    const auto report = recoverReel(ground.directory.fd.get(), kTestReel);
    REQUIRE(report.ok());
    const auto index = ground.directory.index();
    REQUIRE(index.records.size() >= acknowledged.size());
    for (size_t i = 0; i < acknowledged.size(); i++) CHECK(index.records[i] == acknowledged[i]);
    const std::string reel = ground.directory.read(kTestReel);
    CHECK(reel == text(bytes).substr(0, reel.size()));
    ground.directory.checkSums();
  }
}

}  // namespace

TEST_CASE("after a failed write, sync or index write nothing more is acknowledged, and what was stays") {
  for (int step = 0; step < 6; step++) {
    FaultyOps writes, volumeSyncs, dataSyncs, indexWrites;
    writes.failWriteFrom = step;
    survive(writes, "write");
    dataSyncs.failDataSyncFrom = step;
    survive(dataSyncs, "fdatasync");
    indexWrites.failIndexWriteFrom = step;
    survive(indexWrites, "index write");
  }
  FaultyOps volumeSyncs;
  volumeSyncs.failVolumeSyncFrom = 0;
  survive(volumeSyncs, "syncfs");
}

TEST_CASE("after a failed sync no later commit acknowledges, however well it goes") {
  FaultyOps ops;
  Ground ground(BackendKind::automatic, nullptr, ops);
  const int stream = ground.open();
  CHECK(ground.feed(stream, streamOf(2)));
  ground.sink.await(EventKind::durable);
  const size_t before = ground.sink.durable().size();
  ops.failDataSyncFrom = 0;
  CHECK(ground.feed(stream, streamOf(3, 180000)));
  ground.sink.await(EventKind::error);
  ops.failDataSyncFrom = 1 << 30;
  CHECK_FALSE(ground.feed(stream, streamOf(3, 450000)));
  CHECK(ground.finish(stream).error == EIO);
  CHECK(ground.sink.durable().size() == before);
  CHECK(ground.directory.has(".reelvault/open/cam"));
}

TEST_CASE("a filesystem that refuses direct I/O only when it is done: each write under way goes on through the page cache, reads too") {
  constexpr int kUnderWay = 4;
  // Says EINVAL to the first read and to two of the first writes, all of which are under way when the first comes back.
  class RefusingOps final : public FileOps {
   public:
    ssize_t write(int fd, const void* data, size_t length, off_t offset) override {
      while (hold) std::this_thread::sleep_for(std::chrono::milliseconds(1));
      return FileOps::write(fd, data, length, offset);
    }
    int writeResult(int fd, int result) override {
      const auto whole = [fd] {
        struct stat facts {};
        return ::fstat(fd, &facts) == 0 && facts.st_size >= off_t{kUnderWay} << 20;
      };
      if (writes == 0)
        while (!whole()) std::this_thread::sleep_for(std::chrono::milliseconds(1));
      return writes++ < 2 ? -EINVAL : result;
    }
    ssize_t read(int fd, void* data, size_t length, off_t offset) override {
      return reads++ == 0 ? (errno = EINVAL, -1) : FileOps::read(fd, data, length, offset);
    }
    std::atomic<bool> hold{true};
    std::atomic<int> writes{0}, reads{0};
  };
  for (const BackendKind backend : {BackendKind::ioUring, BackendKind::pwrite}) {
    RefusingOps ops;
    Ground ground(backend, nullptr, ops);
    const auto bytes = streamOf(3, 0, 3000);
    REQUIRE(bytes.size() > 5u << 20);
    int stream = ground.open();
    // The reel is not made before all bytes are there.
    CHECK(ground.feed(stream, bytes, 65536));
    ops.hold = false;
    CHECK(ground.finish(stream).error == 0);
    CHECK(ops.writes > 2);
    CHECK(ground.directory.read(kTestReel) == text(bytes));
    CHECK(ops.reads == 0);
    REQUIRE(bytes.size() % kBlockBytes != 0);
    const auto more = streamOf(2, 1'000'000);
    stream = ground.open("cam", ground.sink.durable().back().endUs());
    CHECK(ground.feed(stream, more));
    CHECK(ground.finish(stream).error == 0);
    CHECK(ops.reads == 2);
    CHECK(ground.directory.read(kTestReel) == text(bytes) + text(more));
    ground.directory.checkSums();
  }
}

TEST_CASE("a full filesystem: the session ends with no-space, the reel ends with its last acknowledged segment") {
  for (const BackendKind backend : {BackendKind::ioUring, BackendKind::pwrite}) {
    TemporaryVolume mount;
    REQUIRE(::mount("tmpfs", mount.path.c_str(), "tmpfs", 0, "size=2m") == 0);
    struct Unmount {
      const std::string& path;
      ~Unmount() { ::umount2(path.c_str(), MNT_DETACH); }
    } unmount{mount.path};
    Ground ground(backend, mount.path.c_str());
    const int stream = ground.open();
    const auto bytes = streamOf(10, 0, 400);
    const size_t second = bytes.size() / 10;
    bool open = true;
    for (size_t i = 0; open && i < 10; i++) {
      open = ground.feed(stream, {bytes.begin() + static_cast<ptrdiff_t>(i * second), bytes.begin() + static_cast<ptrdiff_t>((i + 1) * second)});
      if (open) ground.sink.awaitAcknowledged(i);
    }
    CHECK(ground.finish(stream).error == ENOSPC);
    const auto acknowledged = ground.sink.durable();
    CHECK(acknowledged.size() >= 2);
    CHECK(ground.directory.index().records == acknowledged);
    CHECK(ground.directory.index().exact);
    CHECK(ground.directory.read(kTestReel).size() == acknowledged.back().end());
    CHECK_FALSE(ground.directory.has(".reelvault/open/cam"));
    ground.directory.checkSums();
    ground.writer.reset();
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
  const int volume = second.value->addVolume(UniqueFd(::fcntl(first.directory.fd.get(), F_DUPFD_CLOEXEC, 3)), {});
  const auto two = second.value->openStream({.volume = volume, .name = "cam", .segmentMs = 1000});
  const auto bytes = streamOf(2);
  (void)second.value->append(two.value, bytes.data(), bytes.size(), kTestHour);
  sink.await(EventKind::error);
  CHECK(sink.all(EventKind::error)[0].error == EBUSY);
  CHECK(first.finish(one).error == 0);
  CHECK(first.directory.read(kTestReel) == text(bytes));
}

TEST_CASE("a writer may go at any moment") {
  for (int moment = 0; moment < 12; moment++) {
    Ground ground(moment % 2 == 0 ? BackendKind::ioUring : BackendKind::pwrite);
    const int stream = ground.open();
    const auto bytes = streamOf(4, 0, 100);
    CHECK(ground.feed(stream, {bytes.begin(), bytes.begin() + static_cast<ptrdiff_t>(bytes.size() * static_cast<size_t>(moment) / 12)}));
    if (moment % 3 == 0) ground.writer->finish(stream);
    std::this_thread::sleep_for(std::chrono::milliseconds(moment));
    ground.writer.reset();
    const auto acknowledged = ground.sink.durable();
    if (!ground.directory.has(kTestReel)) continue;
    REQUIRE(recoverReel(ground.directory.fd.get(), kTestReel).ok());
    const auto index = ground.directory.index();
    for (size_t i = 0; i < acknowledged.size(); i++) CHECK(index.records.at(i) == acknowledged[i]);
    const std::string reel = ground.directory.read(kTestReel);
    CHECK(reel == text(bytes).substr(0, reel.size()));
  }
}
