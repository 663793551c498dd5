#include "ts/parser.h"

#include <algorithm>
#include <cstring>

namespace reelvault::ts {

Parser::Parser(AccessUnitSink& sink) : sink_(sink) { continuity_.fill(kNoCounter); }

bool Parser::feed(const uint8_t* data, size_t length) {
  while (length > 0 && !failed_) {
    if (searching_) {
      search(data, length);
      continue;
    }
    if (carryLength_ > 0 || length < grid_.bytes) {
      fillCarry(data, length);
      continue;
    }
    while (length >= grid_.bytes && data[grid_.lead] == kSyncByte) {
      packet(data + grid_.lead, position_, position_ + grid_.bytes);
      data += grid_.bytes, length -= grid_.bytes, position_ += grid_.bytes;
    }
    if (length >= grid_.bytes) loseGrid();
  }
  return !failed_;
}

// Stops at the sync byte, so that a grid is lost at the same place however the bytes come.
void Parser::fillCarry(const uint8_t*& data, size_t& length) {
  const size_t syncEnd = grid_.lead + 1;
  const size_t wanted = carryLength_ < syncEnd ? syncEnd : grid_.bytes;
  const size_t take = std::min(wanted - carryLength_, length);
  std::memcpy(carry_.data() + carryLength_, data, take);
  carryLength_ += take, data += take, length -= take, position_ += take;
  if (carryLength_ < wanted) return;
  if (carry_[grid_.lead] != kSyncByte) return loseGrid();
  if (carryLength_ < grid_.bytes) return;
  carryLength_ = 0;
  packet(carry_.data() + grid_.lead, position_ - grid_.bytes, position_);
}

void Parser::search(const uint8_t*& data, size_t& length) {
  const size_t took = finder_.feed(data, length);
  data += took, length -= took, position_ += took;
  if (finder_.found()) adoptGrid();
  else if (finder_.exhausted()) failed_ = true;
}

void Parser::adoptGrid() {
  searching_ = false;
  everSynced_ = true;
  grid_ = finder_.grid();
  counters_.packetBytes = grid_.bytes;
  const uint8_t* p = finder_.tail() - finder_.lead();
  size_t left = finder_.tailLength() + finder_.lead();
  uint64_t at = position_ - left;
  counters_.garbageBytes += at - goodEnd_;
  // The first packet may have come without all of what stands before its sync byte.
  for (size_t lead = finder_.lead(); left >= grid_.bytes - grid_.lead + lead; lead = grid_.lead) {
    const size_t length = grid_.bytes - grid_.lead + lead;
    packet(p + lead, at, at + length);
    p += length, at += length, left -= length;
  }
  std::memcpy(carry_.data(), p, left);
  carryLength_ = left;
}

// The packet that has no sync byte begins behind the last one; what came of it is looked through again.
void Parser::loseGrid() {
  counters_.syncLosses++;
  searching_ = true;
  goodEnd_ = position_ - carryLength_;
  finder_.reset();
  (void)finder_.feed(carry_.data(), carryLength_);
  carryLength_ = 0;
}

bool Parser::end(bool wholePackets) {
  if (ended_) return everSynced_;
  ended_ = true;
  whole_ = wholePackets;
  if (!everSynced_ && !failed_ && finder_.acceptShort()) adoptGrid();
  if (pending_) decide(false);
  patNear_ = false;
  return everSynced_;
}

uint64_t Parser::settled() const {
  if (!everSynced_) return 0;
  if (ended_) return failed_ || whole_ ? goodEnd_ : position_;
  uint64_t offset = searching_ ? goodEnd_ : position_ - carryLength_;
  if (patNear_) offset = std::min(offset, patOffset_);
  if (pending_) offset = std::min(offset, unit_.cutOffset);
  return offset;
}

void Parser::packet(const uint8_t* p, uint64_t offset, uint64_t end) {
  counters_.packets++;
  goodEnd_ = end;
  if (patNear_ && offset - patOffset_ > kLookback) patNear_ = false;
  if (pending_ && offset - unit_.offset > kLookback) decide(false);
  const uint16_t id = pid(p);
  if (id == kNullPid) {
    counters_.nullPackets++;
    return;
  }
  if (transportError(p)) {  // none of its fields can be trusted
    counters_.transportErrors++;
    return;
  }
  if (scrambled(p)) counters_.scrambledPackets++;
  const bool again = repeated(p, id);
  programClock(p, id);
  if (!hasPayload(p)) return;
  const bool table = id == kPatPid || id == program_.pmtPid;
  if (table && again) return;  // a part of a table that is taken twice spoils it
  if (id == kPatPid) programAssociation(p, offset);
  else if (table) programMap(p);
  else if (id == main_.pid) mainPacket(p, offset, again);
}

// Counts what is wrong with the packet's place in its stream; true when it is the former one once more.
bool Parser::repeated(const uint8_t* p, uint16_t id) {
  uint8_t& last = continuity_[id];
  const uint8_t counter = continuityCounter(p);
  if (discontinuityIndicator(p)) {
    counters_.discontinuities++;
  } else if (last != kNoCounter) {
    const uint8_t former = last & 0x0f;
    if (!hasPayload(p)) {
      if (counter != former) counters_.continuityErrors++;
    } else if (counter == former) {  // a packet may be sent twice, not more often
      const bool twice = (last & 0x10) == 0;
      twice ? counters_.duplicatePackets++ : counters_.continuityErrors++;
      last = counter | 0x10;
      return twice;
    } else if (counter != ((former + 1) & 0x0f)) {
      counters_.continuityErrors++;
    }
  }
  last = counter;
  return false;
}

void Parser::programClock(const uint8_t* p, uint16_t id) {
  if (id != program_.clockPid) return;
  if (discontinuityIndicator(p)) {
    newTimeBase_ = true;
    clock_ = -1;
  }
  const int64_t reference = clockReference(p);
  if (reference < 0) return;
  constexpr int64_t kMask = (int64_t{1} << 33) - 1;
  if (clock_ >= 0 && ((reference - clock_) & kMask) > kClockJump) {
    counters_.clockJumps++;
    newTimeBase_ = true;
  }
  clock_ = reference;
}

void Parser::programAssociation(const uint8_t* p, uint64_t offset) {
  if (payloadUnitStart(p)) {
    patNear_ = true, pmtNear_ = false;
    patOffset_ = offset;
  }
  for (bool whole = pat_.feed(p); whole; whole = pat_.next()) {
    // A PAT of several sections names other programs in each: the first one of the first section is followed.
    const auto number = associationNumber(pat_.section(), pat_.length());
    if (!number || *number > programSection_) continue;
    const auto program = firstProgram(pat_.section(), pat_.length());
    programSection_ = program ? *number : 0xff;
    if (!program) continue;
    program_.alone = program->alone;
    if (program->number == program_.number && program->pmtPid == program_.pmtPid) continue;
    if (program_.pmtPid != kNoPid) counters_.tableChanges++;
    program_ = *program;
    clock_ = -1;
    pmt_.reset();
  }
}

void Parser::programMap(const uint8_t* p) {
  if (payloadUnitStart(p)) pmtNear_ = true;
  for (bool whole = pmt_.feed(p); whole; whole = pmt_.next()) {
    if (!isMapOf(pmt_.section(), pmt_.length(), program_)) continue;
    const uint16_t clock = clockPid(pmt_.section());
    if (clock != program_.clockPid) clock_ = -1;
    program_.clockPid = clock;
    const auto stream = mainStream(pmt_.section(), pmt_.length());
    if (!stream || *stream == main_) continue;
    if (pending_) decide(false);
    if (main_.pid != kNoPid) {
      counters_.tableChanges++;
      newStream_ = true;
    }
    main_ = *stream;
  }
}

void Parser::mainPacket(const uint8_t* p, uint64_t offset, bool again) {
  const size_t at = payloadOffset(p);
  const uint8_t* payload = p + at;
  const size_t length = kPacketBytes - at;
  if (payloadUnitStart(p)) {
    const PesHead head = scrambled(p) ? PesHead{} : readPesHead(payload, length);
    // Scrambled, the time stamps cannot be read; the program clock can.
    const int64_t pts = scrambled(p) ? clock_ : head.pts;
    if (again && unit_.pts == pts) return;
    if (pending_) decide(false);
    unit_ = {.offset = offset,
             .cutOffset = patNear_ ? patOffset_ : offset,
             .pts = pts,
             .tables = patNear_ && pmtNear_,
             .first = !mainSeen_,
             .newStream = newStream_,
             .newTimeBase = newTimeBase_};
    newStream_ = newTimeBase_ = false;
    pending_ = true;
    patNear_ = false;
    mainSeen_ = true;
    if (main_.codec == Codec::audio || randomAccessIndicator(p)) return decide(true);
    if (main_.codec == Codec::other || !head.valid) return decide(false);
    scanner_.reset(main_.codec);
    return scan(payload + head.payload, length - head.payload);
  }
  patNear_ = false;
  mainSeen_ = true;
  if (pending_ && !again && !scrambled(p)) scan(payload, length);
}

void Parser::scan(const uint8_t* data, size_t length) {
  const auto verdict = scanner_.feed(data, length);
  if (verdict != PictureScanner::Verdict::undecided) decide(verdict == PictureScanner::Verdict::keyframe);
}

void Parser::decide(bool keyframe) {
  pending_ = false;
  unit_.keyframe = keyframe;
  sink_.accessUnit(unit_);
}

}  // namespace reelvault::ts
