#pragma once
#include <cstddef>
#include <cstdint>
#include <deque>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "ts/parser.h"
#include "writer/first_bytes.h"

namespace reelvault {

class Standby;

/// The memory of all streams that are received and not recorded. One thread.
class StandbyPool {
 public:
  static constexpr size_t kBlockBytes = 64 * 1024;
  /// `ceiling`: bytes, of all streams together.
  explicit StandbyPool(size_t ceiling) : ceiling_(ceiling) {}
  size_t used() const { return blocks_ * kBlockBytes; }

 private:
  friend class Standby;
  bool full() const { return used() + kBlockBytes > ceiling_; }
  /// The stream that holds most gives up its oldest group of pictures, until there is room for a block. False when nobody has any to give.
  bool makeRoom();
  void took();
  /// So many blocks were freed. When that is much, their pages go back to the system: malloc keeps what is not at its end.
  void gave(size_t blocks);

  const size_t ceiling_;
  size_t blocks_ = 0;
  size_t most_ = 0;  ///< at once, since pages went back last
  std::vector<Standby*> members_;
};

/// A stream that is received and not recorded: it is read like one that is, and its newest seconds are kept, from a keyframe on, so that a
/// recording can begin before it was ordered. Plain memory, no I/O. docs/ingest.md ("While nothing is recorded").
class Standby final : private ts::AccessUnitSink {
 public:
  /// What may come in after hold() before the publisher must wait.
  static constexpr uint64_t kHoldBytes = 1 << 20;
  enum class Fed : int8_t { taken = 0, full = 1, notTransportStream = -1 };
  /// Bytes that came in together.
  struct Piece {
    const uint8_t* data;
    size_t length;
    int64_t cameUs;
  };

  Standby(StandbyPool& pool, int64_t keepUs);
  ~Standby();
  Standby(const Standby&) = delete;
  Standby& operator=(const Standby&) = delete;

  /// Takes the bytes in any case but the last. `full`: no more, please, until some were taken out.
  /// `elapsedUs`: from any start, by a clock that is never set; what is kept is as old as it says.
  Fed feed(const uint8_t* data, size_t length, int64_t wallUs, int64_t elapsedUs);
  /// A recording begins: nothing of what is kept, and nothing that comes from now on, is dropped any more.
  void hold();
  /// The oldest bytes kept.
  std::optional<Piece> front() const;
  /// Drops the piece that front() answers.
  void pop();

  const ts::Counters& counters() const { return parser_.counters(); }
  std::string got() const { return first_.got(parser_); }
  uint64_t held() const { return received_ - front_; }
  /// When the oldest bytes kept came in.
  std::optional<int64_t> heldSinceUs() const;

 private:
  friend class StandbyPool;
  struct Block {
    std::unique_ptr<uint8_t[]> data;
    uint64_t begin;  ///< of the bytes received
  };
  struct Mark {
    uint64_t offset;
    int64_t wallUs;
  };
  struct Cut {
    uint64_t offset;
    int64_t elapsedUs;
  };

  void accessUnit(const ts::AccessUnit& unit) override;
  void store(const uint8_t* data, size_t length, int64_t wallUs);
  bool addBlock();
  void giveUp();
  void clear();
  void trim();
  void dropTo(uint64_t offset);

  StandbyPool& pool_;
  const int64_t keepUs_;
  ts::Parser parser_;
  FirstBytes first_;
  bool holding_ = false;
  uint64_t received_ = 0;
  uint64_t front_ = 0;      ///< bytes before it are gone
  uint64_t end_ = 0;        ///< bytes before it are kept, or gone
  uint64_t heldFrom_ = 0;   ///< received when hold() was called, or taken out since
  int64_t elapsedUs_ = 0;
  std::deque<Block> blocks_;
  std::deque<Mark> marks_;  ///< bytes from here on came at this time
  std::deque<Cut> cuts_;    ///< where a recording could begin
};

}  // namespace reelvault
