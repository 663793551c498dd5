// What is left when storage fails, or the writer goes.
#include <doctest/doctest.h>
#include <sys/mount.h>

#include <atomic>

#include "writer_ground.h"

using namespace reelvault;
using namespace writer_ground;

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
  int writeResult(int, int result, bool) override { return ++writes > failWriteFrom ? -EIO : result; }

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
  FaultyOps allSyncs;
  allSyncs.failVolumeSyncFrom = allSyncs.failDataSyncFrom = 0;
  survive(allSyncs, "syncfs");
}

TEST_CASE("a sync of the volume that fails ends only the streams whose own files have the error") {
  // The error of one file: syncfs tells it to everybody, fdatasync to those who have that file open.
  class BadFileOps final : public FileOps {
   public:
    int volumeSync(int fd) override { return bad ? refuse() : FileOps::volumeSync(fd); }
    int dataSync(int fd) override { return bad && pathOf(fd).ends_with("/dvr/cam3/2026/11/21/14.ts") ? refuse() : FileOps::dataSync(fd); }
    std::atomic<bool> bad{false};

   private:
    static int refuse() { return errno = EIO, -1; }
  };
  for (const bool fresh : {false, true}) {
    BadFileOps ops;
    Ground ground(BackendKind::automatic, nullptr, ops);
    std::vector<int> streams;
    for (int i = 0; i < 6; i++) streams.push_back(ground.open("cam" + std::to_string(i)));
    ops.bad = fresh;
    for (const int stream : streams) (void)ground.feed(stream, streamOf(3));
    ground.sink.awaitAcknowledged(fresh ? 10 : 12);
    ops.bad = true;
    for (const int stream : streams) (void)ground.feed(stream, streamOf(3, 270000));
    for (size_t i = 0; i < streams.size(); i++) CHECK(ground.finish(streams[i]).error == (i == 3 ? EIO : 0));
    const auto errors = ground.sink.all(EventKind::error);
    REQUIRE(errors.size() == 1);
    CHECK(errors[0].stream == streams[3]);
    for (size_t i = 0; i < streams.size(); i++) {
      const std::string name = "cam" + std::to_string(i);
      CHECK(ground.directory.has(".reelvault/open/" + name) == (i == 3));
      if (i != 3) CHECK(ground.directory.read("dvr/" + name + "/2026/11/21/14.ts") == text(streamOf(3)) + text(streamOf(3, 270000)));
    }
  }
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
  // Says EINVAL to the first read and to the first two writes that were sent as direct I/O: four are under way when the first comes back, and in which
  // order they do is the kernel's affair. One that was sent again may come before them, and is not refused.
  class RefusingOps final : public FileOps {
   public:
    ssize_t write(int fd, const void* data, size_t length, off_t offset) override {
      while (hold) std::this_thread::sleep_for(std::chrono::milliseconds(1));
      return FileOps::write(fd, data, length, offset);
    }
    int writeResult(int, int result, bool direct) override {
      writes++;
      return direct && refused < 2 ? (refused++, -EINVAL) : result;
    }
    ssize_t read(int fd, void* data, size_t length, off_t offset) override {
      return reads++ == 0 ? (errno = EINVAL, -1) : FileOps::read(fd, data, length, offset);
    }
    std::atomic<bool> hold{true};
    std::atomic<int> writes{0}, refused{0}, reads{0};
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
    CHECK(ops.refused == 2);
    CHECK(ops.writes > 4);
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
