#pragma once
#include <array>
#include <cstddef>
#include <cstdint>

#include "ts/packet.h"
#include "ts/pes.h"
#include "ts/psi.h"
#include "ts/sync.h"

namespace reelvault::ts {

/// One access unit (PES packet) of the main stream. Offsets count the bytes fed so far, from 0.
struct AccessUnit {
  uint64_t offset = 0;     ///< of its first packet
  uint64_t cutOffset = 0;  ///< where a segment that begins with it begins: the PAT directly before, or `offset`
  int64_t pts = -1;        ///< 33 bits; -1 unknown
  bool keyframe = false;
  bool tables = false;  ///< PAT and PMT stand between cutOffset and offset
  bool first = false;   ///< no packet of the main stream came before it
  bool newStream = false;    ///< the first one after the PMT named another main stream, or another codec of it
  bool newTimeBase = false;  ///< the first one after the program clock was set anew
};

class AccessUnitSink {
 public:
  virtual void accessUnit(const AccessUnit& unit) = 0;

 protected:
  ~AccessUnitSink() = default;
};

struct Counters {
  uint64_t packets = 0, nullPackets = 0, continuityErrors = 0, transportErrors = 0, syncLosses = 0, garbageBytes = 0;
  uint64_t duplicatePackets = 0;  ///< sent twice, as the standard allows
  uint64_t scrambledPackets = 0;
  uint64_t discontinuities = 0;  ///< packets that announce one
  uint64_t clockJumps = 0;       ///< of the program clock, unannounced: back, or more than 10 s ahead
  uint64_t tableChanges = 0;     ///< the PAT named another PMT, or the PMT another main stream
  uint64_t packetBytes = 0;      ///< 188, 192 or 204, as last found; 0 before
};

/// Reads a transport stream that comes in pieces of any size and reports the access units of its main stream.
/// Holds at most a few packets of it, allocates nothing, and gives the same answers however the bytes are cut into pieces.
class Parser {
 public:
  /// A PAT further before a keyframe than this is not its PAT, and a picture whose kind is not clear after so much is no keyframe:
  /// so the bytes that settled() holds back stay few.
  static constexpr uint64_t kLookback = 32 * 1024;
  /// A program clock that goes further ahead at once was set anew.
  static constexpr int64_t kClockJump = 10 * 90000;
  static constexpr uint64_t kUnsettledMax = 2 * kLookback + SyncFinder::kLimit + 3 * SyncFinder::kWanted * kLongestPacket;

  explicit Parser(AccessUnitSink& sink);
  /// Bytes are about to come: has the cache fetch what they will need, while the caller still copies them.
  void expect() const {
    __builtin_prefetch(&counters_, 1);
    __builtin_prefetch(&scanner_, 1);
    __builtin_prefetch(&continuity_[main_.pid % continuity_.size()], 1);
  }
  /// False when there is no packet grid in the bytes (at the start or after a loss): nothing more is taken.
  bool feed(const uint8_t* data, size_t length);
  /// The end of the stream. False when no packet was ever found. `wholePackets`: what is no whole packet at the end does not count as
  /// settled (recovery of a torn file); otherwise every byte does.
  bool end(bool wholePackets = false);

  bool synced() const { return everSynced_; }
  bool failed() const { return failed_; }
  /// Every cut from now on lies at this offset or after it.
  uint64_t settled() const;
  /// The end of the last whole packet on the grid, or the offset where the grid was lost.
  uint64_t goodEnd() const { return goodEnd_; }
  uint64_t position() const { return position_; }
  bool searching() const { return searching_; }
  const Counters& counters() const { return counters_; }

 private:
  void search(const uint8_t*& data, size_t& length);
  void adoptGrid();
  void loseGrid();
  void fillCarry(const uint8_t*& data, size_t& length);
  void packet(const uint8_t* p, uint64_t offset, uint64_t end);
  bool repeated(const uint8_t* p, uint16_t id);
  void programClock(const uint8_t* p, uint16_t id);
  void programAssociation(const uint8_t* p, uint64_t offset);
  void programMap(const uint8_t* p);
  void mainPacket(const uint8_t* p, uint64_t offset, bool again);
  void scan(const uint8_t* data, size_t length);
  void decide(bool keyframe);

  // What each packet needs stands together: a thousand parsers in turn find little of themselves in the cache.
  AccessUnitSink& sink_;
  bool searching_ = true, everSynced_ = false, failed_ = false, ended_ = false, whole_ = false;
  uint8_t programSection_ = 0xff;  // the section of the PAT that named it; 0xff: none did
  bool mainSeen_ = false;
  bool newStream_ = false, newTimeBase_ = false;  // to be told with the next access unit
  bool patNear_ = false, pmtNear_ = false;        // seen since the last packet of the main stream
  bool pending_ = false;                          // unit_ waits for the scanner's verdict
  size_t carryLength_ = 0;
  uint64_t position_ = 0, goodEnd_ = 0;
  Grid grid_ = kGrids[0];
  Program program_;
  MainStream main_;
  uint64_t patOffset_ = 0;
  int64_t clock_ = -1;  // the last program clock reference
  Counters counters_;
  AccessUnit unit_;
  PictureScanner scanner_;
  std::array<uint8_t, kLongestPacket> carry_{};  // the beginning of a packet whose rest is still to come
  static constexpr uint8_t kNoCounter = 0xff;
  std::array<uint8_t, 8192> continuity_;  // low nibble: last counter; bit 4: it came twice
  SectionAssembler pat_, pmt_;
  SyncFinder finder_;
};

}  // namespace reelvault::ts
