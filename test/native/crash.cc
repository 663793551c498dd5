// A writer that is killed: what it acknowledged before is there afterwards, byte for byte.
#include <doctest/doctest.h>
#include <sys/wait.h>

#include <csignal>
#include <cstdio>
#include <thread>

#include "ts_builder.h"
#include "volume_ground.h"

using namespace reelvault;

namespace {

constexpr size_t kPiece = 188 * 6;

std::vector<uint8_t> endlessStream() {
  TsBuilder ts;
  for (int s = 0; s < 60; s++) {
    ts.pat().pmt().key(s * 90000, 20);
    for (int f = 1; f < 5; f++) ts.frame(s * 90000 + f * 18000, 20);
  }
  CHECK(ts.size() % kPiece == 0);
  return ts.bytes;
}

// In the child: tells the parent of every acknowledged segment, as it is acknowledged.
class PipeSink final : public EventSink {
 public:
  explicit PipeSink(int fd) : fd_(fd) {}
  void report(std::vector<Event> events) override {
    for (const Event& event : events) {
      for (const IndexRecord& record : event.kind == EventKind::durable ? event.records : std::vector<IndexRecord>{}) {
        const uint64_t line[2] = {record.offset, record.length};
        if (::write(fd_, line, sizeof line) != sizeof line) ::_exit(3);
      }
    }
  }

 private:
  int fd_;
};

[[noreturn]] void child(const std::string& path, const std::vector<uint8_t>& bytes, BackendKind backend, int fd) {
  PipeSink sink(fd);
  auto writer = Writer::make({.backend = backend, .stagingBytes = 8 << 20, .commitIntervalMs = 3}, sink);
  if (!writer.ok()) ::_exit(2);
  const int volume = writer.value->addVolume(UniqueFd(::open(path.c_str(), O_RDONLY | O_DIRECTORY)), {}).value;
  const auto stream = writer.value->openStream({.volume = volume, .name = "cam", .segmentMs = 1000});
  for (size_t at = 0;; at = (at + kPiece) % bytes.size()) {
    while (writer.value->append(stream.value, bytes.data() + at, kPiece, kTestHour) == Writer::kNotTaken) ::usleep(1000);
    ::usleep(50);
  }
}

}  // namespace

TEST_CASE("killed at any moment, nothing acknowledged is lost, and nothing else is indexed than what came in") {
  const auto bytes = endlessStream();
  std::string endless;
  for (int round = 0; round < 3; round++) endless.append(bytes.begin(), bytes.end());
  size_t acknowledgedInAll = 0;
  for (int round = 0; round < 16; round++) {
    TemporaryVolume volume;
    int ends[2];
    REQUIRE(::pipe(ends) == 0);
    const pid_t pid = ::fork();
    REQUIRE(pid >= 0);
    if (pid == 0) child(volume.path, bytes, round % 2 == 0 ? BackendKind::ioUring : BackendKind::pwrite, ends[1]);
    ::close(ends[1]);
    ::usleep(static_cast<useconds_t>(4000 + round * round * 700));
    REQUIRE(::kill(pid, SIGKILL) == 0);
    int status = 0;
    REQUIRE(::waitpid(pid, &status, 0) == pid);
    CHECK(WIFSIGNALED(status));
    std::vector<std::pair<uint64_t, uint64_t>> acknowledged;
    uint64_t line[2];
    while (::read(ends[0], line, sizeof line) == sizeof line) acknowledged.emplace_back(line[0], line[1]);
    ::close(ends[0]);
    acknowledgedInAll += acknowledged.size();
    if (!volume.has(kTestReel)) {
      CHECK(acknowledged.empty());
      continue;
    }
    CHECK(volume.read(".reelvault/open/cam") == kTestReel + "\n");
    const auto report = recoverReel(volume.fd.get(), kTestReel);
    REQUIRE_MESSAGE(report.ok(), report.failure.what);
    const std::string reel = volume.read(kTestReel);
    REQUIRE(reel.size() <= endless.size());
    CHECK(reel == endless.substr(0, reel.size()));
    const auto index = volume.index();
    REQUIRE(index.records.size() >= acknowledged.size());
    for (size_t i = 0; i < acknowledged.size(); i++) {
      CHECK(index.records[i].offset == acknowledged[i].first);
      CHECK(index.records[i].length == acknowledged[i].second);
    }
    volume.checkSums();
  }
  CHECK(acknowledgedInAll > 20);
}
