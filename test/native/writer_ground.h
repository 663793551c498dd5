#pragma once
// A writer on a volume in a temporary directory, and streams to feed it.
#include <thread>

#include "ts_builder.h"
#include "volume_ground.h"

namespace writer_ground {

using namespace reelvault;

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
    volume = writer->addVolume(UniqueFd(::fcntl(directory.fd.get(), F_DUPFD_CLOEXEC, 3)), VolumeUuid{9}).value;
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

/// The path of an open file.
inline std::string pathOf(int fd) {
  std::error_code ignored;
  return std::filesystem::read_symlink("/proc/self/fd/" + std::to_string(fd), ignored).string();
}

inline std::string text(const std::vector<uint8_t>& bytes) { return {bytes.begin(), bytes.end()}; }

inline std::vector<uint8_t> streamOf(int seconds, int64_t pts = 0, size_t packets = 3) {
  TsBuilder ts;
  for (int s = 0; s < seconds; s++) {
    ts.pat().pmt().key(pts + s * 90000, packets);
    for (int f = 1; f < 5; f++) ts.frame(pts + s * 90000 + f * 18000, packets);
  }
  return ts.bytes;
}

}  // namespace writer_ground
