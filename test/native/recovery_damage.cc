// Recovery of what a crash does not do: indexes that are lost, foreign or too long, reels with holes, clocks and copies with other times.
#include <algorithm>
#include <filesystem>

#include "recovery_ground.h"
#include "writer_ground.h"

using namespace reelvault;
using namespace recovery_ground;

namespace {

RecoveryReport recoverClosed(const TemporaryVolume& volume) {
  const auto report = recoverReel(volume.fd.get(), kTestReel, systemFileOps(), {.closed = true});
  REQUIRE_MESSAGE(report.ok(), report.failure.what);
  const std::string index = volume.read(kIndexPath), reel = volume.read(kTestReel);
  volume.checkSums();
  const auto again = recoverReel(volume.fd.get(), kTestReel, systemFileOps(), {.closed = true});
  REQUIRE(again.ok());
  CHECK(again.value.added == 0);
  CHECK(again.value.cutBytes == 0);
  CHECK(volume.read(kIndexPath) == index);
  CHECK(volume.read(kTestReel) == reel);
  return report.value;
}

std::string zeroed(std::string reel, size_t from, size_t length) {
  std::fill_n(reel.begin() + static_cast<ptrdiff_t>(from), length, '\0');
  return reel;
}

// The bytes that the index names, end to end.
std::string named(const TemporaryVolume& volume) {
  std::string bytes;
  const std::string reel = volume.read(kTestReel);
  for (const auto& record : volume.index().records) bytes += reel.substr(record.offset, record.length);
  return bytes;
}

std::string headerText(int64_t hourUs) {
  const IndexBytes bytes = encodeHeader({.hourUs = hourUs});
  return {reinterpret_cast<const char*>(bytes.data()), bytes.size()};
}

}  // namespace

TEST_CASE("a closed reel that lost its index loses no byte, wherever in it sectors read as zeros") {
  const Archive archive = makeArchive(8);
  const size_t sectors = archive.reel.size() / 512;
  for (const size_t hole : {size_t{0}, size_t{1}, sectors / 3, sectors - 2}) {
    for (const size_t length : {size_t{1}, std::min<size_t>(3, sectors - hole)}) {
      CAPTURE(hole);
      CAPTURE(length);
      TemporaryVolume volume("/dev/shm");
      const std::string damaged = zeroed(archive.reel, hole * 512, length * 512);
      volume.write(kTestReel, damaged);
      const auto report = recoverClosed(volume);
      CHECK(volume.read(kTestReel) == damaged);
      CHECK(report.cutBytes == 0);
      // All but the hole, the packets that it cut through, and fewer than a grid shows itself by.
      CHECK(report.indexed + length * 512 + 6 * 188 >= damaged.size());
      CHECK(report.leftOver == damaged.size() - report.indexed);
      CHECK(named(volume).find(std::string(512, '\0')) == std::string::npos);
    }
  }
}

TEST_CASE("a closed reel goes on behind garbage that is too long for a session") {
  const Archive archive = makeArchive(4);
  TemporaryVolume volume("/dev/shm");
  const std::string damaged = archive.reel + std::string(300'000, '\xaa') + archive.reel;
  volume.write(kTestReel, damaged);
  volume.write(kIndexPath, archive.index);
  const auto report = recoverClosed(volume);
  CHECK(volume.read(kTestReel) == damaged);
  CHECK(report.added >= 1);
  CHECK(volume.index().records.back().end() == damaged.size());
  CHECK(named(volume).ends_with(archive.reel));
}

TEST_CASE("a closed reel in which nothing can be found stays; zeros at the end of one go") {
  TemporaryVolume volume("/dev/shm");
  const std::string garbage(200'000, '\xaa');
  volume.write(kTestReel, garbage);
  const auto report = recoverClosed(volume);
  CHECK(report.records == 0);
  CHECK(report.leftOver == garbage.size());
  CHECK(volume.read(kTestReel) == garbage);
  const Archive archive = makeArchive(3);
  volume.write(kTestReel, archive.reel + std::string(70'000, '\0'));
  volume.write(kIndexPath, archive.index);
  CHECK(recoverClosed(volume).cutBytes == 70'000);
  CHECK(volume.read(kTestReel) == archive.reel);
}

TEST_CASE("a hole in a rotted record's bytes is not given out as part of a segment") {
  Archive archive = makeArchive(4);
  archive.index[2 * kIndexRecordBytes + 20] ^= 4;
  const size_t hole = (archive.records[1].offset / 512 + 2) * 512;
  TemporaryVolume volume("/dev/shm");
  volume.write(kTestReel, zeroed(archive.reel, hole, 512));
  volume.write(kIndexPath, archive.index);
  const auto report = recoverReel(volume.fd.get(), kTestReel);
  REQUIRE(report.ok());
  CHECK(named(volume).find(std::string(512, '\0')) == std::string::npos);
  const auto& records = volume.index().records;
  CHECK(records.front() == archive.records.front());
  CHECK(records.back().offset == archive.records.back().offset);
  const auto again = recoverReel(volume.fd.get(), kTestReel);
  REQUIRE(again.ok());
  CHECK(again.value.added == 0);
}

TEST_CASE("a closed reel with blocks that the disk does not give back is found around them, and whole once it does") {
  // EIO for the pages `from` up to `to`, as a read through the page cache gives it.
  class BadBlocks final : public FileOps {
   public:
    BadBlocks(off_t from, off_t to) : from_(from * 4096), to_(to * 4096) {}
    ssize_t read(int fd, void* data, size_t length, off_t offset) override {
      const auto end = offset + static_cast<off_t>(length);
      if (end <= from_ || offset >= to_) return FileOps::read(fd, data, length, offset);
      if (offset < from_) return FileOps::read(fd, data, static_cast<size_t>(from_ - offset), offset);
      return errno = EIO, -1;
    }

   private:
    off_t from_, to_;
  };
  const Archive archive = makeArchive(40);
  const auto pages = static_cast<off_t>(archive.reel.size() / 4096);
  REQUIRE(pages >= 6);
  for (const auto [from, to] : {std::pair<off_t, off_t>{0, 1}, {2, 4}, {pages - 1, pages + 1}}) {
    CAPTURE(from);
    TemporaryVolume volume("/dev/shm");
    volume.write(kTestReel, archive.reel);
    BadBlocks bad(from, to);
    const auto report = recoverReel(volume.fd.get(), kTestReel, bad, {.closed = true});
    REQUIRE_MESSAGE(report.ok(), report.failure.what);
    CHECK(volume.read(kTestReel) == archive.reel);
    CHECK(report.value.cutBytes == 0);
    CHECK(report.value.leftOver >= std::min<size_t>(4096, archive.reel.size() - static_cast<size_t>(from) * 4096));
    CHECK(report.value.leftOver <= static_cast<size_t>(to - from) * 4096);
    volume.checkSums();
    // Nobody knows of such blocks in a tail that a crash left: they stop that recovery, and it changes nothing.
    const std::string index = volume.read(kIndexPath);
    std::filesystem::remove(volume.path + "/" + kIndexPath);
    CHECK(recoverReel(volume.fd.get(), kTestReel, bad).failure.error == EIO);
    CHECK_FALSE(volume.has(kIndexPath));
    volume.write(kIndexPath, index);
    CHECK(recoverClosed(volume).leftOver == 0);
    CHECK(named(volume) == archive.reel);
  }
}

TEST_CASE("a session that fails in a reel of an older session takes nothing of it away") {
  class RefusingOps final : public FileOps {
    int writeResult(int, int, bool) override { return -EIO; }
  } ops;
  using writer_ground::Ground;
  for (const std::string& before : {std::string(200'000, '\xaa'), makeArchive(3).reel}) {
    Ground ground(BackendKind::automatic, nullptr, ops);
    ground.directory.write(kTestReel, before);
    const int stream = ground.open();
    (void)ground.feed(stream, writer_ground::streamOf(5));
    CHECK(ground.finish(stream).error == EIO);
    CHECK(ground.directory.has(kIndexPath));
    CHECK(ground.directory.read(kTestReel) == before);
  }
}

TEST_CASE("an index of another hour says nothing of the reel, and does not stay") {
  const Archive archive = makeArchive(3);
  for (const std::string& foreign : {headerText(kTestHour - kHourUs) + archive.index.substr(kIndexRecordBytes, kIndexRecordBytes), headerText(kTestHour + 5 * kHourUs)}) {
    TemporaryVolume volume("/dev/shm");
    volume.write(kTestReel, archive.reel);
    volume.write(kIndexPath, foreign);
    const auto recovered = recover(volume);
    CHECK(recovered.index.header.hourUs == kTestHour);
    CHECK(recovered.reel == archive.reel);
    CHECK(recovered.report.lost == 0);
  }
}

TEST_CASE("records of bytes that the reel does not have are told as lost") {
  const Archive archive = makeArchive(5);
  TemporaryVolume volume("/dev/shm");
  volume.write(kTestReel, archive.reel.substr(0, archive.records[3].offset));
  volume.write(kIndexPath, archive.index);
  CHECK(recover(volume).report.lost == 2);
  CHECK(recover(volume).report.lost == 0);
}

TEST_CASE("a reel that was copied later: its segments stay in its hour, and end before the next reel begins") {
  const Archive archive = makeArchive(2);
  TsBuilder other;
  other.seconds(20, 5000 * 90000);
  const std::string reel = archive.reel + writer_ground::text(other.bytes);
  for (const bool indexed : {true, false}) {
    CAPTURE(indexed);
    TemporaryVolume volume("/dev/shm");
    const auto once = [&] {
      volume.write(kTestReel, reel);
      if (indexed) volume.write(kIndexPath, archive.index);
      else std::filesystem::remove(volume.path + "/" + kIndexPath);
      setTime(volume, kTestHour + 90'000'000'000);
      return recover(volume).index.records;
    };
    const auto records = once();
    CHECK(hourOf(records.back().startUs) == kTestHour);
    CHECK(hourOf(records.front().startUs) == kTestHour);
    // The next hour's reel goes on where this one ended.
    IndexRecord next = archive.records.front();
    next.startUs = kTestHour + kHourUs + 500'000;
    const IndexBytes bytes = encodeRecord(next);
    volume.write("dvr/cam/2026/11/21/15.idx", headerText(kTestHour + kHourUs) + std::string(reinterpret_cast<const char*>(bytes.data()), bytes.size()));
    const auto before = once();
    CHECK(before.back().endUs() <= next.startUs);
    CHECK(before.back().endUs() >= kTestHour + kHourUs - 5'000'000);
  }
}

TEST_CASE("what was allocated behind a reel is given back, and is no byte that was cut, whatever length it gave the file") {
  const Archive archive = makeArchive(3);
  for (const int mode : {FALLOC_FL_KEEP_SIZE, 0}) {
    TemporaryVolume volume;
    volume.write(kTestReel, archive.reel);
    volume.write(kIndexPath, archive.index);
    const auto facts = [&] {
      struct stat found {};
      REQUIRE(::fstatat(volume.fd.get(), kTestReel.c_str(), &found, 0) == 0);
      return found;
    };
    {
      const UniqueFd file(::openat(volume.fd.get(), kTestReel.c_str(), O_RDWR | O_CLOEXEC));
      if (::fallocate(file.get(), mode, 0, 16 << 20) != 0 || facts().st_blocks < (16 << 20) / 512) return;  // not on this filesystem
    }
    CHECK(recover(volume).report.cutBytes < kBlockBytes);
    CHECK(facts().st_blocks < (1 << 20) / 512);
    CHECK(static_cast<size_t>(facts().st_size) == archive.reel.size());
  }
}
