#include <sys/file.h>

#include <algorithm>
#include <filesystem>

#include "recovery_ground.h"

using namespace reelvault;
using namespace recovery_ground;

TEST_CASE("a reel that is in order stays as it is") {
  const Archive archive = makeArchive(3);
  TemporaryVolume volume;
  volume.write(kTestReel, archive.reel);
  volume.write(kIndexPath, archive.index);
  const auto recovered = recover(volume);
  CHECK(recovered.report.added == 0);
  CHECK(volume.read(kIndexPath) == archive.index);
}

TEST_CASE("the index cut at every byte: records that hold are kept, the rest is found again in the reel") {
  const Archive archive = makeArchive(3);
  TemporaryVolume volume("/dev/shm");  // thousands of syncs
  for (size_t length = 0; length <= archive.index.size(); length++) {
    volume.write(kTestReel, archive.reel);
    volume.write(kIndexPath, archive.index.substr(0, length));
    const auto recovered = recover(volume);
    CHECK(recovered.reel == archive.reel);
    const size_t held = length < kIndexRecordBytes ? 0 : length / kIndexRecordBytes - 1;
    for (size_t i = 0; i < held; i++) CHECK(recovered.index.records[i] == archive.records[i]);
    const size_t left = archive.records.size() - held;
    CHECK(recovered.report.added == (left > 0 ? 1 : 0));  // three seconds are less than one recovered segment's length
    if (held > 0 && left > 0) CHECK(recovered.index.records.back().startUs == archive.records[held].startUs);
  }
}

TEST_CASE("the reel cut at every byte: acknowledged segments inside it stay, whole packets behind them are kept, the torn rest goes") {
  const Archive archive = makeArchive(3);
  TemporaryVolume volume("/dev/shm");  // thousands of syncs
  for (size_t length = 0; length <= archive.reel.size(); length++) {
    volume.write(kTestReel, archive.reel.substr(0, length));
    volume.write(kIndexPath, archive.index);
    const auto recovered = recover(volume);
    const size_t held = static_cast<size_t>(std::count_if(archive.records.begin(), archive.records.end(), [&](const auto& record) { return record.end() <= length; }));
    REQUIRE(recovered.index.records.size() >= held);
    for (size_t i = 0; i < held; i++) CHECK(recovered.index.records[i] == archive.records[i]);
    CHECK(recovered.reel == archive.reel.substr(0, length / 188 * 188));
    if (recovered.index.records.size() > held) CHECK((recovered.index.records.back().flags & kSessionEnd) != 0);
  }
}

TEST_CASE("zeros that were allocated and never written end the tail, also when something was written behind them") {
  const Archive archive = makeArchive(4);
  const size_t acknowledged = archive.records[1].end();
  for (const size_t zeros : {512u, 4096u, 65536u}) {
    TemporaryVolume volume;
    const size_t at = archive.records[2].end() + 3 * 188 + 50;  // in the middle of a packet
    volume.write(kTestReel, archive.reel.substr(0, at) + std::string(zeros, '\0') + archive.reel.substr(at));
    volume.write(kIndexPath, archive.index.substr(0, 3 * kIndexRecordBytes));
    const auto recovered = recover(volume);
    REQUIRE(recovered.index.records.size() == 3);
    CHECK(recovered.index.records[1] == archive.records[1]);
    CHECK(recovered.index.records[2].offset == acknowledged);
    // Neither the packet into which the zeros reach stays, nor anything behind it.
    CHECK(recovered.reel == archive.reel.substr(0, at - 50));
  }
  TemporaryVolume padded;
  padded.write(kTestReel, archive.reel + std::string(3000, '\0'));
  padded.write(kIndexPath, archive.index);
  CHECK(recover(padded).reel == archive.reel);
}

TEST_CASE("a sector that never reached the disk ends the tail, wherever in it that sector lies") {
  const Archive archive = makeArchive(4);
  const size_t tail = archive.records[1].end();
  TemporaryVolume volume("/dev/shm");  // hundreds of syncs
  // From the sector in which the tail begins on; the bytes before the tail were durable.
  for (size_t sector = tail / 512 * 512; sector < archive.reel.size() / 512 * 512; sector += 512) {
    const size_t hole = std::max(sector, tail);
    std::string reel = archive.reel;
    std::fill(reel.begin() + static_cast<ptrdiff_t>(hole), reel.begin() + static_cast<ptrdiff_t>(sector + 512), '\0');
    volume.write(kTestReel, reel);
    volume.write(kIndexPath, archive.index.substr(0, 3 * kIndexRecordBytes));
    CAPTURE(hole);
    CHECK(recover(volume).reel == archive.reel.substr(0, tail + (hole - tail) / 188 * 188));
  }
}

TEST_CASE("where the padded block before it was not overwritten, a tail ends: at the packet with which the padding began") {
  for (const size_t packet : {size_t{188}, size_t{192}, size_t{204}}) {
    const Archive archive = makeArchive(4, false, packet);
    const size_t tail = archive.records[1].end();
    TemporaryVolume volume("/dev/shm");
    for (size_t padding = tail; padding < archive.reel.size(); padding += packet) {
      const size_t sector = padding / 512 * 512 + 512;
      if (sector >= archive.reel.size()) break;
      std::string reel = archive.reel;
      std::fill(reel.begin() + static_cast<ptrdiff_t>(padding), reel.begin() + static_cast<ptrdiff_t>(sector), '\0');
      volume.write(kTestReel, reel);
      volume.write(kIndexPath, archive.index.substr(0, 3 * kIndexRecordBytes));
      CAPTURE(packet);
      CAPTURE(padding);
      const std::string kept = recover(volume).reel;
      CHECK(kept == archive.reel.substr(0, kept.size()));
      CHECK(kept.size() <= padding);
      CHECK(kept.size() > padding - packet);  // one packet alone does not tell its parity
    }
  }
}

TEST_CASE("packets that end in zeros, and garbage between them, do not end a tail") {
  TsBuilder ts;
  ts.pat().pmt().key(0);
  for (int i = 0; i < 40; i++) ts.frame(18000 * (i + 1)).null();
  for (size_t at = 0; at < ts.bytes.size(); at += 188)
    if (at / 188 % 3 == 2) std::fill(ts.bytes.begin() + static_cast<ptrdiff_t>(at) + 40, ts.bytes.begin() + static_cast<ptrdiff_t>(at) + 188, 0);
  ts.noise(1000);
  for (int i = 0; i < 40; i++) ts.frame(18000 * (i + 50));
  TemporaryVolume volume;
  volume.write(kTestReel, {ts.bytes.begin(), ts.bytes.end()});
  CHECK(recover(volume).reel.size() == ts.bytes.size());
}

TEST_CASE("a record that rotted in the middle is made anew from the bytes between its neighbours") {
  Archive archive = makeArchive(4, true);
  archive.index[2 * kIndexRecordBytes + 20] ^= 4;
  TemporaryVolume volume;
  volume.write(kTestReel, archive.reel);
  volume.write(kIndexPath, archive.index);
  const auto recovered = recover(volume);
  REQUIRE(recovered.index.records.size() == 4);
  CHECK(recovered.report.added == 1);
  for (size_t i = 0; i < 4; i++) {
    CHECK(recovered.index.records[i].startUs == archive.records[i].startUs);
    CHECK(recovered.index.records[i].firstPts == archive.records[i].firstPts);
    CHECK(recovered.index.records[i].sha256 == archive.records[i].sha256);
  }
  CHECK((recovered.index.records[1].flags & kSessionEnd) == 0);
}

TEST_CASE("without an index the file's time says when it was recorded, within the hour of its name") {
  const Archive archive = makeArchive(3);
  TemporaryVolume volume;
  volume.write(kTestReel, archive.reel);
  setTime(volume, kTestHour + 600'000'000);
  CHECK(recover(volume).index.records[0].startUs == kTestHour + 597'000'000);
  // Copied here years later.
  std::filesystem::remove(volume.path + "/" + kIndexPath);
  setTime(volume, kTestHour + 90'000'000'000);
  CHECK(hourOf(recover(volume).index.records[0].startUs) == kTestHour);
}

TEST_CASE("without an index a reel starts behind the end of the reel of the hour before") {
  const Archive archive = makeArchive(3);
  TemporaryVolume volume;
  volume.write(kTestReel, archive.reel);
  IndexRecord last = archive.records.back();
  last.startUs = kTestHour - 400'000;  // reaches 600 ms into the reel's hour
  std::string former;
  for (const IndexBytes& bytes : {encodeHeader({.hourUs = kTestHour - kHourUs}), encodeRecord(last)})
    former.append(reinterpret_cast<const char*>(bytes.data()), bytes.size());
  volume.write("dvr/cam/2026/11/21/13.idx", former);
  setTime(volume, kTestHour + 1'000'000);
  CHECK(recover(volume).index.records[0].startUs == last.endUs());
  CHECK(last.endUs() > kTestHour);
}

TEST_CASE("a first record that rotted is made anew before the next, whatever the file's time") {
  Archive archive = makeArchive(4);
  archive.index[kIndexRecordBytes + 20] ^= 4;
  TemporaryVolume volume;
  volume.write(kTestReel, archive.reel);
  volume.write(kIndexPath, archive.index);
  const auto recovered = recover(volume);
  REQUIRE(recovered.index.records.size() == 4);
  CHECK(recovered.index.records[0].startUs == archive.records[0].startUs);
}

TEST_CASE("a tail of another session starts when the file's time says, not right behind the former") {
  const Archive archive = makeArchive(2);
  TsBuilder other;
  other.seconds(2, 5000 * 90000);
  TemporaryVolume volume;
  volume.write(kTestReel, archive.reel + std::string(other.bytes.begin(), other.bytes.end()));
  volume.write(kIndexPath, archive.index);
  setTime(volume, kTestHour + 100'000'000);
  const auto recovered = recover(volume);
  REQUIRE(recovered.index.records.size() == 3);
  CHECK(recovered.index.records[2].startUs == kTestHour + 98'000'000);
  CHECK((recovered.index.records[2].flags & kDiscontinuity) != 0);
}

TEST_CASE("no reel, and a reel that a writer has, are refused") {
  TemporaryVolume volume;
  CHECK(recoverReel(volume.fd.get(), kTestReel).failure.error == ENOENT);
  const Archive archive = makeArchive(1);
  volume.write(kTestReel, archive.reel);
  const UniqueFd held(::open((volume.path + "/" + kTestReel).c_str(), O_RDWR));
  REQUIRE(::flock(held.get(), LOCK_EX) == 0);
  CHECK(recoverReel(volume.fd.get(), kTestReel).failure.error == EBUSY);
}

namespace {

// Lets the n-th of the calls that change something fail, as if the power went there.
class FailingOps final : public FileOps {
 public:
  explicit FailingOps(int at) : left_(at) {}
  bool failed() const { return left_ < 0; }
  int dataSync(int fd) override { return fail() ? -1 : FileOps::dataSync(fd); }
  ssize_t write(int fd, const void* data, size_t length, off_t offset) override {
    // A torn write: half of it is there.
    if (fail()) return (void)FileOps::write(fd, data, length / 2, offset), errno = EIO, -1;
    return FileOps::write(fd, data, length, offset);
  }
  int truncate(int fd, off_t length) override { return fail() ? -1 : FileOps::truncate(fd, length); }

 private:
  bool fail() {
    if (left_ < 0 || left_-- > 0) return left_ < -1;
    errno = EIO;
    return true;
  }
  int left_;
};

}  // namespace

TEST_CASE("an index that reads well is made durable all the same, after the reel: a sync of it may have failed") {
  // Names of the files that are synced, and refuses those that are no reel.
  class NamingOps final : public FileOps {
   public:
    explicit NamingOps(bool refuse) : refuse_(refuse) {}
    int dataSync(int fd) override {
      names.push_back(std::filesystem::read_symlink("/proc/self/fd/" + std::to_string(fd)).filename().string());
      if (refuse_ && names.back() != "14.ts") return errno = EIO, -1;
      return FileOps::dataSync(fd);
    }
    std::vector<std::string> names;

   private:
    bool refuse_;
  };
  const Archive archive = makeArchive(4);
  TemporaryVolume volume;
  volume.write(kTestReel, archive.reel);
  volume.write(kIndexPath, archive.index);
  NamingOps well(false);
  const auto report = recoverReel(volume.fd.get(), kTestReel, well);
  REQUIRE(report.ok());
  CHECK(report.value.records == 4);
  CHECK(report.value.added == 0);
  CHECK(well.names == std::vector<std::string>{"14.ts", ".14.idx.new"});
  CHECK(volume.read(kIndexPath) == archive.index);
  NamingOps ill(true);
  CHECK(recoverReel(volume.fd.get(), kTestReel, ill).failure.error == EIO);
}

TEST_CASE("recovery that stops at any step is finished by the next") {
  const Archive archive = makeArchive(4);
  for (int step = 0;; step++) {
    REQUIRE(step < 100);
    TemporaryVolume volume;
    volume.write(kTestReel, archive.reel + std::string(100, '\0'));
    volume.write(kIndexPath, archive.index.substr(0, 3 * kIndexRecordBytes + 11));
    FailingOps ops(step);
    const bool ok = recoverReel(volume.fd.get(), kTestReel, ops).ok();
    CHECK(ok != ops.failed());
    const auto recovered = recover(volume);
    CHECK(recovered.reel == archive.reel);
    REQUIRE(recovered.index.records.size() == 3);
    CHECK(recovered.index.records[0] == archive.records[0]);
    CHECK(recovered.index.records[1] == archive.records[1]);
    CHECK(recovered.index.records[2].startUs == archive.records[2].startUs);
    if (ok) break;
  }
}
