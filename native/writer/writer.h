#pragma once
#include <cstdint>
#include <map>
#include <memory>
#include <string>

#include "writer/stream_table.h"
#include "writer/volume.h"
#include "writer/write_loop.h"

namespace reelvault {

struct WriterOptions {
  BackendKind backend = BackendKind::automatic;
  size_t stagingBytes = 64 << 20;
  uint32_t commitIntervalMs = 1000;
};
struct StreamOptions {
  int volume = 0;
  std::string name;
  uint32_t segmentMs = 4000;
  bool evidence = false;
  int64_t lastEndUs = kUnknownTime;
  uint32_t gapReasons = 0;  ///< kGapOrderedOff …
};

/// The segment writer. All methods belong to one thread, and none of them waits for a disk except removeVolume() and stop().
class Writer {
 public:
  static constexpr int64_t kNotTaken = -1;  ///< append: no staging memory; give the same bytes again after `drain`
  static constexpr int64_t kRefused = -2;   ///< append: the session is over (an `error` event says why)
  /// Staging memory that a stream may hold whatever the disk does: openStream refuses streams beyond what the ceiling can bear.
  static constexpr size_t kReservedSlabs = (ts::Parser::kUnsettledMax + kSlabBytes - 1) / kSlabBytes + 2;

  /// With `automatic`, io_uring where the kernel lets us, else pwrite.
  static Result<std::unique_ptr<Writer>> make(const WriterOptions& options, EventSink& sink, FileOps& ops = systemFileOps());
  ~Writer();

  BackendKind backend() const { return backend_; }
  size_t highMark() const { return highMark_; }
  /// Fails where the kernel gives no io_uring for another volume and no other backend is allowed.
  Result<int> addVolume(UniqueFd directory, const VolumeUuid& uuid);
  /// EBUSY while sessions are open.
  Failure removeVolume(int volume);
  /// EBUSY: the name is being written. ENOBUFS: too many streams for the staging memory.
  Result<int> openStream(const StreamOptions& options);
  /// Bytes of the stream taken and not yet written, or kNotTaken, or kRefused. At most kLongestAppend bytes at once.
  int64_t append(int stream, const uint8_t* data, size_t length, int64_t nowUs);
  /// Why time may be missing before the stream's next segment (kGapClock …).
  void noteGap(int stream, uint32_t reasons);
  /// The tail becomes a segment; `finished` comes when all is durable and closed. The id means nothing afterwards.
  void finish(int stream);
  ts::Counters counters(int stream) const;
  size_t openStreams() const { return streams_.size(); }
  /// Ends all threads at once. What was not acknowledged is left to recovery. May be called again.
  void stop();

 private:
  Writer(const WriterOptions& options, BackendKind backend, EventSink& sink, FileOps& ops);
  bool reserve(Stream& stream, size_t length);
  void copyIn(Stream& stream, const uint8_t* data, size_t length);
  void sumSettled(Stream& stream, const uint8_t* chunk);
  int64_t publish(const std::shared_ptr<Stream>& stream, const uint8_t* chunk, size_t length);
  void placeSegments(Stream& stream);
  void endInput(const std::shared_ptr<Stream>& stream);
  void block(const std::shared_ptr<Stream>& stream);
  void reportNoTransportStream(const Stream& stream);

  const BackendKind wanted_, backend_;
  const size_t highMark_;
  const std::chrono::milliseconds interval_;
  Shared shared_;
  std::map<int, std::unique_ptr<Volume>> volumes_;
  StreamTable streams_;
  int nextVolume_ = 1;
};

}  // namespace reelvault
