#pragma once
#include <time.h>

#include <array>
#include <atomic>
#include <condition_variable>
#include <cstdint>
#include <deque>
#include <list>
#include <memory>
#include <mutex>
#include <string>
#include <vector>

#include "core/sha256.h"
#include "writer/events.h"
#include "writer/first_bytes.h"
#include "writer/io_backend.h"
#include "writer/reel_file.h"
#include "writer/segmenter.h"
#include "writer/slab_pool.h"

namespace reelvault {

constexpr uint64_t kNoEnd = UINT64_MAX;

/// Milliseconds by a clock that is never set. Coarse (some ms): it is read for each chunk.
inline int64_t monotonicMs() {
  timespec now{};
  (void)::clock_gettime(CLOCK_MONOTONIC_COARSE, &now);
  return int64_t{now.tv_sec} * 1000 + now.tv_nsec / 1'000'000;
}

struct PendingSegment {
  Segment segment;
  int64_t arrivedMs = 0;  ///< when its last byte was taken, by monotonicMs()
  uint32_t crc32c = 0;
  bool hashed = false;  ///< `sha256` is there, or not wanted
  Sha256Digest sha256{};
};

/// One hour's reel of a session. It holds the session's bytes `begin` … `end`.
struct Reel {
  enum class State : uint8_t { wanted, open };
  int64_t hourUs = 0;
  std::string path;
  uint64_t begin = 0, end = kNoEnd;
  State state = State::wanted;
  ReelFile file;
  std::deque<PendingSegment> pending;  ///< cut, not yet acknowledged
  uint64_t durableEnd = 0;             ///< the session's bytes up to here are acknowledged, or belong to the reel before
  uint64_t syncedEnd = 0;              ///< … are synced
  uint64_t allocatedEnd = 0;           ///< in the file
  bool newOnDisk = false;              ///< created, and its directories not yet synced

  uint64_t fileOffset(uint64_t at) const { return file.base + (at - begin); }
};

/// Where in the staged bytes the next ones go, or come from.
struct SlabPlace {
  Slab* slab = nullptr;
  uint8_t* data = nullptr;  ///< its memory
  size_t at = 0;            ///< in that
  bool spent() const { return slab == nullptr || at == kSlabBytes; }
  void goTo(Slab* next) { slab = next, data = next->data, at = next->skip; }
};

struct Stream;

/// A write on its way, with the memory for blocks that cannot go out of the slabs directly.
struct WriteOperation : WriteRequest {
  std::shared_ptr<Stream> stream;
  uint64_t begin = 0, end = 0;  ///< of the session
  size_t length = 0;            ///< bytes in `iov`, whole blocks
  bool done = false;
  bool direct = true;  ///< not yet refused as direct I/O
  std::vector<BlockBuffer> blocks;
  std::array<iovec, 72> exact{};  ///< the session's bytes begin … end, to be hashed; only with evidence
  size_t exactCount = 0;
};

/// A session of one stream. What stands below `shared` is guarded by Shared::mutex; what stands above belongs to the thread that appends.
struct Stream {
  Stream(int id, int volume, std::string name, bool evidence, uint32_t segmentMs, int64_t lastEndUs, uint32_t gapReasons, PoolShare& share)
      : id(id), volume(volume), name(std::move(name)), evidence(evidence), segmenter(segmentMs, lastEndUs, gapReasons), share(share) {}

  const int id;
  const int volume;
  const std::string name;
  const bool evidence;
  SlabPlace fill;                ///< in the newest slab
  SlabPlace unsummed;            ///< of the first byte that is not in `crc`
  uint64_t summed = 0;           ///< the session's bytes before it
  uint32_t crc = 0;              ///< of the segment that is not finished
  std::vector<uint32_t> crcs;    ///< of those that are, and not yet in `reels`
  bool inputEnded = false;
  bool placed = false;  ///< its first reel is known
  FirstBytes firstBytes;
  uint64_t chunkBegin = 0;                    ///< the session's bytes before the newest chunk
  int64_t chunkMs = 0, formerChunkMs = 0;     ///< when the newest chunk came, and the one before

  // Told without the mutex, so that most appends need none: `received` and `settled` by the thread that appends, the others by those that write.
  std::atomic<uint64_t> received = 0;   ///< bytes taken
  std::atomic<uint64_t> settled = 0;    ///< no cut will come before this: up to here bytes may be written. Not before the segments that end there are in `reels`
  std::atomic<uint64_t> submitted = 0;  ///< handed to the backend
  std::atomic<uint64_t> written = 0;    ///< written without a gap
  std::atomic<bool> failed = false;     ///< `failure` says why; nothing more is written

  Segmenter segmenter;  ///< of the thread that appends

  // shared
  PoolShare& share;        ///< of its volume
  uint64_t flushTo = 0;    ///< to be written now, though it be little
  uint64_t hashed = 0;     ///< gone into `sha`, where there is evidence
  Slab* head = nullptr;
  Slab* tail = nullptr;
  std::list<Reel> reels;  ///< oldest first; only the first is ever open
  std::deque<WriteOperation*> underWay;
  bool partialUnderWay = false;  ///< the last block was padded: its next version must wait
  bool queued = false;           ///< stands in WriteLoop::ready_
  bool blocked = false;          ///< the caller waits for `drain`
  bool finishing = false;        ///< finish() was called
  bool abandoned = false;        ///< a sync failed: nothing of the reel may be touched or acknowledged any more
  Failure failure;               ///< of I/O
  Sha256 sha;

  uint64_t queuedBytes() const { return received - written; }
  Reel* openReel() { return !reels.empty() && reels.front().state == Reel::State::open ? &reels.front() : nullptr; }
};

/// What the appending thread, the threads that write and those that commit share.
struct Shared {
  Shared(size_t stagingBytes, EventSink& sink, FileOps& ops) : pool(stagingBytes), sink(sink), ops(ops) {}

  std::mutex mutex;
  std::condition_variable progress;  ///< bytes were written or summed, or a stream failed
  SlabPool pool;
  std::vector<std::shared_ptr<Stream>> blocked;
  std::vector<Event> cuts;  ///< `segment` events, for the next round of any volume to report
  EventSink& sink;
  FileOps& ops;
};

}  // namespace reelvault
