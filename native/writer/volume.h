#pragma once
#include <chrono>
#include <condition_variable>
#include <map>
#include <memory>
#include <thread>
#include <vector>

#include "writer/stream.h"
#include "writer/write_loop.h"

namespace reelvault {

/// Everything of one volume that may block: writing its reels, and opening, committing and closing them, in threads of its own, so that a slow volume holds
/// up no other. The procedures are in docs/archive.md.
class Volume {
 public:
  Volume(int id, UniqueFd directory, const VolumeUuid& uuid, std::chrono::milliseconds interval, Shared& shared, std::unique_ptr<IoBackend> backend);
  ~Volume();

  const int id;
  /// Call with Shared::mutex held.
  void add(const std::shared_ptr<Stream>& stream) {
    streams_[stream->id] = stream;
    share_.streams = streams_.size();
  }
  PoolShare& share() { return share_; }
  WriteLoop& loop() { return loop_; }
  bool empty() const { return streams_.empty(); }
  bool writes(const std::string& name) const;
  /// A round is wanted now: a reel must be opened, a session ends, memory is short. Call with Shared::mutex held.
  void hurry();
  /// Ends the thread after the round that is running. What is not acknowledged then stays so.
  void stop();

 private:
  struct Item {
    std::shared_ptr<Stream> stream;
    Reel* reel;
    uint64_t target = 0;  ///< the session's bytes up to here go into this commit
    uint64_t fresh = 0;   ///< how many of them came since the last one
    size_t segments = 0;
    std::string records;
    std::vector<IndexRecord> acknowledged;
    Failure failure;
  };
  using Items = std::vector<Item>;
  using Lock = std::unique_lock<std::mutex>;

  void run();
  void round();
  void openReels(std::vector<Event>& events);
  void commit(std::vector<Event>& events);
  Items gather(Lock& lock);
  void awaitWritten(Lock& lock, const Items& items);
  void collect(Items& items);
  void acknowledge(Items& items, std::vector<Event>& events);
  /// Syncs the files, or the whole volume where that is one call for many; a failure goes into each item it may concern.
  enum class Part : uint8_t { reel, index };
  void sync(Items& items, Part part, bool whole);
  Failure syncAlone(const Item& item, Part part);
  bool closeReels(std::vector<Event>& events);
  void allocateAhead(Items& items);
  void report(std::vector<Event>& events);

  const UniqueFd directory_;
  const VolumeUuid uuid_;
  const std::chrono::milliseconds interval_;
  Shared& shared_;
  PoolShare share_;
  WriteLoop loop_;
  std::map<int, std::shared_ptr<Stream>> streams_;
  std::condition_variable wake_;
  bool urgent_ = false, stop_ = false;
  std::thread thread_;
};

}  // namespace reelvault
